"""Whole blocks of a network: their convolutions, and one pass over memory between them.

torch adds a bias, clips, cuts apart and puts together in a pass each, forward and back, and small
pictures wait for every pass to begin. A gradient is a convolution with the weights turned round
here, of which the GPU's libraries have faster ones than of the usual way back.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from dreamvid.networks.convolutions import known, remembered, side_by_side
from dreamvid.networks.fused.passes import RELU, RELU_BACK, SILU, SILU_BACK, Piece, passed, rowed
from dreamvid.networks.fused.places import dense, empty, pool, pool_back


class Weights(NamedTuple):
    """A convolution's weights, channels last in memory, and those of its gradient."""

    weight: Tensor
    turned: Tensor
    bias: Tensor
    padding: tuple[int, ...]
    back: tuple[int, ...]


_WEIGHTS: WeakKeyDictionary[nn.Conv2d, tuple[Any, Weights]] = WeakKeyDictionary()


def weights_of(convolution: nn.Conv2d) -> Weights:
    """What is kept of a convolution of stride 1; made once, and again when its weights change."""

    def make() -> Weights:
        weight = dense(convolution.weight.detach())
        bias = convolution.bias
        bias = weight.new_zeros(len(weight)) if bias is None else bias.detach()
        padding: Any = convolution.padding
        sides = zip(convolution.kernel_size, padding, strict=True)
        back = tuple(side - 1 - each for side, each in sides)
        return Weights(weight, dense(weight.flip(2, 3).transpose(0, 1)), bias, padding, back)

    told = (known(convolution.weight), known(convolution.bias))
    return remembered(_WEIGHTS, convolution, told, make)


def takes(convolution: Any) -> bool:
    """Whether that is a convolution of the usual kind, with nothing to learn."""
    if type(convolution) is not nn.Conv2d or convolution._forward_hooks:
        return False
    return (
        not convolution.weight.requires_grad
        and convolution.stride == convolution.dilation == (1, 1)
        and convolution.groups == 1
        and convolution.padding_mode == "zeros"
        and not isinstance(convolution.padding, str)
        and all(a < b for a, b in zip(convolution.padding, convolution.kernel_size, strict=True))
    )


def multiplied(x: Tensor, weight: Tensor, padding: tuple[int, ...]) -> Tensor:
    """The convolution of x (N, C, h, w) without a bias; one of 1x1 is a product of matrices."""
    if weight.shape[2:] != (1, 1):
        return F.conv2d(x, weight, None, 1, padding)
    rows = x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])
    out = rows @ weight.flatten(1).t()
    return out.view(x.shape[0], *x.shape[2:], -1).permute(0, 3, 1, 2)


def _back(grad: Tensor, weights: Weights) -> Tensor:
    return multiplied(grad, weights.turned, weights.back)


def _sized(like: Tensor, channels: int) -> Tensor:
    return empty(like, (like.shape[0], channels, *like.shape[2:]))


def clipped(convolution: nn.Conv2d, x: Tensor) -> Tensor:
    """A convolution and its ReLU."""
    return _Clipped.apply(x, weights_of(convolution))  # pyright: ignore[reportReturnType]


class _Clipped(torch.autograd.Function):
    """A convolution and its ReLU, whose gradient reaches its input alone."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weights: Weights) -> Tensor:
        out = dense(multiplied(dense(x), weights.weight, weights.padding))
        passed(RELU, [Piece(out, out, weights.bias)])
        ctx.weights = weights
        ctx.save_for_backward(out)
        return out

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, grad: Tensor
    ) -> tuple[Tensor, None]:
        (out,) = ctx.saved_tensors
        masked = torch.empty_like(out)
        passed(RELU_BACK, [Piece(rowed(grad), masked, gate=out)])
        return _back(masked, ctx.weights), None


def inception(first: Sequence[nn.Conv2d], rest: Sequence[nn.Conv2d], x: Tensor) -> Tensor:
    """An inception block, x (N, C, h, w) to its output.

    `first` are its 1x1 convolutions of x; `rest` are that of 3x3, that of 5x5, and that of what is
    pooled.
    """
    parts = [weights_of(each) for each in (side_by_side(first), *rest)]
    widths = [each.out_channels for each in first]
    return _Inception.apply(x, parts, widths)  # pyright: ignore[reportReturnType]


class _Inception(torch.autograd.Function):
    """All branches at once, each written where it belongs in the output."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, parts: list[Weights], widths: list[int]) -> Tensor:
        x = dense(x)
        whole, *rest = parts
        first = multiplied(x, whole.weight, whole.padding).split(widths, 1)
        biases = whole.bias.split(widths)
        ends = [widths[0], *(len(each.weight) for each in rest)]
        out = _sized(x, sum(ends))
        one, *others = out.split(ends, 1)
        inner = [_sized(x, width) for width in widths[1:]]
        pieces = zip(first, [one, *inner], biases, strict=True)
        passed(RELU, [Piece(*each) for each in pieces])
        most, tap = pool(x, 1)
        made = [
            multiplied(each, part.weight, part.padding)
            for each, part in zip([*inner, most], rest, strict=True)
        ]
        pieces = zip(made, others, rest, strict=True)
        passed(RELU, [Piece(each, there, part.bias) for each, there, part in pieces])
        ctx.parts, ctx.widths, ctx.ends = parts, widths, ends
        ctx.save_for_backward(out, tap, *inner)
        return out

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, grad: Tensor
    ) -> tuple[Tensor, None, None]:
        out, tap, *inner = ctx.saved_tensors
        whole, *rest = ctx.parts
        first = _sized(out, sum(ctx.widths))
        one, *middle = first.split(ctx.widths, 1)
        above = [_sized(out, width) for width in ctx.ends[1:]]
        pieces = zip(
            rowed(grad).split(ctx.ends, 1), [one, *above], out.split(ctx.ends, 1), strict=True
        )
        passed(RELU_BACK, [Piece(each, to, gate=gate) for each, to, gate in pieces])
        *found, most = (_back(each, part) for each, part in zip(above, rest, strict=True))
        pieces = zip(found, middle, inner, strict=True)
        passed(RELU_BACK, [Piece(each, to, gate=gate) for each, to, gate in pieces])
        found = dense(_back(first, whole))
        pool_back(dense(most), tap, found, 1, add=True)
        return found, None, None


def bottleneck(reduce: Any, depths: Sequence[Any], expand: Any, x: Tensor) -> Tensor:
    """A bottleneck, see `pocket`, of its convolutions, x (N, C, h, w) to its output."""
    parts = [weights_of(each) for each in (reduce, *depths, expand)]
    return _Bottleneck.apply(x, parts)  # pyright: ignore[reportReturnType]


class _Bottleneck(torch.autograd.Function):
    """Its depths lie beside each other; each is written twice, as the next one needs it dense."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, parts: list[Weights]) -> Tensor:
        *inner, expand = parts
        width = len(inner[0].weight)
        beside = _sized(x, width * len(inner))
        seen, before = dense(x), []
        for part, place in zip(inner, beside.split(width, 1), strict=True):
            raw = multiplied(seen, part.weight, part.padding)
            seen = _sized(x, width)
            twice = [place] if len(before) + 1 == len(inner) else [place, seen]
            passed(SILU, [Piece(raw, to, part.bias) for to in twice])
            before.append(raw)
        out = multiplied(beside, expand.weight, expand.padding)
        passed(RELU, [Piece(out, out, expand.bias)])
        ctx.parts = parts
        ctx.save_for_backward(out, *before)
        return out

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, grad: Tensor
    ) -> tuple[Tensor, None]:
        out, *before = ctx.saved_tensors
        *inner, expand = ctx.parts
        masked = torch.empty_like(out)
        passed(RELU_BACK, [Piece(rowed(grad), masked, gate=out)])
        beside = _back(masked, expand)
        found = None
        parts = list(zip(inner, before, beside.split(len(inner[0].weight), 1), strict=True))
        for part, raw, above in reversed(parts):
            slope = torch.empty_like(raw)
            passed(SILU_BACK, [Piece(above, slope, part.bias, raw, found)])
            found = _back(slope, part)
        return found, None  # pyright: ignore[reportReturnType]
