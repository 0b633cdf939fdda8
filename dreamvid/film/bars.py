"""Black bars around the picture of a film: found in several of its frames, and left as they are.

A bar is black in every frame, as wide as the film, and ends in a straight edge. What is dark for
other reasons has no such edge, and a bar that the picture ever crosses is none. Words in a bar do
not hide it.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
from torch import Tensor

from dreamvid import media
from dreamvid.dream.dreamer import Dreamer
from dreamvid.film.carries import Situation
from dreamvid.film.footage import film_frames
from dreamvid.film.pipeline import Finish
from dreamvid.frames import Frame, Key, Size, size_of
from dreamvid.media.formats import EXACT_SEEKING

LOOKED_AT = 12
"""Frames, from all over the film."""
SHORT = 60
"""Of a film of so many frames, or one in which no place is found at once, the first are read."""
DARK = 0.1
"""What counts as black, of full brightness: bars are noisy where a film is compressed."""
EMPTY = 0.995
"""The share of dark pixels in a frame that tells nothing."""
CLEAN = 0.99
"""The share of dark pixels in a line of a bar."""
STRAIGHT = 0.6
"""The share of the line beside a bar that is picture in some frame."""
CROSSED = 0.5
"""The share of a bar's line that is picture where it is no bar; words take less."""
THINNEST, THICKEST = 0.01, 0.45
"""Of the film's side."""


class Bars(NamedTuple):
    """The widths of the bars, in pixels of the film that is made."""

    top: int
    bottom: int
    left: int
    right: int

    def __str__(self) -> str:
        return ",".join(str(each) for each in self)

    @classmethod
    def from_text(cls, text: str) -> Self:
        """The inverse of `str`."""
        return cls(*(int(each) for each in text.split(",")))

    def inside(self, size: Size) -> tuple[slice, slice]:
        """The rows and columns of the picture between them."""
        return (
            slice(self.top, size.height - self.bottom),
            slice(self.left, size.width - self.right),
        )

    def between(self, size: Size) -> Size:
        """The size of the picture between them."""
        return Size(
            size.height - self.top - self.bottom,
            size.width - self.left - self.right,
        )


def bars_of(
    path: Path, film: media.Film, size: Size, rate: Fraction, first: int, count: int, fit: str
) -> Bars | None:
    """The bars of the film at `path`, brought to `size`, in `count` frames from `first` on."""
    return bars_in(_looked_at(path, film, size, rate, first, count, fit))


def _looked_at(
    path: Path, film: media.Film, size: Size, rate: Fraction, first: int, count: int, fit: str
) -> Iterator[np.ndarray]:
    seeking = film.timed and any(name in film.container for name in EXACT_SEEKING)
    options = {"fit": fit, "padding": "black", "background": media.BLACK}
    if count <= SHORT or not seeking:
        with closing(film_frames(path, film, size, rate, first, **options)) as frames:
            yield from islice(frames, 0, min(count, 4 * SHORT), max(1, min(count, SHORT) // 12))
        return
    for number in range(LOOKED_AT):
        start = first + (2 * number + 1) * count // (2 * LOOKED_AT)
        with closing(film_frames(path, film, size, rate, start, **options)) as frames:
            yield from islice(frames, 1)


def bars_in(frames: Iterable[np.ndarray]) -> Bars | None:
    """The bars of a film of which these are some frames, (H, W, 3) each; None without any."""
    dark = [
        pixels.max(axis=2) < DARK * np.iinfo(pixels.dtype).max for pixels in frames
    ]  # where each frame is dark
    dark = [each for each in dark if each.mean() < EMPTY]
    if not dark:
        return None
    top, bottom = _bar(dark), _bar([each[::-1] for each in dark])
    rows = slice(top, len(dark[0]) - bottom)
    across = [each[rows].T for each in dark]
    found = Bars(top, bottom, _bar(across), _bar([each[::-1] for each in across]))
    return found if any(found) else None


def _bar(dark: list[np.ndarray]) -> int:
    """The lines of the bar at the beginning of pictures, 0 without one."""
    length = len(dark[0])
    shares = np.stack([each.mean(axis=1) for each in dark])
    picture = shares < CLEAN
    # Where each picture begins; in a dark scene later, where words stand in the bar earlier.
    begins = [int(each.argmax()) for each in picture if each.any()]
    if not begins:
        return 0
    width, _ = max(Counter(begins).items(), key=lambda item: (item[1], -item[0]))
    if not max(2, THINNEST * length) <= width <= THICKEST * length:
        return 0
    edge = np.all([each[width : width + 2].all(axis=0) for each in dark], axis=0)
    crossed = 1 - shares[:, :width].min() > CROSSED
    return width if 1 - edge.mean() >= STRAIGHT and not crossed else 0


@dataclass(frozen=True)
class Inside:
    """A dreamer of what is between bars."""

    dreamer: Dreamer
    bars: Bars

    def batch(
        self,
        frames: Tensor,
        key: Key,
        later: bool = False,
        fresh: Tensor | None = None,
        index: int = 0,
        lift: Tensor | None = None,
    ) -> Tensor:
        """As `Dreamer.batch`; the bars stay as `frames` have them."""
        rows, columns = self.bars.inside(size_of(frames))
        part = frames[..., rows, columns].contiguous()
        fresh, lift = (
            None if each is None else each[rows, columns].contiguous() for each in (fresh, lift)
        )
        result = frames.clone()
        result[..., rows, columns] = self.dreamer.batch(part, key, later, fresh, index, lift)
        return result


def keeping_bars(bars: Bars) -> Finish:
    """What leaves the bars of the source's own frame where they are."""

    def finish(situation: Situation, dream: Frame) -> Frame:
        rows, columns = bars.inside(size_of(dream))
        result = situation.moment.frame.clone()
        result[:, rows, columns] = dream[:, rows, columns]
        return result

    return finish
