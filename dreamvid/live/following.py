"""Live pictures at small sizes and back, and how one follows from the one before it."""

from dataclasses import replace
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from dreamvid.frames import Frame, Size, from_pixels, middle, size_of
from dreamvid.machine.devices import sent
from dreamvid.motion.optical_flow import Correspondence, correspondence, method_for

FLOW_SIDE = 240
"""The longer side at which the flow of live pictures is found."""
QUICK = {"name": "dis", "preset": "fast"}


def shrunk(picture: Frame, size: Size) -> Frame:
    """A picture (3, H, W) at a smaller size: each pixel is the mean of what it covers."""
    if size_of(picture) == size:
        return picture
    if picture.device.type != "cpu":
        return F.interpolate(picture[None], tuple(size), mode="area")[0]
    return _stretched(picture, size, cv2.INTER_AREA)


def enlarged(added: Tensor, size: Size) -> Tensor:
    """What was dreamed at a smaller size (3, h, w) at the size of the picture, cubic."""
    if added.device.type != "cpu":
        return F.interpolate(added[None], tuple(size), mode="bicubic")[0]
    return _stretched(added, size, cv2.INTER_CUBIC)


def looked_at(picture: Frame) -> Frame:
    """A picture at the size at which flow is found, on the processor."""
    return shrunk(picture, _looked_size(size_of(picture))).cpu()


def looked_at_pixels(pixels: np.ndarray, size: Size) -> Frame:
    """Pixels (H, W, 3), uint8, that fill `size`, as flow sees them: nearly as by `looked_at`."""
    rows, columns = middle(Size(*pixels.shape[:2]), size)
    height, width = _looked_size(size)
    part = np.ascontiguousarray(pixels[rows, columns])
    return from_pixels(cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA))


def _looked_size(size: Size) -> Size:
    scale = min(1.0, FLOW_SIDE / max(size))
    return Size(*(max(16, round(side * scale)) for side in size))


class Look(NamedTuple):
    """A live picture as flow sees it, and how it follows from the one before it."""

    here: Frame
    """As `looked_at` gives it."""
    then: Frame | None = None
    """The one before it."""
    found: Correspondence | None = None
    """Between both, at their size."""
    wide: Correspondence | None = None
    """The same at the size of a dream, where it was made ready."""


def between(now: Frame, then: Frame) -> Correspondence:
    """How a picture follows from the one before it, both as `looked_at` gives them."""
    return correspondence(now, then, method_for(QUICK))


def widened(found: Correspondence, size: Size, device: torch.device, read: bool) -> Correspondence:
    """A correspondence at another size and on a device, which does not wait for it.

    `read` says that the processor too will look at its trust.
    """
    small = size_of(found.flow)
    factors = (size.width / small.width, size.height / small.height)
    flow, trust = found.flow, found.trust
    if device.type != "cpu":
        known = _stretched(trust[None], size, cv2.INTER_LINEAR)[0] if read else None
        scaled = flow.numpy() * np.array(factors, np.float32)[:, None, None]
        together = sent(torch.from_numpy(np.concatenate([scaled, trust.numpy()[None]])), device)
        wide = F.interpolate(together[None], tuple(size), mode="bilinear")[0]
        return replace(found, flow=wide[:2], trust=wide[2], known=known)
    if small != size:
        flow = _stretched(flow, size, cv2.INTER_LINEAR)
        # NumPy, for this runs in a thread beside the dream.
        np.multiply(flow.numpy(), np.array(factors, np.float32)[:, None, None], flow.numpy())
        trust = _stretched(trust[None], size, cv2.INTER_LINEAR)[0]
    return replace(found, flow=flow, trust=trust, known=trust)


def _stretched(image: Tensor, size: Size, how: int) -> Tensor:
    """`image` (C, H, W) at another size by OpenCV, whose ways are several times as quick."""
    out = np.empty((len(image), *size), np.float32)
    for channel, made in zip(image.numpy(), out, strict=True):
        cv2.resize(channel, (size.width, size.height), made, interpolation=how)
    return torch.from_numpy(out)
