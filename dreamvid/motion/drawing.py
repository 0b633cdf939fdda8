"""Drawing a surface of points into a view with the nearest in front; NumPy, on a processor."""

import cv2
import numpy as np

from dreamvid.frames import Size

TORN = 1.1
"""Neighbours whose distances differ by this factor belong to different surfaces."""
CLIP = 0.05
"""What is nearer to the camera is behind it."""
WIDEST = 12
"""The largest square that a point of the surface is drawn as, in pixels."""
REACH = 96
"""How far what lies behind is looked for at once, in pixels."""


def torn(depth: np.ndarray) -> np.ndarray:
    """Where a depth (H, W) is torn: beside an edge of something in front."""
    kernel = np.ones((3, 3), np.uint8)
    depth = depth.astype(np.float32)
    return cv2.dilate(depth, kernel) > TORN * cv2.erode(depth, kernel)


def nearest(depth: np.ndarray, places: np.ndarray) -> np.ndarray:
    """A depth (H, W) at the pixels nearest to `places` (2, h, w)."""
    height, width = depth.shape
    x = np.rint(places[0]).clip(0, width - 1).astype(np.int64)
    y = np.rint(places[1]).clip(0, height - 1).astype(np.int64)
    return depth[y, x]


def sampled(depth: np.ndarray, edges: np.ndarray, places: np.ndarray) -> np.ndarray:
    """A depth (H, W) at `places` (2, h, w): between its pixels, but never across `edges`."""
    height, width = depth.shape
    x = places[0].clip(0, width - 1)
    y = places[1].clip(0, height - 1)
    left, top = (each.astype(np.int64) for each in (np.floor(x), np.floor(y)))
    right, below = (left + 1).clip(max=width - 1), (top + 1).clip(max=height - 1)
    across, down = x - left, y - top
    upper = depth[top, left] * (1 - across) + depth[top, right] * across
    lower = depth[below, left] * (1 - across) + depth[below, right] * across
    between = upper * (1 - down) + lower * down
    return np.where(nearest(edges, places), nearest(depth, places), between)


def splatted(
    there: np.ndarray, ahead: np.ndarray, grown: np.ndarray, edges: np.ndarray, size: Size
) -> np.ndarray:
    """Points drawn into a view, (H, W): how far ahead the nearest is; infinite where none is.

    Args:
        there: where the points (h, w) are seen, (2, h, w), in pixels.
        ahead: how far ahead they are.
        grown: how much larger than a pixel each is seen.
        edges: where a point and its neighbours are of different surfaces.
        size: of the view.
    """
    steps = np.zeros(ahead.shape)
    for axis in (0, 1):
        apart = np.abs(np.diff(there, axis=axis + 1)).max(0)
        pad = [(0, 1), (0, 0)] if axis == 0 else [(0, 0), (0, 1)]
        steps = np.maximum(steps, np.pad(apart, pad, mode="edge"))
    wide = np.where(edges, grown, np.maximum(steps, grown * 0.5))
    sides = np.ceil(wide + 0.3).clip(1, WIDEST).astype(np.int64)
    x, y = there
    near = (ahead > CLIP) & (x > -WIDEST) & (y > -WIDEST)
    near &= (x < size.width + WIDEST) & (y < size.height + WIDEST)
    drawn = np.full(size.height * size.width, np.inf, np.float32)
    for side in np.unique(sides[near]):
        chosen = near & (sides == side)
        begin_x, begin_y = (
            np.rint(each[chosen] - (side - 1) / 2).astype(np.int64) for each in (x, y)
        )
        depth = ahead[chosen].astype(np.float32)
        for down in range(side):
            for across in range(side):
                column, row = begin_x + across, begin_y + down
                inside = (column >= 0) & (column < size.width) & (row >= 0) & (row < size.height)
                at = row[inside] * size.width + column[inside]
                np.minimum.at(drawn, at, depth[inside])
    return drawn.reshape(size)


def filled(depth: np.ndarray, known: np.ndarray) -> np.ndarray:
    """A depth (H, W) whose unknown places have that of the farthest thing around them."""
    if known.all():
        return depth
    if not known.any():
        return np.ones_like(depth)
    result = np.where(known, depth, 0).astype(np.float32)
    missing = ~known
    while missing.any():
        gaps = cv2.distanceTransform(missing.astype(np.uint8), cv2.DIST_L2, 3)
        # Across the whole hole, for beside the thing in front there is only that.
        reach = int(min(REACH, np.ceil(2 * gaps.max()) + 2))
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
        farthest = cv2.dilate(result, kernel)
        result[missing] = farthest[missing]
        missing = result <= 0
    return result


def places_of(size: Size) -> np.ndarray:
    """The place of every pixel, (2, H, W): x, y."""
    y, x = np.mgrid[: size.height, : size.width].astype(np.float64)
    return np.stack([x, y])


def unprojected(places: np.ndarray, depth: np.ndarray, focus: float, size: Size) -> np.ndarray:
    """The points (3, h, w) that lie `depth` ahead at `places` (2, h, w) of a picture."""
    middle = np.array([(size.width - 1) / 2, (size.height - 1) / 2])[:, None, None]
    rays = (places - middle) / focus
    return np.stack([rays[0] * depth, rays[1] * depth, depth])


def seen_from(
    points: np.ndarray, pose: np.ndarray, focus: float, size: Size
) -> tuple[np.ndarray, np.ndarray]:
    """Where `points` (3, h, w), moved by `pose`, are seen, (2, h, w), and how far ahead."""
    moved = (pose[:3, :3] @ points.reshape(3, -1) + pose[:3, 3:]).reshape(points.shape)
    ahead = moved[2]
    safe = np.where(np.abs(ahead) < CLIP, CLIP, ahead)
    middle = np.array([(size.width - 1) / 2, (size.height - 1) / 2])[:, None, None]
    return focus * moved[:2] / safe + middle, ahead


def nearest_of(places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The row and the column, (H, W) each, of the nearest of `places` to every pixel."""
    _, labels = cv2.distanceTransformWithLabels(
        (~places).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    numbers = labels.astype(np.int64)
    found = np.zeros((int(numbers.max()) + 1, 2), np.int64)
    found[numbers[places]] = np.argwhere(places)
    return found[numbers][..., 0], found[numbers][..., 1]
