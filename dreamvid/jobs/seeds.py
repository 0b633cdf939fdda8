"""The picture that something begins with: a still, a frame of a film, the last frame of a job."""

from fractions import Fraction
from pathlib import Path
from typing import Any

from dreamvid import media
from dreamvid.errors import MediaError, ResumeError, SettingsError
from dreamvid.frames import Frame
from dreamvid.jobs.folder import Job
from dreamvid.jobs.shots import first_of
from dreamvid.sizes import film_seconds


def read_seed(path: Path, at: int | str | None = None, **options: Any) -> Frame:
    """A picture or, with `at`, the frame of a film at that place: a frame's number or a time.

    `options` are those of `media.read_picture`.

    Raises:
        MediaError: it cannot be read; or it is a film, and `at` is not given; or the reverse.
        SettingsError: `at` is no place in the film.
    """
    if at is None:
        if media.is_sequence(path) and not path.is_dir():
            raise MediaError(
                f"{path}: is a row of pictures; use `dreamvid video`, or `--at 3` to fall into one"
            )
        try:
            return media.read_picture(path, **options)
        except MediaError:
            if media.is_picture_file(path) or not _is_film(path):
                raise
        raise MediaError(f"{path}: is a film; use `dreamvid video`, or `--at 3s` for a frame of it")
    film = media.probe(path)
    if film.frames == 1 and media.is_picture(path):
        raise MediaError(f"{path}: is a picture, and --at is a place in a film; leave it out")
    seconds = film_seconds(at, film.rate, "--at")
    numbered = str(at).strip().isdigit()
    if seconds >= (film.frames / film.rate if numbered else film.duration):
        raise SettingsError(
            f"--at: got {at}, expected a place before the end of {path.name}, "
            f"which has {film.frames} frames, {float(film.duration):.4g} s"
        )
    return media.picture_at(path, film, int(at) if numbered else seconds, **options)


def known_place(at: int | str | None) -> dict[str, str]:
    """What a job records of the place in the film that its seed is from."""
    return {} if at is None else {"at": str(at)}


def known_numbers(film: media.Film) -> dict[str, str]:
    """What a job records of the numbers of pictures in a row."""
    number, step = film.numbering
    return {"number": str(number), "step": str(step)} if film.stills else {}


def probe_film(path: Path, rate: Fraction | None = None) -> media.Film:
    """What a film is; a `MediaError` names the commands for a picture where it is one.

    Pictures in a row, a folder or a pattern, have the `rate` that is asked for.
    """
    if media.is_sequence(path):
        film = media.probe(path, rate)
        if film.frames == 1:
            raise MediaError(f"{path}: holds one picture; use `dreamvid zoom` or `image`")
        return film
    picture = media.is_picture_file(path)
    try:
        film = media.probe(path)
    except MediaError:
        if not picture:
            raise
        film = None
    if picture and (film is None or film.frames == 1):
        raise MediaError(f"{path}: is a picture; use `dreamvid zoom` or `image`")
    assert film is not None
    return film


def last_frame(folder: Path) -> Path:
    """The last finished frame of a job."""
    job = Job.open(folder)
    done = job.finished()
    if done == first_of(job.manifest.source):
        raise ResumeError(f"{folder}: has no finished frame yet; `dreamvid resume` it first")
    return job.frame_path(done - 1)


def _is_film(path: Path) -> bool:
    try:
        return media.probe(path).frames > 1
    except MediaError:
        return False
