"""What goes out of sight and comes back: it gets back the dream that it had.

Where the optical flow finds no past for a place of a film's frame, that place is looked for in
some of the frames of the last seconds. What stands still is looked for where it is now. What moves
is looked for all around, and taken only where nothing else is like it, or where its own speed says
which of several it is. Then the dream that was written for that frame gives its detail back.

Nothing is kept but what is on disk: a film that is resumed finds the same.
"""

from collections.abc import Callable

import cv2
import numpy as np
import torch
from torch import Tensor

from dreamvid.film.finding import ALIKE, LEAST, Find, Shift, alike, finds
from dreamvid.film.memory import small
from dreamvid.film.sources import Moment
from dreamvid.frames import Frame
from dreamvid.motion.warp import moved

UNLIKE = 0.3
"""How alike a pixel is that gets nothing back; one that is `ALIKE` gets all."""
Read = Callable[[int], Frame]
"""From an index to the dream of that frame, as it was written."""


def returned(moment: Moment, index: int, read: Read) -> tuple[Tensor, Tensor] | None:
    """The detail (3, H, W) that a frame gets back, and its share (H, W), 0 to 1, of all detail.

    Args:
        moment: the frame, how it follows from the one before, and the past to look in.
        index: its number in the film.
        read: gives earlier dreams.
    """
    link = moment.correspondence
    if link is None or moment.earlier is None or not moment.past:
        return None
    # OpenCV shares work out by the number of threads, and the result depends on it.
    cv2.setNumThreads(1)
    now = moment.frame.cpu().numpy().transpose(1, 2, 0)
    picture, before = small(moment.frame), small(moment.earlier)
    size = picture.shape[1::-1]
    trust = link.trust.cpu().numpy()
    fresh = cv2.resize(1 - trust, size, interpolation=cv2.INTER_AREA) > 0.5
    if fresh.sum() < LEAST:
        return None
    scale = size[0] / now.shape[1]
    flow = cv2.resize(link.flow.cpu().numpy().transpose(1, 2, 0) * scale, size)
    detail, weight = np.zeros_like(now), np.zeros(now.shape[:2], np.float32)
    dreams: dict[int, np.ndarray] = {}
    for find in finds(picture, before, fresh, flow, moment.past, index):
        was = find.past.frame.cpu()
        if find.past.index not in dreams:
            dreams[find.past.index] = _image(read(find.past.index).cpu() - was)
        room = 1 - trust if find.whole is find.place else np.ones_like(trust)
        _give(detail, weight, now, find, _image(was), dreams[find.past.index], room)
    if not weight.any():
        return None
    device = moment.frame.device
    given = torch.from_numpy(np.ascontiguousarray(detail.transpose(2, 0, 1))).to(device)
    return given, torch.from_numpy(weight).to(device)


def _image(frame: Frame) -> np.ndarray:
    return frame.numpy().transpose(1, 2, 0)


def _give(
    detail: np.ndarray,
    weight: np.ndarray,
    now: np.ndarray,
    find: Find,
    was: np.ndarray,
    dream: np.ndarray,
    room: np.ndarray,
) -> None:
    """Write what a find gives into `detail` (H, W, 3) and `weight` (H, W), up to `room` (H, W)."""
    height, width = weight.shape
    scale = find.place.shape[1] / width
    # Its edge is told by the larger picture.
    wide = cv2.dilate(find.whole.astype(np.float32), np.ones((3, 3), np.uint8))
    place = np.asarray(cv2.resize(wide, (width, height)) > 0.5)
    lines, across = (np.flatnonzero(place.any(axis)) for axis in (1, 0))
    rows, columns = slice(lines[0], lines[-1] + 1), slice(across[0], across[-1] + 1)
    mask = place[rows, columns]
    down, right = _exactly(now, was, rows, columns, mask, find.shift, scale)
    old, had = (_cut(each, rows, columns, down, right) for each in (was, dream))
    seen = cv2.blur(alike(now[rows, columns], old), (3, 3))
    share = ((seen - UNLIKE) / (ALIKE - UNLIKE)).clip(0, 1) * mask * room[rows, columns]
    better = share > weight[rows, columns]
    weight[rows, columns][better] = share[better]
    detail[rows, columns][better] = had[better]


def _exactly(
    now: np.ndarray,
    was: np.ndarray,
    rows: slice,
    columns: slice,
    mask: np.ndarray,
    shift: Shift,
    scale: float,
) -> tuple[float, float]:
    """A shift in pixels of the film, to a fraction of one."""
    if shift == (0, 0):
        return 0.0, 0.0
    down, right = (round(each / scale) for each in shift)
    near = 1 + int(np.ceil(1 / scale))
    moved_rows = slice(rows.start + down, rows.stop + down)
    moved_columns = slice(columns.start + right, columns.stop + right)
    height, width = was.shape[:2]
    outside = min(moved_rows.start, moved_columns.start) < near or (
        moved_rows.stop + near > height or moved_columns.stop + near > width
    )
    if outside:
        return float(down), float(right)
    window = was[
        moved_rows.start - near : moved_rows.stop + near,
        moved_columns.start - near : moved_columns.stop + near,
    ]
    weights = np.repeat(mask[..., None], 3, 2).astype(np.float32)
    part = np.ascontiguousarray(now[rows, columns])
    far = cv2.matchTemplate(np.ascontiguousarray(window), part, cv2.TM_SQDIFF, mask=weights)
    row, column = np.unravel_index(far.argmin(), far.shape)
    return (
        down + row - near + _vertex(far[:, column], int(row)),
        right + column - near + _vertex(far[row], int(column)),
    )


def _vertex(values: np.ndarray, least: int) -> float:
    """How far from the smallest of values the parabola through it and its neighbours is lowest."""
    if not 0 < least < len(values) - 1:
        return 0.0
    before, at, after = values[least - 1 : least + 2].tolist()
    bend = before - 2 * at + after
    return 0.5 * (before - after) / bend if bend > 1e-9 else 0.0


def _cut(image: np.ndarray, rows: slice, columns: slice, down: float, right: float) -> np.ndarray:
    """The part (h, w, 3) of an image that lies `down` and `right` of rows and columns."""
    whole = (int(np.floor(down)), int(np.floor(right)))
    edge = 3
    top, left = rows.start + whole[0] - edge, columns.start + whole[1] - edge
    height, width = rows.stop - rows.start, columns.stop - columns.start
    lines = np.arange(top, top + height + 2 * edge).clip(0, image.shape[0] - 1)
    across = np.arange(left, left + width + 2 * edge).clip(0, image.shape[1] - 1)
    part = np.ascontiguousarray(image[lines][:, across])
    if (down, right) != whole:
        flow = torch.empty(2, *part.shape[:2])
        flow[0], flow[1] = right - whole[1], down - whole[0]
        part = moved(torch.from_numpy(part.transpose(2, 0, 1)).contiguous(), flow)
        part = part.numpy().transpose(1, 2, 0)
    return part[edge : edge + height, edge : edge + width]
