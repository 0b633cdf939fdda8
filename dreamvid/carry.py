"""Where the next frame starts: from the dream before it, moved.

A carry is given a `Step` and says where its frame starts. Those of films are registered; the
carry of a still is its motion.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Any, Literal

from torch import Tensor

from dreamvid.frames import Clock, Frame, drawn, size_of
from dreamvid.motions import Motion, flow_of
from dreamvid.registry import Registry, Within
from dreamvid.settings import Settings
from dreamvid.sources import Moment
from dreamvid.timeline import Timeline
from dreamvid.warp import moved, warp

carries = Registry("carry")
Share = Annotated[float, Within(0, 1, scheduled=True)]


@dataclass(frozen=True)
class Step:
    """What is known when a frame is begun."""

    index: int
    moment: Moment
    """The source's frame of this index."""
    previous: Frame | None
    """The dream before it, exactly as it was written; None for the first."""
    seed: int = 0


@dataclass(frozen=True)
class Start:
    """Where a dream starts."""

    frame: Frame
    later: bool = False
    """Whether it starts from a dream, and needs only the later frames' iterations."""
    fresh: Tensor | None = None
    """(H, W), 1 where a frame that starts from a dream has none yet, 0 where it has it all."""
    draw: int = 0
    """With the seed, what the frame's randomness depends on."""


Carry = Callable[[Step], Start]


def by_motion(motion: Motion, fps: Fraction) -> Carry:
    """Start from the last dream, moved on by one frame's time; the first, from the source."""

    def carry(step: Step) -> Start:
        if step.previous is None:
            return Start(step.moment.frame, draw=step.index)
        clock = Clock(float(step.index / fps), float(1 / fps))
        flow = flow_of(motion, clock, size_of(step.previous), step.previous.device)
        return Start(warp(step.previous, flow), later=True, draw=step.index)

    return carry


@carries.register
def flow(step: Step, *, damping: Share = 0.9, jitter: Literal["held", "free"] = "held") -> Start:
    """What was dreamed follows what it grew on, fading by `damping` a frame as it grows anew."""
    draw = 0 if jitter == "held" else step.index
    moment, link = step.moment, step.moment.correspondence
    if step.previous is None or moment.earlier is None or link is None or link.cut:
        return Start(moment.frame, draw=draw)
    # The detail alone is carried: the new frame keeps its own light, and what the dream adds
    # cannot pile up, since each frame loses as much of it as the next dream brings.
    detail = moved(step.previous - moment.earlier, link.flow)
    start = (moment.frame + damping * link.trust * detail).clamp(0, 1)
    return Start(start, later=True, fresh=1 - link.trust, draw=draw)


@carries.register
def blend(
    step: Step,
    *,
    amount: Share = 0.85,
    pattern: Literal["constant", "loop", "random"] = "constant",
) -> Start:
    """A share of each new frame laid over the last dream, unmoved (pytorch-deepdream).

    `loop` and `random` are DeepDreamVideo's: the share walks between 0.5 and 1, or jumps there.
    """
    if step.previous is None:
        return Start(step.moment.frame, draw=step.index)
    if pattern == "loop":
        amount = 1 - abs((step.index - 1) % 10 - 5) / 10
    elif pattern == "random":
        amount = drawn((step.seed, step.index, 2), 5, 10) / 10
    start = step.previous + amount * (step.moment.frame - step.previous)
    return Start(start, draw=step.index)


@carries.register
def none(step: Step) -> Start:
    """Every frame for itself."""
    return Start(step.moment.frame, draw=step.index)


def carry_for(options: Mapping[str, Any], timeline: Timeline | None = None) -> Carry:
    """The carry of films that ``carry`` settings describe, its options checked at every frame."""
    options = dict(options)
    carry = carries[options.pop("name", "flow")]
    at = (timeline or Timeline(Settings())).options(carry, options, "carry")
    return lambda step: carry(step, **at(step.index))
