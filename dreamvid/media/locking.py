"""Folders that one run at a time works in."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dreamvid.errors import JobLockedError
from dreamvid.media.atomic import storage_checked

LOCK = "lock"
"""The file in such a folder that a run holds; it stays there afterwards."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold `folder`, which exists, alone while the block lasts.

    Raises:
        JobLockedError: Another run holds it.
        StorageError: The lock cannot be written there.
    """
    with storage_checked(folder):
        stream = (folder / LOCK).open("a")
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise JobLockedError(
                f"{folder}: another run is at work here; wait for it or stop it"
            ) from None
        yield
