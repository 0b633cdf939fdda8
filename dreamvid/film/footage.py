"""The frames of a film on disk, and of a mask, at the size of the film that is made."""

from collections.abc import Generator
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from dreamvid import media
from dreamvid.film.sources import Opened
from dreamvid.frames import Size, fitted, from_pixels, inside, padded, to_pixels


def film_frames(
    path: Path,
    film: media.Film,
    size: Size,
    rate: Fraction,
    start: int,
    *,
    fit: str = "crop",
    padding: str = "blurred",
    **options: Any,
) -> Generator[np.ndarray]:
    """A film's frames from `start` on, brought to `size` as `frames.fitted` does."""
    scale = max(size.height / film.size.height, size.width / film.size.width)
    decoding = Size(*(max(a, round(b * scale)) for a, b in zip(size, film.size, strict=True)))
    if fit != "crop":
        decoding = size if fit == "stretch" else inside(film.size, size)
    top, left = ((a - b) // 2 for a, b in zip(decoding, size, strict=True))
    decoded = media.decoded(path, film, size=decoding, rate=rate, start=start, **options)
    with closing(decoded):
        for pixels in decoded:
            if fit == "pad" and decoding != size:
                depth = 8 * pixels.dtype.itemsize
                yield to_pixels(padded(from_pixels(pixels), size, padding), depth)
            else:
                yield pixels[top : top + size.height, left : left + size.width]


def is_picture(path: Path) -> bool:
    """Whether a mask is one picture rather than a film, by its suffix."""
    return not media.is_sequence(path) and media.is_still(path)


def masks_of(path: Path, size: Size, rate: Fraction, first: int, fit: str = "crop") -> Opened:
    """A mask's pictures, frame by frame; those of a film keep time with the film dreamed over.

    Where the film is padded, so is the mask, with black: the padding stays as it is.

    Raises:
        MediaError: it cannot be read.
    """
    if is_picture(path):
        picture = media.read_picture(path, background=media.BLACK)
        pixels = to_pixels(fitted(picture, size, fit, "black"), depth=16)
        return lambda start: iter([pixels])
    film = media.probe(path, rate)
    return lambda start: film_frames(
        path, film, size, rate, first + start, fit=fit, padding="black"
    )
