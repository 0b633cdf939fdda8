"""The recurrence: each frame of a source carried over, dreamed, finished and quantised."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count, islice
from typing import Protocol

from torch import Tensor

from dreamvid.film.carries import Carry, Situation
from dreamvid.film.sources import FrameSource
from dreamvid.frames import Frame, Key, checked, quantised

Finish = Callable[[Situation, Frame], Frame]
"""From a situation and its dream to the frame that is kept."""


class Dreams(Protocol):
    """What dreams as a `Dreamer` does."""

    def batch(
        self,
        frames: Tensor,
        key: Key,
        later: bool = False,
        fresh: Tensor | None = None,
        index: int = 0,
        lift: Tensor | None = None,
    ) -> Tensor:
        """Frames (N, 3, H, W) dreamed together."""
        ...


@dataclass(frozen=True)
class Recurrence:
    """What makes each frame of a film from the source's frame and the dream before it."""

    source: FrameSource
    carry: Carry
    """Where each dream starts."""
    dreamer: Dreams
    seed: int
    """All randomness is keyed by it and by what the carry draws."""
    depth: int
    """Bits a channel of the frames on disk."""
    finish: Finish | None = None
    """What is done to a dream beside its source's frame, such as a mask."""
    period: int | None = None
    """Frames after which the settings begin anew, for loops."""

    read: Callable[[int], Frame] | None = None
    """Gives an earlier dream by its index, as it was written."""

    def time(self, index: int) -> int:
        """The frame at which the settings of the frame `index` are read."""
        return index % self.period if self.period else index

    def kept(self, situation: Situation, dream: Frame) -> Frame:
        """The finished frame, exactly as it is read back once it is written."""
        return quantised(self.finish(situation, dream) if self.finish else dream, self.depth)


def dreamed(
    film: Recurrence, start: int = 0, previous: Frame | None = None, stride: int = 1
) -> Iterator[tuple[int, Frame]]:
    """Yield (index, frame) for every `stride`-th frame from `start` to the source's end.

    `previous` is the last dream before `start`, read from disk; None for the first frame.
    """
    moments = islice(film.source.moments(start), 0, None, stride)
    for index, moment in zip(count(start, stride), moments, strict=False):
        situation = Situation(index, moment, previous, film.seed, film.read)
        begin = film.carry(situation)
        key = (film.seed, begin.draw)
        starts, time = checked(begin.frame)[None], film.time(index)
        dreams = film.dreamer.batch(starts, key, begin.later, begin.fresh, time, begin.lift)
        previous = film.kept(situation, dreams[0])
        yield index, previous
