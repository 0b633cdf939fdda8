"""The errors that dreamvid raises on purpose.

Each message is one line that names the thing, what was got, what is allowed and the remedy. The
command line catches them once, prints that line and leaves with the error's ``exit_status``.
"""

import difflib
import shlex
from collections.abc import Iterable
from pathlib import Path


class DreamvidError(Exception):
    """Anything that dreamvid can explain in one line."""

    exit_status = 2


class SettingsError(DreamvidError):
    """A setting is unknown, of the wrong type or out of range."""


class NetworkError(DreamvidError):
    """A network, a layer of it or its weights cannot be used."""


class MediaError(DreamvidError):
    """A picture or film cannot be read, or an output cannot be written as asked."""


class ResumeError(DreamvidError):
    """A job folder does not fit what is asked of it."""


class JobLockedError(ResumeError):
    """Another run holds the job."""

    exit_status = 75


class StorageError(DreamvidError):
    """The disk is full, read-only or broken."""

    exit_status = 74


class EncodeError(DreamvidError):
    """ffmpeg failed although its input was good; the frames are kept."""

    exit_status = 1


class Stopped(BaseException):
    """A signal asked a run to stop; what it finished is whole in its folder.

    `remedy` says how to go on where that is not by ``dreamvid resume FOLDER``, `so_far` what can be
    made of what is finished.
    """

    def __init__(
        self, signal: int, folder: Path, remedy: str | None = None, so_far: str = ""
    ) -> None:
        super().__init__(signal, folder, remedy)
        self.so_far = so_far
        self.signal = signal
        self.folder = folder
        self.remedy = remedy or f"`dreamvid resume {shlex.quote(str(folder))}`"


def in_one_line(error: BaseException) -> str:
    """What an error says, without line breaks; its kind where it says nothing."""
    return " ".join(str(error).split()) or type(error).__name__


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """``"; did you mean 'x'?"`` for the nearest of `names`, or nothing where none is near."""
    lowered = {known.lower(): known for known in names}
    near = difflib.get_close_matches(str(name).lower(), list(lowered), n=1, cutoff=0.5)
    return f"; did you mean {lowered[near[0]]!r}?" if near else ""
