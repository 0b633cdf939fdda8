"""Views: how a network looks at a picture at one step, turned, larger or smaller, or in crops.

What holds in every view is seen by people too; what holds in one alone is a trick of pixels.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from dreamvid.frames import Key, drawn, size_of

FINE = 10**6


class Views(NamedTuple):
    """What is drawn at each step."""

    turn: float = 0.0
    """Degrees to both sides."""
    scale: float = 0.0
    """How much larger or smaller, as a share."""
    crops: int = 0
    """How many parts of the picture are looked at; 0 is the whole of it, once."""
    crop: float = 0.25
    """The side of a part, as a share of the picture's shorter side."""
    side: int = 224
    """The side in pixels that a part is brought to."""
    noise: float = 0.0
    """Standard deviation of the noise on what is seen, as a share of the picture's range."""

    @property
    def plain(self) -> bool:
        """Whether the network simply looks at the picture."""
        return not (self.turn or self.scale or self.crops or self.noise)


def viewed(image: Tensor, views: Views, key: Key, level: float) -> Tensor:
    """Views of pictures `image` (N, 3, H, W): (N · V, 3, h, w), all views of a picture together.

    `level` is one 8-bit level of a picture in the units of `image`, for the noise. The places are
    drawn by `key` alone, so that two pictures are seen in the same way.
    """
    if views.plain:
        return image
    height, width = size_of(image)
    count = max(1, views.crops)
    shape = (views.side, views.side) if views.crops else (height, width)
    places = torch.stack(
        [_places(views, (*key, 9, each), (height, width), shape) for each in range(count)]
    ).to(image)
    seen = F.grid_sample(
        image.repeat_interleave(count, 0),
        places.repeat(len(image), 1, 1, 1),
        padding_mode="reflection",
        align_corners=False,
    )
    if views.noise:
        generator = torch.Generator().manual_seed(drawn((*key, 8), 0, 2**62))
        noise = torch.randn(seen.shape, generator=generator).to(seen)
        seen = seen + views.noise * 255 * level * noise
    return seen


def _places(views: Views, key: Key, size: tuple[int, int], shape: tuple[int, int]) -> Tensor:
    """Where a view of `shape` looks, (h, w, 2), as torch's `grid_sample` takes it."""
    angle = math.radians(views.turn) * _even(key, 0)
    grown = 1 + views.scale * _even(key, 1)
    height, width = size
    # Half the sides of what is seen, in pixels of the picture.
    down, across = (height / 2 / grown, width / 2 / grown)
    x = y = 0.0
    if views.crops:
        down = across = views.crop * min(size) / 2 / grown
        x, y = (
            max(0.0, side / 2 - across) * _even(key, place)
            for side, place in ((width, 2), (height, 3))
        )
    cosine, sine = math.cos(angle), math.sin(angle)
    matrix = torch.tensor(
        [
            [across * cosine / (width / 2), -down * sine / (width / 2), x / (width / 2)],
            [across * sine / (height / 2), down * cosine / (height / 2), y / (height / 2)],
        ]
    )
    return F.affine_grid(matrix[None], [1, 1, *shape], align_corners=False)[0]


def _even(key: Key, part: int) -> float:
    """A number from -1 to 1 that depends on `key` and `part` alone."""
    return drawn((*key, part), -FINE, FINE) / FINE
