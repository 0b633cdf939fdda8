"""The films at work: begun in their turn, stopped, lengthened, thrown away."""

import shutil
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

from dreamvid.errors import ResumeError, SettingsError
from dreamvid.sizes import Duration
from dreamvid.studio import processes, records
from dreamvid.studio.drafts import Draft
from dreamvid.studio.items import JOB, RECENT, Item, Shelf, told
from dreamvid.studio.places import Place, free_name, ident
from dreamvid.studio.records import ENCODE, ENDED, MAKE, RESTING, RUNNING, WAITING, Record

SUFFIXES = {"image": ".png"}
"""Of what a command makes, where it is no film."""


class Films:
    """The films of a folder. Every method may be called from any thread."""

    def __init__(self, place: Place, shelf: Shelf) -> None:
        self.place, self.shelf = place, shelf
        self.usual_lane = "auto"
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._lock = threading.RLock()

    def is_alive(self, item: Item) -> bool:
        """Whether a process makes it now, whoever has begun that; one that only leaves does not."""
        known = self._running.get(item.ident)
        if known is not None:
            if known.poll() is None:
                return self.shelf.status(item).get("phase") not in ENDED
            self._running.pop(item.ident, None)
        if item.record is not None and records.is_held(item.record.folder(self.place)):
            return self.shelf.status(item).get("phase") not in ENDED
        if item.record is None and item.job is not None:
            return _is_recent(item.job) and records.is_held(item.job)
        return False

    def told(self, item: Item) -> dict[str, Any]:
        """An item for the page."""
        return told(self.shelf, item, self.is_alive(item))

    def tick(self) -> None:
        """Begin the first waiting film of each lane where none is at work."""
        with self._lock:
            items = list(self.shelf.items.values())
            made = [item for item in items if item.record and item.record.wanted != RESTING]
            running = [item for item in made if item.record and item.record.wanted == RUNNING]
            busy = {self._lane(item) for item in running if self.is_alive(item)}
            waiting = [item for item in made if item.record and item.record.wanted == WAITING]
            for item in sorted(waiting, key=lambda item: item.record.order if item.record else 0):
                lane = self._lane(item)
                if lane not in busy and item.record:
                    busy.add(lane)
                    self._spawn(item.record.changed(self.place, wanted=RUNNING))
            if waiting:
                self.shelf.scan()

    def _lane(self, item: Item) -> str:
        lane = item.record.lane if item.record else "auto"
        return self.usual_lane if lane == "auto" else lane

    def _spawn(self, record: Record) -> None:
        at = record.folder(self.place)
        self._running[record.ident] = processes.begun("filming", self.place, at, record.ident)

    def begin(self, draft: Draft) -> str:
        """Ask for a film; what it is called in addresses. It is made in its turn."""
        with self._lock:
            suffix = SUFFIXES.get(draft.command, ".mp4")
            stem = Path(draft.source).stem if draft.source else "noise"
            if draft.out and not Path(draft.out).suffix:
                raise SettingsError("out: expected a name with a suffix such as .mp4 or .webm")
            word = "dream" if draft.command == "image" else draft.command
            usual = draft.out or f"{stem}-{word}{suffix}"
            name = free_name(self.place.folder, Path(usual).stem, Path(usual).suffix)
            while (self.place.records / ident(name)).exists():
                name = f"{Path(name).stem}x{Path(name).suffix}"
            lane = draft.settings.get("machine.device", "auto")
            record = Record(name, draft, order=time.time(), lane=lane).kept(self.place)
            self.shelf.scan()
            self.tick()
            return record.ident

    def stop(self, item: Item) -> None:
        """Ask a film's process to stop; its frames are kept. A waiting film waits no longer."""
        with self._lock:
            record = item.record
            if record is None:
                raise ResumeError(f"{item.name}: is made by another program; stop it there")
            alive = self.is_alive(item)
            record.changed(self.place, wanted=RESTING)
            if alive:
                known = self._running.get(item.ident)
                processes.ask_to_stop(known.pid if known else self.shelf.status(item).get("pid"))

    def go_on(self, item: Item, frames: str | None = None) -> None:
        """Have a film made further in its turn, to another length if one is given."""
        with self._lock:
            if self.is_alive(item):
                raise ResumeError(f"{item.name}: is at work already")
            if frames is not None and not (frames.isdigit() or Duration.from_text(frames)):
                raise SettingsError(f"frames: got {frames!r}, expected a number or a time as 10s")
            if frames is not None and not 1 <= len(frames) <= 9:
                raise SettingsError(f"frames: got {frames[:40]!r}, expected 1 to 10000000")
            record = item.record or Record(item.name, None)
            if record.draft is None and item.job is None:
                raise ResumeError(f"{item.name}: there is no job to go on with")
            if frames is not None and self.shelf.manifest(item.job or Path()).get("kind") == "loop":
                raise SettingsError("frames: a loop keeps its length; begin another")
            self._place_in_queue(record, MAKE, frames or record.frames)

    def _place_in_queue(self, record: Record, does: str, frames: str | None) -> None:
        (record.folder(self.place) / "status.json").unlink(missing_ok=True)
        now = time.time()
        record.changed(self.place, wanted=WAITING, order=now, does=does, frames=frames)
        self.shelf.scan()
        self.tick()

    def encode_so_far(self, item: Item) -> None:
        """Make a film of the frames there are; it lies beside the whole one as NAME-part."""
        with self._lock:
            if item.job is None or self.is_alive(item):
                raise ResumeError(f"{item.name}: stop it first, then its frames can be encoded")
            if not self.shelf.frames(item.job):
                raise ResumeError(f"{item.name}: has no finished frame yet")
            record = item.record or Record(item.name, None)
            self._place_in_queue(record, ENCODE, record.frames)

    def settle(self) -> None:
        """Let films rest whose processes have ended as they should."""
        with self._lock:
            for item in list(self.shelf.items.values()):
                record = item.record
                if record is None or record.wanted != RUNNING or self.is_alive(item):
                    continue
                if self.shelf.status(item).get("phase") in ENDED:
                    record.changed(self.place, wanted=RESTING, does=MAKE)

    def move(self, item: Item, before: Item | None) -> None:
        """Put a waiting film before another one, or at the end."""
        with self._lock:
            waiting = sorted(
                (each.record for each in self.shelf.items.values()
                 if each.record and each.record.wanted == WAITING and each.ident != item.ident),
                key=lambda record: record.order,
            )  # fmt: skip
            if item.record is None or item.record.wanted != WAITING:
                raise ResumeError(f"{item.name}: does not wait")
            idents = [record.ident for record in waiting]
            at = idents.index(before.ident) if before and before.ident in idents else len(idents)
            waiting.insert(at, item.record)
            first = min(record.order for record in waiting)
            for number, record in enumerate(waiting):
                record.changed(self.place, order=first + number * 1e-3)

    def discard(self, item: Item) -> str:
        """Move a film, its job and its record, or an input, to the trash; its name there."""
        with self._lock:
            if self.is_alive(item):
                raise ResumeError(f"{item.name}: is at work; stop it first")
            folder = self.place.trash / f"{item.ident}-{time.time_ns()}"
            folder.mkdir()
            for path in (item.path, item.path.with_name(item.name + JOB)):
                if path.exists():
                    path.rename(folder / path.name)
            if item.record is not None:
                item.record.changed(self.place, wanted=RESTING)
                item.record.folder(self.place).rename(folder / "record")
            self.shelf.scan()
            return folder.name

    def discarded(self) -> list[dict[str, Any]]:
        """What lies in the trash, the newest first."""
        found = []
        for folder in self.place.trash.iterdir():
            names = sorted(path.name for path in folder.iterdir() if path.name != "record")
            record = records.read(folder / "record" / "record.json")
            name = names[0].removesuffix(JOB) if names else record.get("name", "?")
            size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
            when = int(folder.name.rpartition("-")[2]) // 1_000_000
            found.append({"id": folder.name, "name": name, "bytes": size, "when": when})
        return sorted(found, key=lambda each: -each["when"])

    def restore(self, name: str) -> None:
        """Put something back from the trash; `ResumeError` where its name is taken."""
        with self._lock:
            folder = self._in_trash(name)
            paths = [path for path in folder.iterdir() if path.name != "record"]
            for path in paths:
                if (self.place.folder / path.name).exists():
                    raise ResumeError(f"{path.name}: the name is taken; rename that first")
            for path in paths:
                path.rename(self.place.folder / path.name)
            if (folder / "record").exists():
                kept = records.read(folder / "record" / "record.json").get("name", "")
                (folder / "record").rename(self.place.records / ident(kept))
            folder.rmdir()
            self.shelf.scan()

    def empty(self, name: str | None = None) -> None:
        """Remove everything in the trash, or one thing of it, for good."""
        with self._lock:
            for folder in [self._in_trash(name)] if name else list(self.place.trash.iterdir()):
                shutil.rmtree(folder, ignore_errors=True)

    def _in_trash(self, name: str) -> Path:
        known = {path.name: path for path in self.place.trash.iterdir()}
        if name not in known:
            raise ResumeError("there is no such thing in the trash")
        return known[name]


def _is_recent(job: Path) -> bool:
    for name in ("journal.jsonl", "job.json", "lock"):
        try:
            if time.time() - (job / name).stat().st_mtime < RECENT:
                return True
        except OSError:
            continue
    return False
