"""The timeline: the value of every setting at each frame of a film.

Settings hold schedules as they were written. A `Timeline` computes all their values before the
first frame is dreamed, and refuses a value outside its setting's range. Then it gives plain
settings for each frame, and the motion over the film's time.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from dreamvid.errors import SettingsError
from dreamvid.frames import Clock, Size
from dreamvid.motion.camera import VIEWS
from dreamvid.motion.depths import LAYERS, layered, read_depth
from dreamvid.motion.motions import Motion, composed, motions
from dreamvid.motion.scenes import Scene, Surface
from dreamvid.networks.layers import WEIGHTS, Selector
from dreamvid.registry import Evaluate, Within, checked_options
from dreamvid.schedules import Schedule, Span
from dreamvid.settings import SECTIONS, Settings

CAMERA = {name: option.default for name, option in motions.options("camera").items()}


def check_schedules(settings: Settings) -> None:
    """Raise `SettingsError` for the first value that a setting cannot have, at any frame."""
    Timeline(settings)


class Timeline:
    """Settings over the time of their film, checked at every frame of it."""

    def __init__(self, settings: Settings) -> None:
        """Compute every schedule; raise `SettingsError` for the first value that is not allowed."""
        self.settings = settings
        film = settings.film
        self.film = Span(film.length, film.rate, film.seed, settings.music)
        self.values: dict[str, np.ndarray] = {}
        """The values at every frame, for each scheduled setting, by its name."""
        self.selectors = [Selector.read(text) for text in settings.network.layers]
        self._at(0, self._read)
        self.travels = any(
            selector.stay is not None or isinstance(selector.weight, str)
            for selector in self.selectors
        )
        """Whether the layers, their channels or their weights change."""

    @cached_property
    def scene(self) -> Scene | None:
        """What the settings' camera travels through, where that is a scene."""
        options = {**CAMERA, **self.settings.motion.get("camera", {})}
        if "camera" not in self.settings.motion or options["depth"] in VIEWS:
            if options["dreams"] != "everywhere":
                raise SettingsError(
                    f"motion.camera.dreams: got {options['dreams']}, which needs a scene; give "
                    "motion.camera.depth a file, or layers"
                )
            return None
        if others := [name for name in self.settings.motion if name != "camera"]:
            raise SettingsError(
                f"motion.camera.depth: {options['depth']} is a scene, in which {others[0]} has no "
                "place; give --motion camera alone, it turns and pans by itself"
            )
        depth, white, far = options["depth"], options["white"], options["far"]

        def surface(size: Size, index: int) -> np.ndarray:
            if depth == LAYERS:
                return layered(size, options["layers"], far)
            return read_depth(Path(depth), size, white, far)

        return self.through(surface)

    def through(self, surface: Surface, moves: bool = False) -> Scene:
        """The settings' camera on its way through a surface; see `Scene`."""
        film = self.settings.film

        def at(index: int) -> Mapping[str, Any]:
            return {**CAMERA, **self.at(max(index, 0)).motion["camera"]}

        return Scene(surface, at, float(film.rate), film.speed, moves)

    @property
    def changes(self) -> bool:
        """Whether any setting changes in the course of the film."""
        return self.travels or bool(self.values)

    def at(self, index: int) -> Settings:
        """Plain settings for the frame `index`; after the end, the last values hold."""
        if not self.changes:
            return self.settings
        return self._at(index, self._now(index))

    def options(
        self, function: Callable[..., Any], options: Mapping[str, Any], where: str
    ) -> Callable[[int], dict[str, Any]]:
        """A registered function's options at each frame; all of them are checked now."""
        plain = checked_options(function, options, where, self._read)
        if plain == checked_options(function, options, where):
            return lambda index: plain
        return lambda index: checked_options(function, options, where, self._now(index))

    def motion(self, points: Tensor, clock: Clock, size: Size) -> Tensor:
        """The settings' motions, composed, with the options they have at each time; a `Motion`.

        Between two frames, an option is the mean of its values at both.
        """
        if self.scene:
            return self.scene.motion(points, round(clock.time * float(self.film.fps)), size)
        speed = self.settings.film.speed
        for step, motion in reversed(list(self._steps(clock))):
            # Every motion is the flow of a velocity, so another speed is another clock.
            points = motion(points, Clock(*(each * speed for each in step)), size)
        return points

    def _steps(self, clock: Clock) -> Iterator[tuple[Clock, Motion]]:
        """The time step of `clock`, cut at the frames inside it, and the motion in each piece."""
        if not any(name.startswith("motion.") for name in self.values):
            yield clock, composed(self._seeded())
            return
        fps, last = float(self.film.fps), self.film.frames - 1
        # Rounded, for a frame's time in seconds is seldom exact.
        now, end = (round(time * fps, 6) for time in (clock.time - clock.step, clock.time))
        while now != end:
            if now < end:
                following = min(end, math.floor(now) + 1.0)
            else:
                following = max(end, math.ceil(now) - 1.0)
            frame = math.ceil((now + following) / 2)
            both = [min(max(index, 0), last) for index in (frame - 1, frame)]

            def between(
                value: Any, where: str, bounds: Within, whole: bool, both: list[int] = both
            ) -> float:
                return self.values[where][both].mean().item()

            step = Clock(following / fps, (following - now) / fps)
            yield step, composed(self._motions(between))
            now = following

    def _now(self, index: int) -> Evaluate:
        """Gives the computed value of each schedule at the frame `index`."""
        index = min(index, self.film.frames - 1)
        return lambda value, where, bounds, whole: self.values[where][index].item()

    def _motions(self, evaluate: Evaluate) -> dict[str, Any]:
        return {
            name: checked_options(motions[name], options, f"motion.{name}", evaluate)
            for name, options in self._seeded().items()
        }

    def _seeded(self) -> dict[str, dict[str, Any]]:
        """The settings' motions; one that is left to chance has the film's seed, if none."""
        seed = {"seed": self.settings.film.seed}
        return {
            name: {**(seed if "seed" in motions.options(name) else {}), **options}
            for name, options in self.settings.motion.items()
        }

    def _at(self, index: int, evaluate: Evaluate) -> Settings:
        """The settings at the frame `index`, each schedule replaced by what `evaluate` gives."""
        sections: dict[str, Any] = {}
        for name, schema in SECTIONS.items():
            sections[name] = schema(
                **checked_options(schema, vars(getattr(self.settings, name)), name, evaluate)
            )
        layers = []
        for number, selector in enumerate(self.selectors):
            weight = selector.weight
            if isinstance(weight, str):
                where = f"network.layers[{number}] ({selector.place})"
                weight = evaluate(weight, where, WEIGHTS, False)
            layers += selector.plain(weight, index / float(self.film.fps))
        sections["network"] = replace(sections["network"], layers=tuple(layers))
        return replace(self.settings, **sections, motion=self._motions(evaluate))

    def _read(self, value: Any, where: str, bounds: Within, whole: bool) -> float:
        """Compute a schedule for the whole film, check and keep it; return its first value."""
        schedule = Schedule(value, where)
        values = schedule.over(self.film)
        if whole:
            values = np.rint(values).astype(np.int64)
        low = values > float(bounds.low) if bounds.above else values >= float(bounds.low)
        bad = np.flatnonzero(~(low & (values <= float(bounds.high))))
        if bad.size:
            first = int(bad[0])
            reason = f"is {values[first]:g}, expected {bounds},"
            raise schedule.unfit(reason, first, self.film)
        self.values[where] = values
        return values[0].item()
