"""What is dreamed at each octave of each frame: which layers, how many steps, how large."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from dreamvid.dream.octaves import for_each_octave, octave_weights
from dreamvid.dream.timeline import Timeline
from dreamvid.errors import NetworkError
from dreamvid.networks.base import Network
from dreamvid.networks.layers import Choice
from dreamvid.settings import AscentSettings, OctaveSettings, Settings

EVERY = 3
"""Of so many later dreams, one takes a smaller octave where octaves alternate."""
BUILT_IN = ("ascent.", "octaves.", "network.", "objective")
"""How the names of settings begin that a step is made of."""
GIVEN = tuple(
    f"ascent.{name}" for name in ("iterations", "jitter", "later", "step_size", "strength")
)
"""Those that are no more than numbers that each step is given, or how many there are."""
LAYERS = "network.layers"
"""How the names of the weights of layers begin; a step is given them too, see `changing`."""


@dataclass(frozen=True)
class OctavePlan:
    """What is dreamed at one octave of one frame."""

    choices: tuple[Choice, ...]
    """The layers to excite; none of them has the weight 0."""
    steps: int
    """In each pass; 0 where there is nothing to dream of."""
    step_size: float
    """In the network's own units."""
    first_step_size: float
    """That of a frame which does not start from a dream."""
    first_steps: int
    """Those of such a frame."""
    refine: int | None = None
    """The most steps that are climbed after a turbo network; None where there is none."""
    later: bool = False
    """Whether the frame starts from a dream."""

    @property
    def climbed(self) -> int:
        """The steps of ascent that are taken in fact."""
        return self.steps if self.refine is None else min(self.steps, self.refine)


@dataclass(frozen=True)
class FramePlan:
    """What is dreamed at one frame, and the settings it has there."""

    index: int
    settings: OctaveSettings
    ascent: AscentSettings
    octaves: list[OctavePlan]
    """Smallest first."""

    @property
    def steps(self) -> int:
        """The steps of ascent of all octaves and passes together."""
        return sum(octave.climbed for octave in self.octaves) * self.settings.passes


def _strengthened(steps: int, strength: float) -> int:
    """The steps of a dream of that strength, of which each is larger or smaller too.

    All steps together go `strength` times as far. Larger steps alone would be coarser, and a
    hundred smaller ones as long in the making.
    """
    return max(1, round(steps * math.sqrt(strength))) if steps and strength else steps


class Plan:
    """The plans of all frames of a film.

    The layers of a frame are those of each octave where `octaves.layers` are set, else those of
    `network.walk`, else those of `network.layers` where they change in the course of the film, and
    else `choices`.
    """

    def __init__(self, network: Network, choices: Sequence[Choice], settings: Settings) -> None:
        """Raise a `DreamvidError` for settings that no frame could be dreamed with."""
        self.network = network
        self.choices = tuple(choices)
        self.timeline = Timeline(settings)
        if not any(choice.weight for choice in choices):
            raise NetworkError(f"{network.name}: every layer's weight is 0, nothing to dream of")
        octaves, ascent = settings.octaves, settings.ascent
        for_each_octave(ascent.iterations, octaves.count, "ascent.iterations")
        for_each_octave(ascent.step_size, octaves.count, "ascent.step_size")
        self.walk = [network.choices([selector]) for selector in settings.network.walk]
        each = octaves.layers and for_each_octave(octaves.layers, octaves.count, "octaves.layers")
        self.by_octave = [network.choices(selectors) for selectors in each]
        """The layers of each octave, where octaves have layers of their own."""
        alternate = octaves.later == "alternate"
        self.every = max(1, min(EVERY, octaves.count - 1)) if alternate else 1
        """As `EVERY`, where there are so many smaller octaves; 1: every dream takes all of them."""

    @property
    def changes(self) -> bool:
        """Whether frames are dreamed differently in the course of the film."""
        return self.timeline.changes or bool(self.walk)

    @property
    def remakes_steps(self) -> bool:
        """Whether steps of the same layers and size differ by more than their numbers."""
        return any(
            name.startswith(BUILT_IN) and not name.startswith((*GIVEN, LAYERS))
            for name in self.timeline.values
        )

    @property
    def everything(self) -> list[tuple[Choice, ...]]:
        """All the layers that are known before the film begins, in groups dreamed together."""
        return [self.choices, *self.walk, *self.by_octave]

    def at(self, index: int = 0, later: bool = False) -> FramePlan:
        """The plan of the frame `index`; `later` if it starts from a dream."""
        now = self.timeline.at(index)
        octaves, ascent = now.octaves, now.ascent
        first_steps = for_each_octave(ascent.iterations, octaves.count, "ascent.iterations")
        steps = first_steps
        if later and ascent.later is not None:
            steps = [ascent.later] * octaves.count
        first_sizes = for_each_octave(ascent.step_size, octaves.count, "ascent.step_size")
        sizes = first_sizes
        if later and ascent.later_step_size is not None:
            sizes = [ascent.later_step_size] * octaves.count
        elif later:
            sizes = [each * ascent.later_factor for each in first_sizes]
        if later and self.every > 1:
            steps = [each * self._is_dreamed(octave, index) for octave, each in enumerate(steps)]
            sizes = [*(each * math.sqrt(self.every) for each in sizes[:-1]), sizes[-1]]
        taken, first_taken = (
            [_strengthened(each, ascent.strength) for each in all_of_them]
            for all_of_them in (steps, first_steps)
        )
        parts = [asked / made if made else 1.0 for asked, made in zip(steps, taken, strict=True)]
        choices = self._choices(index, now)
        refine = None if now.turbo.dream == "ascent" else now.turbo.refine
        level = self.network.preprocessing.level * ascent.strength
        return FramePlan(
            index,
            octaves,
            ascent,
            [
                OctavePlan(
                    choices[octave],
                    taken[octave] if weight and choices[octave] else 0,
                    sizes[octave] * weight * level * parts[octave],
                    first_sizes[octave] * weight * level * parts[octave],
                    first_taken[octave] if weight and choices[octave] else 0,
                    refine,
                    later,
                )
                for octave, weight in enumerate(octave_weights(octaves))
            ],
        )

    def _is_dreamed(self, octave: int, index: int) -> bool:
        """Whether an octave is dreamed at the frame `index`, which starts from a dream."""
        largest = self.timeline.settings.octaves.count - 1
        dream = index // self.timeline.settings.film.cadence
        return octave == largest or (dream - octave) % self.every == 0

    def _choices(self, index: int, now: Settings) -> list[tuple[Choice, ...]]:
        """The layers at each octave of a frame, without those of the weight 0."""
        if self.by_octave:
            found = self.by_octave
        elif self.walk:
            found = [self.walk[index % len(self.walk)]] * now.octaves.count
        elif self.timeline.travels:
            found = [self.network.choices(now.network.layers)] * now.octaves.count
        else:
            found = [self.choices] * now.octaves.count
        return [tuple(choice for choice in each if choice.weight) for each in found]
