"""Colours without correlation, and light without bounds: what the frequency spaces are made of.

Source of the colours: lucid's, the square root of the covariance of the colours of photographs,
each column of it divided by the largest length of a column.
"""

import torch
from torch import Tensor

ROWS = ((0.26, 0.09, 0.02), (0.27, 0.0, -0.05), (0.27, -0.09, 0.03))
EDGE = 1 / 512
"""How near to black and white a picture can be: half an 8-bit level."""


def _matrix(like: Tensor) -> Tensor:
    rows = torch.tensor(ROWS, dtype=torch.float64)
    return (rows / rows.norm(dim=0).max()).to(like)


def spread(pictures: Tensor) -> Tensor:
    """Pictures (N, 3, H, W) from 0 to 1 as unbounded, uncorrelated values of the same shape."""
    light = pictures.clamp(EDGE, 1 - EDGE).logit()
    return torch.einsum("ij,njhw->nihw", torch.linalg.inv(_matrix(light)), light)


def gathered(values: Tensor) -> Tensor:
    """The inverse of `spread`; it has a gradient."""
    return torch.einsum("ij,njhw->nihw", _matrix(values), values).sigmoid()


def steepness(values: Tensor) -> float:
    """How much pictures change where `values` change by 1 at random (root of the mean square)."""
    light = gathered(values)
    slope = (light * (1 - light)).square().mean().sqrt()
    return float(slope * _matrix(values).square().sum(1).mean().sqrt())
