"""How long the frames to come will take: from their steps, and from how long others took."""

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from dreamvid.dream.octaves import octave_sizes
from dreamvid.dream.plan import FramePlan, Plan
from dreamvid.frames import Size
from dreamvid.jobs.disk import clock

SAMPLES = 256
"""Frames whose plans are computed where each has its own; those between are interpolated."""
FADING = 0.98
"""What a frame's time counts for when another one is made: a machine may become busier."""
LEAST = 0.05
"""What a frame errs by beside its work, as a share of the most work."""
SURPRISING = 0.25
"""The share by which an estimate that was told must be wrong to be told again."""
AT_LEAST = 10.0
"""And by how many seconds."""
PRIOR = 0.5
"""How much it counts that no steps would take no time, against one frame."""


def work_of(frame: FramePlan, size: Size) -> float:
    """The pixels of all steps of a frame: each step counts those of its octave."""
    sizes = octave_sizes(size, frame.settings)
    steps = zip(sizes, frame.octaves, strict=True)
    return frame.settings.passes * sum(math.prod(each) * octave.steps for each, octave in steps)


def work_by_frame(
    plan: Plan,
    size: Size,
    start: int,
    stop: int,
    *,
    feeds_back: bool = True,
    stride: int = 1,
    time: Callable[[int], int] = lambda index: index,
) -> list[float]:
    """The work before each frame from `start` on is there, and before `stop`.

    Args:
        plan: what is dreamed.
        size: of the film.
        start: the first frame to be made.
        stop: the first that is not.
        feeds_back: whether frames after the first start from a dream.
        stride: frames from one dream to the next; the others cost next to nothing.
        time: the frame at which the settings of a frame are read.
    """
    dreams = np.arange(start + -start % stride, stop + stride, stride)
    known = dreams
    if not plan.changes:
        known = np.unique([dreams[0], dreams[-1]])
    elif len(dreams) > SAMPLES:
        known = dreams[np.unique(np.linspace(0, len(dreams) - 1, SAMPLES).round().astype(int))]
    works = [_mean_work(plan, time(int(each)), size, feeds_back, stride) for each in known]
    found = np.interp(dreams, known, works)
    if dreams[0] == 0:
        found[0] = work_of(plan.at(time(0)), size)
    return list(_before_each(found.tolist(), start, stop, stride))


def _mean_work(plan: Plan, index: int, size: Size, later: bool, stride: int) -> float:
    """The mean work of a dream and of those after it, until each octave was dreamed."""
    dreams = range(index, index + plan.every * stride, stride)
    return sum(work_of(plan.at(each, later), size) for each in dreams) / len(dreams)


def _before_each(works: Sequence[float], start: int, stop: int, stride: int) -> Iterator[float]:
    """The frames between two dreams come with the later one, the first of them waits for it."""
    left = iter(works)
    for index in range(start, stop):
        yield next(left) if index == start or (index - 1) % stride == 0 else 0.0


class TimeLeft:
    """What is still to be done, and how long what was done has taken.

    The seconds of a frame are taken to be a constant and a share of its work. Both are fitted to
    the frames that were made, the last ones above all. A long frame errs by more than a short one.
    Where something is fresh, a frame takes more steps than its plan has, and nobody knows where
    that will be: the frames to come are taken to need as many more as the last ones did.
    """

    def __init__(self, works: Sequence[float]) -> None:
        self.scale = max(works, default=0) or 1.0
        self.works = [work / self.scale for work in works]
        self.made = 0
        self.frames = 0.0
        self.sums = np.zeros(5)
        """Of 1, work, seconds, work squared and work times seconds."""
        self.more = np.zeros(2)
        """Of 1 and of the work beyond its plan, for the frames that were to dream."""
        self.due, self.quiet_until = 0.0, 0
        """The seconds that are left of those that were told, and the frame before the next news."""

    def add(self, seconds: float, taken: float | None = None) -> None:
        """One more frame is made; `taken` is its work in fact, None as planned."""
        work = planned = self.works[self.made]
        # A frame between two dreams has no work, and the dream's has been counted.
        if planned:
            work = planned if taken is None else taken / self.scale
            self.more = FADING * self.more + (1, work - planned)
        self.made += 1
        self.due -= seconds
        self.frames = FADING * self.frames + 1
        observed = np.array((1, work, seconds, work * work, work * seconds))
        self.sums = FADING * self.sums + observed / (work + LEAST) ** 2

    @property
    def ahead(self) -> float:
        """The work of the frames to come."""
        count, more = self.more
        each = more / count if count else 0.0
        return sum(max(0.0, work + each) for work in self.works[self.made :] if work)

    @property
    def seconds(self) -> float:
        """How long the rest takes."""
        constant, share = self._fitted()
        return float(constant * (len(self.works) - self.made) + share * self.ahead)

    def news(self, seconds: float, count: int) -> str:
        """What there is to say when `count` frames are to come; empty where it has been said.

        It is said after the first frame, which took so many `seconds`, and again where it turns
        out wrong, ever more seldom.
        """
        left, first = self.seconds, not self.quiet_until
        wrong = abs(left - self.due) - max(AT_LEAST, SURPRISING * max(left, self.due))
        if not first and (self.made < self.quiet_until or wrong < 0):
            return ""
        self.due, self.quiet_until = left, 2 * self.made + 2
        if first:
            return f"the first took {seconds:.1f} s, {count} more about {clock(left)}"
        return f"{count} more about {clock(left)}, as it turns out"

    def _fitted(self) -> tuple[float, float]:
        """Seconds of a frame without steps, and what its work adds."""
        count, work, seconds, squares, products = self.sums
        if not squares:
            return seconds / max(count, 1), 0.0
        if self.made < 2:
            return 0.0, products / squares
        whole = count * (1 + PRIOR / self.frames)
        share = (products - work * seconds / whole) / (squares - work * work / whole)
        if share < 0:
            return seconds / count, 0.0
        constant = (seconds - share * work) / whole
        return (constant, share) if constant >= 0 else (0.0, products / squares)
