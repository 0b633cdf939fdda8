"""How near things are in a film, from how they move as its camera travels.

What turns with the camera moves by the turn alone, however far it is; what the camera passes moves
the more the nearer it is. Both are told apart for a scene that stands still: the camera's way and
turn are those that leave the least motion across the lines along which all things would move
(Heeger and Jepson 1992).
"""

from typing import NamedTuple

import cv2
import numpy as np

LOOKED_AT = 700
"""Points by which the camera's motion is found."""
DIRECTIONS = 120
"""Ways of the camera that are tried at first, all over half a sphere."""
CLOSER = ((0.2, 16), (0.07, 16), (0.025, 16), (0.008, 16))
"""Then, around the best one: how far from it, and how many."""
NOISE = 0.15
"""Of a flow, in pixels."""
LITTLE = 0.4
"""How much of a parallax, in pixels, tells as much as the noise does."""
CALM = 1e-6
"""What keeps a turn small of which the flow tells nothing."""
SOFT = 1e-3
"""By how much, squared, two greys of one thing may differ."""
REACH = 40
"""Where nothing tells of itself, it has what is told within this part of the longer side."""


class Parallax(NamedTuple):
    """What one pair of frames tells."""

    nearness: np.ndarray
    """(H, W), one divided by the distance ahead, in a unit of the pair's own; 0 is endless."""
    weight: np.ndarray
    """(H, W), how surely: 0 tells nothing."""
    confidence: float
    """From 0, where the camera does not travel, to 1."""


def parallax(flow: np.ndarray, trust: np.ndarray, focus: float) -> Parallax:
    """What a `flow` (2, H, W) to another frame of the film tells, trusted as `trust` (H, W) says.

    `focus` is the distance of the picture's plane, in pixels.
    """
    rays = _rays(trust.shape, focus)
    moves = flow / focus
    places = _chosen(trust)
    way, turn = _camera(
        moves[:, places[0], places[1]], rays[:, places[0], places[1]], trust[places], focus
    )
    travelled = moves - _turned(rays, turn)
    lines = _lines(rays, way)
    length = (lines**2).sum(0)
    nearness = (lines * travelled).sum(0) / np.maximum(length, 1e-9)
    if (trust * length * np.sign(nearness)).sum() < 0:
        nearness = -nearness
    shift = np.sqrt((travelled**2).sum(0)) * focus
    shown = float(np.quantile(shift[trust > 0.5], 0.8)) if (trust > 0.5).any() else 0.0
    confidence = shown**2 / (shown**2 + LITTLE**2)
    return Parallax(np.maximum(nearness, 0), trust * length, confidence)


def smoothed(values: np.ndarray, weight: np.ndarray, grey: np.ndarray) -> np.ndarray:
    """`values` (H, W) evened out within things, which end where `grey` changes; the guided filter.

    Where the `weight` is small, they are those around.
    """
    radius = max(2, max(grey.shape) // REACH)
    above = _guided(values * weight, grey, radius)
    below = _guided(weight, grey, radius)
    floor = 1e-3 * float(weight.mean()) + 1e-12
    wide = (4 * radius + 1,) * 2
    around = cv2.blur(values * weight, wide) / (cv2.blur(weight, wide) + floor)
    sure = np.clip(below / (4 * floor), 0, 1)
    return sure * above / np.maximum(below, floor) + (1 - sure) * around


def _guided(values: np.ndarray, guide: np.ndarray, radius: int) -> np.ndarray:
    """The guided filter of He, Sun and Tang (2010)."""
    side = (2 * radius + 1,) * 2

    def mean(field: np.ndarray) -> np.ndarray:
        return cv2.blur(field.astype(np.float32), side)

    guides, both = mean(guide), mean(guide * values)
    variance = mean(guide * guide) - guides**2
    slope = (both - guides * mean(values)) / (variance + SOFT)
    offset = mean(values) - slope * guides
    return mean(slope) * guide + mean(offset)


def _rays(shape: tuple[int, ...], focus: float) -> np.ndarray:
    height, width = shape
    y, x = np.mgrid[:height, :width].astype(np.float64)
    return np.stack([(x - (width - 1) / 2) / focus, (y - (height - 1) / 2) / focus])


def _chosen(trust: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of points on an even grid."""
    height, width = trust.shape
    step = max(1, round((height * width / LOOKED_AT) ** 0.5))
    rows, columns = np.mgrid[step // 2 : height : step, step // 2 : width : step]
    return rows.ravel(), columns.ravel()


def _lines(rays: np.ndarray, way: np.ndarray) -> np.ndarray:
    """How what is 1 ahead moves, (2, …), when the camera's axes move by `way` (3,).

    Of several ways (k, 3), and `rays` (2, n), it is (k, 2, n).
    """
    x, y = rays
    if way.ndim == 1:
        return np.stack([way[0] - x * way[2], way[1] - y * way[2]])
    across, down, ahead = (each[:, None] for each in way.T)
    return np.stack([across - x * ahead, down - y * ahead], 1)


def _turning(rays: np.ndarray) -> np.ndarray:
    """How everything moves for a turn about each axis: (2, 3, …)."""
    x, y = rays
    one = np.ones_like(x)
    return np.stack([np.stack([-x * y, one + x * x, -y]), np.stack([-one - y * y, x * y, x])])


def _turned(rays: np.ndarray, turn: np.ndarray) -> np.ndarray:
    return np.einsum("cahw,a->chw", _turning(rays), turn)


def _camera(
    moves: np.ndarray, rays: np.ndarray, trust: np.ndarray, focus: float
) -> tuple[np.ndarray, np.ndarray]:
    """The way (3,) and the turn (3,) of the camera that explain `moves` (2, n) best."""
    ways = _half_sphere(DIRECTIONS)
    turning, noise = _turning(rays), NOISE / focus
    best, turn = np.zeros(3), np.zeros(3)
    for spread, count in ((0.0, 0), *CLOSER):
        if spread:
            around = _half_sphere(2 * count) * spread
            ways = np.concatenate([best[None], best + around, best - around])
            ways /= np.linalg.norm(ways, axis=1, keepdims=True)
        misses, turns = _misses(ways, moves, rays, turning, trust, noise)
        chosen = int(misses.argmin())
        best, turn = ways[chosen], turns[chosen]
    return best, turn


def _misses(
    ways: np.ndarray,
    moves: np.ndarray,
    rays: np.ndarray,
    turning: np.ndarray,
    trust: np.ndarray,
    noise: float,
) -> tuple[np.ndarray, np.ndarray]:
    """How badly each of `ways` (k, 3) explains what moves, (k,), and the best turn of each."""
    lines = _lines(rays, ways)
    length = np.sqrt((lines**2).sum(1, keepdims=True)) + 1e-9
    across = np.stack([-lines[:, 1], lines[:, 0]], 1) / length
    slopes = np.einsum("kcn,can->kna", across, turning)
    wanted = np.einsum("kcn,cn->kn", across, moves)
    weights = np.broadcast_to(trust, wanted.shape)
    miss, turns = wanted, np.zeros((len(ways), 3))
    for _ in range(3):
        square = np.einsum("kna,kn,knb->kab", slopes, weights, slopes)
        square += CALM * trust.sum() * np.eye(3)
        right = np.einsum("kna,kn,kn->ka", slopes, weights, wanted)
        turns = np.linalg.solve(square, right[..., None])[..., 0]
        miss = wanted - np.einsum("kna,ka->kn", slopes, turns)
        weights = trust / (1 + (miss / (2 * noise)) ** 2)
    return (trust * np.log1p((miss / (2 * noise)) ** 2)).sum(1), turns


def _half_sphere(count: int) -> np.ndarray:
    """`count` directions (n, 3) spread evenly over half a sphere."""
    number = np.arange(count) + 0.5
    ahead = number / count
    angle = np.pi * (1 + 5**0.5) * number
    wide = np.sqrt(1 - ahead**2)
    return np.stack([wide * np.cos(angle), wide * np.sin(angle), ahead], 1)
