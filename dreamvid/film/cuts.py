"""Where the shots of a film begin, just as the carry along its flow will find them.

A frame that looks much like the one before, seen coarsely, begins no shot. Only of the others is
the flow computed, which takes time, and it alone decides.
"""

from collections.abc import Iterable, Iterator

import cv2
import numpy as np
import torch

from dreamvid.frames import from_pixels
from dreamvid.motion.optical_flow import Method, correspondence

SIDE = 32
"""Cells of the longer side that are compared."""
ALIKE = 0.02
"""Mean difference of cells, of full brightness, below which there is no cut."""


def cuts_in(
    frames: Iterable[np.ndarray], method: Method, check: Method | None = None
) -> Iterator[tuple[int, bool]]:
    """Yield each frame's number, and whether a new shot begins with it; the first one begins one.

    Args:
        frames: pixels (H, W, 3) of the film that is made, in order.
        method: the optical flow that the film is followed with.
        check: that of the way back, see `correspondence`.
    """
    device = torch.device("cpu")
    earlier: np.ndarray | None = None
    cells: np.ndarray | None = None
    for index, pixels in enumerate(frames):
        before, cells = cells, _cells(pixels)
        begins = earlier is None or before is None
        if earlier is not None and before is not None and np.abs(cells - before).mean() >= ALIKE:
            pair = (from_pixels(pixels, device), from_pixels(earlier, device))
            begins = correspondence(*pair, method, check).cut
        yield index, begins
        earlier = pixels.copy()


def _cells(pixels: np.ndarray) -> np.ndarray:
    """A frame in coarse cells, float32, 0 to 1."""
    height, width = pixels.shape[:2]
    scale = min(1.0, SIDE / max(height, width))
    size = (max(2, round(width * scale)), max(2, round(height * scale)))
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA) / np.float32(
        np.iinfo(pixels.dtype).max
    )
