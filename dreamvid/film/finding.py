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
REACH = (32, 96)
"""How far around a place is looked, down and across, in pixels of the small pictures."""
SENSITIVITY = 50.0
"""As that of trust: how little a pixel may differ from what it was."""
ALIKE = 0.7
"""How alike a place must be, on average, to what stood there."""
AROUND = 0.4
"""And what is around it: a camera that has moved shows another place."""
SPOTS = 48
"""Pixels of a place that are looked for."""
CLOSE = 0.004
"""The mean square by which a pixel may differ from what it is taken for, of values from 0 to 1."""
PART = 0.4
"""The share of them at least that are found at one shift: a place may hold parts of two things."""
AS_GOOD = 0.85
"""The share of the best find that another must have to be as good."""
NEARLY = 0.88
"""The share of the best that a later sight must have to be taken instead."""
APART = 3
"""Pixels from one find to another that is another."""
BESIDE = 3
"""Pixels around a place where what moves tells how fast the thing is."""
TWIN = 12
"""Pixels around a place where what is like it is the same thing, and no other."""
ITSELF = 24
"""Pixels around a place where the rest of the same thing may be, which is like it."""
SLOWEST = 0.25
"""Pixels a frame: what is slower has no speed to tell by."""
TOGETHER = (0.3, 0.15)
"""Pixels a frame, and the share of the speed, by which what moves together may differ."""
NEW = 0.05
"""The share of a place that must have come in the last frame: else it has only been lost."""
BETWEEN = 0.25
"""How far of the way to its neighbours a pixel may be that lies less than a pixel away."""
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


class Sought(NamedTuple):
    """A place that is looked for, and what is known of the thing that it belongs to."""

    place: np.ndarray
    """bool (h, w)."""
    rest: np.ndarray
    """What moves with it and has been in sight, bool (h, w)."""
    speed: np.ndarray | None
    """How fast it goes back, (down, right) in pixels a frame; None: nobody knows."""


class Range(NamedTuple):
    """What each pixel of a picture (h, w, 3) may be, seen from less than a pixel away."""

    low: np.ndarray
    high: np.ndarray


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
        sought = _sought(labels == label, fresh, flow)
        for _ in range(PARTS):
            found = _moved_from(now, past, sought, index)
            if not found:
                break
            if not _in_sight(now, before, found.place):
                yield found
            # What is left belongs to another thing.
            nothing = np.zeros_like(fresh)
            sought = Sought(sought.place & ~found.place, nothing, sought.speed)


def _sought(place: np.ndarray, fresh: np.ndarray, flow: np.ndarray) -> Sought:
    """A place, and the thing that moves beside it."""
    near, around = (_grown(place, side) & ~fresh for side in (BESIDE, ITSELF))
    found = flow[near]
    found = found[np.square(found).sum(1) > SLOWEST**2]
    if len(found) < LEAST:
        return Sought(place, np.zeros_like(place), None)
    speed = np.median(found, 0)
    differing = TOGETHER[0] + TOGETHER[1] * float(np.hypot(*speed))
    together = around & (np.square(flow).sum(2) > SLOWEST**2)
    together &= np.square(flow - speed).sum(2) < differing**2
    labels = cv2.connectedComponents((_grown(place, 1) | together).astype(np.uint8))[1]
    return Sought(place, together & np.isin(labels, np.unique(labels[place])), speed[::-1])


def _grown(place: np.ndarray, side: int) -> np.ndarray:
    """A place and the pixels `side` around it."""
    return cv2.dilate(place.astype(np.uint8), np.ones((2 * side + 1,) * 2, np.uint8)) > 0


def _still(now: np.ndarray, then: np.ndarray, left: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Where in `left` what is there now was there then, and what is `known` around it too."""
    seen = alike(now, then)
    return left & (_mean(seen, left, 5) > ALIKE) & (_mean(seen, known, 17) > AROUND)


def alike(now: np.ndarray, then: np.ndarray) -> np.ndarray:
    """How alike two pictures (h, w, 3) are, pixel by pixel, (h, w) from 0 to 1."""
    return np.exp(-SENSITIVITY * np.square(now - then).mean(2))


def ranged(picture: np.ndarray) -> Range:
    """The range of each pixel of a picture (h, w, 3): a part of the way to its neighbours.

    A shift of whole pixels leaves up to half a pixel, in which a fine texture is another. Source:
    the measure of Birchfield and Tomasi 1998, which is blind to the sampling.
    """
    square = np.ones((3, 3), np.uint8)
    low, high = cv2.erode(picture, square), cv2.dilate(picture, square)
    return Range(picture + BETWEEN * (low - picture), picture + BETWEEN * (high - picture))


def _away(now: np.ndarray, then: Range) -> np.ndarray:
    """How far values are from a range."""
    return np.maximum(np.maximum(now - then.high, then.low - now), 0)


def _mean(values: np.ndarray, where: np.ndarray, side: int) -> np.ndarray:
    """The mean of `values` in a square around each pixel, of the pixels that are in `where`."""
    share = where.astype(np.float32)
    box = (side, side)
    return cv2.blur(values * share, box) / np.maximum(cv2.blur(share, box), 1e-6)


def _moved_from(now: np.ndarray, past: Sequence[Past], sought: Sought, index: int) -> Find | None:
    """When and where most of a place was seen last; None where that cannot be told."""
    if sought.place.sum() < LEAST:
        return None
    own, rest = _spots(sought.place), _spots(sought.rest)
    # A few spots tell where there is nothing to find, which is nearly everywhere.
    hopeful = [each for each in past if _agreeing(now, each.small, own[::3]).max() >= PART]
    if not hopeful:
        return None
    seen = [(each, *_both(now, each.small, own, rest)) for each in reversed(hopeful)]
    best = max(float(shares.max()) for _, shares, _ in seen)
    # It may not be out of sight: this may be another like it.
    elsewhere = _both(now, now, own, rest)[0]
    rows, columns = (slice(reach - TWIN, reach + TWIN + 1) for reach in REACH)
    elsewhere[rows, columns] = 0
    if elsewhere.max() >= AS_GOOD * best:
        return None
    for each, shares, mine in seen:
        if shares.max() < NEARLY * best:
            continue
        led = None if sought.speed is None else sought.speed * (index - each.index)
        shift = _only_one(shares, led)
        if shift and mine[shift[0] + REACH[0], shift[1] + REACH[1]] >= PART:
            return _find(now, each, shift, sought)
    return None


def _find(now: np.ndarray, past: Past, shift: Shift, sought: Sought) -> Find | None:
    """What of a place is like what was seen at a shift."""
    seen = _alike_from(now, past.small, shift)
    same = sought.place & (_mean(seen, sought.place, 3) > ALIKE)
    if not same.any():
        return None
    return Find(past, shift, same, same | sought.rest & (cv2.blur(seen, (3, 3)) > ALIKE))


def _in_sight(now: np.ndarray, before: np.ndarray, place: np.ndarray) -> bool:
    """Whether a place was to be seen a frame ago, all of it: then the flow alone has lost it."""
    shares = _agreeing(now, before, _spots(place))
    down, right = (np.array(np.unravel_index(shares.argmax(), shares.shape)) - REACH).tolist()
    seen = _mean(_alike_from(now, before, (down, right)), place, 3)
    return bool((place & (seen <= ALIKE)).sum() < max(LEAST, NEW * place.sum()))


def _alike_from(now: np.ndarray, then: np.ndarray, shift: Shift) -> np.ndarray:
    """How alike a picture is to what lay `shift` away, (h, w) from 0 to 1."""
    low, high = (_shifted(each, shift) for each in ranged(then))
    return np.exp(-SENSITIVITY * np.square(_away(now, Range(low, high))).mean(2))


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


def _spots(place: np.ndarray) -> np.ndarray:
    """Some pixels of a place, (n, 2)."""
    spots = np.argwhere(place)
    return spots[:: -(-len(spots) // SPOTS)] if len(spots) else spots


def _both(
    now: np.ndarray, then: np.ndarray, own: np.ndarray, rest: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The shares of the spots of a thing that agree, and those of the place alone."""
    mine = _agreeing(now, then, own)
    if len(rest) < LEAST:
        return mine, mine.copy()
    return (mine + _agreeing(now, then, rest)) / 2, mine


def _agreeing(now: np.ndarray, then: np.ndarray, spots: np.ndarray) -> np.ndarray:
    """The share of `spots` (n, 2) of `now` that look alike in `then`, for every shift in reach.

    Each spot counts for itself, so that a place which holds parts of two things is found by one.
    """
    height, width = (2 * each + 1 for each in REACH)
    # A sum over planes is several times as fast as one over the colours of each pixel.
    low, high = (_widened(each).transpose(2, 0, 1).copy() for each in ranged(then))
    counts = np.zeros((height, width), np.float32)
    for row, column in spots.tolist():
        part = (slice(None), slice(row, row + height), slice(column, column + width))
        away = _away(now[row, column][:, None, None], Range(low[part], high[part]))
        counts += np.square(away).sum(0) < 3 * CLOSE
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
