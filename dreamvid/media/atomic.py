"""Files that are either whole or absent: a temporary name, a flush to the disk, a rename."""

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from dreamvid.errors import StorageError

STORAGE_ERRORS = {
    getattr(errno, name)
    for name in ("ENOSPC", "EDQUOT", "EIO", "EFBIG", "EROFS", "EACCES", "EPERM", "ENAMETOOLONG")
    if hasattr(errno, name)
}
MARK = ""
"""What the temporary names of this process have, so that no other writes into its files."""


@contextlib.contextmanager
def marked(text: str) -> Iterator[None]:
    """Give the temporary names of this process a mark of its own: letters and digits.

    Machines that share a folder may come to write the same file; each then renames a whole one.
    """
    global MARK
    before, MARK = MARK, f".{text}"
    try:
        yield
    finally:
        MARK = before


def temporary_for(path: Path) -> Path:
    """The temporary name beside `path`."""
    return path.with_name(f".{path.name}{MARK}.part")


@contextlib.contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`, which takes its place once the block ends well.

    The block makes a file or a folder there. It is flushed to the disk and renamed over `path`;
    a folder replaces a folder. Where the block or the disk fails, the temporary path is removed
    and `path` stays as it was.

    Raises:
        StorageError: the disk is full, read-only or broken, or the folder is gone.
    """
    path = path.absolute()
    temporary = temporary_for(path)
    try:
        _removed(temporary)  # what an interrupted run left
        yield temporary
        _flushed(temporary)
        if temporary.is_dir() and path.is_dir():
            # No call swaps two folders everywhere, so the old one steps aside first.
            aside = path.with_name(f".{path.name}.old")
            _removed(aside)
            path.replace(aside)
            temporary.replace(path)
            _removed(aside)
        else:
            temporary.replace(path)
        _flushed(path.parent)
    except OSError as error:
        _removed(temporary, ignore=True)
        if error.errno in STORAGE_ERRORS or not path.parent.is_dir():
            raise storage_error(path, error.strerror or str(error)) from error
        raise
    except BaseException:
        _removed(temporary, ignore=True)
        raise


def _removed(path: Path, *, ignore: bool = False) -> None:
    with contextlib.suppress(OSError if ignore else FileNotFoundError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _flushed(path: Path) -> None:
    if os.name != "posix" and path.is_dir():
        return  # only POSIX opens folders
    handle = os.open(path, os.O_RDONLY if os.name == "posix" else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def storage_error(path: Path, reason: str) -> StorageError:
    """The one line to say of a disk that would not take a file."""
    try:
        free = f"{shutil.disk_usage(path.parent).free / 1e6:.1f} MB free"
    except OSError:
        free = "no such folder"
    return StorageError(
        f"cannot write {path.name} in {path.parent} ({free}): {reason}; "
        "make room there or choose another folder"
    )


@contextlib.contextmanager
def storage_checked(path: Path) -> Iterator[None]:
    """Turn the errors of a full, read-only or broken disk in the block into `StorageError`."""
    try:
        yield
    except OSError as error:
        if error.errno not in STORAGE_ERRORS:
            raise
        raise storage_error(path, error.strerror or str(error)) from error
