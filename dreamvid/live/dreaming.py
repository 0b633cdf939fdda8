"""One live frame: carried along the flow of what is captured, dreamed within the budget."""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional as F

from dreamvid.dream.dreamer import Dreamer, dreamer_for, network_for
from dreamvid.dream.octaves import largest_octaves, octave_sizes
from dreamvid.dream.turbo.adding import ASCENT
from dreamvid.dream.turbo.files import NAME
from dreamvid.errors import SettingsError
from dreamvid.film.carries import Situation, carries, carry_for
from dreamvid.film.sources import Moment
from dreamvid.frames import Frame, Size, quantised, resized, size_of
from dreamvid.live.budget import Budget, Level, ladder
from dreamvid.motion.optical_flow import Correspondence, correspondence, method_for
from dreamvid.settings import Settings

FLOW_SIDE = 240
"""The longer side at which the flow of live pictures is found."""
QUICK = {"name": "dis", "preset": "fast"}


def with_usual_dream(settings: Settings, say: Callable[[str], None]) -> Settings:
    """`settings` by the turbo network of the package, or by ascent, which `say` tells.

    They dream by ascent where the turbo network has not learned what they ask for.
    """
    by_turbo = settings.changed("turbo", dream=NAME)
    try:
        dreamer_for(by_turbo)
    except SettingsError as error:
        say(f"{error}; it dreams by ascent, which is slower")
        return settings.changed("turbo", dream=ASCENT)
    return by_turbo


class LiveDream:
    """A dream that goes on from one captured picture to the next.

    Nothing in it grows with the frames: it keeps the last picture and the last dream.
    """

    def __init__(self, settings: Settings, size: Size, fps: float, fade: int = 0) -> None:
        """`fade` is how many frames another preset takes to come up to its strength."""
        self.size, self.fps, self.fade = size, fps, fade
        self.strength = 1.0
        """How many times as far each frame dreams."""
        self.index = 0
        self.earlier: Frame | None = None
        self.previous: Frame | None = None
        self._begin(settings, network_for(settings))
        self._grown = 1.0

    def _begin(self, settings: Settings, network) -> None:
        """Go over to other settings; the first dreamer tells whether they can be dreamed."""
        settings = _live(settings)
        fitting = [
            each
            for each in octave_sizes(self.size, settings.octaves)
            if min(each) >= network.smallest_side
        ]
        if not fitting:
            raise SettingsError(
                f"film.size: {self.size} is too small for {network.name}, which needs "
                f"{network.smallest_side} pixels a side"
            )
        settings = largest_octaves(settings, len(fitting))
        first = dreamer_for(settings, net=network)
        steps = first.plan.at(0, later=True).octaves[-1].steps
        one_pass = first.turbo is not None
        self.settings, self.network, self.carry = settings, network, carry_for(settings.carry)
        levels = ladder(1 if one_pass else steps, len(fitting))
        self.budget = Budget([each for each in levels if self._fits(each)], self.fps)
        self._dreamers: dict[tuple[int, int], Dreamer] = {}
        self._dreamers[self.budget.level[:2]] = first

    def _fits(self, level: Level) -> bool:
        """Whether the network sees enough of every octave of a level."""
        octaves = largest_octaves(self.settings, level.octaves).octaves
        sides = [min(each) for each in octave_sizes(self._part(level), octaves)]
        return min(sides) >= self.network.smallest_side

    def _part(self, level: Level) -> Size:
        """The size at which a level is dreamed."""
        return Size(*(max(16, round(side * level.size)) for side in self.size))

    def change(self, settings: Settings, fading: bool = True) -> None:
        """Go over to other settings; the old dream fades as the new one grows.

        Raises a `DreamvidError`, and stays as it was, where they cannot be dreamed.
        """
        same = (settings.network.name, settings.network.weights) == (
            self.settings.network.name,
            self.settings.network.weights,
        )
        self._begin(settings, self.network if same else network_for(settings))
        if fading:
            self._grown = 0.0

    def forget(self) -> None:
        """Begin anew from the next picture."""
        self.previous = self.earlier = None

    def __call__(self, picture: Frame, strength: float = 1.0) -> Frame:
        """The dream of a captured picture (3, H, W) of this size.

        `strength` is a factor for this frame alone.
        """
        earlier, previous = self.earlier, self.previous
        link = None
        if earlier is not None and carries.needs_flow(self.settings.carry):
            link = followed(picture, earlier)
        situation = Situation(self.index, Moment(picture, earlier, link), previous)
        start = self.carry(situation)
        if self._grown < 1:
            self._grown = min(1.0, self._grown + 1 / max(1, self.fade))
        factor = self.strength * strength * self._grown
        lift = start.lift
        if factor != 1:
            whole = torch.full(tuple(self.size), factor, device=picture.device)
            lift = whole if lift is None else lift * factor
        dream = self._dreamed(start.frame, start.later, lift) if factor else start.frame
        self.earlier, self.previous = picture, quantised(dream)
        self.index += 1
        return self.previous

    def _dreamed(self, frame: Frame, later: bool, lift: Tensor | None) -> Frame:
        level = self.budget.level
        dreamer = self._dreamer(level)
        small = frame
        if level.size < 1:
            small = F.interpolate(frame[None], tuple(self._part(level)), mode="area")[0]
        key = (self.settings.film.seed, 0)
        dream = dreamer.batch(small[None], key, later, index=self.index, lift=lift)[0]
        if small is frame:
            return dream
        # What is added is enlarged, and the picture itself stays as sharp as it was.
        return (frame + resized(dream - small, size_of(frame))).clamp(0, 1)

    def _dreamer(self, level: Level) -> Dreamer:
        key = level[:2]
        if key not in self._dreamers:
            settings = largest_octaves(self.settings, level.octaves)
            if self.settings.turbo.dream == ASCENT:
                settings = settings.changed("ascent", iterations=level.steps, later=level.steps)
            self._dreamers[key] = dreamer_for(settings, net=self.network)
        return self._dreamers[key]


def followed(now: Frame, then: Frame) -> Correspondence:
    """How a picture follows from the one before it, found at a small size."""
    size = size_of(now)
    scale = min(1.0, FLOW_SIDE / max(size))
    small = Size(*(max(16, round(side * scale)) for side in size))
    pair = [F.interpolate(each[None].cpu(), tuple(small), mode="area")[0] for each in (now, then)]
    found = correspondence(pair[0], pair[1], method_for(QUICK))
    if small == size:
        return found
    factors = torch.tensor([size.width / small.width, size.height / small.height])
    flow = resized(found.flow, size) * factors[:, None, None]
    trust = resized(found.trust[None], size)[0]
    return replace(found, flow=flow.to(now.device), trust=trust.to(now.device))


def _live(settings: Settings) -> Settings:
    """Settings whose first frames take no more steps than later ones: a late frame is missed."""
    ascent = settings.ascent
    if settings.turbo.dream != ASCENT or ascent.later is None:
        return settings
    return settings.changed("ascent", iterations=ascent.later)
