"""Chance that depends on nothing but a seed and a place: the same in every run."""

import numpy as np

_MASK = (1 << 64) - 1


def random(seed: int, place: np.ndarray | float) -> np.ndarray:
    """From 0 up to 1, float64, without any likeness between places a millionth apart.

    The mixing is splitmix64's, after Steele, Lea and Flood, 2014.
    """
    cells = np.rint(np.asarray(np.nan_to_num(place), np.float64).clip(-9e12, 9e12) * 1e6)
    with np.errstate(over="ignore"):
        mixed = cells.astype(np.int64).view(np.uint64) ^ np.uint64(_seeded(seed))
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
        mixed = mixed ^ (mixed >> np.uint64(31))
    return (mixed >> np.uint64(11)).astype(np.float64) / 2.0**53


def noise(seed: int, place: np.ndarray | float) -> np.ndarray:
    """A smooth curve from -1 to 1, float64, with a new direction at each whole number."""
    place = np.asarray(place, np.float64)
    whole = np.floor(place)
    part = place - whole
    before, after = random(seed, whole), random(seed, whole + 1)
    return 2 * (before + (after - before) * part * part * (3 - 2 * part)) - 1


def _seeded(seed: int) -> int:
    """The seed with its bits spread, so that neighbouring seeds share nothing."""
    return ((seed + 1) * 0x9E3779B97F4A7C15) & _MASK
