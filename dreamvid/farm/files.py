"""Small files in a folder that machines share: there with all of their text, or not at all."""

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from dreamvid.errors import StorageError

NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)
"""What file systems say that know no hard links."""


def create(path: Path, text: str) -> None:
    """Create a file that is not there, in a folder that may not be there yet.

    Who dies on the way leaves no file of that name: the text is written first, and then linked to
    the name, which replaces nothing, on NFS neither. Without hard links, the name comes first.

    Raises:
        FileExistsError: it is there.
        StorageError: the folder takes no file.
    """
    with _written(path, text) as part:
        try:
            os.link(part, path)
        except OSError as error:
            if error.errno in NO_LINKS:
                with path.open("x", encoding="utf-8") as stream:
                    stream.write(text)
            # NFS may lose its answer and ask for the link again, which is there by then.
            elif part.stat().st_nlink != 2:
                raise


def replace(path: Path, text: str) -> None:
    """Write a file, whole, in the place of what is there.

    Raises:
        StorageError: the folder takes no file.
    """
    with _written(path, text) as part:
        part.replace(path)


@contextlib.contextmanager
def _written(path: Path, text: str) -> Iterator[Path]:
    """A file beside `path`, of a name that nobody else takes, which is gone at the end."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    try:
        try:
            part.write_text(text, "utf-8")
        except FileNotFoundError:
            path.parent.mkdir(exist_ok=True)
            part.write_text(text, "utf-8")
        yield part
    except FileExistsError:
        raise
    except OSError as error:
        raise storage(path, error) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink()


def storage(path: Path, error: OSError) -> StorageError:
    """What to say of a folder that takes no file."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    remedy = "make room there" if full else "see that it is there and may be written to"
    return StorageError(
        f"cannot write {path.name} in {path.parent}: {error.strerror or error}; {remedy}, "
        "then start the worker again"
    )
