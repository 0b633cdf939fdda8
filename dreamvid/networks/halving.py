"""A network's first convolution, which halves a picture: torch starves on its three channels.

It is done over the picture's 2x2 blocks, each a position of 12 channels. A network of bfloat16
sees the picture in float32 all the same.
"""

from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.grad import conv2d_input
from torch.utils.weak import WeakIdKeyDictionary

from dreamvid.frames import Size, size_of
from dreamvid.networks import compiled, pictures
from dreamvid.networks.compiled import After, places_of
from dreamvid.networks.convolutions import absence, alone, convolved, known, packed, remembered
from dreamvid.networks.native import through_relu
from dreamvid.networks.ways import kernels_for

CHANNELS = 12
"""Of a block: three of each of its four pixels."""
WIDER = 16
"""Whole vectors of a processor, for which the last ones are nothing."""


def halving_convolution(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    dtype: torch.dtype | None = None,
    before: tuple[int, int] = (3, 3),
    *,
    relu: bool = False,
) -> Tensor:
    """A 7x7 convolution of stride 2 of a picture (N, 3, H, W), whose sides it halves, rounding up.

    Done as a 4x4 convolution over the picture's 2x2 blocks.

    Args:
        x: the picture.
        weight: (C, 3, 7, 7).
        bias: (C,).
        dtype: of what comes out, and of the arithmetic of its gradient; the weights' by default.
        before: how many pixels of padding stand above and to the left, 2 or 3.
        relu: whether its ReLU is to be made, too.
    """
    if x.device.type == "meta":
        return F.conv2d(x, weight, bias, stride=2, padding=3)  # what is counted is the definition
    around, taps = _paddings(size_of(x), before)
    kernels = kernels_for(x) if dtype in (torch.bfloat16, torch.float16) else None
    if kernels and x.dtype == torch.float32 and not weight.requires_grad:
        convolution = _over_blocks(weight, bias, taps, CHANNELS)
        return kernels.stem(x, convolution, around, dtype, relu)
    exact = dtype in (None, weight.dtype)
    if weight.requires_grad:
        made = F.conv2d(_in_blocks(x, around), _in_blocks(weight, taps), bias)
        made = made if exact else made.to(dtype)
        return F.relu_(made) if relu else made
    if pictures.serves(x):
        blocks = pictures.in_blocks(x, around, CHANNELS if exact else WIDER)
    else:
        blocks = _in_blocks(x, around)
    convolution = _over_blocks(weight, bias, taps, blocks.shape[1])
    if exact:
        return convolved(convolution, blocks, relu=relu)
    return _Rounded.apply(blocks, convolution, dtype, relu)  # pyright: ignore[reportReturnType]


def _paddings(size: Size, before: tuple[int, int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The pads of a picture and of a kernel, each left, right, above and below."""
    around, taps = [], []
    for side, pixels in ((size.width, before[1]), (size.height, before[0])):
        # Blocks begin at even pixels, so taps that begin at an odd one get one more before them.
        odd = pixels % 2
        taps += [odd, 1 - odd]
        around += [pixels + odd, 2 * ((side + 1) // 2 + 3) - side - pixels - odd]
    return tuple(around), tuple(taps)


def _in_blocks(x: Tensor, around: Sequence[int]) -> Tensor:
    """What is padded, in blocks of 2x2, each a position."""
    blocks = F.pixel_unshuffle(F.pad(x, tuple(around)), 2)
    return blocks.contiguous(memory_format=torch.channels_last)


_OVER_BLOCKS: Any = WeakIdKeyDictionary()
_NARROW: WeakKeyDictionary[nn.Conv2d, tuple[Any, nn.Conv2d]] = WeakKeyDictionary()


def _over_blocks(
    weight: Tensor, bias: Tensor | None, taps: tuple[int, ...], channels: int
) -> nn.Conv2d:
    """The convolution over blocks of so many channels, of which the last may be nothing."""

    def make() -> nn.Conv2d:
        wide = F.pad(_in_blocks(weight, taps), (0, 0, 0, 0, 0, channels - CHANNELS))
        return alone(wide.contiguous(memory_format=torch.channels_last), bias)

    told = (known(weight), known(bias), taps, channels)
    return remembered(_OVER_BLOCKS, weight, told, make)


class _Rounded(torch.autograd.Function):
    """A convolution whose result is rounded to another type, in which its gradient is made."""

    @staticmethod
    def forward(ctx, x: Tensor, convolution: nn.Conv2d, dtype: torch.dtype, relu: bool) -> Tensor:
        packs = packed(convolution) if (x.dtype, dtype) in compiled.TYPES else None
        weights = packs.weights(0, places_of(x), dtype) if packs and packs.serves(x) else None
        if weights:
            out = compiled.convolved(x, weights, After.RELU if relu else After.NOTHING, dtype)
        else:
            out = convolution(x).to(dtype)
            out = out.relu_() if relu else out
        ctx.save_for_backward(*([out] if relu else []))
        ctx.size, ctx.convolution = x.shape, convolution
        return out

    @staticmethod
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx, grad: Tensor
    ) -> tuple[Tensor, None, None, None]:
        whole, dtype = ctx.convolution.weight, grad.dtype
        again = torch.is_grad_enabled()  # a second derivative is wanted
        for out in ctx.saved_tensors:
            grad = through_relu(grad, out)
        narrow = remembered(
            _NARROW, ctx.convolution, (known(whole), dtype), lambda: alone(whole.to(dtype), None)
        )
        packs = None if again else packed(narrow)
        if packs and packs.alike(grad) and absence(dtype) is None:
            found = packs.backward(grad)
        else:
            found = conv2d_input(ctx.size, narrow.weight, grad)
        return found.to(whole.dtype), None, None, None
