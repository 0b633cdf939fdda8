"""A list of films at work: each in turn, with a log of what was when."""

import time
import traceback
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from dreamvid.errors import DreamvidError, Stopped
from dreamvid.jobs.disk import clock
from dreamvid.jobs.progress import Progress
from dreamvid.jobs.queue import Entry, QueueError
from dreamvid.jobs.stopping import stoppable
from dreamvid.media import storage_checked


class Log:
    """The log of a list: told on, and written with the time into a file beside it."""

    def __init__(self, path: Path, progress: Progress) -> None:
        self.path, self.progress = path, progress
        self.say("")

    def say(self, text: str) -> None:
        """A line worth knowing."""
        if text:
            self.progress.say(text)
        self.keep(text)

    def keep(self, text: str) -> None:
        """A text for the file alone."""
        now = datetime.now().isoformat(" ", "seconds")
        with storage_checked(self.path), self.path.open("a", encoding="utf-8") as stream:
            stream.write("".join(f"{now} {line}\n" for line in text.splitlines()))

    def begin(self, done: int, total: int) -> None:
        """Frames `done` of `total` are there already."""
        self.progress.begin(done, total)

    def frame(self, index: int, notes: Mapping[str, Any]) -> None:
        """Frame `index` is on disk."""
        self.progress.frame(index, notes)

    def ask(self, question: str) -> bool:
        """Nobody can be asked."""
        return True


def run(found: list[Entry], path: Path, again: str, progress: Progress) -> list[Path]:
    """Make the films of the list `path` in turn, and return where they are.

    One that fails stops none of the others. The log lies beside the list. `again` is the command
    that goes on.

    Raises:
        QueueError: some failed, after all were tried.
        Stopped: by a signal; the same command goes on.
    """
    log = Log(path.with_suffix(".log"), progress)
    films, failed = [], 0
    try:
        with stoppable(path.parent, again):
            for entry in found:
                film = _tried(entry, log)
                films += [] if film is None else [film]
                failed += film is None
    except Stopped as stopped:
        log.keep("stopped by a signal")
        raise Stopped(stopped.signal, stopped.folder, again) from None
    log.keep(f"{len(films)} of {len(found)} films are whole")
    if failed:
        raise QueueError(
            f"{failed} of {len(found)} films failed, see {log.path}; {again} tries them again"
        )
    return films


def _tried(entry: Entry, log: Log) -> Path | None:
    """The film, or None where it failed; the log says why."""
    began = time.monotonic()
    try:
        if entry.is_finished():
            log.say(f"{entry}: is there already")
            return entry.out
        log.say(f"{entry}: begins")
        film = entry.made(progress=log)
    except DreamvidError as error:
        log.say(f"{entry}: failed: {error}")
    except Exception as error:
        # Whatever it is, the other films are not to suffer from it.
        log.say(f"{entry}: failed: {type(error).__name__}: {' '.join(str(error).split())}")
        log.keep(traceback.format_exc())
    else:
        log.say(f"{entry}: finished in {clock(time.monotonic() - began)}")
        return film
    return None
