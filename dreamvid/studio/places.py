"""Where the studio keeps what it knows: in one hidden folder of the folder that it shows."""

import re
import shutil
import unicodedata
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from dreamvid.errors import SettingsError

HIDDEN = ".studio"
LONGEST_NAME = 60
_ABSOLUTE = re.compile(r"(?<![\w.:/])/(?:[^\s:;,'\"()/]+/)+")
"""A path of this machine in a text, all but its last part."""


@dataclass(frozen=True)
class Place:
    """The folder that a studio shows; everything in it is called by its name alone."""

    folder: Path

    @property
    def hidden(self) -> Path:
        """Where the studio's own files are."""
        return self.folder / HIDDEN

    @property
    def records(self) -> Path:
        """What is known of each film that was asked for, a folder each."""
        return self.hidden / "films"

    @property
    def live(self) -> Path:
        """What is known of the live dream."""
        return self.hidden / "live"

    @property
    def cache(self) -> Path:
        """Pictures that can be made again."""
        return self.hidden / "cache"

    @property
    def trash(self) -> Path:
        """What was deleted, a folder each."""
        return self.hidden / "trash"

    @property
    def arriving(self) -> Path:
        """Uploads that are not whole yet."""
        return self.hidden / "arriving"

    def prepare(self) -> None:
        """Make the hidden folder; remove what uploads that were cut off have left."""
        shutil.rmtree(self.arriving, ignore_errors=True)
        for folder in (self.records, self.live, self.cache, self.trash, self.arriving):
            folder.mkdir(parents=True, exist_ok=True)
        # The key to the live picture is in it.
        self.live.chmod(0o700)

    def within(self, name: str) -> Path:
        """The path of a name in the folder; `SettingsError` for anything that is no plain name."""
        if not is_plain(name):
            raise SettingsError(f"{name[:80]!r}: expected the name of a file in the folder")
        return self.folder / name

    def private(self, text: str) -> str:
        """A text for the page: the folder's own path and the paths of others are left out."""
        for path in {str(self.folder), str(self.folder.resolve())}:
            text = text.replace(f"{path}/", "").replace(path, self.folder.name or "/")
        return _ABSOLUTE.sub("", text)


def ident(name: str) -> str:
    """What something of that name is called in addresses."""
    return blake2b(name.encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()


def is_plain(name: str) -> bool:
    """Whether a text is the name of a file that may be shown, and no path."""
    return (
        bool(name)
        and not name.startswith(".")
        and not re.search(r"[/\\\x00-\x1f\x7f]", name)
        and len(name.encode("utf-8", "surrogateescape")) < 200
    )


def clean_stem(name: str) -> str:
    """A name for an upload, of letters, digits and dashes, whatever it was called."""
    stem = unicodedata.normalize("NFKC", re.split(r"[/\\]", name)[-1]).rpartition(".")[0]
    return re.sub(r"[\W_]+", "-", stem).strip("-")[:LONGEST_NAME].strip("-") or "upload"


def free_name(folder: Path, stem: str, suffix: str) -> str:
    """The first name of that stem which nothing in the folder has."""
    number, name = 1, f"{stem}{suffix}"
    while (folder / name).exists() or (folder / f"{name}.dream").exists():
        number += 1
        name = f"{stem}-{number}{suffix}"
    return name
