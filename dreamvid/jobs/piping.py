"""A film that comes through a pipe: kept in its job, which may need it again."""

import contextlib
import hashlib
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from dreamvid import media
from dreamvid.errors import MediaError, ResumeError
from dreamvid.jobs.disk import told
from dreamvid.jobs.folder import INPUT, Job
from dreamvid.jobs.stopping import stoppable
from dreamvid.media.locking import LOCK, locked

_PIECE = 2**20


def piped(folder: Path, out: Path, overwrite: bool, say: Callable[[str], None]) -> Path:
    """Keep the film that comes through standard input in a job's folder; where it is.

    Raises:
        MediaError: nothing is piped in, or what is, is no film.
        ResumeError: the job there was begun with another input.
        StorageError: the disk is full, read-only or broken.
    """
    if sys.stdin is None or sys.stdin.isatty():
        raise MediaError(
            "-: nothing is piped in, expected a film, as in "
            "`ffmpeg -i clip.mkv -f yuv4mpegpipe - | dreamvid video -`"
        )
    new = not (folder / "job.json").exists()
    Job.claim(folder, None, out)
    path = folder / INPUT
    with stoppable(folder, "the same command again"), locked(folder):
        try:
            size = _kept(path, None if new or overwrite else Job.open(folder))
            media.probe(path)
        except MediaError as error:
            if new:
                _cleared(folder)
            raise MediaError(
                f"-: what was piped in is no film that can be read ({error})"
            ) from None
    say(f"the film that was piped in takes {told(size)}: {path}; the job needs it, to go on")
    return path


def _kept(path: Path, job: Job | None) -> int:
    """Write standard input to `path`, where it is what `job` was begun with; how many bytes."""
    size, digest = 0, hashlib.sha256()
    with media.atomic_write(path) as part, part.open("wb") as file:
        while piece := sys.stdin.buffer.read(_PIECE):
            file.write(piece)
            digest.update(piece)
            size += len(piece)
        if job and job.manifest.source.get("sha256") != digest.hexdigest():
            raise ResumeError(
                f"{job.folder}: made from another input; name another result with -o, or start "
                "anew with --overwrite"
            )
        if not size:
            raise MediaError("nothing came")
    return size


def _cleared(folder: Path) -> None:
    with contextlib.suppress(OSError):
        for name in (INPUT, LOCK):
            (folder / name).unlink(missing_ok=True)
        shutil.rmtree(folder / "frames", ignore_errors=True)
        folder.rmdir()
