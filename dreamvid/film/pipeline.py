"""The loop, once: a source's frames, each carried over, dreamed, finished and quantised."""

from collections.abc import Callable, Iterator
from itertools import islice

import torch

from dreamvid.dream.dreamer import Dreamer
from dreamvid.film.cadence import Between
from dreamvid.film.carries import Carry, Situation
from dreamvid.film.sources import FrameSource
from dreamvid.frames import Frame, checked, quantised

Finish = Callable[[Situation, Frame], Frame]
"""From a step and its dream to what is kept of it."""


def dreamed(
    source: FrameSource,
    carry: Carry,
    dreamer: Dreamer,
    *,
    seed: int,
    depth: int,
    finish: Finish | None = None,
    start: int = 0,
    previous: Frame | None = None,
    stride: int = 1,
    between: Between | None = None,
    period: int | None = None,
    together: int = 1,
    stop: int | None = None,
) -> Iterator[tuple[int, Frame]]:
    """Yield (index, frame) from `start` on, each frame exactly as it will be written.

    Args:
        source: where frames come from.
        carry: where each frame starts, given the source's frame and the last dream.
        dreamer: what dreams it.
        seed: the film's seed, which keys all randomness together with what the carry draws.
        depth: bits a channel; a frame is quantised before it is fed back.
        finish: what becomes of a dream beside its source's frame, such as a mask.
        start: the index of the first frame to make.
        previous: the last dream before `start`, read from disk; None for the first frame. With
            a stride it is that of `key_before`.
        stride: frames from one dream to the next; every `stride`-th is dreamed.
        between: what fills the others.
        period: frames after which the settings' time begins anew, for loops.
        together: how many frames are dreamed at once; more than one needs a carry that never
            looks at the dream before it and draws alike for all, and a stride of 1.
        stop: the index at which the film ends; nothing past it is dreamed together with the rest.
    """
    # A start between two dreams makes the later one, which is no frame yet, once more; one amidst
    # frames dreamed together makes all of them, since the last bits depend on the company.
    index = start + -start % stride if together == 1 else start - start % together
    last = stop - index if stop is not None and together > 1 else None
    moments = islice(source.moments(index), 0, last, stride)
    while some := list(islice(moments, together)):
        situations = [
            Situation(index + place, moment, previous, seed) for place, moment in enumerate(some)
        ]
        begun = [carry(situation) for situation in situations]
        dreams = dreamer.batch(
            torch.stack([checked(each.frame) for each in begun]),
            (seed, begun[0].draw),
            later=begun[0].later,
            fresh=begun[0].fresh,
            index=index % period if period else index,
        )
        for situation, dream in zip(situations, dreams, strict=True):
            dream = quantised(finish(situation, dream) if finish else dream, depth)
            filled = between(situation, dream) if between else ()
            for place, each in enumerate(filled, situation.index - stride + 1):
                if place >= start:
                    yield place, quantised(each, depth)
            if situation.index >= start:
                yield situation.index, dream
            previous = dream
        index += stride * len(some)


def key_before(start: int, stride: int) -> int | None:
    """The index of the last dream before the frames that are made from `start` on."""
    return start + -start % stride - stride if start else None
