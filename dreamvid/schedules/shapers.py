"""Functions of a whole curve: what they give at a frame depends on the frames around it.

The curve begins with the film. Each function is given more of it than the film is long where it
looks ahead, so that a film that is made longer begins with the same numbers.
"""

import math
from itertools import accumulate
from typing import NamedTuple

import numpy as np

LONGEST = 30.0
"""Seconds; the longest time that a curve may be smoothed over."""
_REACH = 3
"""Standard deviations of a Gaussian that matter."""


class Shaper(NamedTuple):
    """How a function of a curve is called."""

    values: int
    """The curve, and perhaps seconds."""
    looks_ahead: bool = False


SHAPERS = {
    "hit": Shaper(2),
    "smooth": Shaper(2, looks_ahead=True),
    "lag": Shaper(2),
    "total": Shaper(1),
}
"""The functions of a whole curve, by their names."""


def ahead(seconds: float, fps: float) -> int:
    """How many frames `smooth` looks ahead."""
    return math.ceil(_REACH * seconds * fps)


def shaped(name: str, curve: np.ndarray, seconds: float, fps: float) -> np.ndarray:
    """The function `name` of a curve, float64 (frames,); `smooth` is shorter by `ahead`.

    - hit: rises at once and falls to 1/e in `seconds`.
    - smooth: a Gaussian mean whose standard deviation is `seconds`; it also looks ahead.
    - lag: the same from the past alone, a one-pole low-pass of that time constant.
    - total: the integral over time, in seconds, to the end of each frame.
    """
    with np.errstate(all="ignore"):
        if name == "total":
            return np.cumsum(curve) / fps
        if name == "smooth":
            return _smoothed(curve, ahead(seconds, fps), seconds * fps)
        keep = math.exp(-1 / (seconds * fps)) if seconds > 0 else 0.0
        if name == "hit":
            return np.array(list(accumulate(curve.tolist(), lambda old, new: max(new, old * keep))))
        step = 1 - keep
        lagged = accumulate(curve.tolist(), lambda old, new: old + step * (new - old))
        return np.array(list(lagged))


def _smoothed(curve: np.ndarray, reach: int, deviation: float) -> np.ndarray:
    if reach == 0:
        return curve
    places = np.arange(-reach, reach + 1)
    weights = np.exp(-0.5 * (places / deviation) ** 2)
    padded = np.concatenate([np.full(reach, curve[0]), curve])
    return np.convolve(padded, weights / weights.sum(), "valid")
