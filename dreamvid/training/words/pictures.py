"""The pictures that a head of words meets: crops and noise, each pushed towards a class."""

from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional as F

from dreamvid.dream.shaping import cascade_smoothed, normalised
from dreamvid.frames import Size, noise, photographic
from dreamvid.training.distil.pool import to_bytes


@dataclass
class Pictures:
    """Pictures (count, 3, side, side) in [0, 1], each with the class it is pushed towards.

    A picture lives for a few pushes, and then a new one takes its place.
    """

    photographs: list[Tensor]
    classes: list[int]
    """What each photograph shows."""
    count: int
    side: int
    generator: torch.Generator
    pictures: Tensor = field(init=False)
    labels: Tensor = field(init=False)
    left: Tensor = field(init=False)
    """How many pushes each has before it."""

    def __post_init__(self) -> None:
        self.pictures = torch.empty(self.count, 3, self.side, self.side)
        self.labels = torch.zeros(self.count, dtype=torch.int64)
        self.left = torch.zeros(self.count, dtype=torch.int64)
        for index in range(self.count):
            self._renew(index)

    def draw(self, batch: int) -> Tensor:
        """The indices of a batch."""
        return torch.randperm(self.count, generator=self.generator)[:batch]

    def crop(self, index: int, low: float, high: float) -> Tensor:
        """A square of a photograph, its side 2**low to 2**high times that of the pictures."""
        photograph = self.photographs[index]
        height, width = photograph.shape[1:]
        crop = min(round(self.side * 2 ** self.uniform(low, high)), height, width)
        top, left = (int(self.uniform(0, whole - crop + 1)) for whole in (height, width))
        square = photograph[:, top : top + crop, left : left + crop].float() / 255
        return photographic(square, Size(self.side, self.side))

    def push(self, chosen: Tensor, gradients: Tensor) -> None:
        """Step the chosen pictures along gradients, by 1 to 10 levels; some zoom or roll."""
        if self.uniform(0, 1) < 0.6:
            gradients = cascade_smoothed(gradients, self.uniform(0.3, 2.5))
        steps = 2 ** torch.empty(len(chosen), 1, 1, 1).uniform_(0, 3.3, generator=self.generator)
        moved = (self.pictures[chosen] + steps / 255 * normalised(gradients, "mean")).clamp(0, 1)
        if self.uniform(0, 1) < 0.3:
            inner = round(self.side / self.uniform(1.03, 1.5))
            top, left = (int(self.uniform(0, self.side - inner + 1)) for _ in range(2))
            part = moved[:, :, top : top + inner, left : left + inner]
            moved = F.interpolate(part, (self.side, self.side), mode="bilinear", align_corners=True)
        if self.uniform(0, 1) < 0.3:
            moved = moved.roll((int(self.uniform(-32, 33)), int(self.uniform(-32, 33))), (2, 3))
        self.pictures[chosen] = moved
        self.left[chosen] -= 1
        for index in chosen.tolist():
            if self.left[index] < 0:
                self._renew(index)

    def uniform(self, low: float, high: float) -> float:
        """A number between two others."""
        return low + (high - low) * torch.rand((), generator=self.generator).item()

    def state(self) -> dict[str, Tensor]:
        """What `restore` takes back; the pictures are rounded to 8 bits, here too."""
        levels = to_bytes(self.pictures)
        self.pictures = levels.float() / 255
        return {"pictures": levels, "labels": self.labels, "left": self.left}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go on from a `state`."""
        self.pictures = state["pictures"].float() / 255
        self.labels, self.left = state["labels"], state["left"]

    def _renew(self, index: int) -> None:
        """A fresh picture: noise, or a crop; a third of the crops keep to what they show."""
        kind = self.uniform(0, 1)
        label = int(torch.randint(1000, (), generator=self.generator))
        if kind < 0.15:
            key = (int(self.uniform(0, 2**31)),)
            exponent, contrast = self.uniform(0.5, 1.4), self.uniform(0.05, 0.25)
            size = Size(self.side, self.side)
            picture = noise(size, key, exponent=exponent, contrast=contrast)
        else:
            number = int(self.uniform(0, len(self.photographs)))
            label = self.classes[number] if kind < 0.5 else label
            picture = self.crop(number, -0.3, 1.2)
            if self.uniform(0, 1) < 0.5:
                picture = picture.flip(2)
            if self.uniform(0, 1) < 0.3:
                grain = torch.randn(picture.shape, generator=self.generator)
                picture = picture + self.uniform(0, 0.06) * grain
        self.pictures[index] = picture.clamp(0, 1)
        self.labels[index] = label
        self.left[index] = int(self.uniform(4, 24))
