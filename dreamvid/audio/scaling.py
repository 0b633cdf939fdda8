"""How a series of values becomes a curve from 0 to 1."""

import numpy as np

PERCENTILE = 95.0
"""Of the peaks of a series; what is higher is 1 as well."""
FAINT = 0.01
"""A part of the sound that is fainter than so much of the whole is taken for silent: -40 dB."""


def peaks_of(values: np.ndarray) -> np.ndarray:
    """The local maxima of a series (n,), those below a tenth of the greatest left out."""
    if not len(values):
        return values
    padded = np.concatenate([[-np.inf], values, [-np.inf]])
    middle = padded[1:-1]
    peaks = middle[(middle > padded[:-2]) & (middle >= padded[2:])]
    return peaks[peaks > peaks.max() / 10] if len(peaks) else values


def scale_of(values: np.ndarray, least: float = 0.0) -> float:
    """What a series is divided by to lie between 0 and 1; infinite where it is silent."""
    peaks = peaks_of(values)
    scale = float(np.percentile(peaks, PERCENTILE)) if len(peaks) else 0.0
    scale = max(scale, least)
    return scale if scale > 0 else float("inf")
