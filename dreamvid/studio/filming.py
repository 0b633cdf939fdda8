"""A film's own process: ``python -m dreamvid.studio.filming FOLDER ID``, in the folder.

It tells how far it is in ``status.json``. It leaves with the exit status of the command line.
"""

import sys
import time
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from dreamvid.errors import StorageError
from dreamvid.sizes import Duration
from dreamvid.studio.places import Place
from dreamvid.studio.records import ENCODE, Record, read_record
from dreamvid.studio.telling import Told, lived, stand_back


class FilmTold(Told):
    """A `jobs.progress.Progress` that writes down how far the film is."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.made, self.began = 0, time.monotonic()

    def begin(self, done: int, total: int) -> None:
        """Frames `done` of `total` are there already."""
        self.made, self.began = 0, time.monotonic()
        self.write(phase="making", done=done, total=total)

    def frame(self, index: int, notes: Mapping[str, Any]) -> None:
        """Frame `index` is on disk."""
        self.made += 1
        rate = self.made / max(time.monotonic() - self.began, 1e-9)
        self.state |= {"done": index + 1, "rate": round(rate, 4), "left": notes.get("left")}
        last = index + 1 >= self.state.get("total", 0)
        if last:
            self.state["phase"] = "encoding"
        if last or self.is_due:
            self.write()


def made(record: Record, told: FilmTold) -> Path:
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


def main(folder: str, name: str) -> int:
    """Make the film that a record asks for; the exit status."""
    at = Place(Path(folder)).records / name
    record = read_record(at)
    if record is None:
        sys.stderr.write(f"dreamvid: {name}: no such film\n")
        return 2
    stand_back()
    return lived(at, FilmTold, lambda told: made(record, told))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
