"""Live pictures at small sizes and back, and how one follows from the one before it."""

from dataclasses import replace

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from dreamvid.frames import Frame, Size, size_of
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
    size = size_of(picture)
    scale = min(1.0, FLOW_SIDE / max(size))
    return shrunk(picture, Size(*(max(16, round(side * scale)) for side in size))).cpu()


def followed(now: Frame, then: Frame, size: Size, device: torch.device) -> Correspondence:
    """How a picture follows from the one before it, both as `looked_at` gives them, at a size."""
    small, found = size_of(now), correspondence(now, then, method_for(QUICK))
    flow, trust = found.flow, found.trust
    if small != size:
        factors = torch.tensor([size.width / small.width, size.height / small.height])
        flow = _stretched(flow, size, cv2.INTER_LINEAR) * factors[:, None, None]
        trust = _stretched(trust[None], size, cv2.INTER_LINEAR)[0]
    return replace(found, flow=flow.to(device), trust=trust.to(device), known=trust)


def _stretched(image: Tensor, size: Size, how: int) -> Tensor:
    """`image` (C, H, W) at another size by OpenCV, whose ways are several times as quick."""
    out = np.empty((len(image), *size), np.float32)
    for channel, made in zip(image.numpy(), out, strict=True):
        cv2.resize(channel, (size.width, size.height), made, interpolation=how)
    return torch.from_numpy(out)
