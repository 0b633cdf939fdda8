"""What a live frame may cost: steps, octaves and size go down to hold the rate, and up again."""

from collections.abc import Sequence
from typing import NamedTuple

LATE, EARLY = 1.08, 0.8
"""Shares of a frame's time: above the first it costs too much, below the second more is tried."""
PATIENCE_DOWN, PATIENCE_UP = 4, 45
"""Frames in a row before it goes down, and up."""
HALVES = 0.5
"""An octave costs about this share of the next larger one."""
MEMORY = 0.7
"""The share of the running mean that stays with each frame."""
SIZES = (1.0, 0.75, 0.5, 0.375)
"""Parts of the picture's sides at which is dreamed."""


class Level(NamedTuple):
    """What one frame is dreamed with."""

    steps: int
    """At each octave; of a turbo network, 1."""
    octaves: int
    size: float
    """A part of the picture's sides."""

    @property
    def cost(self) -> float:
        """About what a frame costs, in steps of the whole picture."""
        return self.steps * self.size**2 * sum(HALVES**octave for octave in range(self.octaves))


def ladder(steps: int, octaves: int) -> list[Level]:
    """From all that is asked for to the least: fewer steps, then octaves, then a smaller size."""
    steps, octaves = max(1, steps), max(1, octaves)
    fewest = min(2, octaves)
    found = [Level(each, octaves, 1.0) for each in range(steps, 0, -1)]
    found += [Level(1, each, 1.0) for each in range(octaves - 1, fewest - 1, -1)]
    found += [Level(1, fewest, size) for size in SIZES[1:]]
    return found + [Level(1, 1, SIZES[-1])] * (fewest > 1)


class Budget:
    """Where on a ladder the frames are dreamed, by how long the last ones took."""

    def __init__(self, levels: Sequence[Level], fps: float) -> None:
        """`fps` is the rate to hold; 0 holds none, and all is always dreamed."""
        self.levels, self.fps = list(levels), fps
        self.place = 0
        self.mean = 0.0
        """Seconds that a frame takes here."""
        self._late = self._early = 0
        self._begun = False
        self._known: dict[int, float] = {}

    @property
    def level(self) -> Level:
        """What the next frame is dreamed with."""
        return self.levels[self.place]

    def took(self, seconds: float) -> bool:
        """A frame took so long; whether the next one is dreamed with another level."""
        if not self.fps:
            return False
        if not self._begun:
            # The first frame of a size brings weights into order for it.
            self._begun = True
            return False
        self.mean = MEMORY * self.mean + (1 - MEMORY) * seconds if self.mean else seconds
        self._known[self.place] = self.mean
        part = self.mean * self.fps
        self._late = self._late + 1 if part > LATE else 0
        self._early = self._early + 1 if part < EARLY else 0
        if self._late >= PATIENCE_DOWN and self.place < len(self.levels) - 1:
            return self.go(self._below(part))
        if self._early >= PATIENCE_UP and self.place:
            above = self._known.get(self.place - 1, 0.0)
            # What was too slow is tried again now and then: other programs may have ended.
            self._known[self.place - 1] = above * EARLY
            self._early = 0
            if above * self.fps < LATE:
                return self.go(self.place - 1)
        return False

    def like(self, level: Level) -> None:
        """Begin where a frame costs no more than at a level of another ladder."""
        last = len(self.levels) - 1
        self.go(next((n for n, each in enumerate(self.levels) if each.cost <= level.cost), last))

    def _below(self, part: float) -> int:
        """The next place that is likely to be quick enough; this one takes `part` of a frame."""
        last = len(self.levels) - 1
        wanted = self.level.cost / part
        below = range(self.place + 1, last)
        return next((place for place in below if self.levels[place].cost <= wanted), last)

    def go(self, place: int) -> bool:
        """Go on at another place; its first frame counts for nothing."""
        self.place, self.mean, self._begun = place, 0.0, False
        self._late = self._early = 0
        return True
