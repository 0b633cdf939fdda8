"""The loop, once: a source's frames, each carried over, dreamed and quantised."""

from collections.abc import Iterator

from dreamvid.carry import Carry, Step
from dreamvid.dreamer import Dreamer
from dreamvid.frames import Frame, quantised
from dreamvid.sources import FrameSource


def dreamed(
    source: FrameSource,
    carry: Carry,
    dreamer: Dreamer,
    *,
    seed: int,
    depth: int,
    start: int = 0,
    previous: Frame | None = None,
) -> Iterator[tuple[int, Frame]]:
    """Yield (index, frame) from `start` on, each frame exactly as it will be written.

    Args:
        source: where frames come from.
        carry: where each frame starts, given the source's frame and the last dream.
        dreamer: what dreams it.
        seed: the film's seed, which keys all randomness together with the index.
        depth: bits a channel; a frame is quantised before it is fed back.
        start: the index of the first frame to make.
        previous: the dream of index `start - 1`, read from disk; None for the first frame.
    """
    earlier = source.before(start)
    for index, frame in enumerate(source.frames(start), start):
        begin = carry(Step(index, frame, earlier, previous))
        later = previous is not None
        previous = quantised(dreamer(begin, key=(seed, index), later=later), depth)
        earlier = frame
        yield index, previous
