"""Files that a job reads again: the same as when it was begun."""

from pathlib import Path

import torch

from dreamvid.dream.timeline import Timeline
from dreamvid.errors import ResumeError
from dreamvid.film.finishing import MaskedSource
from dreamvid.film.footage import masks_of
from dreamvid.film.sources import FrameSource
from dreamvid.film.travelling import Travelling
from dreamvid.jobs.folder import Job
from dreamvid.media import content_hash
from dreamvid.settings import Settings


def with_mask(
    source: FrameSource, job: Job, settings: Settings, device: torch.device
) -> FrameSource:
    """A source with the mask of a film that is made of a picture, where it has one."""
    mask, film = settings.video.mask, settings.film
    if mask is None:
        return source
    must_be_what_it_was(mask, job.manifest.source["mask_sha256"])
    return MaskedSource(source, masks_of(mask, film.pixels, film.rate, 0), device)


def must_be_what_it_was(file: Path, sha256: str) -> None:
    """Raise `ResumeError` where a file has another content than the job began with."""
    if known_hash(file) != sha256:
        raise ResumeError(
            f"{file}: is not what the job began with; put it back, or start anew with --overwrite"
        )


def travelling(job: Job, timeline: Timeline) -> Travelling | None:
    """The scene of a film whose motion is a camera in one, its depth as when it began."""
    settings = timeline.settings
    if timeline.scene is None:
        return None
    camera = settings.motion["camera"]
    if "depth_sha256" in job.manifest.source:
        must_be_what_it_was(Path(camera["depth"]), job.manifest.source["depth_sha256"])
    return Travelling(timeline.scene, settings.film.cadence, camera.get("dreams", "everywhere"))


_known: dict[Path, tuple[tuple[int, int, int], str]] = {}


def known_hash(path: Path) -> str:
    """The content hash of an input, which is read again only where its file has changed since.

    A film of many parts is opened once for each part, and may be large.
    """
    path = path.absolute()
    if not path.is_file():
        return content_hash(path)
    facts = path.stat()
    state = (facts.st_size, facts.st_mtime_ns, facts.st_ino)
    if path not in _known or _known[path][0] != state:
        _known[path] = (state, content_hash(path))
    return _known[path][1]
