"""A bottleneck of small pictures as one function, whose gradient is written by hand.

Single operations cost more than their work there: a graph of them is noted forward and followed
back, and every result is a tensor of its own.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from dreamvid.networks import compiled
from dreamvid.networks.compiled import After, convolve, rows_of, silu_gradient
from dreamvid.networks.convolutions import Packed, packed


def bottleneck(
    reduce: Any, depths: Sequence[Any], expand: Any, plain: Callable[[Tensor], Tensor], x: Tensor
) -> Tensor:
    """A bottleneck, see `pocket`, of its convolutions; of small pictures (N, C, h, w) in one go.

    `plain` is the same in single operations, for what is larger and for second derivatives.
    """
    parts = [packed(each) for each in (reduce, *depths, expand)]
    small = [each for each in parts if each and compiled.serves(x, each.weight) and each.serves(x)]
    if len(small) < len(parts):
        return plain(x)
    return _Bottleneck.apply(x, small, plain)  # pyright: ignore[reportReturnType]


class _Bottleneck(torch.autograd.Function):
    """Its depths lie beside each other in one row a place, so nothing has to be put together."""

    @staticmethod
    def forward(ctx, x: Tensor, parts: list[Packed], plain: Callable[[Tensor], Tensor]) -> Tensor:
        *inner, expand = parts
        width = inner[0].weight.shape[0]
        rows = rows_of(x)
        places = len(rows)
        before = rows.new_empty(places, width * len(inner))
        after = torch.empty_like(before)
        seen, size = rows, x.shape
        for part, slope, depth in zip(inner, *_beside(width, before, after), strict=True):
            convolve(seen, size, part.weights(0, places), part.bias, slope, After.SILU, depth)
            seen, size = depth, (len(x), width, *x.shape[2:])
        out = x.new_empty(len(x), *x.shape[2:], expand.weight.shape[0]).permute(0, 3, 1, 2)
        size = (len(x), after.shape[1], *x.shape[2:])
        convolve(after, size, expand.weights(0, places), expand.bias, rows_of(out), After.RELU)
        ctx.save_for_backward(x, before, out)
        ctx.parts, ctx.plain = parts, plain
        return out

    @staticmethod
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx, grad: Tensor
    ) -> tuple[Tensor, None, None]:
        x, before, out = ctx.saved_tensors
        if torch.is_grad_enabled():
            # A second derivative is wanted.
            (found,) = torch.autograd.grad(ctx.plain(x), x, grad, create_graph=True)
            return found, None, None
        *inner, expand = ctx.parts
        width = inner[0].weight.shape[0]
        grad = torch.ops.aten.threshold_backward(grad, out, 0)
        above = torch.empty_like(before)
        places = len(before)
        convolve(rows_of(grad), grad.shape, expand.weights(1, places), None, above)
        slopes, depths = _beside(width, before, above)
        size = (len(x), width, *x.shape[2:])
        for number in reversed(range(len(inner))):
            silu_gradient(slopes[number], depths[number])
            if number:
                weights = inner[number].weights(1, places)
                convolve(depths[number], size, weights, None, depths[number - 1], After.ADDED)
        found = torch.empty_like(x, memory_format=torch.channels_last)
        convolve(depths[0], size, inner[0].weights(1, places), None, rows_of(found))
        return found, None, None


def _beside(width: int, *together: Tensor) -> list[tuple[Tensor, ...]]:
    """The depths that lie beside each other in rows, each `width` channels."""
    return [each.split(width, 1) for each in together]
