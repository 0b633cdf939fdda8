"""What a film would show at each frame if nothing were dreamed."""

from collections.abc import Callable
from pathlib import Path

from dreamvid.dream.timeline import Timeline
from dreamvid.film.fading import Undreamed, falling
from dreamvid.frames import from_pixels
from dreamvid.jobs.filming import camera_over, opened_film
from dreamvid.jobs.folder import Job
from dreamvid.jobs.unchanged import must_be_what_it_was
from dreamvid.settings import Settings


def still_undreamed(job: Job, settings: Settings, say: Callable[[str], None]) -> Undreamed:
    """The job's picture, moved as its film is."""
    return falling(job.read_source(), Timeline(settings).motion, settings.film.rate)


def film_undreamed(job: Job, settings: Settings, say: Callable[[str], None]) -> Undreamed:
    """The frames of the film that the job dreams over."""
    source = job.manifest.source
    must_be_what_it_was(Path(source["path"]), source["sha256"])
    opened = opened_film(source, settings, say, camera_over(source, settings))
    return lambda start, ending: map(from_pixels, opened(start))
