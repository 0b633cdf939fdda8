"""A bottleneck of small pictures as one function, whose gradient is written by hand.

Single operations cost more than their work there: a graph of them is noted forward and followed
back, and every result is a tensor of its own.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from dreamvid.networks.compiled import After, Weights, convolve, places_of, rows_of, silu_gradient
from dreamvid.networks.convolutions import packed
from dreamvid.networks.native import through_relu
from dreamvid.networks.ways import blocks_for


def bottleneck(
    reduce: Any, depths: Sequence[Any], expand: Any, plain: Callable[[Tensor], Tensor], x: Tensor
) -> Tensor:
    """A bottleneck, see `pocket`, of its convolutions; of small pictures (N, C, h, w) in one go.

    `plain` is the same in single operations, for what is larger and for second derivatives.
    """
    blocks = blocks_for(x, reduce, *depths, expand)
    if blocks:
        return blocks.bottleneck(reduce, depths, expand, x)
    parts = [packed(each) for each in (reduce, *depths, expand)]
    places = places_of(x)
    usual = [part for part in parts if part and part.alike(x)]
    weights = [[part.weights(way, places) for part in usual] for way in (0, 1)]
    if len(usual) < len(parts) or not all(map(all, weights)):
        return plain(x)
    return _Bottleneck.apply(x, *weights, plain)  # pyright: ignore[reportReturnType]


class _Bottleneck(torch.autograd.Function):
    """Its depths lie beside each other in one row a place, so nothing has to be put together."""

    @staticmethod
    def forward(
        ctx,
        x: Tensor,
        weights: list[Weights],
        back: list[Weights],
        plain: Callable[[Tensor], Tensor],
    ) -> Tensor:
        *inner, expand = weights
        width, channels = inner[0].shape[0], expand.shape[0]
        rows = rows_of(x)
        before = rows.new_empty(len(rows), width * len(inner))
        after = torch.empty_like(before)
        seen, size = rows, x.shape
        slopes, depths = _beside(width, before, after)
        for part, slope, depth in zip(inner, slopes, depths, strict=True):
            convolve(seen, size, part, slope, After.SILU, depth)
            seen, size = depth, (len(x), width, *x.shape[2:])
        out = x.new_empty(len(x), *x.shape[2:], channels).permute(0, 3, 1, 2)
        size = (len(x), after.shape[1], *x.shape[2:])
        convolve(after, size, expand, rows_of(out), After.RELU)
        ctx.save_for_backward(x, before, out)
        ctx.back, ctx.plain = back, plain
        return out

    @staticmethod
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx, grad: Tensor
    ) -> tuple[Tensor, None, None, None]:
        x, before, out = ctx.saved_tensors
        if torch.is_grad_enabled():
            # A second derivative is wanted.
            (found,) = torch.autograd.grad(ctx.plain(x), x, grad, create_graph=True)
            return found, None, None, None
        *inner, expand = ctx.back
        width = inner[0].shape[1]
        grad = through_relu(grad, out)
        above = torch.empty_like(before)
        convolve(rows_of(grad), grad.shape, expand, above)
        slopes, depths = _beside(width, before, above)
        size = (len(x), width, *x.shape[2:])
        for number in reversed(range(len(inner))):
            silu_gradient(slopes[number], depths[number])
            if number:
                after = After.ADDED
                convolve(depths[number], size, inner[number], depths[number - 1], after)
        found = torch.empty_like(x, memory_format=torch.channels_last)
        convolve(depths[0], size, inner[0], rows_of(found))
        return found, None, None, None


def _beside(width: int, *together: Tensor) -> list[tuple[Tensor, ...]]:
    """The depths that lie beside each other in rows, each `width` channels."""
    return [each.split(width, 1) for each in together]
