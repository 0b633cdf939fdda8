"""One live frame: carried along the flow of what is captured, dreamed within the budget."""

import time
from collections.abc import Callable
from fractions import Fraction
from typing import NamedTuple

import numpy as np
import torch

from dreamvid.dream.dreamer import Dreamer, dreamer_for, network_for
from dreamvid.dream.octaves import largest_octaves, octave_sizes
from dreamvid.dream.turbo.adding import ASCENT
from dreamvid.dream.turbo.files import NAME
from dreamvid.errors import SettingsError
from dreamvid.film.carries import Situation, carries, carry_for
from dreamvid.film.sources import Moment
from dreamvid.film.wandering import wandering
from dreamvid.frames import Frame, Size, covered, noise, quantised, resized, size_of, to_pixels
from dreamvid.live.budget import Budget, Level, ladder
from dreamvid.live.following import (
    Look,
    between,
    enlarged,
    looked_at,
    looked_at_pixels,
    shrunk,
    widened,
)
from dreamvid.machine.devices import arriving_pixels
from dreamvid.motion.optical_flow import Correspondence
from dreamvid.settings import Settings

TRIALS = 3
"""Frames that a level is tried with: two bring weights into order for it, the last is timed."""
SPARE = 0.85
"""The share of a frame's time that its dream may take: what is shown has to be sent too."""


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


class Ready(NamedTuple):
    """A captured picture that can be dreamed at once."""

    frame: Callable[[], Frame]
    """Gives it at its size, on the dream's device."""
    look: Look | None
    """None: its flow is not wanted."""


class LiveDream:
    """A dream that goes on from one captured picture to the next.

    It goes on at the size of its level, and what it adds is enlarged: the picture itself stays
    sharp. Nothing in it grows with the frames: it keeps the last picture and the last dream.
    """

    def __init__(self, settings: Settings, size: Size, fps: float, fade: int = 0) -> None:
        """`fade` is how many frames another preset takes to come up to its strength."""
        self.size, self.fps, self.fade = size, fps, fade
        self.strength = 1.0
        """How many times as far each frame dreams."""
        self.index = 0
        self.earlier: Frame | None = None
        """The last picture, at the size of the level that it was dreamed at."""
        self.previous: Frame | None = None
        """Its dream, at that size."""
        self._looked: Frame | None = None
        self._ahead: Frame | None = None
        """As flow sees it, the last picture that was made ready."""
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
        # Seconds of a walk are counted by frames.
        rate = Fraction(self.fps).limit_denominator(1001) if self.fps else None
        paced = settings if rate is None else settings.changed("film", fps=rate)
        first = wandering(dreamer_for(paced, net=network), noise(self.size, (0,)))
        self._walking = first.settings
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
        here = self.budget.level
        self._begin(settings, self.network if same else network_for(settings))
        if self.fps:
            self.budget.like(here)
        if fading:
            self._grown = 0.0

    def forget(self) -> None:
        """Begin anew from the next picture."""
        self.previous = self.earlier = self._looked = None

    def rehearse(self) -> None:
        """Find the level that holds the rate, from the least on, before the first picture comes.

        A level's first frames are slow, for they bring weights into order for its sizes.
        """
        if not self.fps:
            return
        budget, grey = self.budget, to_pixels(noise(self.size, (0,)))
        # On a processor the flow takes of the dream's own cores.
        beside = self.network.device.type != "cpu"
        place = len(budget.levels) - 1
        for tried in range(place, -1, -1):
            budget.go(tried)
            seconds = 0.0
            for _ in range(TRIALS):
                began = time.perf_counter()
                ready = self.ready(grey)
                if beside:
                    began = time.perf_counter()
                self(ready.frame(), 1.0, ready.look).cpu()
                seconds = time.perf_counter() - began
            self.forget()
            if seconds * self.fps > SPARE:
                break
            place = tried
        budget.go(place)
        self.index = 0

    def ready(self, pixels: np.ndarray) -> Ready:
        """A captured picture (H, W, 3), RGB, uint8, on its way to the device, and its flow found.

        It may be called in a thread beside the dream, for one picture after another. What it
        supposes of the dream meanwhile need not come true.
        """
        size = self.size
        there = arriving_pixels(pixels, self.network.device)
        if self.network.device.type != "cpu":
            look = self._look(lambda: looked_at_pixels(pixels, size))
            return Ready(lambda: covered(there(), size), look)
        frame = covered(there(), size)
        return Ready(lambda: frame, self._look(lambda: looked_at(frame)))

    def _look(self, seen: Callable[[], Frame]) -> Look | None:
        """How flow sees a picture, and how it follows from the one made ready before it."""
        then, self._ahead = self._ahead, None
        if not carries.needs_flow(self.settings.carry):
            return None
        here = self._ahead = seen()
        if then is None:
            return Look(here)
        found, device = between(here, then), self.network.device
        if device.type != "cpu":
            return Look(here, then, found)
        part = self._part(self.budget.level)
        return Look(here, then, found, widened(found, part, device, read=True))

    def __call__(self, picture: Frame, strength: float = 1.0, look: Look | None = None) -> Frame:
        """The dream of a captured picture (3, H, W) of this size.

        `strength` is a factor for this frame alone, `look` is how flow sees the picture.
        """
        level = self.budget.level
        small = shrunk(picture, self._part(level))
        earlier, previous = self._before(size_of(small))
        looked, link = None, None
        if carries.needs_flow(self.settings.carry):
            look = look or Look(looked_at(picture))
            looked = look.here
            if earlier is not None and self._looked is not None:
                link = self._followed(look, self._looked, size_of(small))
        start = self.carry(Situation(self.index, Moment(small, earlier, link), previous))
        if self._grown < 1:
            self._grown = min(1.0, self._grown + 1 / max(1, self.fade))
        factor = self.strength * strength * self._grown
        lift, dream = start.lift, start.frame
        if factor != 1:
            whole = torch.full(tuple(size_of(small)), factor, device=picture.device)
            lift = whole if lift is None else lift * factor
        if factor:
            key = (self.settings.film.seed, 0)
            dream = self._dreamer(level)(dream, key, start.later, None, self.index, lift)
        self.earlier, self.previous, self._looked = small, quantised(dream), looked
        self.index += 1
        if small is picture:
            return self.previous
        return (picture + enlarged(self.previous - small, self.size)).clamp(0, 1)

    def _followed(self, look: Look, then: Frame, size: Size) -> Correspondence:
        """How a picture follows from the one that was dreamed before it, at a size."""
        found = look.found
        if found is None or look.then is not then:
            found = between(look.here, then)
        elif look.wide is not None and size_of(look.wide.flow) == size:
            return look.wide
        by_steps = self.settings.turbo.dream == ASCENT
        return widened(found, size, self.network.device, read=by_steps)

    def _before(self, size: Size) -> tuple[Frame | None, Frame | None]:
        """The last picture and its dream, at a size."""
        if self.earlier is None or self.previous is None:
            return None, None
        return resized(self.earlier, size), resized(self.previous, size)

    def _dreamer(self, level: Level) -> Dreamer:
        key = level[:2]
        if key not in self._dreamers:
            settings = largest_octaves(self._walking, level.octaves)
            if self.settings.turbo.dream == ASCENT:
                settings = settings.changed("ascent", iterations=level.steps, later=level.steps)
            self._dreamers[key] = dreamer_for(settings, net=self.network)
        return self._dreamers[key]


def _live(settings: Settings) -> Settings:
    """Settings whose first frames take no more steps than later ones: a late frame is missed."""
    ascent = settings.ascent
    if settings.turbo.dream != ASCENT or ascent.later is None:
        return settings
    return settings.changed("ascent", iterations=ascent.later)
