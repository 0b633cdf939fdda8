"""What lies in the folder: films, begun and whole, and what they can be made of."""

import json
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from dreamvid.studio import records
from dreamvid.studio.places import Place, ident, is_plain
from dreamvid.studio.records import Record

PICTURES = frozenset(
    (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".exr", ".heic", ".avif")
)
FILMS = frozenset((".mp4", ".webm", ".mov", ".mkv", ".avi", ".m4v", ".gif", ".apng"))
SOUNDS = frozenset((".wav", ".mp3", ".flac", ".ogg", ".opus", ".m4a", ".aac", ".aiff"))
JOB = ".dream"
RECENT = 90.0
"""Seconds after its last frame in which a job of another program may still be at work."""
LIVE = ("starting", "making", "encoding", "stopping")
"""The states in which a film's process is there."""
Value = TypeVar("Value")


@dataclass(frozen=True)
class Item:
    """Something in the folder."""

    name: str
    kind: str
    """film, picture, clip or sound; a clip is a film that was not made here."""
    path: Path
    job: Path | None = None
    record: Record | None = None

    @property
    def ident(self) -> str:
        """What it is called in addresses."""
        return ident(self.name)


class Shelf:
    """The folder, looked at again and again; what did not change is read once."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.items: dict[str, Item] = {}
        self._read: dict[Path, tuple[tuple[int, int], Any]] = {}
        self._lock = threading.Lock()

    def scan(self) -> dict[str, Item]:
        """What lies here now, by what it is called in addresses."""
        with self._lock:
            self.items = {each.ident: each for each in self._found()}
            alive = {each.job for each in self.items.values()}
            self._read = {
                path: known
                for path, known in self._read.items()
                if path.parent in alive or path.parent.parent == self.place.records
            }
            return self.items

    def _found(self) -> list[Item]:
        folder = self.place.folder
        with os.scandir(folder) as entries:
            names = {entry.name: entry.is_dir() for entry in entries if is_plain(entry.name)}
        kept = {}
        for path in self.place.records.iterdir():
            record = self.cached(
                path / "record.json", lambda path: records.read_record(path.parent)
            )
            if record is not None:
                kept[record.name] = record
        jobs = {name.removesuffix(JOB): folder / name for name, is_folder in names.items()
                if is_folder and name.endswith(JOB)}  # fmt: skip
        found = []
        for name in sorted(names.keys() | jobs.keys() | kept.keys()):
            suffix, job, record = Path(name).suffix.lower(), jobs.get(name), kept.get(name)
            if names.get(name) or name.endswith(JOB):
                continue
            if job is not None or record is not None:
                image = record is not None and record.draft and record.draft.command == "image"
                kind = "picture" if image else "film"
            elif suffix in PICTURES:
                kind = "picture"
            elif suffix in FILMS:
                kind = "clip"
            elif suffix in SOUNDS:
                kind = "sound"
            else:
                continue
            found.append(Item(name, kind, folder / name, job, record))
        return found

    def cached(self, path: Path, read: Callable[[Path], Value]) -> Value | None:
        """What `read` makes of a file, anew only where the file has changed; None: no file."""
        try:
            status = path.stat()
        except OSError:
            return None
        key = (status.st_mtime_ns, status.st_size)
        known = self._read.get(path, ((0, 0), None))
        if known[0] != key:
            known = self._read[path] = (key, read(path))
        return known[1]

    def manifest(self, job: Path) -> Mapping[str, Any]:
        """The manifest of a job as it is written."""
        return self.cached(job / "job.json", records.read) or {}

    def frames(self, job: Path) -> int:
        """How many frames a job has finished, by its journal."""
        return self.cached(job / "journal.jsonl", _whole_lines) or 0

    def status(self, item: Item) -> Mapping[str, Any]:
        """What the process of a film wrote last."""
        if item.record is None:
            return {}
        path = item.record.folder(self.place) / "status.json"
        return self.cached(path, records.read) or {}


def _whole_lines(path: Path) -> int:
    return path.read_bytes().count(b"\n")


def told(shelf: Shelf, item: Item, alive: bool) -> dict[str, Any]:
    """An item for the page. `alive` says whether its process is there."""
    about: dict[str, Any] = {"id": item.ident, "name": item.name, "kind": item.kind}
    try:
        status = item.path.stat()
        about |= {"changed": int(status.st_mtime * 1000), "bytes": status.st_size}
    except OSError:
        about |= {"changed": 0, "bytes": 0}
    about["playable"] = about["bytes"] > 0
    if item.kind != "film" and item.record is None:
        return about | {"state": "there"}
    return about | _of_film(shelf, item, alive, about)


def _of_film(shelf: Shelf, item: Item, alive: bool, about: Mapping[str, Any]) -> dict[str, Any]:
    manifest = shelf.manifest(item.job) if item.job else {}
    status, record = shelf.status(item), item.record
    film = manifest.get("settings", {}).get("film", {})
    done = shelf.frames(item.job) if item.job else 0
    total = status.get("total") or film.get("frames") or 0
    state = _state(item, status, alive, done, about["playable"])
    draft = record.draft if record else None
    size = str(film.get("size") or "x").split("x")
    return {
        "changed": about["changed"] or _changed(item),
        "state": state,
        "command": manifest.get("kind") or (draft and draft.command) or "",
        "seed": manifest.get("source", {}).get("path", "").rpartition("/")[2]
        or (draft and draft.source) or "",
        "preset": draft.preset if draft else "",
        "frames": done,
        "total": max(_number(total), 0),
        "fps": str(film.get("fps") or ""),
        "width": _number(size[0]),
        "height": _number(size[-1]),
        "rate": status.get("rate") if state == "making" else None,
        "left": status.get("left") if state == "making" else None,
        "error": shelf.place.private(_error(state, status)),
        "said": [shelf.place.private(line) for line in status.get("said", [])][-6:],
        "order": record.order if record else 0,
    }  # fmt: skip


def _state(item: Item, status: Mapping[str, Any], alive: bool, done: int, playable: bool) -> str:
    record, phase = item.record, status.get("phase", "")
    if alive:
        if record is not None and record.wanted == records.RESTING and record.does == records.MAKE:
            return "stopping"
        if record is not None and record.does == records.ENCODE:
            return "encoding"
        return phase if phase in LIVE else "starting"
    if record is not None and record.wanted == records.WAITING:
        return "waiting"
    if record is not None and record.wanted == records.RUNNING:
        # It was to be made, and nobody makes it.
        return phase if phase in ("failed", "stopped") else "done" if phase == "done" else "killed"
    if phase in ("failed", "stopped", "killed"):
        return phase
    return "done" if playable else "stopped"


def _error(state: str, status: Mapping[str, Any]) -> str:
    if state == "killed":
        return "the film's process was ended from outside; its frames are kept, resume goes on"
    return str(status.get("error", "")) if state == "failed" else ""


def _changed(item: Item) -> int:
    places = [item.job / "journal.jsonl", item.job / "job.json"] if item.job else []
    for path in places:
        try:
            return int(path.stat().st_mtime * 1000)
        except OSError:
            continue
    return 0


def _number(value: Any) -> int:
    text = str(value)
    return int(text) if text.isdigit() else 0


def journal(job: Path, start: int) -> list[dict[str, Any]]:
    """What the journal tells of the frames from `start` on: gain and seconds of each."""
    found = []
    try:
        lines = (job / "journal.jsonl").read_bytes().splitlines()[start:]
    except OSError:
        return []
    for line in lines:
        try:
            entry = json.loads(line)
            found.append({name: entry.get(name) for name in ("index", "gain", "seconds")})
        except ValueError:
            continue
    return found
