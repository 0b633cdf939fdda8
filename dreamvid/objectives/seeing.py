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
    if activation.ndim == 2:
        activation = activation[:, :, None, None]
    index = choice.channels
    if index is not None:
        if not isinstance(index, Tensor):
            index = constant(tuple(index), activation.device, torch.int64)
        if _channels_last(activation):
            activation = as_it_lies(activation).index_select(3, index).permute(0, 3, 1, 2)
        else:
            activation = activation.index_select(1, index)
    return activation.float() if activation.dtype in (torch.bfloat16, torch.float16) else activation


def as_it_lies(activation: Tensor) -> Tensor:
    """Its numbers in the order of memory, so that a gradient comes back in that order, too.

    torch makes the gradient of a mean in planes, and through two orders at once it is thirty times
    as slow.
    """
    return activation.permute(0, 2, 3, 1) if _channels_last(activation) else activation


def _channels_last(activation: Tensor) -> bool:
    return activation.is_contiguous(memory_format=torch.channels_last)


def rolled_back(activation: Tensor, offsets: Offsets, size: Size) -> Tensor:
    """An activation whose positions are the picture's again, to the nearest of its own pixels."""
    back = [
        -round(float(offset) * side / whole)
        for offset, side, whole in zip(offsets, activation.shape[-2:], size, strict=True)
    ]
    return activation.roll(back, (2, 3))
