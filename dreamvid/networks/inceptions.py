"""An inception block as one function, whose gradient is written by hand.

Its branches are written where they belong in the output, so that nothing is cut apart and put
together; see `bottlenecks`.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from dreamvid.networks import native
from dreamvid.networks.compiled import beside
from dreamvid.networks.convolutions import (
    Packed,
    all_packed,
    convolved,
    convolved_beside,
    joinable,
    side_by_side,
)
from dreamvid.networks.operations import pooled
from dreamvid.networks.ways import blocks_for


def inception(first: Sequence[Any], rest: Sequence[Any], x: Tensor) -> Tensor:
    """An inception block of its convolutions, x (N, C, h, w) to its output.

    `first` are its 1x1 convolutions of x; `rest` are that of 3x3, that of 5x5, and that of what is
    pooled.
    """
    blocks = blocks_for(x, *first, *rest)
    if blocks:
        return blocks.inception(first, rest, x)

    def plain(x: Tensor) -> Tensor:
        one, three, five = convolved_beside(first, x, relu=True)
        ends = zip(rest, (three, five, pooled(x, 1)), strict=True)
        return torch.cat([one, *(convolved(part, each, relu=True) for part, each in ends)], 1)

    parts = all_packed((side_by_side(first), *rest), x) if joinable(first) else None
    if parts is None:
        return plain(x)
    widths = [each.out_channels for each in first]
    return _Inception.apply(x, parts, widths, plain)  # pyright: ignore[reportReturnType]


class _Inception(torch.autograd.Function):
    """All branches at once."""

    @staticmethod
    def forward(
        ctx, x: Tensor, parts: list[Packed], widths: list[int], plain: Callable[[Tensor], Tensor]
    ) -> Tensor:
        whole, *rest = parts
        seen = whole.forward(x, relu=True)
        one, *inner = seen.split(widths, 1)
        most, places = native.pool(x, 1)
        ends = [widths[0], *(len(each.weight) for each in rest)]
        out = beside(x, sum(ends))
        kept, *others = out.split(ends, 1)
        kept.copy_(one)
        for part, each, place in zip(rest, [*inner, most], others, strict=True):
            part.forward_into(each, place)
        ctx.save_for_backward(x, seen, out, places)
        ctx.parts, ctx.widths, ctx.ends, ctx.plain = parts, widths, ends, plain
        return out

    @staticmethod
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx, grad: Tensor
    ) -> tuple[Tensor, None, None, None]:
        x, seen, out, places = ctx.saved_tensors
        if torch.is_grad_enabled():
            # A second derivative is wanted.
            (found,) = torch.autograd.grad(ctx.plain(x), x, grad, create_graph=True)
            return found, None, None, None
        whole, *rest = ctx.parts
        above = beside(x, sum(ctx.widths))
        one, *inner = above.split(ctx.widths, 1)
        first, *ends = zip(grad.split(ctx.ends, 1), out.split(ctx.ends, 1), strict=True)
        native.through_relu(*first, one)
        *found, most = (
            part.backward(native.through_relu(*each)) for part, each in zip(rest, ends, strict=True)
        )
        for each, kept, place in zip(found, seen.split(ctx.widths, 1)[1:], inner, strict=True):
            native.through_relu(each, kept, place)
        below = native.pool_gradient(most, places, x.shape, 1, whole.backward(above))
        return below, None, None, None
