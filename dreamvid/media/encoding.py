"""Frames into a film, through a watched pipe."""

import contextlib
import itertools
import math
import os
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

from dreamvid.errors import EncodeError
from dreamvid.frames import Frame, Size, size_of, to_pixels
from dreamvid.machine.threads import yielding
from dreamvid.media.atomic import atomic_write, storage_error
from dreamvid.media.ffmpeg import (
    QUIETLY,
    Watched,
    executable,
    is_progress,
    last_words,
    packets_in,
    storage_reason,
)
from dreamvid.media.keeping import Extras, Keeps, add_extras
from dreamvid.media.metadata import annotated
from dreamvid.media.sound import Sound, SoundFormat, add_sound


def encode(
    frames: Iterable[np.ndarray | Frame],
    path: Path,
    size: Size,
    rate: Fraction,
    codec_arguments: Sequence[str],
    *,
    depth: int = 8,
    metadata: Mapping[str, str] | None = None,
    sound: Sound | None = None,
    sound_format: SoundFormat | None = None,
    extras: Extras | None = None,
    keeps: Keeps = Keeps(),  # noqa: B008 - never changed
    threads: int = 2,
    say: Callable[[str], None] = lambda line: None,
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
        sound: what to lay under the film; it may be lost, which `say` is told, the film never.
        sound_format: what the container takes; without it the film is silent.
        extras: what else of a film to keep, its words aside, which are in `metadata`.
        keeps: what else the container can hold.
        threads: of the encoder; the bytes depend on it.
        say: takes a line that the user should know of.
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
    with atomic_write(path) as part:
        command = [
            *(executable(), *QUIETLY, "-xerror", "-y"),
            *("-progress", "pipe:2", "-stats_period", "0.5"),
            *("-f", "rawvideo", "-pix_fmt", "rgb24" if depth == 8 else "rgb48le"),
            *("-s", str(size), "-r", str(rate), "-i", "pipe:0"),
            *("-threads", str(threads), "-fflags", "+bitexact", "-flags:v", "+bitexact"),
            *(item for word in words for item in ("-metadata", word)),
            *(*codec_arguments, f"file:{part}"),
        ]
        count = 0
        with _Encoder(command, path, part, stall_seconds) as encoder:
            for count, frame in enumerate(itertools.chain([first], waiting), 1):
                encoder.send(_raw(frame, size, depth, f"{path}: frame {count}"))
            encoder.finish()
        _check_count(part, count, path)
        if metadata and "comment" in metadata:
            annotated(part, size, metadata["comment"])
        container = _pairs(codec_arguments, "-movflags", "-f")
        if sound and sound_format:
            add_sound(part, path, sound, sound_format, container, say, stall_seconds)
        if extras:
            add_extras(part, path, extras, keeps, container, say, stall_seconds)
    return count


def encode_to_pipe(
    frames: Iterable[np.ndarray | Frame],
    size: Size,
    rate: Fraction,
    codec_arguments: Sequence[str],
    *,
    depth: int = 8,
) -> int:
    """Write `frames` as a film to standard output and give back how many there were.

    Whoever reads it may take any time. The arguments are those of `encode`.

    Raises:
        EncodeError: ffmpeg is missing or fails, or nobody reads any more.
    """
    command = [
        *(executable(), *QUIETLY, "-xerror", "-f", "rawvideo"),
        *("-pix_fmt", "rgb24" if depth == 8 else "rgb48le"),
        *("-s", str(size), "-r", str(rate), "-i", "pipe:0", *codec_arguments, "pipe:1"),
    ]
    count, path = 0, Path("standard output")
    with _Encoder(command, path, path, math.inf, onward=True) as encoder:
        try:
            for count, frame in enumerate(frames, 1):
                encoder.send(_raw(frame, size, depth, f"frame {count}"))
            encoder.finish()
        except EncodeError as error:
            if not any("Broken pipe" in line for line in encoder.lines):
                raise
            raise EncodeError(
                "-o -: whoever read the film stopped reading; the frames are kept in the job"
            ) from error
    return count


def _pairs(arguments: Sequence[str], *names: str) -> list[str]:
    """Those of ffmpeg's options that have one of `names`, with their values."""
    pairs = itertools.pairwise(arguments)
    return [item for name, value in pairs if name in names for item in (name, value)]


def _raw(frame: np.ndarray | Frame, size: Size, depth: int, name: str) -> bytes:
    """The bytes of one frame; ffmpeg would take a frame of another size for parts of two."""
    if not isinstance(frame, np.ndarray):
        if size_of(frame) != size:
            raise EncodeError(f"{name} is {size_of(frame)}, the film is {size}")
        frame = to_pixels(frame, depth)
    expected = np.dtype("<u2" if depth == 16 else np.uint8)
    if frame.shape != (*size, 3) or frame.dtype != expected:
        raise EncodeError(
            f"{name} is {frame.dtype} {frame.shape}, expected {expected} {(*size, 3)}"
        )
    return frame.tobytes()


class _Encoder(Watched):
    """An ffmpeg that is fed frames and writes `part`."""

    def __init__(
        self,
        command: Sequence[str],
        path: Path,
        part: Path,
        stall_seconds: float,
        *,
        onward: bool = False,
    ):
        self.path, self.part = path, part
        self.lines: deque[str] = deque(maxlen=50)
        super().__init__(
            command, self._heard, stall_seconds, feed=True, onward=onward, sign=self._written
        )
        yielding(self.process.pid)

    def __enter__(self) -> "_Encoder":
        return self

    def _heard(self, line: str | None) -> None:
        if line and not is_progress(line):
            self.lines.append(line.strip())

    def _written(self) -> object:
        try:
            written = self.part.stat()
        except OSError:
            return None
        return (written.st_size, written.st_mtime_ns)

    def send(self, data: bytes) -> None:
        assert self.process.stdin is not None
        left = memoryview(data)
        self.waiting = True
        try:
            while left:
                left = left[os.write(self.process.stdin.fileno(), left[:65536]) :]
                self.signs += 1
        except OSError as error:  # a broken pipe: ffmpeg is gone and its last words say why
            raise self._failure() from error
        self.waiting = False

    def finish(self) -> None:
        assert self.process.stdin is not None
        self.waiting = True
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        if self.process.wait() != 0:
            raise self._failure()

    def _failure(self) -> Exception:
        self.all_heard()
        if self.stalled:
            return EncodeError(
                f"{self.path}: ffmpeg did nothing for {self.stall_seconds:g} s and was stopped; "
                "encode the frames again"
            )
        status = self.process.returncode
        reason = storage_reason(list(self.lines), status)
        if reason:
            return storage_error(self.path, reason)
        words = last_words(list(self.lines), status)
        return EncodeError(
            f"{self.path}: ffmpeg failed ({words}); "
            "encode the frames again, with other options or in another format"
        )


def _check_count(part: Path, count: int, path: Path) -> None:
    found = packets_in(part, "0:v")
    if found != count:
        raise EncodeError(
            f"{path}: ffmpeg wrote {found} of {count} frames; "
            "encode the frames again, or in another format"
        )
