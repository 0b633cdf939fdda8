"""Gaussian blur, for gradients, for pictures and for the levels of a pyramid."""

import math

import cv2
import torch
from torch import Tensor
from torch.nn import functional as F

REACH = 3
"""The kernel ends at this many standard deviations."""


def gaussian_blurred(image: Tensor, deviation: float) -> Tensor:
    """`image` (N, C, H, W) blurred by a Gaussian of `deviation` pixels; borders are reflected.

    Where a side is shorter than the kernel reaches, its edge is repeated instead.
    """
    if not deviation:
        return image
    reach = math.ceil(REACH * deviation)
    offsets = torch.arange(-reach, reach + 1, device=image.device, dtype=image.dtype)
    line = torch.exp(-0.5 * (offsets / deviation) ** 2)
    line = line / line.sum()
    mode = "reflect" if min(image.shape[-2:]) > reach else "replicate"
    padded = F.pad(image, (reach,) * 4, mode=mode)
    channels = image.shape[1]
    down = F.conv2d(padded, line.view(1, 1, -1, 1).expand(channels, 1, -1, 1), groups=channels)
    return F.conv2d(down, line.view(1, 1, 1, -1).expand(channels, 1, 1, -1), groups=channels)


def softened(image: Tensor, deviation: float) -> Tensor:
    """The same as `gaussian_blurred`, without a gradient.

    On a processor OpenCV does it in a quarter of the time.
    """
    reach = math.ceil(REACH * deviation)
    plain = image.device.type == "cpu" and image.dtype == torch.float32
    if not deviation or not plain or min(image.shape[-2:]) <= reach:
        return gaussian_blurred(image, deviation)
    line = cv2.getGaussianKernel(2 * reach + 1, deviation, cv2.CV_32F)
    out = torch.empty_like(image, memory_format=torch.contiguous_format)
    for picture, result in zip(image.detach().numpy(), out.numpy(), strict=True):
        for channel, made in zip(picture, result, strict=True):
            cv2.sepFilter2D(channel, -1, line, line, made, borderType=cv2.BORDER_REFLECT_101)
    return out
