"""What an objective is given of an activation."""

from dataclasses import dataclass

import torch
from torch import Tensor

from dreamvid.frames import Offsets, Size, constant
from dreamvid.networks.layers import Choice


@dataclass(frozen=True, eq=False)
class Held:
    """A choice whose numbers lie on the device, where others may take their place."""

    layer: str
    channels: Tensor | None
    """Whole numbers (C,); `None` for all."""
    weight: Tensor
    """One number."""


def picked(activation: Tensor, choice: Choice | Held) -> Tensor:
    """The chosen channels (N, C, h, w) of an activation, in at least float32."""
    if activation.dtype in (torch.bfloat16, torch.float16):
        activation = activation.float()
    if activation.ndim == 2:
        activation = activation[:, :, None, None]
    if choice.channels is None:
        return activation
    index = choice.channels
    if not isinstance(index, Tensor):
        index = constant(tuple(index), activation.device, torch.int64)
    return activation.index_select(1, index)


def rolled_back(activation: Tensor, offsets: Offsets, size: Size) -> Tensor:
    """An activation whose positions are the picture's again, to the nearest of its own pixels."""
    back = [
        -round(float(offset) * side / whole)
        for offset, side, whole in zip(offsets, activation.shape[-2:], size, strict=True)
    ]
    return activation.roll(back, (2, 3))
