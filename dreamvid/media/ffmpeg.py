"""The only door to ffmpeg: frames into a film through a watched pipe, and back out of it."""

import contextlib
import errno
import itertools
import os
import re
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import av.error
import imageio_ffmpeg
import numpy as np

from dreamvid.errors import EncodeError, MediaError
from dreamvid.frames import Frame, Size, size_of, to_pixels
from dreamvid.media.opening import head_of
from dreamvid.media.publishing import STORAGE_ERRORS, published, storage_error
from dreamvid.media.words import DEMUXERS, ONLY_FILMS, annotated


def encode(
    frames: Iterable[np.ndarray | Frame],
    path: Path,
    size: Size,
    rate: Fraction,
    codec_arguments: Sequence[str],
    *,
    depth: int = 8,
    metadata: Mapping[str, str] | None = None,
    threads: int = 2,
    stall_seconds: float = 60,
) -> int:
    """Write `frames` as a film to `path` and give back how many there were.

    The film appears at `path` only once ffmpeg has left in peace and the frames in it have been
    counted. Equal frames, arguments and threads make equal bytes.

    Args:
        frames: frames, or RGB pixels (H, W, 3) of uint8 or, with a depth of 16, uint16.
        path: where the film goes; any film there is replaced.
        size: of every frame.
        rate: frames a second.
        codec_arguments: ffmpeg's output options, with the container named by ``-f``.
        depth: bits a channel that ffmpeg is given, 8 or 16.
        metadata: words to keep in the film; ``comment`` survives in every format.
        threads: of the encoder; the bytes depend on it.
        stall_seconds: how long ffmpeg may show no sign of life before it is stopped.

    Raises:
        EncodeError: ffmpeg is missing, fails, hangs or loses frames, or there are no frames.
        StorageError: the disk is full, read-only or broken.
    """
    path = path.absolute()
    waiting = iter(frames)
    first = next(waiting, None)
    if first is None:
        raise EncodeError(f"{path}: there are no frames to encode; make at least one")
    words = [f"{key}={text}" for key, text in (metadata or {}).items()]
    with published(path) as part:
        command = [
            *(_ffmpeg(), "-nostdin", "-nostats", "-v", "level+warning", "-xerror", "-y"),
            *("-progress", "pipe:2", "-stats_period", "0.5"),
            *("-f", "rawvideo", "-pix_fmt", "rgb24" if depth == 8 else "rgb48le"),
            *("-s", str(size), "-r", str(rate), "-i", "pipe:0"),
            *("-threads", str(threads), "-fflags", "+bitexact", "-flags:v", "+bitexact"),
            *(item for word in words for item in ("-metadata", word)),
            *(*codec_arguments, f"file:{part}"),
        ]
        count = 0
        with _Ffmpeg(command, path, part, stall_seconds) as ffmpeg:
            for count, frame in enumerate(itertools.chain([first], waiting), 1):
                ffmpeg.send(_raw(frame, size, depth, f"{path}: frame {count}"))
            ffmpeg.finish()
        found = _counted(part)
        if found != count:
            raise EncodeError(
                f"{path}: ffmpeg wrote {found} of {count} frames; "
                "encode the frames again, or in another format"
            )
        if metadata and "comment" in metadata:
            annotated(part, size, metadata["comment"])
    return count


def _raw(frame: np.ndarray | Frame, size: Size, depth: int, name: str) -> bytes:
    """The bytes of one frame; ffmpeg would take a frame of another size for parts of two."""
    if not isinstance(frame, np.ndarray):
        if size_of(frame) != size:
            raise EncodeError(f"{name} is {size_of(frame)}, the film is {size}")
        frame = to_pixels(frame, depth)
    wanted = np.dtype("<u2" if depth == 16 else np.uint8)
    if frame.shape != (*size, 3) or frame.dtype != wanted:
        raise EncodeError(f"{name} is {frame.dtype} {frame.shape}, wanted {wanted} {(*size, 3)}")
    return frame.tobytes()


def _ffmpeg() -> str:
    try:
        return imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError as error:
        raise EncodeError(
            "no ffmpeg found; install imageio-ffmpeg again or set IMAGEIO_FFMPEG_EXE"
        ) from error


def _started(
    command: Sequence[str], *, stdin: int, stdout: int, stderr: int
) -> subprocess.Popen[bytes]:
    try:
        # In its own session Ctrl-C does not reach it, and its children can be stopped with it.
        return subprocess.Popen(
            command, stdin=stdin, stdout=stdout, stderr=stderr, start_new_session=True
        )
    except OSError as error:
        raise EncodeError(
            f"cannot start ffmpeg at {command[0]}: {error.strerror}; "
            "install imageio-ffmpeg again or set IMAGEIO_FFMPEG_EXE"
        ) from error


def _killed(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        with contextlib.suppress(OSError):
            if os.name == "posix":
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()


class _Ffmpeg:
    """A running ffmpeg that is fed frames, watched while we wait for it, and never outlives us."""

    def __init__(self, command: Sequence[str], path: Path, part: Path, stall_seconds: float):
        self.path, self.part, self.stall_seconds = path, part, stall_seconds
        self.lines: deque[str] = deque(maxlen=50)
        self.signs = 0  # grows whenever ffmpeg does anything
        self.waiting = self.stalled = False
        pipe, nothing = subprocess.PIPE, subprocess.DEVNULL
        self.process = _started(command, stdin=pipe, stdout=nothing, stderr=pipe)
        assert self.process.stdin is not None
        assert self.process.stderr is not None
        self.stdin, self.stderr = self.process.stdin, self.process.stderr
        self.ended = threading.Event()
        self.threads = [
            threading.Thread(target=target, daemon=True) for target in (self._drain, self._watch)
        ]
        for thread in self.threads:
            thread.start()

    def __enter__(self) -> "_Ffmpeg":
        return self

    def __exit__(self, *_: object) -> None:
        _killed(self.process)
        self.process.wait()
        self.ended.set()
        for thread in self.threads:
            thread.join(timeout=5)
        for pipe in (self.stdin, self.stderr):
            with contextlib.suppress(OSError):
                pipe.close()

    def _drain(self) -> None:
        for data in iter(self.stderr.readline, b""):
            line = data.decode(errors="replace")
            self.signs += 1
            if not re.match(r"\w+=", line):  # a line of -progress, sent as a sign of life
                self.lines.append(line.strip())

    def _watch(self) -> None:
        """Stop an ffmpeg that does nothing while we wait: a write to it would last for ever."""
        seen, since = None, time.monotonic()
        while not self.ended.wait(min(1, self.stall_seconds / 4)):
            try:
                written = self.part.stat()
                sign = (self.signs, written.st_size, written.st_mtime_ns)
            except OSError:
                sign = (self.signs, 0, 0)
            if sign != seen or not self.waiting:
                seen, since = sign, time.monotonic()
            elif time.monotonic() - since > self.stall_seconds:
                self.stalled = True
                _killed(self.process)
                return

    def send(self, data: bytes) -> None:
        left = memoryview(data)
        self.waiting = True
        try:
            while left:
                left = left[os.write(self.stdin.fileno(), left[:65536]) :]
                self.signs += 1
        except OSError as error:  # a broken pipe: ffmpeg is gone and its last words say why
            self.process.wait()
            raise self._failure() from error
        self.waiting = False

    def finish(self) -> None:
        self.waiting = True
        with contextlib.suppress(OSError):
            self.stdin.close()
        if self.process.wait() != 0:
            raise self._failure()

    def _failure(self) -> Exception:
        self.threads[0].join(timeout=5)
        if self.stalled:
            return EncodeError(
                f"{self.path}: ffmpeg did nothing for {self.stall_seconds:g} s and was stopped; "
                "encode the frames again"
            )
        status = self.process.returncode
        # Codecs say EPERM, which is -1, for any trouble of theirs.
        numbers = (STORAGE_ERRORS | {errno.ENOENT}) - {errno.EPERM}
        full = [os.strerror(number) for number in numbers]
        reason = next((text for text in full for line in self.lines if text in line), None)
        if status == -getattr(signal, "SIGXFSZ", 0):
            reason = os.strerror(errno.EFBIG)
        if reason:
            return storage_error(self.path, reason)
        words = _last_words(list(self.lines), status)
        return EncodeError(
            f"{self.path}: ffmpeg failed ({words}); "
            "encode the frames again, with other options or in another format"
        )


def _last_words(lines: Sequence[str], status: int) -> str:
    """The line of ffmpeg's that says most: its first error; those after it only follow from it."""
    errors = [line for line in lines if "[error]" in line or "[fatal]" in line]
    telling = errors[:1] or [line for line in lines if line][-1:]
    words = [re.sub(r"^(\[[^\]]*\]\s*)+", "", line) for line in telling]
    return ": ".join([f"signal {-status}" if status < 0 else f"exit status {status}", *words])


def _counted(part: Path) -> int:
    """How many frames a film holds, counted from its packets, not read from its header."""
    source = ("-protocol_whitelist", "file", "-i", f"file:{part}", "-map", "0:v")
    command = [
        _ffmpeg(),
        "-nostdin",
        "-v",
        "level+error",
        *source,
        "-c",
        "copy",
        "-f",
        "framecrc",
        "-",
    ]
    process = _started(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        lines, complaints = process.communicate(timeout=600)
    except subprocess.TimeoutExpired as error:
        raise EncodeError(f"{part}: ffmpeg hangs on its own film; encode it again") from error
    finally:
        _killed(process)
    if process.returncode:
        words = _last_words(complaints.decode(errors="replace").splitlines(), process.returncode)
        raise EncodeError(f"{part}: ffmpeg cannot read its own film ({words}); encode it again")
    return sum(not line.startswith(b"#") for line in lines.splitlines())


def frames_of(path: Path) -> Iterator[np.ndarray]:
    """Every frame of a film of ours, RGB uint8 (H, W, 3), in order.

    Raises:
        MediaError: the file is missing or damaged.
    """
    head_of(path)
    command = [
        *(_ffmpeg(), "-nostdin", "-v", "error", "-xerror"),
        *("-protocol_whitelist", "file,pipe", "-format_whitelist", DEMUXERS),
        *("-i", f"file:{Path(path).absolute()}", "-map", "0:V:0", "-fps_mode", "passthrough"),
        *("-vf", "scale=flags=bicubic+accurate_rnd+full_chroma_int,format=rgb24"),
        # PPM carries the size of each frame, so none has to be known before.
        *("-c:v", "ppm", "-f", "image2pipe", "-"),
    ]
    process = _started(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdout is not None
    try:
        yield from _ppm_frames(process.stdout.read)
        if process.wait():
            raise MediaError(f"{path}: is not a film of ours, or damaged; encode it again")
    finally:
        _killed(process)
        process.stdout.close()
        process.wait()


def _ppm_frames(read: Callable[[int], bytes]) -> Iterator[np.ndarray]:
    while read(3) == b"P6\n":
        header = b""
        while header.count(b"\n") < 2 and (byte := read(1)):
            header += byte
        width, height, _ = map(int, header.split())
        data = read(width * height * 3)
        if len(data) < width * height * 3:
            return
        yield np.frombuffer(data, np.uint8).reshape(height, width, 3)


@dataclass(frozen=True)
class Film:
    """What a film says of itself; the colour tags are the numbers of ITU-T H.273, 1 is BT.709."""

    width: int
    height: int
    rate: Fraction
    frames: int | None
    codec: str
    pixel_format: str
    matrix: int
    primaries: int
    transfer: int
    full_range: bool


def probe(path: Path) -> Film:
    """What the film at `path` says of itself, without decoding it; not for WebP.

    Raises:
        MediaError: the file is missing, damaged or has no video in it.
    """
    head_of(path)
    try:
        with av.open(os.fspath(path), options=ONLY_FILMS) as film:
            if not film.streams.video:
                raise MediaError(f"{path}: has no video in it, wanted a film")
            stream = film.streams.video[0]
            context = stream.codec_context
            return Film(
                width=context.width,
                height=context.height,
                rate=Fraction(stream.guessed_rate or 0),
                frames=stream.frames or None,
                codec=context.name,
                pixel_format=context.pix_fmt or "unknown",
                matrix=int(context.colorspace),
                primaries=int(context.color_primaries),
                transfer=int(context.color_trc),
                full_range=int(context.color_range) == 2,
            )
    except (av.error.FFmpegError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise MediaError(f"{path}: is not a film that can be read ({reason})") from error
