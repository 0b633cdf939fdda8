"""Frames in, a whole film out, by the encoder of its suffix."""

import itertools
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from dreamvid.errors import EncodeError
from dreamvid.frames import Frame, Size, size_of, to_pixels
from dreamvid.media.atomic import atomic_write
from dreamvid.media.encoders import encoder_for, encoding_for
from dreamvid.media.encoding import encode
from dreamvid.media.sound import Sound
from dreamvid.media.writing import write_picture


def encode_film(
    frames: Iterator[Frame],
    path: str | Path,
    rate: Fraction,
    *,
    options: Mapping[str, Any] | None = None,
    metadata: Mapping[str, str] | None = None,
    sound: Sound | None = None,
    threads: int = 2,
    say: Callable[[str], None] = lambda line: None,
) -> int:
    """Write `frames` to `path` with the encoder that its suffix chooses; how many there were.

    Args:
        frames: all of one size. Where the format needs even sides, an odd one gains a pixel that
            repeats its edge.
        path: the film, or a folder of pictures. What stands there is replaced, see `check_output`.
        rate: frames a second.
        options: of the encoder, see `parameters`.
        metadata: words to keep in the film; the settings go under ``comment``.
        sound: the film whose sound to keep, and which part of it; where that cannot be done `say`
            is told, and the film is silent.
        threads: of the encoder.
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
    frames = itertools.chain([first], frames)
    if sound and not encoding.sound:
        what = name if encoding.arguments else "a folder of pictures"
        say(f"{path.name}: {what} has no sound, so that of {sound.path.name} is left out")
    if not encoding.arguments:
        return _write_folder(frames, path, encoding.depth, metadata)
    if encoding.fastest and rate > encoding.fastest:
        say(f"{path.name}: players slow a {name} of more than {encoding.fastest} frames a second")
    size = size_of(first)
    padded = Size(*(side + -side % block for side, block in zip(size, encoding.block, strict=True)))
    if padded != size:
        say(f"{path.name}: {name} needs even sides, so {size} becomes {padded} (edge repeated)")
    pixels = (_padded(to_pixels(frame, encoding.depth), size, padded) for frame in frames)
    return encode(
        pixels,
        path,
        padded,
        rate,
        encoding.arguments,
        depth=encoding.depth,
        metadata=metadata,
        sound=sound,
        sound_format=encoding.sound,
        threads=threads,
        say=say,
    )


def _padded(pixels: np.ndarray, size: Size, padded: Size) -> np.ndarray:
    if pixels.shape[:2] != size or size == padded:
        return pixels  # a frame of another size is refused, with its number, by `encode`
    rows, columns = padded.height - size.height, padded.width - size.width
    return np.pad(pixels, ((0, rows), (0, columns), (0, 0)), mode="edge")


def _write_folder(
    frames: Iterator[Frame], path: Path, depth: int, metadata: Mapping[str, str] | None
) -> int:
    count = 0
    with atomic_write(path) as part:
        part.mkdir()
        for count, frame in enumerate(frames, 1):
            write_picture(frame, part / f"{count - 1:06d}.png", depth, metadata)
    return count
