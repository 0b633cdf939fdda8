"""What a result is called where no name is given: after its seed, numbered where that is taken."""

from collections.abc import Callable
from itertools import count
from pathlib import Path

from dreamvid import media
from dreamvid.jobs.folder import SUFFIX
from dreamvid.media import encoders

Say = Callable[[str], None]


def _nobody(text: str) -> None:
    """Tells nobody."""


def film_name(
    out: Path | None, seed: Path | None, kind: str, overwrite: bool = False, say: Say = _nobody
) -> Path:
    """Where a film goes: to `out`, or to a free name after its seed."""
    if out is None:
        return _free(usual_name(seed, kind), overwrite, say)
    return out


def usual_name(seed: Path | None, kind: str, number: int = 1) -> Path:
    """The name of a film after its seed, or the next one of that name."""
    return Path(f"{called(seed)}-{kind}{f'-{number}' if number > 1 else ''}.mp4")


def job_folder(job: Path | None, out: Path, seed: Path | None, kind: str) -> Path:
    """Where the job of a film is: in `job`, or beside the film."""
    if job is not None:
        return job
    if encoders.is_pipe(out):
        out = out.with_name(f"{called(seed)}-{kind}.y4m")
    return out.with_name(out.name + SUFFIX)


def called(seed: Path | None) -> str:
    """What the films of a seed are called after."""
    if seed is None:
        return "noise"
    if str(seed) == encoders.PIPE:
        return "pipe"
    name = seed.absolute().name
    if name.endswith(SUFFIX):  # a job, which is called after its film
        return Path(name.removesuffix(SUFFIX)).stem
    return media.plain_name(seed) if media.is_sequence(seed) else Path(name).stem


def dream_name(out: Path | None, seed: Path, overwrite: bool = False, say: Say = _nobody) -> Path:
    """Where the dream of a picture or of a folder goes: to `out`, or to a name after its seed.

    A folder's name is not numbered: its dreams are gone on with.
    """
    if out is not None:
        return out
    if seed.is_dir():
        seed = seed.absolute()
        return seed.with_name(f"{seed.name}-dream")
    return _free(Path(f"{seed.stem}-dream.png"), overwrite, say)


def _free(path: Path, overwrite: bool, say: Say) -> Path:
    """`path`, or the first name with a number where nothing stands yet; that is said."""
    if overwrite or not path.exists():
        return path
    names = (path.with_name(f"{path.stem}-{number}{path.suffix}") for number in count(2))
    free = next(name for name in names if not name.exists())
    say(f"{path} is there already, so this one is {free}; --overwrite replaces")
    return free
