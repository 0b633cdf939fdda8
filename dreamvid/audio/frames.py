"""Series of a sound at the frames of a film: each frame's own interval of time, exactly."""

from fractions import Fraction

import numpy as np

RELEASE = 0.15
"""Seconds in which an onset or a beat falls to 1/e."""


def means(
    series: np.ndarray, rate: int, frames: int, fps: Fraction, start: Fraction, centred: bool
) -> np.ndarray:
    """The mean of a series (n,) over the interval of each frame, float64 (frames,).

    Frame i lasts from i/fps to (i+1)/fps. Beyond the series there are zeros.

    Args:
        series: values side by side in time.
        rate: how many a second.
        frames: how many frames.
        fps: frames a second.
        start: where the film begins in the series, in seconds.
        centred: whether value k stands for the time around k/rate, and not from there on.
    """
    step = rate / Fraction(fps)
    first = start * rate + (Fraction(1, 2) if centred else 0)
    below = step.denominator * first.denominator
    across, begin = int(step * below), int(first * below)
    edges = [divmod(begin + index * across, below) for index in range(frames + 1)]
    whole = np.array([edge[0] for edge in edges], np.int64)
    part = np.array([edge[1] for edge in edges], np.float64) / below
    outside = (whole < 0) | (whole >= len(series))
    place = np.clip(whole, 0, len(series))
    total = np.concatenate([[0.0], np.cumsum(series, dtype=np.float64)])
    longer = np.concatenate([series, [0.0]])
    reached = total[place] + np.where(outside, 0.0, part) * longer[place]
    return np.diff(reached) / float(step)


def times(frames: int, fps: Fraction, start: Fraction) -> np.ndarray:
    """When each frame begins, in seconds, float64 (frames,)."""
    return np.arange(frames, dtype=np.float64) / float(fps) + float(start)


def pulses(
    places: np.ndarray, strengths: np.ndarray, frames: int, fps: Fraction, start: Fraction
) -> np.ndarray:
    """Events as a curve, float64 (frames,): their strength in their frame, falling from then on.

    `places` and `strengths` (n,) are when, in seconds, and how strong each is.
    """
    since = places - float(start)
    index = np.floor(since * float(fps) + 1e-6).astype(np.int64)
    curve, reach = np.zeros(frames), np.full(frames + 1, -np.inf)
    inside = (index < frames) & (strengths > 0)
    own = inside & (index >= 0)
    np.maximum.at(curve, index[own], strengths[own])
    # The event that is the strongest at one time stays so: all fall alike.
    worth = np.log(strengths[inside]) + since[inside] / RELEASE
    np.maximum.at(reach, np.maximum(index[inside] + 1, 0), worth)
    now = np.arange(frames) / float(fps) / RELEASE
    return np.maximum(curve, np.exp(np.maximum.accumulate(reach)[:frames] - now))
