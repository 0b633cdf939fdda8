"""The job folder: the frames on disk are the state, the journal says which of them are whole.

::

    out.mp4.dream/
      job.json            the manifest: settings, source, weights, versions; never edited
      lock                held by the one run that works here
      source.png          the seed, at the film's size
      input               what came through a pipe
      music.safetensors   what was heard in the music
      latest.png          the newest frame
      frames/000123.png   written under another name, synced, renamed
      journal.jsonl       a line for each finished frame; a torn last line is ignored

A frame counts when the journal holds the hash of its file, and so do all frames before it.
"""

import contextlib
import hashlib
import json
import re
import shutil
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from dreamvid.errors import ResumeError, SettingsError
from dreamvid.frames import Frame, to_pixels
from dreamvid.jobs import music
from dreamvid.jobs.journal import Journal
from dreamvid.jobs.manifest import FORMAT, Manifest
from dreamvid.jobs.shots import first_of
from dreamvid.machine.hashing import file_hash
from dreamvid.media import (
    atomic_write,
    frame_bytes,
    read_pixels,
    read_png,
    storage_checked,
    write_picture,
)
from dreamvid.media.atomic import temporary_for
from dreamvid.media.locking import LOCK, locked
from dreamvid.settings import changes

SUFFIX = ".dream"
INPUT = "input"
UNBORN = {LOCK, "frames", "source.png", INPUT, "music.safetensors"}
"""What a job folder may hold before it has a manifest."""


class Job:
    """A job folder that is known to be one."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.folder = folder
        self.manifest = manifest
        self.frames = folder / "frames"
        self.journal = Journal(folder / "journal.jsonl", "index", int)
        self.source = folder / "source.png"
        self.latest = folder / "latest.png"
        self.music = folder / "music.safetensors"
        self.unwritten: dict[int, Frame] = {}
        """Finished frames that are on their way to the disk, bit for bit as they are read back."""
        self.needs: tuple[str, ...] = ()
        """Flags that `dreamvid resume` needs to go on with it where it lies now."""

    @staticmethod
    def is_called_after(folder: Path, out: Path) -> bool:
        """Whether a folder has the name that the job of a film has by itself."""
        return folder.name == out.name + SUFFIX

    @staticmethod
    def claim(folder: Path, seed: Path | None, out: Path) -> None:
        """See that `folder` is a job's or can become one, and make it.

        Raises:
            ResumeError: something else lies there, or it would be mixed up with `seed` or `out`.
            StorageError: it cannot be made.
        """
        folder = folder.absolute()
        if folder == out.absolute():
            raise ResumeError(f"{folder}: is the name of the film too; choose another with --job")
        place = seed.absolute() if seed is not None else folder
        if seed is not None and folder in place.parents and place != folder / INPUT:
            raise ResumeError(f"{folder}: holds the seed {seed.name}; choose another with --job")
        try:
            if folder.exists() and not (folder.is_dir() and _is_ours(folder)):
                raise ResumeError(
                    f"{folder}: not a job folder; remove it yourself or choose another with --job"
                )
            if not folder.parent.is_dir():
                raise ResumeError(f"{folder}: there is no folder {folder.parent}; make it first")
            with storage_checked(folder):
                folder.mkdir(exist_ok=True)
        except OSError as error:
            raise ResumeError(f"{folder}: cannot be a job folder ({error.strerror})") from None

    @classmethod
    def create(cls, folder: Path, manifest: Manifest, source: Frame | None = None) -> Self:
        """A new job in a folder that was claimed and is locked; any older job there is removed.

        `source` is what a film begins with, where that is a picture.
        """
        job = cls(folder, manifest)
        with storage_checked(folder):
            try:
                # The old manifest goes first and the new one comes last: a folder that has one
                # is a whole job.
                (folder / "job.json").unlink(missing_ok=True)
                job.journal.clear()
                shutil.rmtree(job.frames, ignore_errors=True)
                job.frames.mkdir()
                job.source.unlink(missing_ok=True)
                job.latest.unlink(missing_ok=True)
                job.music.unlink(missing_ok=True)
                music.keep(manifest.settings, job.music)
                if source is not None:
                    write_picture(source, job.source, manifest.settings.film.depth)
                with atomic_write(folder / "job.json") as part:
                    part.write_text(json.dumps(manifest.tree(), indent=1))
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise
        return job

    @classmethod
    def open(cls, folder: Path) -> Self:
        """An existing job, or a `ResumeError` that says why it is none.

        `folder` may be the job's film, where its job lies beside it.
        """
        if folder.is_file() and (folder.with_name(folder.name + SUFFIX) / "job.json").is_file():
            folder = folder.with_name(folder.name + SUFFIX)
        try:
            tree = json.loads((folder / "job.json").read_text("utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            remedy = "name a film, or the folder beside it whose name ends in .dream"
            if (folder / "plan.json").is_file():
                remedy = f"it is a plan, with which `dreamvid work {folder}` goes on"
            raise ResumeError(f"{folder}: not a job folder (no job.json in it); {remedy}") from None
        except (OSError, ValueError, RecursionError) as error:
            raise ResumeError(f"{folder}/job.json: cannot be read: {error}") from None
        if not isinstance(tree, dict) or tree.get("format") != FORMAT:
            raise ResumeError(f"{folder}/job.json: not a manifest of format {FORMAT}")
        try:
            manifest = Manifest.from_tree(tree)
        except SettingsError as error:
            raise ResumeError(f"{folder}/job.json: {error}") from None
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ResumeError(f"{folder}/job.json: damaged ({error!r})") from None
        job = cls(folder, manifest)
        settings = music.kept(job.music, manifest.settings, manifest.source)
        return cls(folder, replace(manifest, settings=settings))

    def locked(self) -> AbstractContextManager[None]:
        """Hold the job alone, or raise `JobLockedError`."""
        return locked(self.folder)

    def must_fit(self, manifest: Manifest) -> None:
        """Raise `ResumeError`, with the differences, where `manifest` would paint otherwise."""
        here = self.manifest
        if manifest.kind != here.kind:
            raise ResumeError(
                f"{self.folder}: is a job of {here.kind}, not of {manifest.kind}; "
                "choose another with --job, or start anew with --overwrite"
            )
        if found := changes(here.settings, manifest.settings):
            raise ResumeError(
                f"{self.folder}: made with other settings ({'; '.join(found)}); "
                "resume without them, or start anew with --overwrite"
            )
        if sorted(here.plugins.values()) != sorted(manifest.plugins.values()):
            began = ", ".join(here.plugins) or "none"
            raise ResumeError(
                f"{self.folder}: made with other plugins, or with another content of them "
                f"(it began with {began}); put them back, or start anew with --overwrite"
            )
        if _content(here.source) != _content(manifest.source):
            other = here.source.get(music.FILES) != manifest.source.get(music.FILES)
            raise ResumeError(
                f"{self.folder}: made {'to other music' if other else 'from another input'}; "
                "start anew with --overwrite"
            )

    def frame_path(self, index: int) -> Path:
        """Where the frame of this index lies."""
        return self.frames / f"{index:06d}.png"

    def finished(self) -> int:
        """The first frame that is not whole, all before it being so. Changes nothing."""
        entries, count = self.journal.entries(), first_of(self.manifest.source)
        while count in entries and _hash(self.frame_path(count)) == entries[count]["sha256"]:
            count += 1
        return count

    def trim(self, count: int) -> None:
        """Remove what lies from frame `count` on: torn or stale frames and lines."""
        entries = self.journal.entries()
        with storage_checked(self.folder):
            for path in self.frames.iterdir():
                stale = re.fullmatch(r"\d{6,}\.png", path.name) and int(path.stem) >= count
                if stale or re.fullmatch(r"\.\d{6,}\.png(\.\w+)?\.part", path.name):
                    path.unlink()
            whole = range(first_of(self.manifest.source), count)
            self.journal.keep(entries[index] for index in whole)

    def write(self, index: int, frame: Frame, notes: Mapping[str, Any]) -> None:
        """Publish a frame and note it."""
        pixels = to_pixels(frame, self.manifest.settings.film.depth)
        self.note(index, self.publish(index, pixels), notes)

    def publish(self, index: int, pixels: np.ndarray) -> str:
        """Write a frame's RGB pixels (H, W, 3); the hash of its file, for `note`."""
        data = frame_bytes(pixels)
        with atomic_write(self.frame_path(index)) as part:
            part.write_bytes(data)
        return hashlib.sha256(data).hexdigest()

    def note(self, index: int, sha256: str, notes: Mapping[str, Any]) -> None:
        """Add a published frame's line to the journal; all before it have theirs."""
        self.journal.add({"index": index, "sha256": sha256, **notes})
        self.show(index)
        self.unwritten.pop(index, None)

    def show(self, index: int) -> None:
        """Make ``latest.png`` this finished frame, whole at every moment."""
        frame = self.frame_path(index)
        part = temporary_for(self.latest)
        with storage_checked(self.folder):
            part.unlink(missing_ok=True)
            try:
                try:
                    part.hardlink_to(frame)
                except OSError:
                    # Not every disk has hard links.
                    shutil.copyfile(frame, part)
                part.replace(self.latest)
            finally:
                # A full disk leaves a part of a copy.
                part.unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove the job; what others have put into its folder stays, and then so does that."""
        with storage_checked(self.folder):
            (self.folder / "job.json").unlink(missing_ok=True)
            for path in self.frames.glob("*.png"):
                if re.fullmatch(r"\d{6,}\.png", path.name):
                    path.unlink()
            names = (self.folder / INPUT, self.folder / LOCK)
            for path in (self.journal.path, self.source, self.music, self.latest, *names):
                path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self.frames.rmdir()
            self.folder.rmdir()

    def read_source(self) -> Frame:
        """The seed as the film begins with it."""
        return read_png(self.source)

    def read(self, index: int) -> Frame:
        """A finished frame, bit for bit as it was fed back; one that waits is on its device."""
        waiting = self.unwritten.get(index)
        return read_png(self.frame_path(index)) if waiting is None else waiting

    def read_pixels(self, index: int) -> np.ndarray:
        """The RGB pixels (H, W, 3) of a frame that is on the disk."""
        return read_pixels(self.frame_path(index))


def _content(source: Mapping[str, str]) -> dict[str, str]:
    """What an input is, wherever it lies. The bars in it follow; older jobs know of none."""
    follows = ("path", "bars", music.ANALYSIS)
    return {name: value for name, value in source.items() if name not in follows}


def _is_ours(folder: Path) -> bool:
    """Whether `folder` is a job, one that was killed before its manifest was written, or empty."""
    names = {path.name for path in folder.iterdir() if not path.name.endswith(".part")}
    return "job.json" in names or not names or (LOCK in names and names <= UNBORN)


def _hash(path: Path) -> str:
    """The SHA-256 of a file, or nothing where there is none."""
    with storage_checked(path):
        try:
            return file_hash(path)
        except (FileNotFoundError, IsADirectoryError):
            return ""
