"""What a turbo network learns from: crops, drawn pictures, and its own pictures fed again."""

import math
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from dreamvid.frames import Size, noise, photographic
from dreamvid.training.distil.pool import to_bytes

SHRUNK = (-0.2, 1.7)
"""How much photographs are shrunk, as binary logarithms: octaves see them smaller, seldom larger.
What is enlarged has little detail, and dreams of it are another thing to learn."""
OLDEST = 150
"""How often a picture is fed again, at most."""
SLOWEST, FASTEST = -0.005, 0.03
"""How much a picture is enlarged from frame to frame, binary logarithms; `default`: 0.013."""
DRAWN, NOISY = 0.08, 0.06
"""Shares of the fresh pictures that are drawn, and that are coloured noise."""
FIRST, LATER = (1.8, 3.8), (0.8, 2.6)
"""How far pictures are dreamed that no dream has touched, and those of a dream: binary logarithms
of 8-bit levels, root mean square."""
RENEWED = (0.3, 0.05, 0.012)
"""How often a picture of the pool gives way to a fresh one, by its place: some stay young, and some
become as old as late frames of a film."""


@dataclass
class Pictures:
    """Fresh pictures, and a pool of the network's own; all depend on `generator` alone."""

    photographs: list[Tensor]
    """uint8 (3, H, W)."""
    count: int
    side: int
    generator: torch.Generator
    own: Tensor = field(init=False)
    """(count, 3, side, side), uint8."""
    ages: Tensor = field(init=False)

    def __post_init__(self) -> None:
        own = torch.stack([self.fresh() for _ in range(self.count)])
        self.own, self.ages = to_bytes(own), torch.zeros(self.count, dtype=torch.int64)

    def uniform(self, low: float, high: float) -> float:
        """A number between two others."""
        return low + (high - low) * torch.rand((), generator=self.generator).item()

    def fresh(self) -> Tensor:
        """A picture (3, side, side) in [0, 1] that no dream has touched."""
        kind = self.uniform(0, 1)
        if kind < NOISY:
            key = (int(self.uniform(0, 2**31)),)
            exponent, contrast = self.uniform(0.5, 1.5), self.uniform(0.03, 0.25)
            return noise(Size(self.side, self.side), key, exponent=exponent, contrast=contrast)
        if kind < NOISY + DRAWN:
            return self._drawn()
        photograph = self.photographs[int(self.uniform(0, len(self.photographs)))]
        height, width = photograph.shape[1:]
        crop = round(self.side * 2 ** self.uniform(*SHRUNK))
        crop = min(crop, height, width)
        top, left = int(self.uniform(0, height - crop + 1)), int(self.uniform(0, width - crop + 1))
        picture = photograph[:, top : top + crop, left : left + crop].float() / 255
        picture = photographic(picture, Size(self.side, self.side))
        if self.uniform(0, 1) < 0.5:
            picture = picture.flip(2)
        if self.uniform(0, 1) < 0.25:
            sigma = self.uniform(0, 0.05)
            picture = picture + sigma * torch.randn(picture.shape, generator=self.generator)
        return picture.clamp(0, 1)

    def _drawn(self) -> Tensor:
        """A slope of colours with a few discs and bars on it, perhaps blurred."""
        ramp = torch.linspace(0, 1, self.side)
        angle, colours = self.uniform(0, 2 * math.pi), torch.rand(2, 3, generator=self.generator)
        slope = (ramp[:, None] - 0.5) * math.sin(angle) + (ramp - 0.5) * math.cos(angle) + 0.5
        picture = torch.lerp(colours[0, :, None, None], colours[1, :, None, None], slope)
        for _ in range(int(self.uniform(0, 6))):
            y, x, reach = self.uniform(0, 1), self.uniform(0, 1), self.uniform(0.03, 0.35)
            down, across = (ramp - y).abs()[:, None], (ramp - x).abs()
            disc = self.uniform(0, 1) < 0.6
            inside = down**2 + across**2 < reach**2 if disc else (across < reach / 3) | (down < 0)
            picture = torch.where(inside, torch.rand(3, 1, 1, generator=self.generator), picture)
        if self.uniform(0, 1) < 0.5:
            small = Size(*(2 * [max(4, round(self.side / self.uniform(1.5, 6)))]))
            picture = photographic(photographic(picture, small), Size(self.side, self.side))
        return picture

    def draw(self, batch: int) -> tuple[Tensor, Tensor, Tensor]:
        """Places in the pool (batch,), pictures, and how far to dream each.

        Most are pictures of the pool, moved; some are fresh. How far is the binary logarithm of
        8-bit levels, root mean square.
        """
        places = torch.randperm(self.count, generator=self.generator)[:batch]
        pictures, reaches = [], []
        for place in places.tolist():
            renewed = RENEWED[place % len(RENEWED)]
            if self.ages[place] >= OLDEST or self.uniform(0, 1) < renewed:
                pictures.append(self.fresh())
                self.ages[place] = 0
            else:
                pictures.append(self.moved(self.own[place].float() / 255))
            reaches.append(self.uniform(*(LATER if self.ages[place] else FIRST)))
        stacked = torch.stack(pictures) if pictures else self.own[:0] / 255
        return places, stacked, torch.tensor(reaches)

    def fed(self) -> Tensor:
        """The places of the pool whose pictures the network has dreamed already."""
        return self.ages.nonzero()[:, 0]

    def moved(self, picture: Tensor) -> Tensor:
        """A picture (3, H, W) enlarged, turned and shifted a little, as a film moves its frames."""
        zoom = 2 ** self.uniform(SLOWEST, FASTEST)
        turn, reach = self.uniform(-0.03, 0.03), 1 - 1 / zoom
        cos, sin = math.cos(turn) / zoom, math.sin(turn) / zoom
        right, down = (self.uniform(-reach, reach) + self.uniform(-0.01, 0.01) for _ in range(2))
        affine = torch.tensor([[[cos, -sin, right], [sin, cos, down]]])
        grid = F.affine_grid(affine, [1, 3, self.side, self.side], align_corners=False)
        kept = F.grid_sample(
            picture[None], grid, "bicubic", padding_mode="reflection", align_corners=False
        )
        return kept[0].clamp(0, 1)

    def keep(self, places: Tensor, pictures: Tensor) -> None:
        """Put what the network made of pictures back into the pool, as a film keeps it."""
        self.own[places] = to_bytes(pictures.detach().cpu().clamp(0, 1))
        self.ages[places] += 1

    def state(self) -> dict[str, Any]:
        """Everything that `restore` needs."""
        return {"own": self.own, "ages": self.ages, "generator": self.generator.get_state()}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a `state`."""
        self.own, self.ages = state["own"].clone(), state["ages"].clone()
        self.generator.set_state(state["generator"])
