"""The frames of a film one by one, without the film: dreamed as they are asked for."""

import tempfile
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from dreamvid import media
from dreamvid.film.bars import Inside
from dreamvid.film.cadence import strided
from dreamvid.film.pipeline import Recurrence
from dreamvid.frames import Frame
from dreamvid.jobs import films
from dreamvid.jobs.folder import Job
from dreamvid.jobs.kinds import kind_of
from dreamvid.jobs.making import Request
from dreamvid.jobs.progress import Progress
from dreamvid.notebooks.arrays import converter, kept_seed
from dreamvid.settings import Settings

FOLDER = "frames"
"""The name of the film that is never encoded; without a suffix, so that any size will do."""


def frames_of(
    source: Any, settings: Callable[[str], Settings], at: int | str | None, progress: Progress
) -> Iterator[Any]:
    """Yield each frame of a zoom into a picture, or of a dream over a film.

    `settings` gives those for the kind of film. All that can be wrong is raised at the first frame.
    The frames are the film's own; a temporary folder holds those that the motion looks back at.
    """
    asked: list[Request] = []

    def kept(request: Request) -> Path:
        asked.append(request)
        return request.out

    with tempfile.TemporaryDirectory(prefix="dreamvid-") as name:
        folder = Path(name)
        path = kept_seed(source, folder / FOLDER, False)
        picture = at is not None or (path.is_file() and media.is_still(path))
        chosen = settings("zoom" if picture else "video")
        out = folder / FOLDER
        if picture:
            films.zoom(path, out, chosen, at=at, make=kept, progress=progress)
        else:
            films.video(path, out, chosen, make=kept, progress=progress)
        (request,) = asked
        as_array = converter(source, request.settings.film.depth)
        for frame in _dreamed(request, folder):
            yield as_array(frame)


def _dreamed(request: Request, folder: Path) -> Iterator[Frame]:
    """The frames of a film, on the processor."""
    (folder / "job").mkdir()
    job = Job.create(folder / "job", request.manifest(), request.start)
    dreamer, film, progress = request.dreamer, request.settings.film, request.progress
    kind = kind_of(request.kind)
    parts = kind.parts(job, request.settings, dreamer.network.device, progress.say)
    dreams = Inside(dreamer, parts.bars) if parts.bars else dreamer
    recurrence = Recurrence(
        parts.source, parts.carry, dreams, film.seed, film.depth, parts.finish, parts.period
    )
    progress.begin(0, film.length)
    made = strided(recurrence, film.cadence, parts.between, start=0, previous=None)
    for index, frame in islice(made, film.length):
        here = frame.cpu()
        job.write(index, here, {})
        progress.frame(index, {"frame": here})
        yield here
