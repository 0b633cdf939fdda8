"""Pools, responses and gradients of ReLUs in C (native.c), where this machine can compile it.

Each takes and gives pictures (N, C, h, w) of float32 or bfloat16 on a processor. Their memory is
as `channels_last` has it.
"""

import ctypes
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from dreamvid.machine.native import call, compiled, lacking
from dreamvid.networks import ways
from dreamvid.networks.compiled import TYPES, apart_of, laid, places_of

SOURCE = Path(__file__).with_name("native.c")
MOST_CHANNELS, MOST_REACH = 4096, 8
"""As in native.c."""


def serves(x: Tensor) -> bool:
    """Whether pictures can be given to the functions here."""
    return (
        ways.usable()
        and x.device.type == "cpu"
        and (x.dtype, x.dtype) in TYPES
        and x.ndim == 4
        and x.shape[1] <= MOST_CHANNELS
        and x.numel() > 0
        and absence(x.dtype) is None
    )


@cache
def absence(dtype: torch.dtype = torch.float32) -> str | None:
    """Why there is nothing compiled for numbers of a type; None where there is."""
    # Tried once: a compiler that fails would be asked again at every step.
    return lacking(SOURCE, *TYPES[dtype, dtype])


def pooled(x: Tensor, stride: int) -> Tensor:
    """Max pooling by 3x3: stride 1 keeps the size; stride 2 halves it, rounding up, unpadded."""
    return _Pooled.apply(x, stride)  # pyright: ignore[reportReturnType]


def responded(
    x: Tensor, reach: int, bias: float, alpha: float, beta: float, plain: Callable[[Tensor], Tensor]
) -> Tensor:
    """X / (bias + alpha · Σ x²)^beta, the sum over the channels up to `reach` away.

    Args:
        x: the pictures.
        reach: at most `MOST_REACH`.
        bias: above 0.
        alpha: 0 or more.
        beta: 0.5 or 0.75.
        plain: the same in torch's own operations, for second derivatives.
    """
    numbers = (reach, bias, alpha, beta)
    return _Responded.apply(x, numbers, plain)  # pyright: ignore[reportReturnType]


class _Pooled(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, stride: int) -> Tensor:
        out, places = pool(x, stride)
        ctx.save_for_backward(places)
        ctx.shape, ctx.stride = x.shape, stride
        return out

    @staticmethod
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx, grad: Tensor
    ) -> tuple[Tensor, None]:
        (places,) = ctx.saved_tensors
        found = _PoolGradient.apply(grad, places, ctx.shape, ctx.stride)
        return found, None  # pyright: ignore[reportReturnType]


class _PoolGradient(torch.autograd.Function):
    """Linear in what comes from above, so that its own gradient picks at the same places."""

    @staticmethod
    def forward(ctx, above: Tensor, places: Tensor, shape: torch.Size, stride: int) -> Tensor:
        ctx.save_for_backward(places)
        ctx.stride = stride
        return pool_gradient(above, places, shape, stride)

    @staticmethod
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx, grad: Tensor
    ) -> tuple[Tensor, None, None, None]:
        (places,) = ctx.saved_tensors
        stride = ctx.stride
        tops, lefts = (torch.arange(side) * stride - (2 - stride) for side in places.shape[2:])
        taps = places.long()
        chosen = (taps // 3 + tops[:, None]) * grad.shape[3] + taps % 3 + lefts
        picked = grad.flatten(2).gather(2, chosen.flatten(2)).view(places.shape)
        return picked, None, None, None


class _Responded(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx, x: Tensor, numbers: tuple[int, float, float, float], plain: Callable[[Tensor], Tensor]
    ) -> Tensor:
        ctx.save_for_backward(x)
        ctx.numbers, ctx.plain = numbers, plain
        return response(x, *numbers)

    @staticmethod
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx, grad: Tensor
    ) -> tuple[Tensor, None, None]:
        (x,) = ctx.saved_tensors
        if torch.is_grad_enabled():
            (found,) = torch.autograd.grad(ctx.plain(x), x, grad, create_graph=True)
            return found, None, None
        return response_gradient(x, grad, *ctx.numbers), None, None


def pool(x: Tensor, stride: int) -> tuple[Tensor, Tensor]:
    """The largest of each 3x3 window, and which of its nine taps that was, uint8.

    Stride 1 keeps the size; stride 2 halves it without padding, rounding up.
    """
    x = _packed(x)
    size = [_pooled_side(side, stride) for side in x.shape[2:]]
    out = _empty(x, size)
    places = _empty(x, size, torch.uint8)
    _call("pool", (x, out, places), *x.shape, *size, stride, 2 - stride)
    return out, places


def pool_gradient(
    above: Tensor, places: Tensor, shape: Sequence[int], stride: int, out: Tensor | None = None
) -> Tensor:
    """The gradient of `pool` at pictures of a shape (N, C, h, w), from that of its result.

    It is added to `out`, where there is one, which has its channels last.
    """
    above, add = _packed(above), out is not None
    out = _empty(above, shape[2:]) if out is None else out
    sizes = (*out.shape, *above.shape[2:], stride, 2 - stride, int(add))
    _call("pool_gradient", (above, places, out), *sizes)
    return out


def response(x: Tensor, reach: int, bias: float, alpha: float, beta: float) -> Tensor:
    """X / (bias + alpha · Σ x²)^beta, the sum over the channels up to `reach` away.

    `beta` is 0.5 or 0.75.
    """
    x = _packed(x)
    out = torch.empty_like(x)
    _call("response", (x, out), *_response(x, reach, bias, alpha, beta))
    return out


def response_gradient(
    x: Tensor, above: Tensor, reach: int, bias: float, alpha: float, beta: float
) -> Tensor:
    """The gradient of `response` at x, from that of its result."""
    x, above = _packed(x), _packed(above)
    out = torch.empty_like(x)
    _call("response_gradient", (x, above, out), *_response(x, reach, bias, alpha, beta))
    return out


def relu(x: Tensor, out: Tensor) -> None:
    """Fill `out` with the ReLU of x; either may be some channels of wider pictures."""
    _call_by_rows("relu", x, out)


def through_relu(above: Tensor, kept: Tensor, out: Tensor | None = None) -> Tensor:
    """The gradient of a ReLU, from that of what it made, `kept`; each may be some channels."""
    if torch.is_grad_enabled() or not serves(kept):
        return torch.ops.aten.threshold_backward(above, kept, 0)
    out = _empty(kept, kept.shape[2:]) if out is None else out
    _call_by_rows("through_relu", above, kept, out)
    return out


def silu(x: Tensor, out: Tensor) -> None:
    """Fill `out` with x · sigmoid(x); either may be some channels of wider pictures."""
    _call_by_rows("silu", x, out)


def through_silu(before: Tensor, above: Tensor) -> None:
    """Multiply `above`, of which channels lie last, by the slope of SiLU at `before`."""
    _call_by_rows("through_silu", before, above)


def _call_by_rows(name: str, *pictures: Tensor) -> None:
    """Call what reads pictures place by place and writes the last ones."""
    *read, out = pictures
    seen, aparts = zip(*map(laid, read), strict=True)
    _call(name, (*seen, out), places_of(out), out.shape[1], *aparts, apart_of(out))


def _response(x: Tensor, reach: int, bias: float, alpha: float, beta: float) -> tuple[float, ...]:
    return places_of(x), x.shape[1], reach, float(bias), float(alpha), int(beta == 0.75)


def _call(name: str, tensors: Sequence[Tensor], *numbers: float) -> None:
    call(_library(tensors[0].dtype), name, tensors, *numbers)


@cache
def _library(dtype: torch.dtype) -> ctypes.CDLL:
    return compiled(SOURCE, *TYPES[dtype, dtype])


def _packed(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)


def _empty(like: Tensor, size: Sequence[int], dtype: torch.dtype | None = None) -> Tensor:
    return torch.empty(
        (*like.shape[:2], *size),
        dtype=dtype or like.dtype,
        memory_format=torch.channels_last,
    )


def _pooled_side(side: int, stride: int) -> int:
    return side if stride == 1 else max(0, -(-(side - 3) // 2)) + 1
