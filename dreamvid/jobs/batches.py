"""Pictures of one size, put together to be dreamed at once."""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from dreamvid.frames import Frame, Size, size_of

WAITING = 2**25
"""Pixels that may wait for others of their size."""


@dataclass(frozen=True)
class Wanted:
    """A picture that is not dreamed yet."""

    name: str
    """Of the dream."""
    path: Path
    sha256: str


def batches(
    pictures: Iterable[tuple[Wanted, Frame]], together: Callable[[Size], int]
) -> Iterator[tuple[list[Wanted], list[Frame]]]:
    """Pictures of one size, `together` of that size at a time where there are so many.

    Few enough wait for others of their size that thousands of sizes need little memory.
    """
    waiting: dict[Size, list[tuple[Wanted, Frame]]] = {}
    pixels = 0
    for wanted, frame in pictures:
        size = size_of(frame)
        waiting.setdefault(size, []).append((wanted, frame))
        pixels += math.prod(size)
        full = size if len(waiting[size]) >= together(size) else None
        if full is None and pixels > WAITING:
            full = max(waiting, key=lambda each: len(waiting[each]) * math.prod(each))
        if full is not None:
            ready = waiting.pop(full)
            pixels -= len(ready) * math.prod(full)
            yield [each for each, _ in ready], [each for _, each in ready]
    for ready in waiting.values():
        yield [each for each, _ in ready], [each for _, each in ready]
