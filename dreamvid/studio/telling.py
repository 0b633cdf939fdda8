"""What the studio's processes have in common: a lock, a state on the disk, the way they end."""

import contextlib
import os
import signal
import sys
import time
import traceback
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from dreamvid.errors import DreamvidError, JobLockedError, Stopped, StorageError, in_one_line
from dreamvid.jobs.progress import Silence
from dreamvid.studio.records import holding, written

SAID = 20
"""The last lines that are kept for the page."""
PATIENCE = 30.0
"""Seconds in which the process before this one, which has said its last, lets go of the lock."""
BUSY = 75
"""The exit status where it does not."""
HUMBLE = 5
"""How far a film stands back behind the sketches, in steps of `nice`."""


class Told(Silence):
    """A `jobs.progress.Progress` that writes a state down in ``status.json``."""

    often = 0.2
    """Seconds between two states on the disk, where they change quickly."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.state: dict[str, Any] = {"pid": os.getpid(), "phase": "starting"}
        self.lines: deque[str] = deque(maxlen=SAID)
        self.wrote = 0.0
        self.write()

    def say(self, text: str) -> None:
        """A line worth knowing."""
        self.lines.append(text)
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()
        self.write()

    def end(self, phase: str, status: int, text: str = "") -> int:
        """The last state; the exit status."""
        if text:
            sys.stderr.write(f"dreamvid: {text}\n")
        self.write(phase=phase, exit=status, error=text, left=None)
        return status

    @property
    def is_due(self) -> bool:
        """Whether the state on the disk is old enough for another one."""
        return time.monotonic() - self.wrote > self.often

    def write(self, **state: Any) -> None:
        """Change the state and write it down."""
        self.state |= state
        self.wrote = time.monotonic()
        # A full disk is told by what is made itself.
        with contextlib.suppress(OSError):
            written(self.path, {**self.state, "said": list(self.lines)})


Kind = TypeVar("Kind", bound=Told)


def lived(at: Path, kind: Callable[[Path], Kind], act: Callable[[Kind], object]) -> int:
    """Do something under the lock of a folder, and tell how it ends; the exit status."""
    # Whoever started the studio in the background has had this signal ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with holding(at, "another process is at work here", PATIENCE):
            told = kind(at / "status.json")
            return told.end(*_outcome(told, act))
    except JobLockedError:
        return BUSY


def _outcome(told: Kind, act: Callable[[Kind], object]) -> tuple[str, int, str]:
    try:
        act(told)
    except DreamvidError as error:
        return "failed", error.exit_status, in_one_line(error)
    except Stopped as stopped:
        return "stopped", 128 + stopped.signal, ""
    except KeyboardInterrupt:
        return "stopped", 128 + signal.SIGINT, ""
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return "failed", StorageError.exit_status, f"{where}{error.strerror or error}"
    except Exception as error:
        traceback.print_exc()
        return "failed", 1, f"{type(error).__name__}: {' '.join(str(error).split())}"
    return "done", 0, ""


def stand_back() -> None:
    """Let the sketches go first where both want the processor; alone it is as fast as ever."""
    os.nice(HUMBLE)
    # Where Linux groups processes by sessions, the groups are weighed against each other.
    with contextlib.suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(HUMBLE))
