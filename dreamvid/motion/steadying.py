"""Depths that stay steady from frame to frame: each is brought to the range of the one before.

Values are from 0, far, to 1, near, (H, W).
"""

import cv2
import numpy as np
from torch import Tensor

from dreamvid.motion.optical_flow import Correspondence
from dreamvid.motion.warp import moved

ENDS = (0.005, 0.98)
"""The shares of a picture that are taken to be farther than far, and not nearer than near."""
PULL = 0.05
"""How much of its own range each new one takes: else a range would drift away for ever."""
NEW = 0.4
"""How much a new one counts beside those before it, where both tell as much."""
KNOWN = 0.5
"""What is trusted by less is not compared."""
SOFT = 3.0
"""Standard deviation in pixels by which trust is evened out."""
ROUNDS = 3
TINY = 1e-6


def alone(values: np.ndarray, shifts: bool) -> tuple[float, float]:
    """The factor and the summand that bring `values` to 0 to 1 by themselves.

    What has a far end of its own, such as a nearness, is not shifted.
    """
    low, high = np.quantile(values, ENDS)
    low = low if shifts else 0.0
    factor = 1 / max(float(high - low), TINY)
    return factor, -float(low) * factor


def steadied(
    values: np.ndarray,
    sure: float,
    before: np.ndarray | None,
    link: Correspondence | None,
    shifts: bool,
) -> np.ndarray:
    """New `values`, from 0 to 1, that go on from the frame `before`.

    Args:
        values: in a unit of their own.
        sure: how much they tell, from 0 to 1.
        before: the frame before, finished.
        link: how this frame follows from it; None or a cut: it begins anew.
        shifts: whether their zero is a place like any other.
    """
    factor, summand = alone(values, shifts)
    if before is None or link is None or link.cut:
        new = (factor * values + summand).clip(0, 1)
        return sure * new + (1 - sure) * new.mean()
    came = moved(_tensor(before, link.flow)[None], link.flow)[0].numpy().clip(0, 1)
    trust = link.trust.numpy()
    fitted = _fitted(values, came, trust, shifts)
    if fitted is not None:
        factor, summand = (
            (1 - PULL) * ours + PULL * own
            for ours, own in zip(fitted, (factor, summand), strict=True)
        )
    new = (factor * values + summand).clip(0, 1)
    # Where little tells of a place, what was there stays, even if it is not quite trusted.
    even = cv2.GaussianBlur(trust, (0, 0), SOFT)
    share = np.maximum(even * (1 - NEW * sure), 1 - sure)
    return new + share * (came - new)


def _fitted(
    values: np.ndarray, wanted: np.ndarray, trust: np.ndarray, shifts: bool
) -> tuple[float, float] | None:
    """The factor and the summand that bring `values` nearest to what is `wanted`, if any do."""
    known = trust > KNOWN
    if known.sum() < 16:
        return None
    x, y, weight = (each[known].astype(np.float64) for each in (values, wanted, trust))
    factor, summand, first = 0.0, 0.0, weight
    for _ in range(ROUNDS):
        columns = np.stack([x, np.ones_like(x)], 1) if shifts else x[:, None]
        root = np.sqrt(weight)
        found = np.linalg.lstsq(columns * root[:, None], y * root, rcond=None)[0]
        factor, summand = float(found[0]), float(found[1]) if shifts else 0.0
        miss = np.abs(factor * x + summand - y)
        # What has moved by itself must not decide.
        weight = first / (1 + (miss / max(float(np.median(miss)), TINY)) ** 2)
    return (factor, summand) if factor > TINY else None


def packed(values: np.ndarray) -> bytes:
    """A grey PNG of 16 bits."""
    whole = np.rint(values.clip(0, 1) * np.float32(2**16 - 1)).astype(np.uint16)
    return cv2.imencode(".png", whole)[1].tobytes()


def _tensor(values: np.ndarray, like: Tensor) -> Tensor:
    return like.new_tensor(values)
