"""The loop, once: a source's frames, each carried over, dreamed, finished and quantised."""

from collections.abc import Callable, Iterator
from itertools import islice

from dreamvid.cadence import Between
from dreamvid.carry import Carry, Step
from dreamvid.dreamer import Dreamer
from dreamvid.frames import Frame, quantised
from dreamvid.sources import FrameSource

Finish = Callable[[Step, Frame], Frame]
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
    """
    # A start between two dreams makes the later one, which is no frame yet, once more.
    index = start + -start % stride
    for moment in islice(source.moments(index), 0, None, stride):
        step = Step(index, moment, previous, seed)
        begin = carry(step)
        key = (seed, begin.draw)
        dream = dreamer(
            begin.frame,
            key,
            later=begin.later,
            fresh=begin.fresh,
            index=index % period if period else index,
        )
        dream = quantised(finish(step, dream) if finish else dream, depth)
        for place, filled in enumerate(between(step, dream) if between else (), index - stride + 1):
            if place >= start:
                yield place, quantised(filled, depth)
        yield index, dream
        previous = dream
        index += stride


def key_before(start: int, stride: int) -> int | None:
    """The index of the last dream before the frames that are made from `start` on."""
    return start + -start % stride - stride if start else None
