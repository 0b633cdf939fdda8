"""A network's first convolution on tensor cores, from a picture as it is seen."""

from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from dreamvid.networks.convolutions import known, remembered
from dreamvid.networks.fused.passes import RELU, RELU_BACK, Piece, passed, rowed
from dreamvid.networks.fused.pictures import CHANNELS, blocks, blocks_back
from dreamvid.networks.fused.places import dense

_WEIGHTS: WeakKeyDictionary[nn.Conv2d, tuple[Any, Any]] = WeakKeyDictionary()


def stem(
    x: Tensor,
    convolution: nn.Conv2d,
    around: tuple[int, ...],
    dtype: torch.dtype,
    relu: bool,
) -> Tensor:
    """A convolution over the 2x2 blocks of a picture (N, 3, H, W), and its ReLU if so.

    float16 sees a picture to a fourteenth of a level, as exactly as TF32 does. The gradient is made
    in `dtype`, in which the result comes out. `around` are the picture's pads: left, right, above
    and below.
    """
    weights = _weights(convolution, dtype)
    return _Stem.apply(x, weights, around, dtype, relu)  # pyright: ignore[reportReturnType]


def _weights(convolution: nn.Conv2d, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor | None]:
    """The weights of 16 channels, those of the gradient, and the bias; made once."""

    def make() -> tuple[Tensor, Tensor, Tensor | None]:
        weight = convolution.weight.detach()
        wide = F.pad(weight, (0, 0, 0, 0, 0, CHANNELS - weight.shape[1]))
        turned = dense(wide.flip(2, 3).transpose(0, 1).to(dtype))
        bias = None if convolution.bias is None else convolution.bias.detach()
        return dense(wide.half()), turned, bias

    told = (known(convolution.weight), known(convolution.bias), dtype)
    return remembered(_WEIGHTS, convolution, told, make)


class _Stem(torch.autograd.Function):
    """A convolution in float16, whose gradient is made in another type."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weights: tuple[Tensor, Tensor, Tensor | None],
        around: tuple[int, ...],
        dtype: torch.dtype,
        relu: bool,
    ) -> Tensor:
        weight, turned, bias = weights
        raw = F.conv2d(blocks(x, around, torch.float16), weight)
        if relu:
            out = torch.empty_like(raw, dtype=dtype)
            bias = raw.new_zeros(raw.shape[1]) if bias is None else bias
            passed(RELU, [Piece(raw, out, bias)])
        else:
            out = (raw if bias is None else raw + bias.view(1, -1, 1, 1)).to(dtype)
        ctx.turned, ctx.around, ctx.shape = turned, around, x.shape
        ctx.save_for_backward(*([out] if relu else []))
        return out

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, grad: Tensor
    ) -> tuple[Tensor, None, None, None, None]:
        for out in ctx.saved_tensors:
            masked = torch.empty_like(out)
            passed(RELU_BACK, [Piece(rowed(grad), masked, gate=out)])
            grad = masked
        reach = ctx.turned.shape[-1] - 1
        found = dense(F.conv2d(dense(grad), ctx.turned, padding=reach))
        return blocks_back(found, ctx.around, ctx.shape), None, None, None, None
