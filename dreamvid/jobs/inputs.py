"""What a film that is dreamed over has beside its pictures: sound, title, chapters, subtitles."""

from collections.abc import Callable
from pathlib import Path

from dreamvid import media
from dreamvid.errors import MediaError
from dreamvid.jobs.folder import Job

Say = Callable[[str], None]


def input_sound(job: Job, frames: int, say: Say) -> media.Sound | None:
    """What of the input's sound belongs to the first `frames` frames of the job's film."""
    settings, source = job.manifest.settings, job.manifest.source
    if not settings.video.sound or "number" in source:  # as pictures in a row have
        return None
    path, rate = Path(source["path"]), settings.film.rate
    try:
        if media.probe(path).sound is None:
            return None
    except MediaError as error:
        say(f"no sound: {error}")
        return None
    track = settings.video.sound_track
    return media.Sound(path, int(source["first"]) / rate, frames / rate, track)


def input_extras(job: Job, frames: int) -> media.Extras | None:
    """What else of the input belongs to the first `frames` frames; None where it has nothing."""
    source, rate = job.manifest.source, job.manifest.settings.film.rate
    path = Path(source["path"])
    if "number" in source:
        return None
    try:
        film = media.probe(path)
    except MediaError:
        return None  # of which is told where its sound is looked for
    if film.animation:
        return None
    start, duration = int(source["first"]) / rate, frames / rate
    whole = start == 0 and duration > film.duration - 1 / film.rate
    return media.Extras(path, film.origin, start, duration, whole)
