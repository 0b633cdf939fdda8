"""Laplacian pyramid normalisation: every frequency of a gradient becomes equally strong.

Source: Mordvintsev's TensorFlow notebook of 2015, as genekogan/deepdream uses it. The gradient is
split into bands an octave wide. Each is divided by its own root mean square, and they are added up
again. Borders are padded with zeros as TensorFlow's ``SAME`` does, so that the numbers agree.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from dreamvid.frames import constant

BINOMIAL = (1.0, 4.0, 6.0, 4.0, 1.0)
TINY = 1e-10


def evened(gradient: Tensor, splits: int) -> Tensor:
    """`gradient` (N, C, H, W) with `splits` bands and the rest at a root mean square of 1."""
    bands = []
    for _ in range(splits):
        low = halved(gradient)
        bands.append(gradient - doubled(low, *gradient.shape[-2:]))
        gradient = low
    gradient = _at_one(gradient)
    for band in reversed(bands):
        gradient = doubled(gradient, *band.shape[-2:]) + _at_one(band)
    return gradient


def halved(image: Tensor) -> Tensor:
    """`image` (N, C, H, W) smoothed, with every second pixel; odd sides are rounded up."""
    (top, bottom), (left, right) = (_padding(side) for side in image.shape[-2:])
    padded = F.pad(image, (left, right, top, bottom))
    return F.conv2d(padded, _kernel(image), stride=2, groups=image.shape[1])


def doubled(image: Tensor, height: int, width: int) -> Tensor:
    """`image` (N, C, h, w) enlarged to `height` and `width`: four times `halved`'s transpose."""
    full = F.conv_transpose2d(image, 4 * _kernel(image), stride=2, groups=image.shape[1])
    top, left = _padding(height)[0], _padding(width)[0]
    return full[..., top : top + height, left : left + width]


def _kernel(like: Tensor) -> Tensor:
    line = constant(BINOMIAL, like.device, like.dtype)
    return (torch.outer(line, line) / line.sum() ** 2).expand(like.shape[1], 1, 5, 5)


def _padding(side: int) -> tuple[int, int]:
    """The zeros before and after a side, so that halving leaves half of it, rounded up."""
    total = 4 if side % 2 else 3
    return total // 2, total - total // 2


def _at_one(band: Tensor) -> Tensor:
    return band / band.square().mean((1, 2, 3), keepdim=True).sqrt().clamp_min(TINY)
