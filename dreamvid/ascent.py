"""Gradient ascent on a picture: jitter, gradient, smoothing, normalisation, step, clamp.

Source: Mordvintsev, Olah and Tyka, "Inceptionism", 2015, and its notebook; the smoothing cascade
and the normalisation by standard deviation are those of pytorch-deepdream. The only
``+ step · gradient`` of the program is in `ascended`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from dreamvid.frames import Key, drawn
from dreamvid.settings import AscentSettings

CASCADE = (0.5, 1.0, 2.0)
"""The widths of the three Gaussians of the cascade, relative to its own."""
CASCADE_GROWTH = 2.0
CASCADE_REACH = 4
TINY = 1e-20


@dataclass
class Report:
    """What an ascent did: the gain before its last step, steps taken, steps skipped."""

    gain: float = float("nan")
    steps: int = 0
    skipped: int = 0


def ascended(
    image: Tensor,
    gain: Callable[[Tensor], Tensor],
    bounds: tuple[Tensor, Tensor],
    step: float | Tensor,
    key: Key,
    settings: AscentSettings,
    iterations: int,
    report: Report,
) -> Tensor:
    """`image` (N, 3, H, W) after `iterations` steps up the gradient of `gain`.

    Args:
        image: in the network's own units.
        gain: from such pictures to one number for each (N,).
        bounds: the lowest and highest value of each channel, (1, 3, 1, 1).
        step: the step size in the network's own units, for all pixels or for each (H, W).
        key: what the jitter of this ascent depends on, besides the step.
        settings: see `AscentSettings`.
        iterations: how many steps.
        report: counts steps; those whose gradient is not finite are skipped.
    """
    for index in range(iterations):
        offsets = jitter((*key, index), settings.jitter)
        rolled = image.roll(offsets, (2, 3))
        height, gradient = gain_and_gradient(rolled, gain)
        if not bool(torch.isfinite(gradient).all()):
            report.skipped += 1
            continue
        if settings.smoothing:
            width = settings.smoothing + CASCADE_GROWTH * (index + 1) / iterations
            gradient = cascade_smoothed(gradient, width)
        stride = step.roll(offsets, (0, 1)) if isinstance(step, Tensor) else step
        rolled = rolled + stride * normalised(gradient, settings.normalise)
        image = rolled.roll((-offsets[0], -offsets[1]), (2, 3))
        if settings.clamp:
            image = torch.clamp(image, *bounds)
        report.steps += 1
        report.gain = height.mean().item()
    return image


def jitter(key: Key, reach: int) -> tuple[int, int]:
    """A roll down and to the right, each from -reach to reach, that depends on `key` alone."""
    return drawn((*key, 0), -reach, reach), drawn((*key, 1), -reach, reach)


def gain_and_gradient(image: Tensor, gain: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
    """The gain of each picture (N,) and its gradient (N, 3, H, W)."""
    image = image.detach().requires_grad_(True)
    height = gain(image)
    (gradient,) = torch.autograd.grad(height.sum(), image)
    return height.detach(), gradient


def normalised(gradient: Tensor, how: str) -> Tensor:
    """`gradient` (N, 3, H, W) at a size that does not depend on the network or the layer.

    A flat picture's zero gradient stays zero.
    """
    axes = (1, 2, 3)
    if how == "mean":
        return gradient / (gradient.abs().mean(axes, keepdim=True) + TINY)
    if how == "deviation":
        centred = gradient - gradient.mean(axes, keepdim=True)
        return centred / (gradient.std(axes, keepdim=True) + TINY)
    return gradient


def cascade_smoothed(gradient: Tensor, width: float) -> Tensor:
    """The mean of three Gaussian smoothings of `gradient` (N, 3, H, W).

    Their standard deviations are `CASCADE` times `width` pixels; kernels are 9x9, borders
    reflected. Source: pytorch-deepdream's CascadeGaussianSmoothing.
    """
    offsets = torch.arange(-CASCADE_REACH, CASCADE_REACH + 1, device=gradient.device)
    kernels = [torch.exp(-0.5 * (offsets / (width * part)) ** 2) for part in CASCADE]
    kernel = torch.stack([torch.outer(each, each) / each.sum() ** 2 for each in kernels]).mean(0)
    weight = kernel.expand(3, 1, *kernel.shape).to(gradient.dtype)
    # Reflection needs more pixels than it reflects; tiny octaves repeat their edge instead.
    mode = "reflect" if min(gradient.shape[-2:]) > CASCADE_REACH else "replicate"
    padded = F.pad(gradient, (CASCADE_REACH,) * 4, mode=mode)
    return F.conv2d(padded, weight, groups=3)
