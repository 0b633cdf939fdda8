"""What is known of a film that was asked for: its draft and its place in the queue, on the disk.

::

    .studio/films/ID/
      record.json    what is wanted; written by the server
      status.json    how far it is; written by the film's own process
      log.txt        what that process said
      lock           held by it as long as it lives
"""

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

from dreamvid.errors import DreamvidError, JobLockedError
from dreamvid.studio.drafts import Draft
from dreamvid.studio.places import Place, ident

WAITING, RUNNING, RESTING = "waiting", "running", "resting"
"""What is wanted of a film: to be made in its turn, to be made now, or nothing."""
ENDED = ("done", "failed", "stopped")
"""The last words of a process."""
MAKE, ENCODE = "make", "encode"
"""What its process does."""


@dataclass(frozen=True)
class Record:
    """A film that was asked for, or a job that was found and is to go on."""

    name: str
    """Of the film."""
    draft: Draft | None
    """None: a job that was begun elsewhere."""
    wanted: str = WAITING
    order: float = 0.0
    """The films of a lane are made in this order."""
    lane: str = "auto"
    """The device as it is set; on each, one film is made at a time."""
    frames: str | None = None
    """A new length, as `dreamvid resume --frames` takes it."""
    does: str = MAKE

    @property
    def ident(self) -> str:
        """What it is called in addresses."""
        return ident(self.name)

    def folder(self, place: Place) -> Path:
        """Where it is kept."""
        return place.records / self.ident

    def kept(self, place: Place) -> Self:
        """Write it down; it itself."""
        folder = self.folder(place)
        folder.mkdir(parents=True, exist_ok=True)
        tree = {**asdict(self), "draft": self.draft.tree() if self.draft else None}
        written(folder / "record.json", tree)
        return self

    def changed(self, place: Place, **values: Any) -> Self:
        """A copy with some values replaced, written down."""
        return replace(self, **values).kept(place)


def read_record(path: Path) -> Record | None:
    """The record in a folder; None where there is none that can be read."""
    tree = read(path / "record.json")
    try:
        draft = tree.pop("draft")
        return Record(**tree, draft=Draft.read(draft) if draft else None)
    except (KeyError, TypeError, DreamvidError):
        return None


def written(path: Path, tree: Any) -> None:
    """Write JSON that others see whole at every moment."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    part.write_text(json.dumps(tree))
    part.replace(path)


def read(path: Path) -> dict[str, Any]:
    """The JSON object in a file; empty where there is none."""
    try:
        tree = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return tree if isinstance(tree, dict) else {}


def is_held(folder: Path) -> bool:
    """Whether a process holds the lock of a folder now; a process that was killed holds none."""
    with contextlib.suppress(OSError), (folder / "lock").open("r") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


@contextlib.contextmanager
def holding(folder: Path, otherwise: str, patience: float = 0.0) -> Iterator[None]:
    """Hold the lock of a folder while the block lasts.

    Raises:
        JobLockedError: another process holds it, and after `patience` seconds still does.
    """
    until = time.monotonic() + patience
    with (folder / "lock").open("a") as stream:
        while True:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= until:
                    raise JobLockedError(otherwise) from None
                time.sleep(0.02)
        yield
