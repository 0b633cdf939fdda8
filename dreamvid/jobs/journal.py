"""A journal: a line of JSON for each thing that is whole, with its file hash."""

import json
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar

from dreamvid.media import atomic_write, storage_checked

Key = TypeVar("Key", int, str)


class Journal(Generic[Key]):
    """The journal in a file. `name` is the field that says what a line is about, of type `kind`."""

    def __init__(self, path: Path, name: str, kind: Callable[[Any], Key]) -> None:
        self.path, self.name, self.kind = path, name, kind

    def entries(self) -> dict[Key, dict[str, Any]]:
        """The last line of each thing; lines that are torn or foreign are left out."""
        entries: dict[Key, dict[str, Any]] = {}
        for line in self.path.read_bytes().splitlines() if self.path.exists() else []:
            try:
                entry = json.loads(line)
                entries[self.kind(entry[self.name])] = {**entry, "sha256": str(entry["sha256"])}
            except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
                continue
        return entries

    def keep(self, entries: Iterable[Mapping[str, Any]]) -> None:
        """Hold just these lines, none of them torn: the next would be written behind it."""
        with atomic_write(self.path) as part:
            part.write_text("".join(json.dumps(entry) + "\n" for entry in entries))

    def add(self, entry: Mapping[str, Any]) -> None:
        """One more line, on the disk when this returns."""
        with storage_checked(self.path.parent), self.path.open("a") as stream:
            stream.write(json.dumps(entry) + "\n")
            stream.flush()
            os.fsync(stream.fileno())

    def clear(self) -> None:
        """Hold nothing."""
        self.path.unlink(missing_ok=True)
