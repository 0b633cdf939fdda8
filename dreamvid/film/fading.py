"""Films that begin as their input and melt into the dream, and melt back at their end.

Frames on disk are always the dream alone, for the next frame starts from them. A fade is blended
as the film is encoded, and may differ each time.
"""

from collections.abc import Callable, Iterator
from fractions import Fraction

import torch

from dreamvid.film.carries import traced_back
from dreamvid.frames import Frame, size_of
from dreamvid.motion.motions import Motion
from dreamvid.motion.warp import grid, warp

Undreamed = Callable[[int, bool], Iterator[Frame]]
"""From an index, and whether that belongs to the film's end, to its frames without any dream."""


def faded(
    frames: Iterator[Frame], count: int, begin: int, end: int, undreamed: Undreamed
) -> Iterator[Frame]:
    """`frames`, of which there are `count`: the first is the input itself, and so is the last.

    The share of the dream grows for `begin` frames and falls for `end` frames; 0 is no fade.
    """
    begin, end = min(begin, count), min(end, count)
    plain = undreamed(0, False) if begin else None
    for index, frame in enumerate(frames):
        if index == count - end:
            plain = undreamed(index, True)
        if plain is not None and index < begin and index < count - end:
            yield torch.lerp(next(plain, frame), frame, eased(index / begin))
        elif plain is not None and index >= count - end:
            yield torch.lerp(next(plain, frame), frame, eased((count - 1 - index) / end))
        else:
            yield frame


def eased(part: float) -> float:
    """From 0 to 1 without a jolt at either end."""
    return part * part * (3 - 2 * part)


def falling(picture: Frame, motion: Motion, rate: Fraction) -> Undreamed:
    """A picture that moves as its film does at the beginning, and stands still at the end."""

    def undreamed(start: int, ending: bool) -> Iterator[Frame]:
        points = grid(size_of(picture))
        for index in range(start, 2**31):
            if ending:
                yield picture
                continue
            # From the picture itself each time: what is warped again and again becomes soft.
            places = traced_back(motion, points, index, index, size_of(picture), rate)
            yield warp(picture, places - points) if index else picture

    return undreamed
