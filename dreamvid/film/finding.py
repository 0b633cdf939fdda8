"""Where a place of a film's frame was seen before, in small pictures of earlier frames."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np

from dreamvid.film.memory import Past

LEAST = 12
"""Pixels of the small pictures: smaller places are dreamed anew."""
MOST = 3
"""Places of one frame that are looked for all around, the largest first: it takes time."""
PARTS = 2
"""The most things of which one place may be made."""
REACH = (32, 64)
"""How far around a place is looked, down and across, in pixels of the small pictures."""
SENSITIVITY = 50.0
"""As that of trust: how little a pixel may differ from what it was."""
ALIKE = 0.7
"""How alike a place must be, on average, to what stood there."""
AROUND = 0.4
"""And what is around it: a camera that has moved shows another place."""
SPOTS = 64
"""Pixels of a place that are looked for."""
CLOSE = 0.004
"""The mean square by which a pixel may differ from what it is taken for, of values from 0 to 1."""
PART = 0.4
"""The share of them at least that are found at one shift: a place may hold parts of two things."""
AS_GOOD = 0.85
"""The share of the best find that another must have to be as good."""
NEARLY = 0.93
"""The share of the best that a later sight must have to be taken instead."""
APART = 3
"""Pixels from one find to another that is another."""
ITSELF = 12
"""Pixels around a place where the rest of the same thing may be, which is like it."""
SLOWEST = 0.25
"""Pixels a frame: what is slower has no speed to tell by."""
ASTRAY = 0.3
"""How far from where its speed says a thing may have come, as a share of the way."""

Shift = tuple[int, int]
"""Where a place was, down and to the right of where it is, in pixels."""


class Find(NamedTuple):
    """A place that was seen before."""

    past: Past
    shift: Shift
    """In pixels of the small pictures."""
    place: np.ndarray
    """Where it is fresh, bool (h, w), in the small picture of now."""
    whole: np.ndarray
    """And where the rest of the thing is, which has come out before: while it was out of sight in
    part, the network did not know it, and what it dreamed there has faded."""


def finds(
    now: np.ndarray,
    before: np.ndarray,
    fresh: np.ndarray,
    flow: np.ndarray,
    past: Sequence[Past],
    index: int,
) -> Iterator[Find]:
    """Where the places that are `fresh` were seen before, the latest sight of each.

    Args:
        now: the small picture of the frame, (h, w, 3).
        before: that of the frame before it.
        fresh: bool (h, w).
        flow: (h, w, 2), to the frame before, in its pixels.
        past: where to look, the oldest first.
        index: the frame's number.
    """
    # Where nothing has changed, nothing has come: the flow alone was lost there.
    changed = _mean(alike(now, before), fresh, 3) <= ALIKE
    # Single pixels of what has come may be what was there.
    left = fresh & (cv2.dilate(changed.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0)
    for each in reversed(past):
        still = _still(now, each.small, left & changed, ~fresh)
        if still.sum() >= LEAST:
            yield Find(each, (0, 0), still, still)
            left &= ~still
    _, labels, stats, _ = cv2.connectedComponentsWithStats(left.astype(np.uint8))
    areas = stats[1:, cv2.CC_STAT_AREA]
    for label in 1 + np.argsort(-areas, kind="stable")[:MOST]:
        place = labels == label
        speed = _speed(place, fresh, flow)
        for _ in range(PARTS):
            if place.sum() < LEAST or not (found := _moved_from(now, past, place, speed, index)):
                break
            each, shift = found
            seen = alike(now, _shifted(each.small, shift))
            same = place & (_mean(seen, place, 3) > ALIKE)
            if not same.any():
                break
            whole = same | _reached(same, cv2.blur(seen, (3, 3)) > ALIKE)
            yield Find(each, shift, same, whole)
            place &= ~same


def _reached(place: np.ndarray, same: np.ndarray) -> np.ndarray:
    """What of `same` hangs together with `place`, within reach of it."""
    labels = cv2.connectedComponents((same | place).astype(np.uint8))[1]
    near = cv2.dilate(place.astype(np.uint8), np.ones((2 * ITSELF + 1,) * 2, np.uint8)) > 0
    return same & near & np.isin(labels, np.unique(labels[place]))


def _still(now: np.ndarray, then: np.ndarray, left: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Where in `left` what is there now was there then, and what is `known` around it too."""
    seen = alike(now, then)
    return left & (_mean(seen, left, 5) > ALIKE) & (_mean(seen, known, 17) > AROUND)


def alike(now: np.ndarray, then: np.ndarray) -> np.ndarray:
    """How alike two pictures (h, w, 3) are, pixel by pixel, (h, w) from 0 to 1."""
    return np.exp(-SENSITIVITY * np.square(now - then).mean(2))


def _mean(values: np.ndarray, where: np.ndarray, side: int) -> np.ndarray:
    """The mean of `values` in a square around each pixel, of the pixels that are in `where`."""
    share = where.astype(np.float32)
    box = (side, side)
    return cv2.blur(values * share, box) / np.maximum(cv2.blur(share, box), 1e-6)


def _speed(place: np.ndarray, fresh: np.ndarray, flow: np.ndarray) -> np.ndarray | None:
    """How fast the thing that a place belongs to goes back, (down, right); None: nobody knows."""
    near = cv2.dilate(place.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
    found = flow[near & ~fresh]
    found = found[np.square(found).sum(1) > SLOWEST**2]
    return np.median(found, 0)[::-1] if len(found) >= LEAST else None


def _moved_from(
    now: np.ndarray,
    past: Sequence[Past],
    place: np.ndarray,
    speed: np.ndarray | None,
    index: int,
) -> tuple[Past, Shift] | None:
    """When and where most of a place was seen last; None where that cannot be told."""
    spots = np.argwhere(place)
    spots = spots[:: -(-len(spots) // SPOTS)]
    # A few spots tell where there is nothing to find, which is nearly everywhere.
    hopeful = [each for each in past if _agreeing(now, each.small, spots[::3]).max() >= PART]
    seen = [(each, _agreeing(now, each.small, spots)) for each in reversed(hopeful)]
    best = max((float(shares.max()) for _, shares in seen), default=0.0)
    if best < PART:
        return None
    elsewhere = _agreeing(now, now, spots)
    rows, columns = (slice(reach - ITSELF, reach + ITSELF + 1) for reach in REACH)
    elsewhere[rows, columns] = 0
    if elsewhere.max() >= AS_GOOD * best:
        return None  # It is not out of sight: this is another like it.
    for each, shares in seen:
        if shares.max() >= NEARLY * best:
            led = None if speed is None else speed * (index - each.index)
            if shift := _only_one(shares, led):
                return each, shift
    return None


def _only_one(shares: np.ndarray, led: np.ndarray | None) -> Shift | None:
    """The shift that fits best, or that of several which lies where the speed has `led`."""
    best = shares.max()
    found = np.argwhere(shares >= AS_GOOD * best) - REACH
    shift = np.array(np.unravel_index(shares.argmax(), shares.shape)) - REACH
    if np.abs(found - shift).max() > APART:
        if led is None:
            return None
        ways = np.hypot(*(found - led).T)
        shift = found[ways.argmin()]
        if ways.min() > max(APART, ASTRAY * np.hypot(*led)):
            return None
    down, right = shift.tolist()
    return down, right


def _agreeing(now: np.ndarray, then: np.ndarray, spots: np.ndarray) -> np.ndarray:
    """The share of `spots` (n, 2) of `now` that look alike in `then`, for every shift in reach.

    Each spot counts for itself, so that a place which holds parts of two things is found by one.
    """
    height, width = (2 * each + 1 for each in REACH)
    wide = _widened(then)
    counts = np.zeros((height, width), np.float32)
    for row, column in spots.tolist():
        part = wide[row : row + height, column : column + width]
        counts += np.square(part - now[row, column]).sum(2) < 3 * CLOSE
    return counts / len(spots)


def _widened(picture: np.ndarray) -> np.ndarray:
    """A picture with nothing, which is -1, around it as far as anything is looked for."""
    down, right = REACH
    return np.pad(picture, ((down, down), (right, right), (0, 0)), constant_values=-1.0)


def _shifted(then: np.ndarray, shift: Shift) -> np.ndarray:
    """A picture moved so that what lay `shift` away is here; -1 where nothing was."""
    height, width = then.shape[:2]
    top, left = (reach + each for reach, each in zip(REACH, shift, strict=True))
    return _widened(then)[top : top + height, left : left + width]
