"""Convolutions of a network whose weights are known, made for a processor.

torch brings a convolution's weights into the order that oneDNN multiplies in at every call, and for
the gradient again. Here it is done once for each convolution, in the way of torch's own compiler:
the bias in the same pass, and the gradient as a convolution with the weights turned round.
The numbers are oneDNN's own, bit for bit.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.grad import conv2d_input

TYPES = (torch.float32, torch.bfloat16)


def convolved(convolution: Any, x: Tensor, *, relu: bool = False) -> Tensor:
    """``convolution(x)`` of an `nn.Conv2d`, and its ReLU where `relu` is set."""
    if not _served(convolution, x):
        made = convolution(x)
        return F.relu_(made) if relu else made
    packed = _packed(convolution, x)
    return _Convolved.apply(x, packed, relu)  # pyright: ignore[reportReturnType]


def convolved_beside(
    convolutions: Sequence[nn.Conv2d], x: Tensor, *, relu: bool = False
) -> tuple[Tensor, ...]:
    """What several 1x1 convolutions make of the same input, done as one."""
    plain = any(type(part) is not nn.Conv2d for part in convolutions)
    if plain or any(part.weight.requires_grad for part in convolutions):
        made = tuple(part(x) for part in convolutions)
        return tuple(map(F.relu_, made)) if relu else made
    made = convolved(_whole(convolutions), x, relu=relu)
    return made.split([part.out_channels for part in convolutions], 1)


def _whole(convolutions: Sequence[nn.Conv2d]) -> nn.Conv2d:
    """Convolutions as one, put together once, and again when their weights have changed."""
    first, told = convolutions[0], _told(convolutions)
    known, whole = _WHOLE.get(first, (None, None))
    if whole is None or known != told:
        # What is made while a preview looks on must serve a gradient later.
        with torch.inference_mode(False), torch.no_grad():
            weight = torch.cat([part.weight for part in convolutions])
            biases = [part.bias for part in convolutions if part.bias is not None]
            with torch.device("meta"):
                whole = nn.Conv2d(first.in_channels, len(weight), 1)
            whole.weight = nn.Parameter(weight, requires_grad=False)
            whole.bias = nn.Parameter(torch.cat(biases), requires_grad=False)
        _WHOLE[first] = (told, whole)
    return whole


class _Packed(NamedTuple):
    """A convolution in oneDNN's order of memory."""

    told: tuple[Any, ...]
    weight: Tensor
    bias: Tensor | None
    forward: Tensor
    backward: Tensor
    padding: tuple[int, int]
    padding_back: tuple[int, int]


_PACKED: WeakKeyDictionary[nn.Conv2d, _Packed] = WeakKeyDictionary()
_WHOLE: WeakKeyDictionary[nn.Conv2d, tuple[Any, nn.Conv2d]] = WeakKeyDictionary()


_used = True


def use(wanted: bool) -> None:
    """Whether convolutions are packed, and compiled code is called, from now on."""
    global _used
    _used = wanted


def usable() -> bool:
    """Whether ways of our own may be taken: they are not forbidden, and nothing is traced.

    What is traced is for another program, which knows torch's operations alone.
    """
    traced = torch._C._get_tracing_state() is not None or torch.compiler.is_compiling()
    return _used and not traced


def _served(convolution: nn.Conv2d, x: Tensor) -> bool:
    if type(convolution) is not nn.Conv2d:
        return False
    weight = convolution.weight
    return (
        usable()
        and x.device.type == weight.device.type == "cpu"
        and x.dtype == weight.dtype
        and x.dtype in TYPES
        and not weight.requires_grad
        and not convolution._forward_hooks  # which want to see it called
        and x.ndim == 4
        and x.numel() > 0
        and convolution.stride == (1, 1)
        and convolution.dilation == (1, 1)
        and convolution.groups == 1
        and convolution.padding_mode == "zeros"
        and not isinstance(convolution.padding, str)
        and all(
            each < side
            for each, side in zip(convolution.padding, convolution.kernel_size, strict=True)
        )
        and absence(x.dtype) is None
    )


def _told(convolutions: Sequence[nn.Conv2d]) -> tuple[Any, ...]:
    """Another one whenever weights were changed, moved or rounded."""
    return tuple(
        (each.data_ptr(), each._version, each.dtype, each.device)
        for part in convolutions
        for each in part.parameters()
    )


def _packed(convolution: nn.Conv2d, x: Tensor) -> _Packed:
    told = _told([convolution])
    known = _PACKED.get(convolution)
    if known is None or known.told != told:
        known = _PACKED[convolution] = _pack(convolution, x, told)
    return known


def _pack(convolution: nn.Conv2d, x: Tensor, told: tuple[Any, ...]) -> _Packed:
    # What is packed while a preview looks on must serve a gradient later.
    with torch.inference_mode(False), torch.no_grad():
        weight, bias = convolution.weight.detach(), convolution.bias
        down, right = convolution.padding
        assert not isinstance(down, str)
        assert not isinstance(right, str)
        turned = weight.flip(2, 3).transpose(0, 1).contiguous(memory_format=torch.channels_last)
        back = (weight.shape[2] - 1 - down, weight.shape[3] - 1 - right)
        size, count = x.shape[2:], x.shape[0]
        made = (
            size[0] + 2 * down - weight.shape[2] + 1,
            size[1] + 2 * right - weight.shape[3] + 1,
        )
        return _Packed(
            told,
            weight,
            bias if bias is None else bias.detach(),
            _reordered(weight, (down, right), (count, weight.shape[1], *size)),
            _reordered(turned, back, (count, weight.shape[0], *made)),
            (down, right),
            back,
        )


def _reordered(weight: Tensor, padding: tuple[int, int], size: tuple[int, ...]) -> Tensor:
    """Weights in the order that is best for inputs of a size; right for any other."""
    reorder: Any = torch._C._nn.mkldnn_reorder_conv2d_weight  # pyright: ignore[reportAttributeAccessIssue]
    return reorder(weight.to_mkldnn(), list(padding), [1, 1], [1, 1], 1, list(size))


def _multiplied(x: Tensor, weight: Tensor, bias: Tensor | None, padding: tuple[int, int]) -> Tensor:
    call = torch.ops.mkldnn._convolution_pointwise
    return call(x, weight, bias, list(padding), [1, 1], [1, 1], 1, "none", [], "")


class _Convolved(torch.autograd.Function):
    """A packed convolution, whose gradient reaches its input alone."""

    @staticmethod
    def forward(ctx, x: Tensor, packed: _Packed, relu: bool) -> Tensor:
        x = x.contiguous(memory_format=torch.channels_last)
        out = _multiplied(x, packed.forward, packed.bias, packed.padding)
        if relu:
            out.relu_()  # oneDNN's own, done with the convolution, makes 0 of what is no number
        ctx.packed, ctx.shape = packed, x.shape
        ctx.save_for_backward(*([out] if relu else []))
        return out

    @staticmethod
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx, grad: Tensor
    ) -> tuple[Tensor, None, None]:
        packed = ctx.packed
        for out in ctx.saved_tensors:
            grad = torch.ops.aten.threshold_backward(grad, out, 0)
        if torch.is_grad_enabled():
            # A second derivative is wanted.
            weight = packed.weight
            return conv2d_input(ctx.shape, weight, grad, padding=packed.padding), None, None
        grad = grad.contiguous(memory_format=torch.channels_last)
        return _multiplied(grad, packed.backward, None, packed.padding_back), None, None


@cache
def absence(dtype: torch.dtype) -> str | None:
    """Why convolutions of a type are torch's own here; None where they are made by this page.

    What is called is torch's, but not public, so it is tried once against the plain call.
    """
    if not (torch.backends.mkldnn.is_available() and torch.backends.mkldnn.enabled):
        return "torch has no oneDNN here"
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1, 8, 9, 12, generator=generator).to(dtype)
    weight = torch.randn(16, 8, 3, 3, generator=generator).to(dtype)
    try:
        found = _multiplied(
            x.contiguous(memory_format=torch.channels_last),
            _reordered(weight, (1, 1), tuple(x.shape)),
            None,
            (1, 1),
        )
    except (RuntimeError, AttributeError, TypeError) as error:
        return " ".join(str(error).split())[:160]
    expected = F.conv2d(x.float(), weight.float(), padding=1)
    near = (found.float() - expected).abs().max() <= 0.02 * expected.abs().max()
    return None if near else "oneDNN's packed convolution gives other numbers than the plain one"
