"""What expressions may ask of music; `dreamvid.audio` answers."""

from collections.abc import Collection
from fractions import Fraction
from typing import NamedTuple, Protocol

import numpy as np

CURVES = (
    "rms",
    "bass",
    "mid",
    "high",
    "onset",
    "centroid",
    "beat",
    "phase",
    "bar",
    "bpm",
)
"""The curves that are known by a name alone."""
LISTENERS = {"note": 1, "band": 2, "every": 1, "curve": 1}
"""The curves that are asked for like functions, and how many values each takes."""
REMEDY = "give a film --audio FILE"


class Ask(NamedTuple):
    """A curve that an expression asks for."""

    stem: str
    """The name of one of several files; empty for the song itself."""
    name: str
    arguments: tuple[float | str, ...] = ()

    def __str__(self) -> str:
        stem = f"{self.stem}." if self.stem else ""
        shown = [f"{each:g}" if isinstance(each, float) else f'"{each}"' for each in self.arguments]
        return f"{stem}{self.name}" + (f"({', '.join(shown)})" if self.arguments else "")


class Music(Protocol):
    """Music that was listened to, in the time of the film."""

    @property
    def stems(self) -> Collection[str]:
        """The names of its files."""
        ...

    @property
    def tables(self) -> Collection[str]:
        """The names that `curve` knows."""
        ...

    def refusal(self, ask: Ask) -> str | None:
        """Why it has no such curve, in words; None: it has."""
        ...

    def curve(self, ask: Ask, frames: int, fps: Fraction) -> np.ndarray:
        """A curve at each of the first `frames` frames, float64 (frames,)."""
        ...

    def beat_time(self, beat: float) -> float:
        """When a beat is, in seconds of the film; the first one is beat 0.

        Raises:
            ValueError: no beats were found.
        """
        ...
