"""Where fetched weights are kept, and what is known of each file.

They lie in torch's hub cache, where torch and torchvision put them too. A file is hashed each time
it is used: against the SHA-256 that is known of it, or against that of its first use, which is
noted beside it.
"""

import contextlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import torch

from dreamvid.errors import NetworkError, StorageError
from dreamvid.machine.hashing import file_hash
from dreamvid.media import atomic_write

PINS = "dreamvid-sha256.json"
"""The file that notes what each file was at its first use."""


@dataclass(frozen=True)
class Source:
    """A published weights file."""

    url: str
    licence: str
    sha256: str = ""
    """In hexadecimal; whole, its beginning alone, or nothing, as far as it is known."""
    sha1: str = ""
    """The whole SHA-1, of files published with that alone."""

    @property
    def file(self) -> str:
        """The file's own name, without any folder."""
        name = Path(urlsplit(self.url).path).name
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,200}", name):
            raise NetworkError(f"{self.url}: no plain file name at its end")
        return name

    @property
    def known(self) -> str:
        """In words, what is known of the file beforehand."""
        if len(self.sha256) == 64:
            return "its whole SHA-256"
        if self.sha1:
            return "its SHA-1"
        return f"the first {len(self.sha256)} digits" if self.sha256 else "nothing"


def hub_folder() -> Path:
    """The folder in which torch keeps published weights."""
    return Path(torch.hub.get_dir()) / "checkpoints"


def kept(name: str, sources: Sequence[Source]) -> Path:
    """The file that is kept of the first of `sources` that is there, its SHA-256 checked.

    Raises:
        NetworkError: None is there, or it is not what it was.
    """
    for source in sources:
        path = hub_folder() / source.file
        if path.is_file():
            check(path, source, name)
            return path
    raise NetworkError(
        f"{name}: no weights; `dreamvid weights fetch {name}`, or save {sources[0].url} "
        f"in {hub_folder()}, or pass --weights FILE"
    )


def check(path: Path, source: Source, name: str) -> str:
    """The SHA-256 of a kept file; noted where it is the first use of a file not wholly known.

    Raises:
        NetworkError: The file is not the published one, or not the one first used.
    """
    sha256 = file_hash(path)
    wanted = pinned(path) or source.sha256
    if not sha256.startswith(wanted):
        raise NetworkError(
            f"{name}: weights {path}: not what they were: SHA-256 {sha256[:12]}…, "
            f"expected {wanted[:12]}…; delete the file, or pass it with --weights"
        )
    # What is shared by many may be read-only, and then nobody can have changed it either.
    with contextlib.suppress(StorageError):
        if len(wanted) < 64:
            pin(path, sha256)
    return sha256


def pinned(path: Path) -> str:
    """The SHA-256 noted of a file at its first use, or nothing."""
    return _pins(path.parent).get(path.name, "")


def pin(path: Path, sha256: str | None) -> None:
    """Note a file's SHA-256, or forget it."""
    pins = {**_pins(path.parent), path.name: sha256}
    with atomic_write(path.parent / PINS) as part:
        part.write_text(json.dumps({k: v for k, v in sorted(pins.items()) if v}, indent=1))


def _pins(folder: Path) -> dict[str, str]:
    try:
        pins = json.loads((folder / PINS).read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError):
        pins = None
    whole = re.compile("[0-9a-f]{64}")
    if not isinstance(pins, dict) or not all(
        isinstance(value, str) and whole.fullmatch(value) for value in pins.values()
    ):
        raise NetworkError(f"{folder / PINS}: damaged; delete it, and weights are noted anew")
    return pins
