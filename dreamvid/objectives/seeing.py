"""What an objective is given of an activation."""

import torch
from torch import Tensor

from dreamvid.frames import Offsets, Size, constant
from dreamvid.networks.layers import Choice


def picked(activation: Tensor, choice: Choice) -> Tensor:
    """The chosen channels (N, C, h, w) of an activation, in at least float32."""
    if activation.dtype in (torch.bfloat16, torch.float16):
        activation = activation.float()
    if activation.ndim == 2:
        activation = activation[:, :, None, None]
    if choice.channels is not None:
        index = constant(tuple(choice.channels), activation.device, torch.int64)
        activation = activation.index_select(1, index)
    return activation


def rolled_back(activation: Tensor, offsets: Offsets, size: Size) -> Tensor:
    """An activation whose positions are the picture's again, to the nearest of its own pixels."""
    back = [
        -round(float(offset) * side / whole)
        for offset, side, whole in zip(offsets, activation.shape[-2:], size, strict=True)
    ]
    return activation.roll(back, (2, 3))
