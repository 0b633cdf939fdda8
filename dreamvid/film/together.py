"""Frames that do not depend on each other, dreamed several at once, which is faster."""

from collections.abc import Iterator
from itertools import islice

import torch

from dreamvid.film.carries import Situation
from dreamvid.film.pipeline import Recurrence
from dreamvid.frames import Frame, checked


def dreamed_together(
    film: Recurrence, count: int, start: int, stop: int
) -> Iterator[tuple[int, Frame]]:
    """Yield (index, frame) from `start` on and before `stop`, in groups of `count` frames.

    The film's carry must not use the dream before, and must draw the same for every frame. The
    last bits of a frame depend on the frames that it is dreamed with. Where `start` lies inside a
    group, the whole group is therefore dreamed again.
    """
    first = start - start % count
    moments = enumerate(islice(film.source.moments(first), stop - first), first)
    while group := list(islice(moments, count)):
        situations = [Situation(index, moment, None, film.seed) for index, moment in group]
        begun = [film.carry(situation) for situation in situations]
        dreams = film.dreamer.batch(
            torch.stack([checked(each.frame) for each in begun]),
            (film.seed, begun[0].draw),
            begun[0].later,
            begun[0].fresh,
            film.time(situations[0].index),
        )
        for situation, dream in zip(situations, dreams, strict=True):
            if situation.index >= start:
                yield situation.index, film.kept(situation, dream)
