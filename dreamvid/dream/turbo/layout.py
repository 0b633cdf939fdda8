"""What a turbo network does between convolutions, for a GPU: few kernels, channels last.

Torch's own padding and shuffling there give channels first, which every convolution would turn
round again. None of it is meant to be learned through.
"""

from functools import cache

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def serves(x: Tensor) -> bool:
    """Whether pictures (N, C, h, w) are best taken through the functions here."""
    return x.device.type != "cpu" and not (torch.is_grad_enabled() and x.requires_grad)


def framed(x: Tensor, mirrored: bool) -> Tensor:
    """`x` (N, C, h, w) with one more pixel at each edge, mirrored at the outermost, or repeated."""
    rows, columns = (_places(side, mirrored, x.device) for side in x.shape[-2:])
    return _first(_last(x)[:, rows[:, None], columns[None]])


def blocks(pixels: Tensor, dtype: torch.dtype) -> Tensor:
    """What `F.pixel_unshuffle` makes of squares of four pixels: to (N, 4C, h, w) in `dtype`."""
    parts = pixels.unflatten(3, (-1, 2)).unflatten(2, (-1, 2)).permute(0, 2, 4, 1, 3, 5)
    made = torch.empty(parts.shape, dtype=dtype, device=pixels.device).copy_(parts)
    return _first(made.flatten(3))


def shuffled(x: Tensor) -> Tensor:
    """What `F.pixel_shuffle` makes of channels in fours: (N, 4C, h, w) to (N, C, 2h, 2w)."""
    count, channels, height, width = x.shape
    parts = _last(x).view(count, height, width, channels // 4, 2, 2)
    made = parts.permute(0, 1, 4, 2, 5, 3).reshape(count, 2 * height, 2 * width, channels // 4)
    return _first(made)


def met(deep: Tensor, near: Tensor, raised: Tensor, raising: Tensor) -> Tensor:
    """ReLU(deep + near + raised · raising), of which `deep` and `raised` are enlarged twice."""
    small, large = _spread(deep, raised), _fours(near, raising)
    made = torch.addcmul(small[0] + large[0], small[1], large[1]).relu_()
    return _whole(made)


def conditioned(x: Tensor, told: Tensor, convolution: nn.Conv2d) -> Tensor:
    """A convolution of `x`, already framed, scaled and offset by what is `told`, and its ReLU.

    `told` is (N, 2C): what each channel's scale is above 1, and then the offsets.
    """
    assert convolution.bias is not None
    scale, offset = told.chunk(2, 1)
    gain = 1 + scale
    shift = torch.addcmul(offset, convolution.bias, gain)
    made = F.conv2d(x, convolution.weight)
    return torch.addcmul(shift[:, :, None, None], made, gain[:, :, None, None]).relu_()


def beside(small: Tensor, colours: Tensor, raised: Tensor, filters: Tensor) -> Tensor:
    """ReLU(small + colours) and beside it raised · filters, of which `raised` is enlarged twice."""
    count, channels, height, width = colours.shape
    made = colours.new_empty(count, height, width, channels + filters.shape[1])
    plain, product = made.split([channels, filters.shape[1]], 3)
    torch.add(_last(small), _last(colours), out=plain).relu_()
    shape = (count, height // 2, 2, width // 2, 2, filters.shape[1])
    (large,), (wide,) = _fours(filters), _spread(raised)
    torch.mul(wide, large, out=product.view(shape))
    return _first(made)


def _last(x: Tensor) -> Tensor:
    return x.permute(0, 2, 3, 1)


def _first(x: Tensor) -> Tensor:
    return x.permute(0, 3, 1, 2)


def _spread(*smalls: Tensor) -> list[Tensor]:
    """Small pictures as (N, h, 1, w, 1, C), which meet all four pixels of larger ones."""
    return [_last(x)[:, :, None, :, None] for x in smalls]


def _fours(*larges: Tensor) -> list[Tensor]:
    """Pictures twice as large (N, C, 2h, 2w) as (N, h, 2, w, 2, C)."""
    return [_last(x).unflatten(2, (-1, 2)).unflatten(1, (-1, 2)) for x in larges]


def _whole(fours: Tensor) -> Tensor:
    """The inverse of `_fours`."""
    return _first(fours.flatten(3, 4).flatten(1, 2))


@cache
def _places(count: int, mirrored: bool, device: torch.device) -> Tensor:
    """Which of `count` rows stand where, with one more at each end.

    They are kept for good: what is recorded reads them again and again.
    """
    with torch.inference_mode(False):
        places = torch.arange(-1, count + 1, device=device)
        if mirrored and count > 1:
            return (count - 1) - ((count - 1) - places.abs()).abs()
        return places.clamp(0, count - 1)
