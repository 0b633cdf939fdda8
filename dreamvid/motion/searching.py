"""Small fast things, which the optical flow has lost: looked for block by block, far around.

A flow that goes from coarse to fine finds what moves by less than its own size: what is smaller has
gone from the coarse pictures before its way is short enough. So where the flow cannot be trusted,
blocks of a small picture are compared with all places around. What they find is where the flow
begins a second time. It is taken where it can be trusted more, and nowhere else.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from dreamvid.frames import Flow, Frame, size_of, to_pixels
from dreamvid.motion.optical_flow import Search, guided
from dreamvid.motion.trust import array, trusted

SMALL = 160
"""The longer side of the pictures in which blocks are compared, in pixels."""
REACH = 16
"""How far a block is looked for in each direction, in their pixels."""
APART = 4
"""From one block to the next."""
HALF = 4
"""A block is this many pixels and one more on each side of its middle."""
LOST = 0.5
"""The mean trust below which the place of a block is looked for."""
FAST = 3
"""How far from where the flow has it a block must be found: nearer, the flow would have found it
too."""
CLOSE = 0.3
"""The mean square by which what is found may differ, as a share of a block's own variance."""
ALIKE = 1
"""How much the ways of neighbours may differ that are one thing."""
LEAST = 2
"""So many pairs of neighbours are a thing: fewer may be alike by chance."""
SMALLEST = 32
"""The shortest side of a picture in which anything is looked for."""
BETTER = 0.25
"""How much more a place must be trusted to get the second flow."""


def search_for(options: Mapping[str, Any]) -> Search | None:
    """The search that follows the flow method of ``flow`` settings; None: it needs none."""
    if options.get("name", "dis") != "dis":
        return None
    return partial(searched, preset=options.get("preset", "fine"))


def searched(
    now: Frame, then: Frame, flow: Flow, back: Flow, trust: Tensor, *, preset: str = "fine"
) -> tuple[Flow, Tensor]:
    """The flow from `now` to `then` and its trust, with the fast things that were lost.

    `back` is the flow of the way back. Where nothing is found, both are as they were.
    """
    if min(size_of(now)) < SMALLEST:
        return flow, trust
    here, there = _small(now), _small(then)
    guess = _guess(here, there, flow, trust)
    if guess is None:
        return flow, trust
    back_guess = _guess(there, here, back, trusted(then, now, back, flow))
    again = guided(now, then, preset, guess)
    back_again = guided(then, now, preset, back if back_guess is None else back_guess)
    sure = trusted(now, then, again, back_again)
    better = sure > trust + BETTER
    return torch.where(better, again, flow), torch.where(better, sure, trust)


def _small(frame: Frame) -> np.ndarray:
    """A frame in 8 bits, (h, w, 3), its longer side at most `SMALL`."""
    pixels = to_pixels(frame)
    return _resized(pixels, min(1.0, SMALL / max(pixels.shape)))


def _resized(picture: np.ndarray, scale: float) -> np.ndarray:
    height, width = (max(1, round(side * scale)) for side in picture.shape[:2])
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)


def _guess(here: np.ndarray, there: np.ndarray, flow: Flow, trust: Tensor) -> Flow | None:
    """`flow`, but where it is lost, what the blocks of `here` find in `there`; None: nothing."""
    (height, width), full = here.shape[:2], array(flow).transpose(1, 2, 0)
    scale = width / full.shape[1]
    found = cv2.resize(full, (width, height), interpolation=cv2.INTER_AREA) * scale
    sure = cv2.resize(array(trust), (width, height), interpolation=cv2.INTER_AREA)
    edge = HALF + REACH
    blocks = np.pad(here, ((HALF, HALF), (HALF, HALF), (0, 0)), "edge")
    around = np.pad(there, ((edge, edge), (edge, edge), (0, 0)))
    rows, columns = range(0, height - APART + 1, APART), range(0, width - APART + 1, APART)
    shifts = np.full((len(rows), len(columns), 2), np.nan, np.float32)
    for down, right in np.ndindex(*shifts.shape[:2]):
        top, left = rows[down], columns[right]
        place = slice(top, top + APART), slice(left, left + APART)
        if sure[place].mean() >= LOST:
            continue
        row, column = top + APART // 2, left + APART // 2
        block = blocks[row : row + 2 * HALF + 1, column : column + 2 * HALF + 1]
        room = around[row : row + 2 * edge + 1, column : column + 2 * edge + 1]
        shift, differing = _best(room, block)
        fast = np.abs(found[place].mean((0, 1)) - shift).max() > FAST
        if fast and differing < CLOSE * block.var(dtype=np.float64):
            shifts[down, right] = shift
        found[place] = shift
    if _together(shifts) < LEAST:
        return None
    whole = cv2.resize(found, full.shape[1::-1], interpolation=cv2.INTER_NEAREST) / scale
    return torch.from_numpy(np.ascontiguousarray(whole.transpose(2, 0, 1)))


def _best(room: np.ndarray, block: np.ndarray) -> tuple[np.ndarray, float]:
    """Where in `room` a block is found, right and down from the middle, and how unlike it is."""
    differences = cv2.matchTemplate(room, block, cv2.TM_SQDIFF)
    down, right = np.unravel_index(differences.argmin(), differences.shape)
    shift = np.array((right - REACH, down - REACH), np.float32)
    return shift, float(differences[down, right]) / block.size


def _together(shifts: np.ndarray) -> int:
    """How many pairs of neighbours have moved alike, of blocks (h, w, 2), NaN where unknown."""
    pairs = np.abs(np.diff(shifts, axis=0)), np.abs(np.diff(shifts, axis=1))
    return sum(int((each.max(2) <= ALIKE).sum()) for each in pairs)
