"""The frames of a film on disk, and of a mask, at the size of the film that is made."""

from collections.abc import Generator
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from dreamvid import media
from dreamvid.film.sources import Opened
from dreamvid.frames import Size, covered, to_pixels


def film_frames(
    path: Path, film: media.Film, size: Size, rate: Fraction, start: int, **options: Any
) -> Generator[np.ndarray]:
    """A film's frames from `start` on, filling `size`: their middle, where the shapes differ."""
    scale = max(size.height / film.size.height, size.width / film.size.width)
    covering = Size(*(max(a, round(b * scale)) for a, b in zip(size, film.size, strict=True)))
    top, left = (covering.height - size.height) // 2, (covering.width - size.width) // 2
    decoded = media.decoded(path, film, size=covering, rate=rate, start=start, **options)
    with closing(decoded):
        for pixels in decoded:
            yield pixels[top : top + size.height, left : left + size.width]


def is_picture(path: Path) -> bool:
    """Whether a mask is one picture rather than a film, by its suffix."""
    return media.is_still(path)


def masks_of(path: Path, size: Size, rate: Fraction, first: int) -> Opened:
    """A mask's pictures, frame by frame; those of a film keep time with the film dreamed over.

    Raises:
        MediaError: it cannot be read.
    """
    if is_picture(path):
        picture = media.read_picture(path, background=media.BLACK)
        pixels = to_pixels(covered(picture, size), depth=16)
        return lambda start: iter([pixels])
    film = media.probe(path)
    return lambda start: film_frames(path, film, size, rate, first + start)
