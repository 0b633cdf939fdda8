"""The loop, once: a source's frames, each carried over, dreamed, finished and quantised."""

from collections.abc import Callable, Iterator

from dreamvid.carry import Carry, Step
from dreamvid.dreamer import Dreamer
from dreamvid.frames import Frame, quantised
from dreamvid.sources import FrameSource, Moment

Finish = Callable[[Moment, Frame], Frame]


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
        previous: the dream of index `start - 1`, read from disk; None for the first frame.
    """
    for index, moment in enumerate(source.moments(start), start):
        begin = carry(Step(index, moment, previous, seed))
        key = (seed, begin.draw)
        dream = dreamer(begin.frame, key, later=begin.later, fresh=begin.fresh, index=index)
        previous = quantised(finish(moment, dream) if finish else dream, depth)
        yield index, previous
