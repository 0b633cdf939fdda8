"""Operations that networks share, made for the one gradient a dream needs: that of the picture.

Each equals torch's own to rounding, and is faster where pictures come one at a time on a
processor: there torch makes pooling's gradient on one core, and walks through memory a dozen times
for a local response normalisation.
"""

from functools import lru_cache, partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from dreamvid.networks import native
from dreamvid.networks.ways import kernels_for

CACHED_VALUES = 2**20
"""How many values of an intermediate stay in a processor's cache until the next pass."""
BAND_BLOCK = 48
"""How many channels of a banded product are made at once."""
STRIP_VALUES = 2**17
"""How many values of a pool's input are worth a core of their own."""


def local_response(x: Tensor, size: int = 5, alpha: float | Tensor = 1e-4) -> Tensor:
    """Divide by (1 + alpha/size · Σ x²)^0.75, the sum over `size` neighbouring channels.

    Args:
        x: (N, C, h, w).
        size: odd; how many channels are neighbours.
        alpha: as in Caffe, which divides it by `size`; a tensor of one number is never read back
            from a GPU.
    """
    if kernels := kernels_for(x):
        return kernels.local_response(x, size, alpha)
    if x.dtype == torch.float16:
        # Its squares are too large for it.
        return local_response(x.float(), size, alpha).to(x.dtype)
    if native.serves(x):
        plain = partial(_local_response, size=size, alpha=alpha)
        return native.responded(x, size // 2, 1.0, float(alpha) / size, 0.75, plain)
    return _local_response(x, size, alpha)


def _local_response(x: Tensor, size: int, alpha: float | Tensor) -> Tensor:
    band = neighbours(x.shape[1], size, x.dtype, x.device) * (alpha / size)
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
def neighbours(channels: int, size: int, dtype: torch.dtype, device: torch.device) -> Tensor:
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


def pooled(x: Tensor, stride: int) -> Tensor:
    """Max pooling (N, C, h, w) by 3x3: of stride 1 with its borders padded, or of stride 2.

    With stride 2 the output's size is rounded up, as Caffe does.
    """
    if kernels := kernels_for(x):
        return kernels.pooled(x, stride)
    if native.serves(x) and (stride == 1 or min(x.shape[-2:]) > 1):
        return native.pooled(x, stride)
    rows = x.shape[-2] // stride // 4
    strips = min(torch.get_num_threads(), rows, x.numel() // STRIP_VALUES)
    # Putting the strips together costs what two of them gain, where numbers are larger.
    worth = strips > (1 if x.element_size() == 2 else 2)
    if x.device.type != "cpu" or len(x) > 1 or not worth or not x.requires_grad:
        return F.max_pool2d(x, 3, stride, padding=2 - stride, ceil_mode=True)
    if stride == 1:
        x = F.pad(x, (0, 0, 1, 1), value=-torch.inf)
    return _Pooled.apply(x, stride, strips)  # pyright: ignore[reportReturnType]


class _Pooled(torch.autograd.Function):
    """Max pooling of one picture in strips of rows, whose gradients each take a core."""

    @staticmethod
    def forward(ctx, x: Tensor, stride: int, strips: int) -> Tensor:
        x = x.contiguous(memory_format=torch.channels_last)
        _, channels, height, width = x.shape
        window: Any = ([3, 3], [stride, stride], [0, 2 - stride], [1, 1], True)
        rows = -(-(height - 3) // stride) + 1
        each = -(-rows // strips)
        strips = -(-rows // each)
        columns = width if stride == 1 else -(-(width - 3) // 2) + 1
        out = _rowed(x, 1, channels, rows, columns)
        # No gradient comes to the rows past the last, but their places must be ones.
        places = _rowed(x, 1, channels, strips * each, columns, torch.int64)
        places[:, :, rows:] = 0
        for start in range(0, rows, each):
            stop = min(start + each, rows)
            torch.ops.aten.max_pool2d_with_indices.out(
                x[:, :, start * stride : (stop - 1) * stride + 3],
                *window,
                out=out[:, :, start:stop],
                indices=places[:, :, start:stop],
            )
        ctx.save_for_backward(places)
        ctx.window, ctx.strips, ctx.shape = window, strips, x.shape
        return out

    @staticmethod
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx, grad: Tensor
    ) -> tuple[Tensor, None, None]:
        (places,) = ctx.saved_tensors
        strips, stride = ctx.strips, ctx.window[1][0]
        _, channels, height, width = ctx.shape
        each = places.shape[-2] // strips
        own, seen = each * stride, (each - 1) * stride + 3
        if missing := places.shape[-2] - grad.shape[-2]:
            grad = F.pad(grad, (0, 0, 0, missing))
        # Only the sizes of what was pooled are asked for.
        like = _rowed(grad, strips, channels, seen, width)
        found = torch.ops.aten.max_pool2d_with_indices_backward(
            _in_strips(grad, strips), like, *ctx.window, _in_strips(places, strips)
        )
        out = _rowed(grad, 1, channels, (strips - 1) * own + seen, width)
        _in_strips(out[:, :, : strips * own], strips).copy_(found[:, :, :own])
        out[:, :, strips * own :] = found[-1, :, own:]
        for strip in range(1, strips):
            out[:, :, strip * own :][:, :, : seen - own] += found[strip - 1, :, own:]
        return out[:, :, :height], None, None


def _rowed(
    like: Tensor, count: int, channels: int, height: int, width: int, dtype: Any = None
) -> Tensor:
    """An empty (N, C, h, w) whose channels lie last in memory."""
    return torch.empty(
        (count, channels, height, width),
        dtype=dtype or like.dtype,
        device=like.device,
        memory_format=torch.channels_last,
    )


def _in_strips(x: Tensor, strips: int) -> Tensor:
    """(1, C, h, w), channels last in memory, as (strips, C, h / strips, w): a view."""
    rows = x.permute(0, 2, 3, 1)
    return rows.reshape(strips, -1, *rows.shape[2:]).permute(0, 3, 1, 2)
