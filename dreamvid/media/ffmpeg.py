"""The ffmpeg process: started in a session of its own, listened to, watched, never outliving us."""

import contextlib
import errno
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import imageio_ffmpeg

from dreamvid.errors import EncodeError
from dreamvid.media.atomic import STORAGE_ERRORS

QUIETLY = ("-nostdin", "-nostats", "-v", "level+warning")
TRIAL = ("-f", "lavfi", "-i", "color=size=256x256:rate=8", "-frames:v", "8")
TRIAL_SECONDS = 20


def executable() -> str:
    """Where ffmpeg is.

    Raises:
        EncodeError: it is nowhere.
    """
    try:
        return imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError as error:
        raise EncodeError(
            "no ffmpeg found; install imageio-ffmpeg again or set IMAGEIO_FFMPEG_EXE"
        ) from error


def check_ffmpeg() -> None:
    """Raise `EncodeError` unless there is an ffmpeg that runs."""
    quiet = subprocess.DEVNULL
    process = started([executable(), "-version"], stdin=quiet, stdout=quiet, stderr=quiet)
    try:
        status = process.wait(timeout=60)
    except subprocess.TimeoutExpired:
        killed(process)
        status = process.wait()
    if status:
        raise EncodeError(
            f"ffmpeg at {executable()} does not run (exit status {status}); "
            "install imageio-ffmpeg again or set IMAGEIO_FFMPEG_EXE"
        )


def started(
    command: Sequence[str], *, stdin: int, stdout: int | None, stderr: int
) -> subprocess.Popen[bytes]:
    """A running ffmpeg."""
    try:
        # In its own session Ctrl-C does not reach it, and its children can be stopped with it.
        process = subprocess.Popen(
            command, stdin=stdin, stdout=stdout, stderr=stderr, start_new_session=True
        )
    except OSError as error:
        raise EncodeError(
            f"cannot start ffmpeg at {command[0]}: {error.strerror}; "
            "install imageio-ffmpeg again or set IMAGEIO_FFMPEG_EXE"
        ) from error
    _latest[threading.get_ident()] = process
    return process


_latest: dict[int, subprocess.Popen[bytes]] = {}


def kill_that_of(thread: int) -> None:
    """Stop the ffmpeg that a thread waits for, if it does, so that the thread goes on."""
    if process := _latest.get(thread):
        killed(process)


def killed(process: subprocess.Popen[bytes]) -> None:
    """Stop an ffmpeg and all it started."""
    if process.poll() is None:
        with contextlib.suppress(OSError):
            if os.name == "posix":
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()


class Watched:
    """A running ffmpeg whose words are heard, and which is stopped where it does nothing.

    Use it in a ``with`` block: at its end ffmpeg is gone, whatever happened.

    Args:
        command: what to run.
        hear: takes each line of its standard error, and None once there are no more.
        stall_seconds: how long it may show no sign of life while `waiting`.
        feed: whether frames go in at its standard input; else its standard output is read.
        onward: whether what it writes to standard output goes to ours.
        sign: grows or changes with its work, beside what it says and `signs`.
    """

    def __init__(
        self,
        command: Sequence[str],
        hear: Callable[[str | None], None],
        stall_seconds: float,
        *,
        feed: bool = False,
        onward: bool = False,
        sign: Callable[[], object] = lambda: None,
    ):
        self.hear, self.stall_seconds, self.sign = hear, stall_seconds, sign
        self.signs = 0  # grows whenever ffmpeg does anything
        self.waiting = self.stalled = False
        pipe, nothing = subprocess.PIPE, subprocess.DEVNULL
        stdin, stdout = (pipe, None if onward else nothing) if feed else (nothing, pipe)
        self.process = started(command, stdin=stdin, stdout=stdout, stderr=pipe)
        self.ended = threading.Event()
        self.threads = [
            threading.Thread(target=target, daemon=True) for target in (self._drain, self._watch)
        ]
        for thread in self.threads:
            thread.start()

    def __enter__(self) -> "Watched":
        return self

    def __exit__(self, *_: object) -> None:
        killed(self.process)
        self.process.wait()
        self.ended.set()
        for thread in self.threads:
            thread.join(timeout=5)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            with contextlib.suppress(OSError):
                if pipe is not None:
                    pipe.close()

    def _drain(self) -> None:
        assert self.process.stderr is not None
        for data in iter(self.process.stderr.readline, b""):
            self.signs += 1
            self.hear(data.decode(errors="replace"))
        self.hear(None)

    def _watch(self) -> None:
        """Stop an ffmpeg that does nothing while we wait: the wait would last for ever."""
        seen, since = None, time.monotonic()
        while not self.ended.wait(min(1, self.stall_seconds / 4)):
            sign = (self.signs, self.sign())
            if sign != seen or not self.waiting:
                seen, since = sign, time.monotonic()
            elif time.monotonic() - since > self.stall_seconds:
                self.stalled = True
                killed(self.process)
                return

    def all_heard(self) -> None:
        """Wait until the last words of an ffmpeg that ended have been heard."""
        self.process.wait()
        self.threads[0].join(timeout=5)


def ran(command: Sequence[str], result: Path, stall_seconds: float) -> tuple[int, list[str]]:
    """The exit status and the words of an ffmpeg that writes `result`, run to its end."""
    lines: list[str] = []

    def hear(line: str | None) -> None:
        if line and not is_progress(line):
            lines.append(line.strip())

    def written() -> object:
        return result.stat().st_size if result.exists() else None

    with Watched(command, hear, stall_seconds, sign=written) as ffmpeg:
        ffmpeg.waiting = True
        ffmpeg.all_heard()
        if ffmpeg.stalled:
            lines.insert(0, f"[error] it did nothing for {stall_seconds:g} s and was stopped")
        return ffmpeg.process.returncode, lines


def is_complaint(line: str) -> bool:
    """Whether a line of ffmpeg's tells of an error."""
    return "[error]" in line or "[fatal]" in line


def plain(line: str) -> str:
    """A line of ffmpeg's without the names of its parts."""
    return re.sub(r"^(\[[^\]]*\]\s*)+", "", line.strip())


def last_words(lines: Sequence[str], status: int) -> str:
    """The line of ffmpeg's that says most: its first error; those after it only follow from it."""
    errors = [line for line in lines if is_complaint(line)]
    telling = errors[:1] or [line for line in lines if line][-1:]
    words = [plain(line) for line in telling]
    return ": ".join([f"signal {-status}" if status < 0 else f"exit status {status}", *words])


def is_progress(line: str) -> bool:
    """Whether a line is one of ``-progress``, asked for as a sign of life."""
    return bool(re.match(r"\w+=", line))


def storage_reason(lines: Sequence[str], status: int) -> str | None:
    """What the disk did to an ffmpeg that failed, None where it was something else."""
    if status == -getattr(signal, "SIGXFSZ", 0):
        return os.strerror(errno.EFBIG)
    # Codecs say EPERM, which is -1, for any trouble of theirs.
    numbers = (STORAGE_ERRORS | {errno.ENOENT}) - {errno.EPERM}
    full = [os.strerror(number) for number in numbers]
    return next((text for text in full for line in lines if text in line), None)


@cache
def lacking(codec: str) -> str | None:
    """Why a video codec cannot encode here, None where it can: it is tried on a few frames.

    Codecs of a GPU are built into ffmpeg whether there is such a GPU or not.
    """
    command = [executable(), *QUIETLY, *TRIAL, "-pix_fmt", "yuv420p", "-c:v", codec]
    nothing, pipe = subprocess.DEVNULL, subprocess.PIPE
    process = started([*command, "-f", "null", "-"], stdin=nothing, stdout=nothing, stderr=pipe)
    try:
        _, complaints = process.communicate(timeout=TRIAL_SECONDS)
    except subprocess.TimeoutExpired:
        return f"no end after {TRIAL_SECONDS} seconds"
    finally:
        killed(process)
    if not process.returncode:
        return None
    return last_words(complaints.decode(errors="replace").splitlines(), process.returncode)


def packets_in(film: Path, streams: str) -> int:
    """How many packets are in the streams of a film of ours that an ffmpeg specifier selects.

    Raises:
        EncodeError: ffmpeg fails or hangs.
    """
    source = ("-protocol_whitelist", "file", "-i", f"file:{film}", "-map", streams)
    command = [executable(), "-nostdin", "-v", "level+error", *source]
    command += ["-c", "copy", "-f", "framecrc", "-"]
    nothing, pipe = subprocess.DEVNULL, subprocess.PIPE
    process = started(command, stdin=nothing, stdout=pipe, stderr=pipe)
    try:
        lines, complaints = process.communicate(timeout=600)
    except subprocess.TimeoutExpired as error:
        raise EncodeError(f"{film}: ffmpeg hangs on its own film; encode it again") from error
    finally:
        killed(process)
    if process.returncode:
        words = last_words(complaints.decode(errors="replace").splitlines(), process.returncode)
        raise EncodeError(f"{film}: ffmpeg cannot read its own film ({words}); encode it again")
    return sum(not line.startswith(b"#") for line in lines.splitlines())
