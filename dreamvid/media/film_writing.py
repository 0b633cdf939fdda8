"""Frames in, a whole film out, by the encoder of its suffix."""

from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from itertools import chain, count
from pathlib import Path
from typing import Any

import numpy as np

from dreamvid.errors import EncodeError
from dreamvid.frames import Frame, Size, from_pixels, size_of, to_pixels
from dreamvid.machine.threads import cores
from dreamvid.media.encoders import (
    Encoding,
    check_fit,
    encoder_for,
    encoding_for,
    is_pipe,
    is_sequence_of_pictures,
)
from dreamvid.media.encoding import encode, encode_to_pipe
from dreamvid.media.keeping import Extras, lost, words_of
from dreamvid.media.picture_writing import write_folder, write_sequence
from dreamvid.media.sound import Sound

LEAST_THREADS, MOST_THREADS = 2, 16
"""Of an encoder, whatever the cores: its bytes depend on their number, and more gain little."""


def encode_film(
    frames: Iterator[Frame | np.ndarray],
    path: str | Path,
    rate: Fraction,
    *,
    options: Mapping[str, Any] | None = None,
    metadata: Mapping[str, str] | None = None,
    sound: Sound | None = None,
    extras: Extras | None = None,
    depth: int = 8,
    number: int = 0,
    step: int = 1,
    threads: int = 0,
    say: Callable[[str], None] = lambda line: None,
) -> int:
    """Write `frames` to `path` with the encoder that its suffix chooses; how many there were.

    Args:
        frames: or their RGB pixels (H, W, 3), uint8 or uint16; all of one size. Where the format
            needs even sides, an odd one gains a pixel that repeats its edge.
        path: the film, a folder of pictures, a pattern of their names, or - for standard output.
            What stands there is replaced, see `check_output`.
        rate: frames a second.
        options: of the encoder, see `parameters`.
        metadata: words to keep in the film; the settings go under ``comment``.
        sound: the film whose sound to keep, and which part of it; where that cannot be done `say`
            is told, and the film is silent.
        extras: the film whose title, date, chapters and subtitles to keep where the format can
            hold them; what it cannot is told.
        depth: bits a channel of the frames, which pictures and lossless films keep.
        number: that of the first of pictures whose names follow a pattern.
        step: from its number to the next.
        threads: of the encoder; 0 is one for each core, at least two.
        say: takes a line that the user should know of.

    Raises:
        MediaError: no encoder has the suffix.
        SettingsError: an option is unknown or out of range.
        EncodeError: there are no frames, or ffmpeg failed.
        StorageError: the disk is full, read-only or broken.
    """
    name, encoding = encoder_for(path), encoding_for(path, options or {})
    path = Path(path)
    frames = iter(frames)
    first = next(frames, None)
    if first is None:
        raise EncodeError(f"{path}: there are no frames to encode; make at least one")
    frames = chain([first], frames)
    if sound and not encoding.sound:
        what = _named(name, encoding)
        say(f"{path.name}: {what} has no sound, so that of {sound.path.name} is left out")
    if extras and (line := lost(extras, encoding.keeps, path, _named(name, encoding))):
        say(line)
    depth = encoding.depth or depth
    if not encoding.arguments:
        if is_sequence_of_pictures(path):
            numbers = count(number if encoding.first is None else encoding.first, step)
            return write_sequence(map(_frame, frames), path, numbers, depth, metadata)
        return write_folder(map(_frame, frames), path, encoding.first or 0, depth, metadata)
    if encoding.fastest and rate > encoding.fastest:
        say(f"{path.name}: players slow a {name} of more than {encoding.fastest} frames a second")
    size = Size(*first.shape[:2]) if isinstance(first, np.ndarray) else size_of(first)
    check_fit(path, encoding, size, rate)
    padded = Size(*(side + -side % block for side, block in zip(size, encoding.block, strict=True)))
    if padded != size:
        say(f"{path.name}: {name} needs even sides, so {size} becomes {padded} (edge repeated)")
    pixels = (_padded(_pixels(frame, depth), size, padded) for frame in frames)
    if is_pipe(path):
        return encode_to_pipe(pixels, padded, rate, encoding.arguments_for(padded), depth=depth)
    return encode(
        pixels,
        path,
        padded,
        rate,
        encoding.arguments_for(padded),
        depth=depth,
        metadata={**words_of(extras, encoding.keeps), **(metadata or {})},
        sound=sound,
        extras=extras,
        keeps=encoding.keeps,
        sound_format=encoding.sound,
        threads=threads or max(LEAST_THREADS, min(cores(), MOST_THREADS)),
        say=say,
    )


def _frame(frame: Frame | np.ndarray) -> Frame:
    return from_pixels(frame) if isinstance(frame, np.ndarray) else frame


def _pixels(frame: Frame | np.ndarray, depth: int) -> np.ndarray:
    if isinstance(frame, np.ndarray) and frame.dtype.itemsize * 8 == depth:
        return frame
    return to_pixels(_frame(frame), depth)


def _named(name: str, encoding: Encoding) -> str:
    return name if encoding.arguments else "a sequence of pictures"


def _padded(pixels: np.ndarray, size: Size, padded: Size) -> np.ndarray:
    if pixels.shape[:2] != size or size == padded:
        return pixels  # a frame of another size is refused, with its number, by `encode`
    rows, columns = padded.height - size.height, padded.width - size.width
    return np.pad(pixels, ((0, rows), (0, columns), (0, 0)), mode="edge")
