"""Operations that networks share, made for the one gradient a dream needs: that of the picture.

Each equals torch's own to rounding, and is faster where pictures come one at a time on a
processor: there torch makes pooling's gradient on one core, starves on the three channels of a
first convolution, and walks through memory a dozen times for a local response normalisation.
"""

from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F

CACHED_VALUES = 2**20
"""How many values of an intermediate stay in a processor's cache until the next pass."""
BAND_BLOCK = 48
"""How many channels of a banded product are made at once."""


def local_response(x: Tensor, size: int = 5, alpha: float | Tensor = 1e-4) -> Tensor:
    """Divide by (1 + alpha/size · Σ x²)^0.75, the sum over `size` neighbouring channels.

    Args:
        x: (N, C, h, w).
        size: odd; how many channels are neighbours.
        alpha: as in Caffe, which divides it by `size`; a tensor of one number is never read back.
    """
    band = _band(x.shape[1], size, x.dtype, x.device) * (alpha / size)
    return _LocalResponse.apply(x, band)  # pyright: ignore[reportReturnType]


class _LocalResponse(torch.autograd.Function):
    """Caffe's cross-channel normalisation with the channel sums as a banded matrix product."""

    @staticmethod
    def forward(ctx, x: Tensor, band: Tensor) -> Tensor:
        rows = _rows(x)
        out, root = torch.empty_like(rows), torch.empty_like(rows)
        for part, result, kept in zip(*map(_cached, (rows, out, root)), strict=True):
            _banded(part * part, band, kept).add_(1).rsqrt_()
            torch.mul(torch.sqrt(kept).mul_(kept), part, out=result)
        ctx.save_for_backward(x, band, root)
        return _unrowed(out, x)

    @staticmethod
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx, grad: Tensor
    ) -> tuple[Tensor, None]:
        x, band, root = ctx.saved_tensors
        rows, grad = _rows(x), _rows(grad)
        if torch.is_grad_enabled():
            # A second derivative is wanted, so the scale must be a function of x here.
            scale = (rows * rows) @ band + 1
            grad = grad * scale.pow(-0.75)
            return _unrowed(grad - 1.5 * rows * ((grad * rows / scale) @ band), x), None
        out = torch.empty_like(rows)
        for part, kept, above, result in zip(*map(_cached, (rows, root, grad, out)), strict=True):
            power = torch.sqrt(kept).mul_(kept).mul_(above)
            _banded((kept * kept).mul_(power).mul_(part), band, result)
            torch.addcmul(power, result, part, value=-1.5, out=result)
        return _unrowed(out, x), None


@lru_cache
def _band(channels: int, size: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Ones (C, C) where two channels are neighbours."""
    # A tensor born in inference mode could serve no gradient later.
    with torch.inference_mode(False):
        index = torch.arange(channels, device=device)
        near = (index[:, None] - index[None, :]).abs() <= size // 2
        return near.to(dtype)


def _banded(rows: Tensor, band: Tensor, out: Tensor) -> Tensor:
    """``rows @ band`` (M, C) without most of the products that are zero."""
    if rows.device.type != "cpu":
        return torch.mm(rows, band, out=out)
    channels = rows.shape[1]
    for start in range(0, channels, BAND_BLOCK):
        stop = min(start + BAND_BLOCK, channels)
        # The band is no wider than a block.
        first, last = max(0, start - BAND_BLOCK // 4), min(channels, stop + BAND_BLOCK // 4)
        torch.mm(rows[:, first:last], band[first:last, start:stop], out=out[:, start:stop])
    return out


def _rows(x: Tensor) -> Tensor:
    """(N, C, h, w) as (N·h·w, C): a view where channels lie last in memory."""
    return x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])


def _unrowed(rows: Tensor, like: Tensor) -> Tensor:
    count, channels, height, width = like.shape
    return rows.view(count, height, width, channels).permute(0, 3, 1, 2)


def _cached(rows: Tensor) -> tuple[Tensor, ...]:
    """`rows` in parts small enough to stay in a processor's cache; whole on other devices."""
    if rows.device.type != "cpu":
        return (rows,)
    return rows.split(max(1, CACHED_VALUES // rows.shape[1]))


def halving_convolution(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """A 7x7 convolution of stride 2, borders padded by 3, of a picture (N, 3, H, W).

    Done as a 4x4 convolution over the picture's 2x2 blocks, each a position of 12 channels.
    """
    if x.device.type == "meta":
        return F.conv2d(x, weight, bias, stride=2, padding=3)  # what is counted is the definition
    height, width = x.shape[-2:]
    # Taps -3 to 3 around an even pixel lie in the blocks -2 to 1 around its own.
    bottom, right = 2 + height % 2, 2 + width % 2
    blocks = F.pixel_unshuffle(F.pad(x, (4, right, 4, bottom)), 2)
    kernel = F.pixel_unshuffle(F.pad(weight, (1, 0, 1, 0)), 2)
    blocks = blocks.contiguous(memory_format=torch.channels_last)
    return F.conv2d(blocks, kernel.contiguous(memory_format=torch.channels_last), bias)
