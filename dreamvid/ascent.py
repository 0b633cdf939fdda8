"""Gradient ascent on a picture: jitter, gradient, smoothing, normalisation, step, clamp.

Source: Mordvintsev, Olah and Tyka, "Inceptionism", 2015, and its notebook; the smoothing cascade
and the normalisation by standard deviation are those of pytorch-deepdream. The only
``+ step · gradient`` of the program is in `ascended`.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from dreamvid.frames import Key, drawn
from dreamvid.settings import AscentSettings
from dreamvid.tiles import Gradient

CASCADE = (0.5, 1.0, 2.0)
"""The widths of the three Gaussians of the cascade, relative to its own."""
CASCADE_GROWTH = 2.0
CASCADE_REACH = 4
TINY = 1e-20


class Report:
    """What an ascent did. It is kept on the device until it is asked for: asking waits."""

    def __init__(self) -> None:
        self._heights: list[Tensor] = []
        self._finite: list[Tensor] = []

    def note(self, height: Tensor, finite: Tensor) -> None:
        """A step was tried: the gain before it, and whether its gradient was finite."""
        self._heights.append(height)
        self._finite.append(finite)

    @property
    def steps(self) -> int:
        """Steps taken."""
        return sum(self._taken())

    @property
    def skipped(self) -> int:
        """Steps skipped."""
        return len(self._finite) - self.steps

    @property
    def gain(self) -> float:
        """The gain before the last step that was taken."""
        heights = torch.stack(self._heights).tolist() if self._heights else []
        taken = [height for height, done in zip(heights, self._taken(), strict=True) if done]
        return taken[-1] if taken else float("nan")

    def _taken(self) -> list[bool]:
        return torch.stack(self._finite).tolist() if self._finite else []


Offsets = tuple[int, int] | Tensor
"""How far a picture is rolled, down and to the right: whole numbers, or (2,) on its device."""
Number = float | Tensor
Step = Callable[[Tensor, Offsets, Number, Number], tuple[Tensor, Tensor, Tensor]]
"""One step: from a picture, its jitter, the step size and the share of steps that will be done to
the picture after it, the gain before it, and whether the gradient was finite."""


def ascended(
    image: Tensor,
    gain: Callable[[Tensor], Tensor],
    bounds: tuple[Tensor, Tensor],
    step: float | Tensor,
    key: Key,
    settings: AscentSettings,
    iterations: int,
    report: Report,
    *,
    tiled: Callable[[Tensor, Gradient], tuple[Tensor, Tensor]] = lambda x, gradient: gradient(x),
    recorded: Callable[[Step], Step] = lambda step: step,
) -> Tensor:
    """`image` (N, 3, H, W) after `iterations` steps up the gradient of `gain`.

    Nothing here waits for the device.

    Args:
        image: in the network's own units.
        gain: from such pictures to one number for each (N,).
        bounds: the lowest and highest value of each channel, (1, 3, 1, 1).
        step: the step size in the network's own units, for all pixels or for each (H, W).
        key: what the jitter of this ascent depends on, besides the step.
        settings: see `AscentSettings`.
        iterations: how many steps.
        report: counts steps; those whose gradient is not finite are skipped.
        tiled: calls a gradient on a picture, or on tiles of it.
        recorded: gives back a step, or something that does the same faster.
    """

    def stepped(
        image: Tensor, offsets: Offsets, step: Number, done: Number
    ) -> tuple[Tensor, Tensor, Tensor]:
        height, gradient = tiled(rolled(image, offsets), lambda x: gain_and_gradient(x, gain))
        finite = torch.isfinite(gradient).all()
        if settings.smoothing:
            gradient = cascade_smoothed(gradient, settings.smoothing + CASCADE_GROWTH * done)
        gradient = rolled(normalised(gradient, settings.normalise), offsets, back=True)
        moved = image + step * gradient
        if settings.clamp:
            moved = moved.clamp_(*bounds)
        return torch.where(finite, moved, image), height.mean(), finite

    advance = recorded(stepped)
    for index in range(iterations):
        offsets = jitter((*key, index), settings.jitter)
        image, height, finite = advance(image, offsets, step, (index + 1) / iterations)
        report.note(height, finite)
    return image


def rolled(image: Tensor, offsets: Offsets, *, back: bool = False) -> Tensor:
    """`image` (N, 3, H, W) rolled, or rolled back."""
    if not isinstance(offsets, Tensor):
        down, right = offsets
        return image.roll((-down, -right) if back else (down, right), (2, 3))
    for axis, offset in zip((2, 3), offsets, strict=True):
        places = torch.arange(image.shape[axis], device=image.device)
        places = (places + offset if back else places - offset) % image.shape[axis]
        image = image.index_select(axis, places)
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


def cascade_smoothed(gradient: Tensor, width: float | Tensor) -> Tensor:
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
