"""The job folder: the frames on disk are the state, the journal says which of them are whole.

::

    out.mp4.dream/
      job.json            the manifest: settings, source, weights, versions; never edited
      lock                held by the one run that works here
      source.png          the seed, at the film's size
      frames/000123.png   written under another name, synced, renamed
      journal.jsonl       a line for each finished frame; a torn last line is ignored

A frame counts when the journal holds the hash of its file, and so do all frames before it.
"""

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from dreamvid.errors import JobLockedError, ResumeError
from dreamvid.frames import Frame
from dreamvid.media import published, read_png, storage_checked, write_picture
from dreamvid.settings import Settings, fingerprint, painted, settled

FORMAT = 1
SUFFIX = ".dream"


@dataclass(frozen=True)
class Manifest:
    """What a job is: everything needed to go on with it, and to know that it may be gone on."""

    kind: str
    settings: Settings
    out: Path
    source: Mapping[str, str]
    """Path and SHA-256 of the input."""
    weights_sha256: str
    machine: Mapping[str, Any]
    """Versions, device and threads: what must be the same for the same bytes."""

    def tree(self) -> dict[str, Any]:
        """The manifest as plain JSON values."""
        return {
            "format": FORMAT,
            "kind": self.kind,
            "out": str(self.out),
            "source": dict(self.source),
            "weights_sha256": self.weights_sha256,
            "machine": dict(self.machine),
            "fingerprint": fingerprint(self.settings),
            "settings": self.settings.tree(),
        }

    @classmethod
    def from_tree(cls, tree: Mapping[str, Any]) -> Self:
        """The inverse of `tree`."""
        return cls(
            kind=tree["kind"],
            settings=settled(tree["settings"]),
            out=Path(tree["out"]),
            source=tree["source"],
            weights_sha256=tree["weights_sha256"],
            machine=tree["machine"],
        )


class Job:
    """A job folder that is known to be one."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.folder = folder
        self.manifest = manifest
        self.frames = folder / "frames"
        self.journal = folder / "journal.jsonl"
        self.source = folder / "source.png"

    @classmethod
    def create(cls, folder: Path, manifest: Manifest, source: Frame) -> Self:
        """A new job; `ResumeError` where the folder exists."""
        if folder.exists():
            raise ResumeError(
                f"{folder}: exists already; go on with `dreamvid resume {folder}`, "
                "or start anew with --overwrite"
            )
        job = cls(folder, manifest)
        with storage_checked(folder):
            job.frames.mkdir(parents=True)
            try:
                write_picture(source, job.source, manifest.settings.film.depth)
                # The manifest comes last: a folder that has one is a whole job.
                with published(folder / "job.json") as part:
                    part.write_text(json.dumps(manifest.tree(), indent=1))
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise
        return job

    @classmethod
    def open(cls, folder: Path) -> Self:
        """An existing job, or a `ResumeError` that says why it is none."""
        try:
            tree = json.loads((folder / "job.json").read_text("utf-8"))
        except FileNotFoundError:
            raise ResumeError(f"{folder}: not a job folder (no job.json in it)") from None
        except (OSError, ValueError, RecursionError) as error:
            raise ResumeError(f"{folder}/job.json: cannot be read: {error}") from None
        if not isinstance(tree, dict) or tree.get("format") != FORMAT:
            raise ResumeError(f"{folder}/job.json: not a manifest of format {FORMAT}")
        try:
            manifest = Manifest.from_tree(tree)
        except (KeyError, TypeError, AttributeError) as error:
            raise ResumeError(f"{folder}/job.json: damaged ({error!r})") from None
        return cls(folder, manifest)

    @classmethod
    def remove(cls, folder: Path) -> None:
        """Delete a job folder, and nothing that is not one."""
        if not folder.exists():
            return
        if folder.is_symlink() or not ((folder / "job.json").exists() or _is_torn(folder)):
            raise ResumeError(f"{folder}: not a job folder; remove it yourself or use --job")
        with cls.locked_folder(folder):
            shutil.rmtree(folder)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the job alone, or raise `JobLockedError`."""
        with self.locked_folder(self.folder):
            yield

    @staticmethod
    @contextmanager
    def locked_folder(folder: Path) -> Iterator[None]:
        """Hold `folder` alone, or raise `JobLockedError`."""
        with storage_checked(folder), (folder / "lock").open("a") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise JobLockedError(
                    f"{folder}: another run is at work here; wait for it or stop it"
                ) from None
            yield

    def must_fit(self, settings: Settings) -> None:
        """Raise `ResumeError`, with the differences, where `settings` would paint otherwise."""
        mine, theirs = painted(self.manifest.settings), painted(settings)
        changes = [
            f"{name} {mine.get(name)!r} -> {theirs.get(name)!r}"
            for name in sorted(mine.keys() | theirs.keys())
            if mine.get(name) != theirs.get(name)
        ]
        if changes:
            raise ResumeError(
                f"{self.folder}: made with other settings ({'; '.join(changes)}); "
                "resume without them, or start anew with --overwrite"
            )

    def frame_path(self, index: int) -> Path:
        """Where the frame of this index lies."""
        return self.frames / f"{index:06d}.png"

    def finished(self) -> int:
        """How many frames from the first on are whole; what lies past them is removed."""
        entries = self.entries()
        count = 0
        while count in entries and _sha256(self.frame_path(count)) == entries[count]["sha256"]:
            count += 1
        with storage_checked(self.folder):
            for path in self.frames.iterdir():
                if not (path.stem.isdigit() and path.suffix == ".png" and int(path.stem) < count):
                    path.unlink()
            kept = [json.dumps(entries[index]) + "\n" for index in range(count)]
            with published(self.journal) as part:
                part.write_text("".join(kept))
        return count

    def entries(self) -> dict[int, dict[str, Any]]:
        """The journal's lines by frame; lines that are torn or foreign are left out."""
        entries = {}
        lines = self.journal.read_bytes().splitlines() if self.journal.exists() else []
        for line in lines:
            try:
                entry = json.loads(line)
                entries[int(entry["index"])] = {**entry, "sha256": str(entry["sha256"])}
            except (ValueError, KeyError, TypeError, RecursionError):
                continue
        return entries

    def write(self, index: int, frame: Frame, notes: Mapping[str, Any]) -> None:
        """Publish a frame, then its line in the journal."""
        path = self.frame_path(index)
        write_picture(frame, path, self.manifest.settings.film.depth)
        line = json.dumps({"index": index, "sha256": _sha256(path), **notes})
        with storage_checked(self.folder), self.journal.open("a") as stream:
            stream.write(line + "\n")
            stream.flush()
            os.fsync(stream.fileno())

    def read_source(self) -> Frame:
        """The seed as the film begins with it."""
        return read_png(self.source)

    def read(self, index: int) -> Frame:
        """A finished frame, bit for bit as it was fed back."""
        return read_png(self.frame_path(index))


def _is_torn(folder: Path) -> bool:
    """Whether `folder` is a job that was killed before its manifest was written."""
    return {path.name for path in folder.iterdir()} <= {"frames", "source.png", "lock"} | {
        path.name for path in folder.glob(".*.part")
    }


def _sha256(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""
