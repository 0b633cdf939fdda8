"""A film's own process: ``python -m dreamvid.studio.filming FOLDER ID``, in the folder.

It tells how far it is in ``status.json``. It leaves with the exit status of the command line.
"""

import fcntl
import os
import signal
import sys
import time
import traceback
from collections import deque
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from dreamvid.errors import DreamvidError, Stopped, StorageError
from dreamvid.sizes import Duration
from dreamvid.studio.places import Place
from dreamvid.studio.records import ENCODE, Record, read_record, written

SAID = 20
"""The last lines that are kept for the page."""
OFTEN = 0.2
"""Seconds between two states on the disk, where frames come quickly."""
PATIENCE = 30.0
"""Seconds in which the process before this one, which has said its last, lets go of the lock."""


class Told:
    """A `jobs.progress.Progress` that writes down how far the film is."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.state: dict[str, Any] = {"pid": os.getpid(), "phase": "starting"}
        self.lines: deque[str] = deque(maxlen=SAID)
        self.made, self.began, self.wrote = 0, time.monotonic(), 0.0
        self._write()

    def say(self, text: str) -> None:
        """A line worth knowing."""
        self.lines.append(text)
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()
        self._write()

    def begin(self, done: int, total: int) -> None:
        """Frames `done` of `total` are there already."""
        self.made, self.began = 0, time.monotonic()
        self._write(phase="making", done=done, total=total)

    def frame(self, index: int, notes: Mapping[str, Any]) -> None:
        """Frame `index` is on disk."""
        self.made += 1
        rate = self.made / max(time.monotonic() - self.began, 1e-9)
        self.state |= {"done": index + 1, "rate": round(rate, 4), "left": notes.get("left")}
        last = index + 1 >= self.state.get("total", 0)
        if last:
            self.state["phase"] = "encoding"
        if last or time.monotonic() - self.wrote > OFTEN:
            self._write()

    def ask(self, question: str) -> bool:
        """Nobody can be asked."""
        return True

    def end(self, phase: str, status: int, text: str = "") -> int:
        """The last state; the exit status."""
        if text:
            sys.stderr.write(f"dreamvid: {text}\n")
        self._write(phase=phase, exit=status, error=text, left=None)
        return status

    def _write(self, **state: Any) -> None:
        self.state |= state
        self.wrote = time.monotonic()
        try:
            written(self.path, {**self.state, "said": list(self.lines)})
        except OSError:
            # A full disk is told by the film itself.
            return


def made(record: Record, told: Told) -> Path:
    """Do what the record asks for, in its folder; where the result is."""
    job = Path(f"{record.name}.dream")
    begun = (job / "job.json").exists()
    if record.does == ENCODE:
        resuming, out = import_module("dreamvid.jobs.resuming"), Path(record.name)
        part = out.with_name(f"{out.stem}-part{out.suffix}")
        opened = import_module("dreamvid.jobs.folder").Job.open(job)
        return resuming.encode(opened, part, overwrite=True, progress=told)
    if begun:
        frames = record.frames and (Duration.from_text(record.frames) or int(record.frames))
        opened = import_module("dreamvid.jobs.folder").Job.open(job)
        resume = import_module("dreamvid.jobs.resuming").resume
        return resume(opened, frames=frames or None, progress=told)
    draft = record.draft
    if draft is None:
        raise StorageError(f"{job}: the job is gone; begin it anew")
    films, options = import_module("dreamvid.jobs.films"), {}
    if draft.at and draft.command != "video":
        options["at"] = draft.at
    source = Path(draft.source) if draft.source else None
    function = getattr(films, draft.command)
    return function(source, Path(record.name), draft.resolved(), progress=told, **options)


def _run(record: Record, told: Told) -> int:
    try:
        made(record, told)
    except DreamvidError as error:
        return told.end("failed", error.exit_status, " ".join(str(error).split()))
    except Stopped as stopped:
        return told.end("stopped", 128 + stopped.signal)
    except KeyboardInterrupt:
        return told.end("stopped", 128 + signal.SIGINT)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        text = f"{where}{error.strerror or error}"
        return told.end("failed", StorageError.exit_status, text)
    except Exception as error:
        traceback.print_exc()
        return told.end("failed", 1, f"{type(error).__name__}: {' '.join(str(error).split())}")
    return told.end("done", 0)


def main(folder: str, name: str) -> int:
    """Make the film that a record asks for; the exit status."""
    # Whoever started the studio in the background has had this signal ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    place = Place(Path(folder))
    at = place.records / name
    record = read_record(at)
    if record is None:
        sys.stderr.write(f"dreamvid: {name}: no such film\n")
        return 2
    with (at / "lock").open("a") as lock:
        until = time.monotonic() + PATIENCE
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    return 75
                time.sleep(0.02)
        return _run(record, Told(at / "status.json"))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
