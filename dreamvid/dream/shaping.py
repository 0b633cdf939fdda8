"""Shaping a gradient before it becomes a step: smoothing, evening out, normalising."""

import torch
from torch import Tensor
from torch.nn import functional as F

from dreamvid.dream.blur import gaussian_blurred
from dreamvid.dream.laplacian import evened
from dreamvid.settings import AscentSettings

CASCADE = (0.5, 1.0, 2.0)
"""The widths of the three Gaussians of the cascade, relative to the cascade's width."""
CASCADE_GROWTH = 2.0
"""How much the cascade's width grows from the first step of an octave to the last, in pixels."""
CASCADE_REACH = 4
TINY = 1e-20


def shaped_gradient(gradient: Tensor, settings: AscentSettings, progress: float | Tensor) -> Tensor:
    """`gradient` (N, 3, H, W) smoothed, evened out and normalised, as `settings` ask for.

    `progress` is the share of the octave's steps that are done after this one, 1 at the last.
    """
    if settings.smoothing:
        gradient = cascade_smoothed(gradient, settings.smoothing + CASCADE_GROWTH * progress)
    gradient = gaussian_blurred(gradient, settings.gaussian)
    if settings.laplacian:
        gradient = evened(gradient, settings.laplacian)
    return normalised(gradient, settings.normalise)


def normalised(gradient: Tensor, how: str) -> Tensor:
    """`gradient` (N, 3, H, W) scaled so that its size does not depend on the network or the layer.

    `how` is ``mean`` (of the absolute values), ``deviation`` (the standard deviation) or ``none``.
    A gradient of zeros stays zero.
    """
    axes = (1, 2, 3)
    if how == "mean":
        return gradient / (gradient.abs().mean(axes, keepdim=True) + TINY)
    if how == "deviation":
        centred = gradient - gradient.mean(axes, keepdim=True)
        return centred / (gradient.std(axes, keepdim=True) + TINY)
    return gradient


def cascade_smoothed(gradient: Tensor, width: float | Tensor) -> Tensor:
    """The mean of three Gaussian smoothings of `gradient` (N, 3, H, W).

    Their standard deviations are `CASCADE` times `width` pixels. The kernels are 9x9, and borders
    are reflected. Source: pytorch-deepdream's CascadeGaussianSmoothing.
    """
    offsets = torch.arange(-CASCADE_REACH, CASCADE_REACH + 1, device=gradient.device)
    kernels = [torch.exp(-0.5 * (offsets / (width * part)) ** 2) for part in CASCADE]
    kernel = torch.stack([torch.outer(each, each) / each.sum() ** 2 for each in kernels]).mean(0)
    weight = kernel.expand(3, 1, *kernel.shape).to(gradient.dtype)
    # Reflection needs more pixels than it reflects; tiny octaves repeat their edge instead.
    mode = "reflect" if min(gradient.shape[-2:]) > CASCADE_REACH else "replicate"
    padded = F.pad(gradient, (CASCADE_REACH,) * 4, mode=mode)
    return F.conv2d(padded, weight, groups=3)
