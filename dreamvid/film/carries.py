"""Where the next frame starts: from the dream before it, moved.

A carry is given a `Situation` and says where its frame starts. Those of films are registered; the
carry of a still is its motion.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Annotated, Any, Literal, TypeVar, overload

import torch
from torch import Tensor

from dreamvid.dream.timeline import Timeline
from dreamvid.film.entering import Entering
from dreamvid.film.hastening import hastened
from dreamvid.film.returning import returned
from dreamvid.film.sources import Moment
from dreamvid.film.tone import anchored, share_of, tone_of
from dreamvid.film.travelling import Travelling
from dreamvid.frames import Clock, Frame, Size, drawn, size_of
from dreamvid.motion.motions import Motion
from dreamvid.motion.warp import grid, moved, warp
from dreamvid.registry import Registry, Within, parameters
from dreamvid.settings import Settings

Share = Annotated[float, Within(0, 1, scheduled=True)]


@dataclass(frozen=True)
class Situation:
    """What is known when a frame is begun."""

    index: int
    moment: Moment
    """The source's frame of this index."""
    previous: Frame | None
    """The dream before it, exactly as it was written; None for the first."""
    seed: int = 0
    read: Callable[[int], Frame] | None = None
    """Gives an earlier dream by its index; None: only the last one is there."""


@dataclass(frozen=True)
class Start:
    """Where a dream starts."""

    frame: Frame
    later: bool = False
    """Whether it starts from a dream, and needs only the later frames' iterations."""
    fresh: Tensor | None = None
    """(H, W), 1 where a frame that starts from a dream has none yet, 0 where it has it all. Best on
    the processor, where it is read."""
    draw: int = 0
    """With the seed, what the frame's randomness depends on."""
    lift: Tensor | None = None
    """(H, W), how many times as large its steps are; None: all as usual."""


Carry = Callable[[Situation], Start]
Independent = Callable[[Mapping[str, Any]], bool]
"""From all of a carry's options to whether its frames are independent."""
Forgets = Literal["never", "cuts", "always"]
"""Where a frame does not depend on the dream before it: nowhere, at cuts, or everywhere."""
AnyCarry = TypeVar("AnyCarry", bound=Callable[..., Start])


class Carries(Registry):
    """Carries of films by name, and what each needs and promises."""

    def __init__(self) -> None:
        super().__init__("carry", positional=("situation",), reserved=("name",))
        self.facts: dict[str, tuple[bool, Independent, Forgets]] = {}

    @overload
    def register(self, function: AnyCarry, /) -> AnyCarry: ...
    @overload
    def register(
        self,
        function: None = None,
        /,
        *,
        needs_flow: bool = False,
        independent: bool | Independent = False,
        forgets: Forgets = "never",
    ) -> Callable[[AnyCarry], AnyCarry]: ...
    def register(
        self,
        function: Callable[..., Start] | None = None,
        /,
        *,
        needs_flow: bool = False,
        independent: bool | Independent = False,
        forgets: Forgets = "never",
    ) -> Any:
        """Make a carry known by its own name; a decorator, with or without arguments.

        Args:
            function: ``(situation, *, …) -> Start``.
            needs_flow: whether it looks at ``situation.moment.correspondence``, which takes time.
            independent: whether it never looks at the dream before and draws alike for all
                frames, so that several are dreamed at once; it may depend on the options.
            forgets: where it starts without the dream before, so that a film may be dreamed in
                parts: never, at cuts, or always.

        Raises:
            SettingsError: It cannot be registered, and why.
        """

        def registered(carry: Callable[..., Start]) -> Callable[..., Start]:
            super(Carries, self).register(carry)
            told = independent if callable(independent) else lambda options: bool(independent)
            self.facts[carry.__name__] = (needs_flow, told, forgets)
            return carry

        return registered if function is None else registered(function)

    def needs_flow(self, settings: Mapping[str, Any]) -> bool:
        """Whether the carry that a section ``carry`` names looks at the optical flow."""
        return self.facts[self[settings["name"]].__name__][0]

    def memory(self, settings: Mapping[str, Any]) -> float:
        """The seconds for which the carry that a section ``carry`` names remembers frames."""
        option = parameters(self[settings["name"]]).get("memory")
        return settings.get("memory", option.default) if option else 0

    def independent(self, settings: Mapping[str, Any]) -> bool:
        """Whether frames can be dreamed at once with the carry that a section ``carry`` names."""
        carry = self[settings["name"]]
        options = {name: option.default for name, option in parameters(carry).items()}
        return self.facts[carry.__name__][1]({**options, **settings})

    def forgets(self, settings: Mapping[str, Any]) -> Forgets:
        """Where the carry that a section ``carry`` names starts without the dream before."""
        told = self.facts[self[settings["name"]].__name__][2]
        return "always" if self.independent(settings) else told


carries = Carries()


def by_motion(
    motion: Motion,
    fps: Fraction,
    read: Callable[[int], Frame] | None = None,
    *,
    stride: int = 1,
    period: int | None = None,
    seed: int = 0,
    travelling: Travelling | None = None,
) -> Carry:
    """Start from the last dream, moved on by the time since; the first, from the source.

    Args:
        motion: how the picture moves.
        fps: frames a second.
        read: gives an earlier frame by its index, for what enters from outside; None: only the
            last dream is there.
        stride: frames from one dream to the next.
        period: frames after which the motion's time and all randomness begin anew, for loops.
        seed: what enters depends on it.
        travelling: the scene, where the motion is that of a camera in one.
    """

    def trace(points: Tensor, index: int, count: int, size: Size) -> Tensor:
        return traced_back(motion, points, index, count, size, fps, period)

    entering = Entering(read, trace, fps, stride, seed)

    def carry(situation: Situation) -> Start:
        draw = place = situation.index % period if period else situation.index
        size, device = size_of(situation.moment.frame), situation.moment.frame.device
        lift = travelling.lift(place, size, device) if travelling else None
        if situation.previous is None:
            return Start(situation.moment.frame, draw=draw, lift=lift)
        points, fresh = grid(size, device), None
        came = trace(points, situation.index, stride, size)
        if travelling:
            came, fresh = travelling.filled(came, place)
        start = warp(situation.previous, came - points)
        start = entering(start, situation.index, came, situation.previous)
        entered = entering.lift(situation.index, start)
        if entered is not None:
            lift = entered if lift is None else lift * entered
        return Start(start, later=True, fresh=fresh, draw=draw, lift=lift)

    return carry


def anchoring(carry: Carry, strength: float, seconds: Fraction) -> Carry:
    """`carry`, with the drift of tone away from the source's taken back, see `dreamvid.film.tone`.

    `strength` is the share that is taken back in a second, `seconds` the time between dreams.
    """
    share = share_of(strength, seconds)

    def anchor(situation: Situation) -> Start:
        start = carry(situation)
        if not start.later:
            return start
        return replace(start, frame=anchored(start.frame, tone_of(situation.moment.frame), share))

    return anchor


def refreshing(carry: Carry, share: float) -> Carry:
    """`carry`, with `share` (0 to 1) of the source's own frame laid over each start."""

    def refresh(situation: Situation) -> Start:
        start = carry(situation)
        return replace(start, frame=torch.lerp(start.frame, situation.moment.frame, share))

    return refresh


def traced_back(
    motion: Motion,
    points: Tensor,
    index: int,
    count: int,
    size: Size,
    fps: Fraction,
    period: int | None = None,
) -> Tensor:
    """Where `points` (2, H, W) of frame `index` were `count` frames before."""
    for place in range(index, index - count, -1):
        time = place % period if period else place
        points = motion(points, Clock(float(time / fps), float(1 / fps)), size)
    return points


@carries.register(needs_flow=True, forgets="cuts")
def flow(
    situation: Situation,
    *,
    damping: Share = 0.9,
    jitter: Literal["held", "free"] = "held",
    memory: Annotated[float, Within(0, 60)] = 0.0,
) -> Start:
    """What was dreamed follows what it grew on, fading by `damping` a frame as it grows anew.

    What goes out of sight and comes back within `memory` seconds gets its dream back; 0: never.
    """
    draw = 0 if jitter == "held" else situation.index
    moment, link = situation.moment, situation.moment.correspondence
    if situation.previous is None or moment.earlier is None or link is None or link.cut:
        return Start(moment.frame, draw=draw)
    # The detail alone is carried: the new frame keeps its own light, and what the dream adds
    # cannot pile up, since each frame loses as much of it as the next dream brings.
    detail = moved(situation.previous - moment.earlier, link.flow)
    fresh, carried = link.fresh, damping * link.trust * detail
    found = returned(moment, situation.index, situation.read) if memory and situation.read else None
    if found:
        # It is given back whole: each time from the same dream, so that nothing can pile up.
        given, share = found
        carried = torch.lerp(carried, given, share)
        fresh = (fresh - share.to(fresh.device)).clamp_min(0)
    start = (moment.frame + carried).clamp(0, 1)
    # What is to come back as it was must not change faster than the rest.
    lift = None if memory else hastened(link.flow)
    return Start(start, later=True, fresh=fresh, draw=draw, lift=lift)


@carries.register
def blend(
    situation: Situation,
    *,
    amount: Share = 0.85,
    pattern: Literal["constant", "loop", "random"] = "constant",
) -> Start:
    """A share of each new frame laid over the last dream, unmoved (pytorch-deepdream).

    `loop` and `random` are DeepDreamVideo's: the share walks between 0.5 and 1, or jumps there.
    """
    if situation.previous is None:
        return Start(situation.moment.frame, draw=situation.index)
    if pattern == "loop":
        amount = 1 - abs((situation.index - 1) % 10 - 5) / 10
    elif pattern == "random":
        amount = drawn((situation.seed, situation.index, 2), 5, 10) / 10
    start = situation.previous + amount * (situation.moment.frame - situation.previous)
    return Start(start, draw=situation.index)


@carries.register(needs_flow=True, forgets="cuts")
def stillness(
    situation: Situation,
    *,
    damping: Share = 0.97,
    motion: Annotated[float, Within(0.01, 100, scheduled=True)] = 1.0,
) -> Start:
    """What stands still dreams, motion brings the film back: there is no dream on what moves.

    `motion` is how fast that is, in pixels a frame; `damping` is how much of a dream stays.
    """
    moment, link = situation.moment, situation.moment.correspondence
    if situation.previous is None or moment.earlier is None or link is None or link.cut:
        return Start(moment.frame, lift=torch.zeros_like(moment.frame[0]))
    still = link.trust * torch.exp(-link.flow.square().sum(0) / motion**2)
    detail = moved(situation.previous - moment.earlier, link.flow)
    start = (moment.frame + damping * still * detail).clamp(0, 1)
    return Start(start, later=True, lift=still)


@carries.register(independent=lambda options: options["jitter"] == "held", forgets="always")
def none(situation: Situation, *, jitter: Literal["held", "free"] = "held") -> Start:
    """Every frame for itself; those of held jitter are dreamed several at once."""
    return Start(situation.moment.frame, draw=0 if jitter == "held" else situation.index)


def carry_for(options: Mapping[str, Any], timeline: Timeline | None = None) -> Carry:
    """The carry of films that ``carry`` settings describe, its options checked at every frame."""
    options = dict(options)
    carry = carries[options.pop("name", "flow")]
    at = (timeline or Timeline(Settings())).options(carry, options, "carry")
    return lambda situation: carry(situation, **at(situation.index))
