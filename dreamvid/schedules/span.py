"""The film that a schedule runs through, and what expressions know of it at each frame."""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from dreamvid.schedules.music import Music

BLOCK = 64
"""Frames are computed in whole blocks; a block is larger than a vector unit."""


class Span(NamedTuple):
    """What a schedule needs to know about its film."""

    frames: int
    fps: Fraction
    seed: int = 0
    music: Music | None = None


def whole(frames: int) -> int:
    """More frames than needed: a film that is made longer must begin with the same numbers.

    A vector unit may compute the end of an array in another way.
    """
    return (frames // BLOCK + 2) * BLOCK


def known_at(frames: Any, film: Span) -> Mapping[str, Any]:
    """What the names of an expression stand for at `frames`, a number or an array of them."""
    fps = np.float64(float(film.fps))
    varying = {"t": frames / fps, "frame": frames}
    return {**varying, "frames": np.float64(film.frames), "fps": fps, "film": film}
