"""A unit that travels by content: to a machine that does not see the plan's folder, and back.

What it needs goes there as pieces of files: its own folder with what is done of it, and the files
that it names. There it is made in a folder of that machine's own. Each frame comes back as soon as
it is whole, with its line of the journal; then the film.
"""

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dreamvid.farm.named import files_named, manifest_of, paths_in, replaced
from dreamvid.farm.plans import FOLDERS, Plan, Unit
from dreamvid.farm.processes import began, this_process
from dreamvid.jobs.folder import Job
from dreamvid.jobs.image_folders import STATE
from dreamvid.jobs.journal import Journal
from dreamvid.machine.hashing import input_hash
from dreamvid.media import is_sequence, storage_checked
from dreamvid.media.locking import LOCK
from dreamvid.media.sequences import stills_of

PIECE = 2**26
"""Bytes of a piece of a file."""
INPUTS, PASSING = "inputs", "passing"
"""Where files lie on the other machine that many units need, and those of one unit only."""
MARK = "dreamvid-unit"
"""How the temporary folders begin in which units are made."""
LEFT_OUT = {LOCK, "latest.png"}
Pieces = list[Any]
"""A file as pieces of bytes, or as what a store has given for them."""


@dataclass(frozen=True)
class Parcel:
    """What a unit needs on another machine."""

    unit: Unit
    own: Mapping[str, Pieces]
    """The files of its folder, by their paths in it."""
    places: Mapping[str, str]
    """Where the files that it names lie there, by their paths here."""
    files: Mapping[str, tuple[str, Pieces]]
    """A key of the content, and the content, of each file by its place there."""


@dataclass
class Packer:
    """Puts units of a plan into parcels; what many need is put into the store once."""

    plan: Plan
    put: Callable[[bytes], Any]
    kept: dict[str, Pieces] = field(default_factory=dict)

    def parcel(self, unit: Unit) -> Parcel:
        """The parcel of a unit that this process holds."""
        folder = self.plan.folder / unit.facts["folder"]
        manifest = manifest_of(folder)
        needed = files_named(manifest, self.plan.folder) | set(paths_in(unit.facts.get("groups")))
        places: dict[str, str] = {}
        files: dict[str, tuple[str, Pieces]] = {}
        for path in sorted(needed):
            shared = path in self.plan.inputs
            place = Path(INPUTS if shared else PASSING, _short(path), Path(path).name)
            places[path] = str(place)
            for target, file in _files_of(self.plan.here(path), place):
                files[str(target)] = self._sent(file, shared)
        return Parcel(unit, self._own(folder), places, files)

    def _sent(self, file: Path, shared: bool) -> tuple[str, Pieces]:
        facts = file.stat()
        key = f"{file} {facts.st_size} {facts.st_mtime_ns}"
        if not shared:
            return key, list(map(self.put, pieces_of(file)))
        if key not in self.kept:
            self.kept[key] = list(map(self.put, pieces_of(file)))
        return key, self.kept[key]

    def _own(self, folder: Path) -> dict[str, Pieces]:
        """The files of a unit's folder, what is not whole of it removed before."""
        if (folder / "job.json").exists():
            job = Job.open(folder)
            job.trim(job.finished())
        else:
            journal = Journal(folder / STATE / "journal.jsonl", "name", str)
            lines = journal.entries().items()
            journal.keep(line for name, line in lines if _is_whole(folder / name, line["sha256"]))
        return {
            str(path.relative_to(folder)): list(map(self.put, pieces_of(path)))
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path.name not in LEFT_OUT and path.suffix != ".part"
        }


class Carried(Plan):
    """A plan on a machine to which its inputs have come by content; only those are taken."""

    def here(self, path: str | Path) -> Path:
        """Where an input lies."""
        known = self.inputs.get(str(path))
        return self.folder / known if known else Path(path)


class Scratch:
    """A folder of this machine's own, in which units that came by content are made."""

    def __init__(self, plan: Plan, get: Callable[[Any], bytes]) -> None:
        self.get = get
        _remove_old()
        name = f"{_mark()}-{os.getpid()}-{began(os.getpid())}-"
        self.folder = Path(tempfile.mkdtemp(prefix=name))
        for each in FOLDERS:
            (self.folder / each).mkdir()
        self.plan = Carried(
            self.folder, plan.command, plan.units, {}, plan.silence, plan.threads, plan.identity
        )
        self.keys: dict[str, str] = {}

    def unpacked(self, parcel: Parcel) -> tuple[Plan, Unit]:
        """A unit as it lies here, and the plan that it belongs to here."""
        with storage_checked(self.folder):
            for place, (key, pieces) in parcel.files.items():
                if self.keys.get(place) != key:
                    self._write(self.folder / place, pieces)
                    self.keys[place] = key
            folder = self.folder / parcel.unit.facts["folder"]
            for name, pieces in parcel.own.items():
                self._write(folder / name, pieces)
            if (folder / "job.json").exists():
                (folder / "frames").mkdir(exist_ok=True)
        here = {path: str(self.folder / place) for path, place in parcel.places.items()}
        facts = dict(parcel.unit.facts)
        if "groups" in facts:
            facts["groups"] = replaced(facts["groups"], here)
            settings = folder / STATE / "settings.json"
            settings.write_text(json.dumps(replaced(json.loads(settings.read_text()), here)))
        return replace(self.plan, inputs=parcel.places), replace(parcel.unit, facts=facts)

    def told(self, text: str, parcel: Parcel) -> str:
        """A text in which files have the paths that they have where the plan lies."""
        for path, place in parcel.places.items():
            text = text.replace(str(self.folder / place), path)
        return text

    def results(self) -> Iterator[tuple[str, bytes, bool]]:
        """The films here in pieces: path in ``results/``, bytes, and whether they are its last."""
        root = self.folder / "results"
        for path in sorted(root.rglob("*")):
            if path.is_file() and not path.name.startswith("."):
                left = max(1, -(-path.stat().st_size // PIECE))
                for number, piece in enumerate(pieces_of(path), 1):
                    yield str(path.relative_to(root)), piece, number == left

    def clear(self) -> None:
        """Remove what only one unit needed."""
        for name in ("units", "results", PASSING):
            shutil.rmtree(self.folder / name, ignore_errors=True)
        for name in ("units", "results"):
            (self.folder / name).mkdir()
        self.keys = {place: key for place, key in self.keys.items() if place.startswith(INPUTS)}

    def remove(self) -> None:
        """Remove all."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _write(self, path: Path, pieces: Pieces) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as stream:
            for piece in pieces:
                stream.write(self.get(piece))


class Fresh:
    """What is whole of a unit and has not been sent back."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.offset = folder, 0
        job = (folder / "job.json").exists()
        self.path = folder / "journal.jsonl" if job else folder / STATE / "journal.jsonl"
        self.sent = {line for line, _ in self._lines()}
        self.offset = 0  # it is written anew when the unit is begun

    def __call__(self) -> Iterator[tuple[str, bytes, dict[str, Any]]]:
        """The files that have become whole: their paths in the folder, contents and lines."""
        for name, line in self._lines():
            if name not in self.sent:
                self.sent.add(name)
                yield name, (self.folder / name).read_bytes(), line

    def _lines(self) -> Iterator[tuple[str, dict[str, Any]]]:
        if not self.path.exists():
            return
        with self.path.open("rb") as stream:
            stream.seek(self.offset)
            text = stream.read()
        whole = text[: text.rfind(b"\n") + 1]
        self.offset += len(whole)
        for line in whole.splitlines():
            entry = json.loads(line)
            yield entry.get("name") or f"frames/{entry['index']:06d}.png", entry


def _remove_old() -> None:
    """Remove what workers have left on this machine that were killed."""
    for path in Path(tempfile.gettempdir()).glob(f"{_mark()}-*"):
        match = re.fullmatch(rf"{_mark()}-(\d+)-(\d*)-\w+", path.name)
        if match and began(int(match[1])) != match[2]:
            shutil.rmtree(path, ignore_errors=True)


def _mark() -> str:
    """How these folders begin on this machine; containers may share a folder, but no processes."""
    return f"{MARK}-{_short(this_process()['machine'])[:8]}"


def pieces_of(path: Path) -> Iterator[bytes]:
    """The bytes of a file, at least one piece."""
    with path.open("rb") as stream:
        yield stream.read(PIECE)
        while piece := stream.read(PIECE):
            yield piece


def _files_of(path: Path, place: Path) -> Iterator[tuple[Path, Path]]:
    """The files that a path stands for, each after its place on the other machine."""
    if not is_sequence(path):
        yield place, path
        return
    inside = place if path.is_dir() else place.parent
    for file in stills_of(path).paths:
        if file is not None:
            yield inside / file.name, file


def _short(text: str) -> str:
    """A folder's name for a path, the same for every unit."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _is_whole(path: Path, sha256: str) -> bool:
    return path.is_file() and input_hash(path) == sha256
