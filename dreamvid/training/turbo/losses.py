"""What a turbo network is judged by; each from pictures (N, 3, H, W) to one number."""

import torch
from torch import Tensor
from torch.nn import functional as F

COARSE = 16
"""The side in pixels of the squares in which what is added should be neither light nor dark."""
TINY = 1e-8


def tone(picture: Tensor, added: Tensor) -> Tensor:
    """How much of what is added changes brightness over a square, or leaves the range."""
    size = added.square().mean((1, 2, 3)) + TINY
    squares = F.avg_pool2d(added, COARSE).square().mean((1, 2, 3))
    outside = ((picture + added - 0.5).abs() - 0.5).clamp_min(0).square().mean((1, 2, 3))
    return ((squares + outside) / size).mean()


def turned_away(one: Tensor, other: Tensor) -> Tensor:
    """1 less the cosine between two fields (N, 3, H, W): 0 for the same, 1 for unlike ones."""
    return 1 - F.cosine_similarity(one.flatten(1), other.flatten(1), dim=1).mean()


def seen_apart(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """The pictures under one random shift and scale, so that no trick of single pixels counts."""
    side = pictures.shape[-1]
    crop = side - int(torch.randint(0, side // 8 + 1, (), generator=generator))
    top, left = (int(torch.randint(0, side - crop + 1, (), generator=generator)) for _ in range(2))
    view = pictures[..., top : top + crop, left : left + crop]
    scale = 0.85 + 0.3 * torch.rand((), generator=generator).item()
    if torch.rand((), generator=generator) < 0.5:
        return view
    asked = max(32, round(crop * scale))
    return F.interpolate(view, (asked, asked), mode="bilinear", antialias=scale < 1)
