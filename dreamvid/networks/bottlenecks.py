"""A bottleneck as one function, whose gradient is written by hand.

Single operations cost more than their work there: what lies beside each other is cut apart and put
together, and in small pictures a graph of them is noted forward and followed back.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from dreamvid.networks import native
from dreamvid.networks.compiled import beside
from dreamvid.networks.convolutions import Packed, all_packed
from dreamvid.networks.ways import blocks_for


def bottleneck(
    reduce: Any, depths: Sequence[Any], expand: Any, plain: Callable[[Tensor], Tensor], x: Tensor
) -> Tensor:
    """A bottleneck, see `pocket`, of its convolutions, of pictures (N, C, h, w) in one go.

    `plain` is the same in single operations, for what is not compiled and for second derivatives.
    """
    blocks = blocks_for(x, reduce, *depths, expand)
    if blocks:
        return blocks.bottleneck(reduce, depths, expand, x)
    parts = all_packed((reduce, *depths, expand), x)
    if parts is None:
        return plain(x)
    return _Bottleneck.apply(x, parts, plain)  # pyright: ignore[reportReturnType]


class _Bottleneck(torch.autograd.Function):
    """Its depths lie beside each other in one row a place, so nothing has to be put together."""

    @staticmethod
    def forward(ctx, x: Tensor, parts: list[Packed], plain: Callable[[Tensor], Tensor]) -> Tensor:
        *inner, expand = parts
        width = inner[0].weight.shape[0]
        whole = beside(x, width * len(inner))
        seen, before = x, []
        for part, depth in zip(inner, whole.split(width, 1), strict=True):
            before.append(part.forward_silu(seen, depth))
            seen = depth
        out = expand.forward(whole, relu=True)
        ctx.save_for_backward(x, out, *before)
        ctx.parts, ctx.plain = parts, plain
        return out

    @staticmethod
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx, grad: Tensor
    ) -> tuple[Tensor, None, None]:
        x, out, *before = ctx.saved_tensors
        if torch.is_grad_enabled():
            # A second derivative is wanted.
            (found,) = torch.autograd.grad(ctx.plain(x), x, grad, create_graph=True)
            return found, None, None
        *inner, expand = ctx.parts
        above = expand.backward(native.through_relu(grad, out))
        depths = above.split(before[0].shape[1], 1)
        native.through_silu(before[-1], depths[-1])
        for number in range(len(inner) - 1, 0, -1):
            inner[number].backward_silu(depths[number], before[number - 1], depths[number - 1])
        return inner[0].backward(depths[0]), None, None
