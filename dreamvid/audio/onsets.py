"""Onsets: where something begins to sound."""

import numpy as np

from dreamvid.audio.scaling import scale_of
from dreamvid.audio.spectra import FINE_RATE, FLUX_RATE, LEVEL_RATE

_NEAR = FLUX_RATE * 30 // 1000  # steps to both sides in which an onset is the strongest
_AROUND = (FLUX_RATE * 100 // 1000, FLUX_RATE * 70 // 1000)  # steps before and after it
_LEAST = 0.1  # how far it stands out, as a share of a strong one
_BEFORE, _AFTER, _EDGE = 30, 15, 4  # steps of `fine` in which its beginning is looked for
_LAG = 1.5 / FLUX_RATE  # seconds; a rise over three steps lies between them


def onsets(flux: np.ndarray, fine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """When things begin to sound, in seconds, and how strongly, 0 to 1; float64 (n,) each.

    A peak of the spectrum's rise says that something begins; the loudness from millisecond to
    millisecond says when. Peaks are picked as by Böck, Krebs and Schedl 2012.
    """
    scale = scale_of(flux)
    if not np.isfinite(scale):
        return np.zeros(0), np.zeros(0)
    above = (flux - _mean_around(flux)) / scale
    padded = np.pad(flux, _NEAR, constant_values=-1)
    greatest = np.lib.stride_tricks.sliding_window_view(padded, 2 * _NEAR + 1).max(axis=1)
    found = np.flatnonzero((flux >= greatest) & (above > _LEAST))
    found = found[np.diff(found, prepend=-_NEAR - 1) > _NEAR]
    times = np.array([_beginning(place / FLUX_RATE - _LAG, fine) for place in found])
    order = np.argsort(times, kind="stable")
    return times[order], np.clip(above[found], 0, 1)[order].astype(np.float64)


def accented(times: np.ndarray, strengths: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """How likely each onset is a beat, 0 to 1: as it is sharp, and as the loudness rises with it.

    A hat is as sharp as a kick, and far less loud.
    """
    loudness = np.sqrt(levels.sum(axis=1))
    last, places = len(loudness) - 1, (times * LEVEL_RATE).astype(int)
    after = np.max([loudness[np.clip(places + step, 0, last)] for step in range(4)], axis=0)
    before = np.min([loudness[np.clip(places - step, 0, last)] for step in (1, 2)], axis=0)
    rises = np.maximum(after - before, 0)
    strong = np.percentile(rises, 90) if len(rises) else 0.0
    return (strengths + np.minimum(1, rises / max(strong, 1e-12))) / 2


def _mean_around(flux: np.ndarray) -> np.ndarray:
    """The mean of `flux` from `_AROUND` before each step to after it."""
    before, after = _AROUND
    total = np.concatenate([[0.0], np.cumsum(flux, dtype=np.float64)])
    places = np.arange(len(flux))
    first, last = np.maximum(places - before, 0), np.minimum(places + after + 1, len(flux))
    return (total[last] - total[first]) / (last - first)


def _beginning(time: float, fine: np.ndarray) -> float:
    """When the sharpest rise of loudness near `time` is, in seconds."""
    place = round(time * FINE_RATE)
    first = max(0, place - _BEFORE - _EDGE)
    part = np.sqrt(fine[first : place + _AFTER + _EDGE])
    part = np.concatenate([np.zeros(max(0, _BEFORE + _EDGE - place)), part])
    if len(part) < 2 * _EDGE:
        return max(0.0, time)
    means = np.lib.stride_tricks.sliding_window_view(part, _EDGE).mean(axis=1)
    rises = means[_EDGE:] - means[:-_EDGE]
    return max(0, place - _BEFORE + int(rises.argmax())) / FINE_RATE
