"""A network of one's own that dreams: fixed filters, whose dream is stripes and their crossings.

::

    dreamvid image seed.jpg --plugin examples/own_network.py --network ripples

Nothing is trained. The first layer answers to stripes of eight directions, the second to places
where two directions meet. A real network is the same with weights from a file.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import torch
from torch import Tensor, nn

from dreamvid.plugins import Network, Preprocessing, Within, network

DIRECTIONS, SIDE = 8, 11


def stripes(wavelength: float) -> Tensor:
    """Filters (8, 3, 11, 11): stripes under a soft round window, one direction each."""
    places = torch.arange(SIDE) - SIDE // 2
    y, x = torch.meshgrid(places, places, indexing="ij")
    window = torch.exp(-(x**2 + y**2) / (2 * (SIDE / 5) ** 2))
    found = []
    for number in range(DIRECTIONS):
        angle = math.pi * number / DIRECTIONS
        across = x * math.cos(angle) + y * math.sin(angle)
        wave = window * torch.cos(2 * math.pi * across / wavelength)
        found.append(wave - window * wave.sum() / window.sum())  # blind to plain brightness
    return torch.stack(found)[:, None].expand(-1, 3, -1, -1) / SIDE


class Ripples(Network):
    """Two layers of fixed filters."""

    name = "ripples"
    layers = ("stripes", "crossings")
    favourite = "crossings"
    smallest_side = 16
    preprocessing = Preprocessing(mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))

    def __init__(self, wavelength: float = 6.0) -> None:
        super().__init__()
        self.stripes = nn.Conv2d(3, DIRECTIONS, SIDE, padding=SIDE // 2, bias=False)
        self.stripes.weight.data = stripes(wavelength).clone()

    def activations(self, inputs: Tensor) -> Iterator[tuple[str, Tensor]]:
        """Yield each layer, the shallow one first; who wants no more asks no further."""
        seen = self.stripes(inputs).abs()
        yield "stripes", seen
        yield "crossings", seen * seen.roll(DIRECTIONS // 2, 1)


@network(sketch=Ripples)
def ripples(
    *, weights: Path | None = None, wavelength: Annotated[float, Within(2, 20)] = 6.0
) -> Ripples:
    """Stripes and their crossings, `wavelength` pixels wide; nothing is learnt."""
    return Ripples(wavelength)
