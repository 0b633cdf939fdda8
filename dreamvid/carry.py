"""Where the next frame starts: from the dream before it, moved."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from dreamvid.frames import Clock, Frame, size_of
from dreamvid.motions import Motion, flow_of
from dreamvid.warp import warp


@dataclass(frozen=True)
class Step:
    """What is known when a frame is begun; `earlier` and `previous` are None for the first."""

    index: int
    frame: Frame
    """The source's frame of this index."""
    earlier: Frame | None
    """The source's frame before it."""
    previous: Frame | None
    """The dream before it, exactly as it was written."""


Carry = Callable[[Step], Frame]


def by_motion(motion: Motion, fps: Fraction) -> Carry:
    """Start from the last dream, moved on by one frame's time; the first, from the source."""

    def carry(step: Step) -> Frame:
        if step.previous is None:
            return step.frame
        clock = Clock(float(step.index / fps), float(1 / fps))
        flow = flow_of(motion, clock, size_of(step.previous), step.previous.device)
        return warp(step.previous, flow)

    return carry
