"""The hash of a file, by which it is known again."""

import hashlib
from pathlib import Path

from dreamvid.errors import MediaError


def file_hash(path: Path, algorithm: str = "sha256") -> str:
    """The hash of a file's bytes, in hexadecimal.

    Raises:
        OSError: it is not there or cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def input_hash(path: Path) -> str:
    """The SHA-256 of a file that a job is made from.

    Raises:
        MediaError: it is not there or cannot be read.
    """
    try:
        return file_hash(path)
    except OSError as error:
        raise MediaError(f"{path}: cannot be read ({error.strerror}); put it back") from None
