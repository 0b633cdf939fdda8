"""How alike two gradients are, picture by picture."""

import torch
from torch import Tensor
from torch.nn import functional as F

SMOOTHINGS = (0.0, 1.0, 2.0, 4.0)
"""Standard deviations in pixels at which the two dream gradients are compared."""


def smoothed(gradient: Tensor, sigma: float) -> Tensor:
    """`gradient` (N, 3, H, W) under a Gaussian of `sigma` pixels; itself for 0."""
    if sigma == 0:
        return gradient
    reach = int(3 * sigma + 0.5)
    offsets = torch.arange(-reach, reach + 1, dtype=gradient.dtype, device=gradient.device)
    kernel = torch.exp(-0.5 * (offsets / sigma) ** 2)
    kernel = kernel / kernel.sum()
    planes = gradient.flatten(0, 1)[:, None]
    planes = F.conv2d(planes, kernel.view(1, 1, -1, 1), padding=(reach, 0))
    planes = F.conv2d(planes, kernel.view(1, 1, 1, -1), padding=(0, reach))
    return planes[:, 0].unflatten(0, gradient.shape[:2])


def cosine(first: Tensor, second: Tensor) -> Tensor:
    """The cosine between two batches of gradients, picture by picture: (N,)."""
    return F.cosine_similarity(first.flatten(1), second.flatten(1), dim=1, eps=1e-20)


def disagreement(first: Tensor, second: Tensor) -> Tensor:
    """One minus the cosine between two batches of gradients, averaged over `SMOOTHINGS`."""
    angles = [1 - cosine(smoothed(first, s), smoothed(second, s)).mean() for s in SMOOTHINGS]
    return torch.stack(angles).mean()
