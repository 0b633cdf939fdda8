"""Where a flow between two frames of a film can be trusted."""

import cv2
import numpy as np
import torch
from torch import Tensor

from dreamvid.frames import Flow, Frame, size_of

DISAGREEMENT = (0.01, 0.5)
"""There and back may miss the start by this share of both flows' squares, plus square pixels."""
BOUNDARY = (0.01, 0.002)
"""A motion boundary's squared gradient: a share of the flow's square, plus a constant."""
DOUBT = 0.5
"""What a motion boundary is trusted: half, since most of what is there moves on all the same."""
SENSITIVITY = 50.0
"""Of trust to how much a pixel differs from where it is said to come from."""
SOFTNESS = 0.8
"""Standard deviation in pixels of the edge of trust."""


def trusted(now: Frame, then: Frame, flow: Flow, back: Flow) -> Tensor:
    """Where a flow from `now` to `then` can be trusted, (H, W), on the processor."""
    explained = likeness(now, _sampled(then, flow))
    return torch.from_numpy(array(trust_of(flow, back)) * array(explained))


def trust_of(flow: Flow, back: Flow) -> Tensor:
    """Where `flow` can be trusted, (H, W) from 0 to 1, by the flow `back` of the other direction.

    A pixel is lost where it leaves the frame or where the way there and `back` again ends
    elsewhere, and in doubt at a motion boundary. Doubt is blurred, and a loss counts against its
    neighbours, so that trust fades out before the loss. Source: Ruder et al. 2016, whose
    consistency checker has these constants.
    """
    lost, doubted = disoccluded(flow, back).cpu().numpy(), boundary(flow).cpu().numpy()
    mask = np.where(lost, -1, np.where(doubted, DOUBT, 1)).astype(np.float32)
    blurred = cv2.GaussianBlur(mask, (0, 0), SOFTNESS, borderType=cv2.BORDER_REPLICATE)
    return torch.from_numpy(blurred.clip(0, 1)).to(flow.device)


def likeness(now: Frame, moved_then: Frame) -> Tensor:
    """How well a frame is explained by the one before it, moved: (H, W) from 0 to 1.

    It sees what the flow does not know of itself: where the search has settled on a wrong place.
    Source: the soft mask of Lai et al. 2018, on the mean of the channels' squares.
    """
    difference = array(now) - array(moved_then)
    alike = np.exp(-SENSITIVITY * (difference * difference).mean(0))
    return torch.from_numpy(alike).to(now.device)


def disoccluded(flow: Flow, back: Flow) -> Tensor:
    """Where the pixels that `flow` points to are not there or do not point back: bool (H, W)."""
    height, width = size_of(flow)
    there = array(flow)
    x, y = _places(there)
    outside = (x < 0) | (x > width - 1) | (y < 0) | (y > height - 1)
    returned = array(_sampled(back, flow))
    share, constant = DISAGREEMENT
    allowed = share * (_square(there) + _square(returned)) + constant
    return torch.from_numpy(outside | (_square(there + returned) >= allowed)).to(flow.device)


def boundary(flow: Flow) -> Tensor:
    """Where things of different motion meet: bool (H, W)."""
    field = array(flow)
    right = np.diff(field, axis=2, append=field[:, :, -1:])
    down = np.diff(field, axis=1, append=field[:, -1:])
    share, constant = BOUNDARY
    edge = _square(right) + _square(down) > share * _square(field) + constant
    return torch.from_numpy(edge).to(flow.device)


# Flow is found in a thread beside the dream. Torch would put a second team of threads on the
# dream's cores there, which costs far more than the work; NumPy and OpenCV keep to the one.


def array(tensor: Tensor) -> np.ndarray:
    """A tensor on the processor, as an array."""
    return tensor.cpu().numpy()


def _square(field: np.ndarray) -> np.ndarray:
    return (field * field).sum(0)


def _places(flow: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where a flow (2, H, W) points to: x and y, (H, W) each."""
    _, height, width = flow.shape
    columns, rows = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)
    return flow[0] + columns, flow[1] + rows[:, None]


def _sampled(image: Tensor, flow: Flow) -> Tensor:
    """`image` (C, H, W) where a flow points to, bilinear, with a reflected border."""
    pixels = np.ascontiguousarray(array(image).transpose(1, 2, 0))
    x, y = _places(array(flow))
    moved = cv2.remap(pixels, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    return torch.from_numpy(np.ascontiguousarray(moved.transpose(2, 0, 1))).to(image.device)
