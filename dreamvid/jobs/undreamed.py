"""What a film would show at each frame if nothing were dreamed."""

from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from dreamvid import media
from dreamvid.dream.timeline import Timeline
from dreamvid.film.fading import Undreamed, falling
from dreamvid.film.footage import film_frames
from dreamvid.frames import Frame, from_pixels
from dreamvid.jobs.folder import Job
from dreamvid.jobs.unchanged import must_be_what_it_was
from dreamvid.settings import Settings


def still_undreamed(job: Job, settings: Settings, say: Callable[[str], None]) -> Undreamed:
    """The job's picture, moved as its film is."""
    return falling(job.read_source(), Timeline(settings).motion, settings.film.rate)


def film_undreamed(job: Job, settings: Settings, say: Callable[[str], None]) -> Undreamed:
    """The frames of the film that the job dreams over."""
    source, film = job.manifest.source, settings.film
    path, first = Path(source["path"]), int(source["first"])
    must_be_what_it_was(path, source["sha256"])
    known = media.probe(path, film.rate)

    def undreamed(start: int, ending: bool) -> Iterator[Frame]:
        frames = film_frames(path, known, film.pixels, film.rate, first + start, say=say)
        return (from_pixels(pixels, torch.device("cpu")) for pixels in frames)

    return undreamed
