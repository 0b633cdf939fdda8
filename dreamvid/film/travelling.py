"""A film of a scene that a camera travels through: what it uncovers, and where it dreams how much.

What was hidden behind something has no dream yet. It is filled with what lies behind, mirrored at
the edge of the hole, and dreamed as strongly as a first frame; where little is uncovered at once,
by larger steps for a while.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from dreamvid.dream.blur import gaussian_blurred
from dreamvid.film.entering import LIFT, YOUNG
from dreamvid.frames import Size
from dreamvid.motion.scenes import Scene

AGES = (1, 2, 4, 7)
"""Dreams ago at which it is asked what was hidden."""
LEAST = 0.15
"""How large the steps are where they are smallest, when near or far things dream more."""
SOFT = 1.5
"""Standard deviation in pixels of the edge of what is uncovered."""


@dataclass(frozen=True)
class Travelling:
    """What a carry asks of a scene."""

    scene: Scene
    stride: int
    """Frames from one dream to the next."""
    dreams: Literal["everywhere", "near", "far"]

    def filled(self, came: Tensor, index: int) -> tuple[Tensor, Tensor | None]:
        """Where the pixels of a frame come from, (2, H, W), and what is fresh, (H, W) 0 to 1.

        `came` is where they were in the dream before. What was hidden there comes from beside it.
        """
        size, then = Size(*came.shape[-2:]), index - self.stride
        if self.stride > 1 and then >= 0:
            places = self.scene.at_once(index, then, size)[0]
            came = torch.from_numpy(places.astype(np.float32)).to(came.device)
        holes = self.scene.uncovered(index, self.stride, size)
        if not holes.any():
            return came, None
        rows, columns = (torch.from_numpy(each) for each in self.scene.beside(index, holes))
        here = torch.from_numpy(holes).to(came.device)
        came = came.clone()
        came[:, here] = came[:, rows.to(came.device), columns.to(came.device)]
        return came, gaussian_blurred(here[None, None].float(), SOFT)[0, 0]

    def lift(self, index: int, size: Size, device: torch.device) -> Tensor | None:
        """How many times as large the steps of a frame are, (H, W); None: all as usual."""
        young = torch.zeros(tuple(size))
        for age in AGES[::-1]:
            if index - age * self.stride < 0:
                continue
            hidden = torch.from_numpy(self.scene.uncovered(index, age * self.stride, size))
            young = torch.where(hidden, LIFT * (1 - age / YOUNG), young)
        lift = 1 + gaussian_blurred(young[None, None], SOFT)[0, 0]
        if self.dreams != "everywhere":
            lift = lift * weighted(self.scene.nearness(index, size), self.dreams)
        elif not bool(young.any()):
            return None
        return lift.to(device)


def weighted(near: Tensor, dreams: str) -> Tensor:
    """How large steps are, (H, W), where near or far things dream more; `near` is 1 to 0."""
    return (near if dreams == "near" else 1 - near).clamp_min(LEAST)
