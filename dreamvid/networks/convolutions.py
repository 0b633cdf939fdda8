"""Convolutions of a network whose weights are known, made for a processor.

torch brings a convolution's weights into the order that oneDNN multiplies in at every call, and for
the gradient again. Here it is done once for each convolution, in the way of torch's own compiler:
the bias in the same pass, and the gradient as a convolution with the weights turned round.
The numbers are oneDNN's own, bit for bit. In float32, small pictures and 3x3 kernels go to C of our
own, see `compiled`, which rounds another way.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.grad import conv2d_input

from dreamvid.errors import in_one_line
from dreamvid.networks import compiled, native
from dreamvid.networks.compiled import After, places_of
from dreamvid.networks.ways import blocks_for, usable

TYPES = (torch.float32, torch.bfloat16)
Made = TypeVar("Made")


def convolved(convolution: Any, x: Tensor, *, relu: bool = False) -> Tensor:
    """``convolution(x)`` of an `nn.Conv2d`, and its ReLU where `relu` is set."""
    packs = packed(convolution)
    if packs is None or not packs.serves(x):
        blocks = blocks_for(x, convolution) if relu else None
        if blocks:
            return blocks.clipped(convolution, x)
        made = convolution(x)
        return F.relu_(made) if relu else made
    return _Convolved.apply(x, packs, relu)  # pyright: ignore[reportReturnType]


def convolved_beside(
    convolutions: Sequence[nn.Conv2d], x: Tensor, *, relu: bool = False
) -> tuple[Tensor, ...]:
    """What several unpadded convolutions of one kernel size make of the same input, done as one."""
    if not joinable(convolutions):
        made = tuple(part(x) for part in convolutions)
        return tuple(map(F.relu_, made)) if relu else made
    made = convolved(side_by_side(convolutions), x, relu=relu)
    return made.split([part.out_channels for part in convolutions], 1)


def joinable(convolutions: Sequence[Any]) -> bool:
    """Whether convolutions of one kernel size are of the usual kind, with nothing to learn."""
    return all(type(each) is nn.Conv2d and not each.weight.requires_grad for each in convolutions)


def side_by_side(convolutions: Sequence[nn.Conv2d]) -> nn.Conv2d:
    """Unpadded convolutions of one kernel size and of the same input as one."""

    def make() -> nn.Conv2d:
        weight = torch.cat([part.weight for part in convolutions])
        biases = [part.bias for part in convolutions if part.bias is not None]
        return alone(weight, torch.cat(biases))

    return made_once(convolutions, make)


def made_once(convolutions: Sequence[nn.Conv2d], make: Callable[[], nn.Conv2d]) -> nn.Conv2d:
    """What `make` makes of convolutions, once, and again when their weights have changed."""
    told = [(known(part.weight), known(part.bias)) for part in convolutions]
    return remembered(_WHOLE, convolutions[0], told, make)


def remembered(cache: Any, owner: Any, told: Any, make: Callable[[], Made]) -> Made:
    """What `make` makes for an owner, kept in a cache until something else is `told` of it."""
    before, made = cache.get(owner, (None, None))
    if made is None or before != told:
        # What is made while a preview looks on must serve a gradient later.
        with torch.inference_mode(False), torch.no_grad():
            made = make()
        cache[owner] = told, made
    return made


def alone(weight: Tensor, bias: Tensor | None) -> nn.Conv2d:
    """The unpadded convolution of stride 1 that has these weights and nothing to learn."""
    outputs, inputs, rows, columns = weight.shape
    with torch.device("meta"):
        made = nn.Conv2d(inputs, outputs, (rows, columns), bias=False)
    made.weight = nn.Parameter(weight, requires_grad=False)
    if bias is not None:
        made.bias = nn.Parameter(bias, requires_grad=False)
    return made


class Packed:
    """A convolution's weights in oneDNN's order of memory, for each size of input, and in ours."""

    def __init__(self, convolution: nn.Conv2d) -> None:
        self.weight, self.bias = convolution.weight.detach(), convolution.bias
        self._served: dict[Any, bool] = {}
        self._ordered: dict[Any, Tensor] = {}
        self._own: dict[Any, compiled.Weights | None] = {}
        self.padding = _padding(convolution)
        if self.padding is not None:
            turned = self.weight.flip(2, 3).transpose(0, 1)
            turned = turned.contiguous(memory_format=torch.channels_last)
            sides = zip(convolution.kernel_size, self.padding, strict=True)
            back = tuple(side - 1 - each for side, each in sides)
            self._ways = ((self.weight, self.bias, self.padding), (turned, None, back))

    def serves(self, x: Tensor) -> bool:
        """Whether pictures of that size and type are convolved here, whatever their channels."""
        key = (len(x), x.shape[2:], x.dtype, x.device, torch.get_num_threads())
        served = self._served.get(key)
        if served is None:
            served = self._served[key] = self._serves(x)
        return served

    def _serves(self, x: Tensor) -> bool:
        if self.padding is None or not self.alike(x) or not x.numel() or absence(x.dtype):
            return False
        if x.dtype != torch.float32 or self.weights(0, places_of(x)):
            return True
        seen = x.new_empty(len(x), self.weight.shape[1], *x.shape[2:])
        return _by_onednn(seen, self.weight, self.bias, self.padding)

    def alike(self, x: Tensor) -> bool:
        """Whether that is a usual convolution, of pictures (N, C, h, w) of its own type."""
        alike = x.device == self.weight.device and x.dtype == self.weight.dtype
        return alike and self.padding is not None and x.ndim == 4

    def forward(self, x: Tensor, relu: bool) -> Tensor:
        """The convolution of pictures, with its bias, and its ReLU where that is asked for."""
        return self._multiplied(x, 0, relu)

    def backward(self, grad: Tensor) -> Tensor:
        """The gradient at the pictures, from that of the result."""
        return self._multiplied(grad, 1, False)

    def forward_into(self, x: Tensor, out: Tensor) -> None:
        """Fill `out`, some channels of a picture, with the ReLU of the convolution."""
        own = self.weights(0, places_of(x))
        if own is None:
            native.relu(self._multiplied(x, 0, False), out)
        else:
            compiled.convolve(x, own, out, After.RELU)

    def forward_silu(self, x: Tensor, active: Tensor) -> Tensor:
        """The convolution of pictures before its SiLU, which `active` is filled with."""
        own = self.weights(0, places_of(x))
        if own is None:
            before = self._multiplied(x, 0, False)
            native.silu(before, active)
            return before
        return compiled.convolved(x, own, After.SILU, active=active)

    def backward_silu(self, grad: Tensor, before: Tensor, to: Tensor) -> None:
        """Add the gradient at the pictures to what is there, and take that through a SiLU.

        `before` is what it was given; `to` has its channels last.
        """
        own = self.weights(1, places_of(grad))
        if own is None:
            to += self._multiplied(grad, 1, False)
            native.through_silu(before, to)
        else:
            compiled.convolve(grad, own, to, After.ADDED_THROUGH_SILU, before)

    def weights(
        self, way: int, places: int, made: torch.dtype | None = None
    ) -> compiled.Weights | None:
        """The weights as `compiled` takes them for so many places; None where oneDNN serves.

        Way 0 is the convolution itself, 1 its gradient. The result has the type `made`, by default
        the weights' own.
        """
        if (way, places, made) not in self._own:
            weight, bias, padding = self._ways[way]
            source = compiled.code_for(weight, places, made)
            if source and (way, source) not in self._own:
                self._own[way, source] = compiled.ordered(weight, bias, padding, source)
            self._own[way, places, made] = self._own[way, source] if source else None
        return self._own[way, places, made]

    def _multiplied(self, x: Tensor, way: int, relu: bool) -> Tensor:
        weight, bias, padding = self._ways[way]
        own = self.weights(way, places_of(x))
        if own is not None:
            return compiled.convolved(x, own, After.RELU if relu else After.NOTHING)
        ordered = self._ordered.get((way, x.shape))
        if ordered is None:
            # What is ordered while a preview looks on must serve a gradient later.
            with torch.inference_mode(False), torch.no_grad():
                made = _reordered(weight, padding, tuple(x.shape))
            # An order that is best for one size may be four times slower for another.
            # Many sizes share one.
            ordered = self._ordered.setdefault((way, _order(made)), made)
            self._ordered[way, x.shape] = ordered
        # Of one picture, oneDNN would take channels of a wider one for all there are.
        x = x.contiguous(memory_format=torch.channels_last)
        out = _multiplied(x, ordered, bias, padding)
        # oneDNN's own ReLU, done with the convolution, makes 0 of what is no number.
        return out.relu_() if relu else out


_PACKED: WeakKeyDictionary[nn.Conv2d, tuple[Any, Packed]] = WeakKeyDictionary()
_WHOLE: WeakKeyDictionary[nn.Conv2d, tuple[Any, nn.Conv2d]] = WeakKeyDictionary()


def packed(convolution: Any) -> Packed | None:
    """What is kept of a convolution; None for one that has to be called itself."""
    if type(convolution) is not nn.Conv2d or convolution._forward_hooks or not usable():
        return None
    told = (known(convolution.weight), known(convolution.bias))
    return remembered(_PACKED, convolution, told, lambda: Packed(convolution))


def all_packed(convolutions: Sequence[Any], x: Tensor) -> list[Packed] | None:
    """What is kept of each, where pictures of the size of x go through all of them here."""
    parts = [packed(each) for each in convolutions]
    usual = [part for part in parts if part and part.alike(x) and part.serves(x)]
    return usual if len(usual) == len(parts) and native.serves(x) else None


def known(weight: Tensor | None) -> Any:
    """Another one whenever weights were changed, moved, rounded or are to be learned."""
    if weight is None:
        return None
    return weight.data_ptr(), weight._version, weight.dtype, weight.requires_grad


def _padding(convolution: nn.Conv2d) -> tuple[int, ...] | None:
    """The padding of a convolution of a usual kind on a processor that has nothing to learn."""
    weight, padding = convolution.weight, convolution.padding
    usual = (
        weight.device.type == "cpu"
        and weight.dtype in TYPES
        and not weight.requires_grad
        and convolution.stride == convolution.dilation == (1, 1)
        and convolution.groups == 1
        and convolution.padding_mode == "zeros"
    )
    if not usual or isinstance(padding, str):
        return None
    inside = all(each < side for each, side in zip(padding, convolution.kernel_size, strict=True))
    return padding if inside else None


def _by_onednn(x: Tensor, weight: Tensor, bias: Tensor | None, padding: tuple[int, ...]) -> bool:
    """Whether torch gives that convolution to oneDNN.

    It has a quicker way for small pictures, and for 1x1 kernels on one thread.
    """
    private: Any = torch._C
    way = private._select_conv_backend(x, weight, bias, (1, 1), padding, (1, 1), False, (0, 0), 1)
    return way == private._ConvBackend.Mkldnn


def _reordered(weight: Tensor, padding: tuple[int, ...], size: tuple[int, ...]) -> Tensor:
    """Weights in the order that is best for inputs of a size, and right for any other."""
    reorder: Any = torch._C._nn.mkldnn_reorder_conv2d_weight  # pyright: ignore[reportAttributeAccessIssue]
    return reorder(weight.to_mkldnn(), list(padding), [1, 1], [1, 1], 1, list(size))


def _order(weight: Tensor) -> bytes:
    """OneDNN's own description of an order of memory."""
    return bytes(torch.ops.mkldnn._get_mkldnn_serialized_md(weight).tolist())


def _multiplied(x: Tensor, weight: Tensor, bias: Tensor | None, padding: tuple[int, ...]) -> Tensor:
    call = torch.ops.mkldnn._convolution_pointwise
    return call(x, weight, bias, list(padding), [1, 1], [1, 1], 1, "none", [], "")


class _Convolved(torch.autograd.Function):
    """A packed convolution, whose gradient reaches its input alone."""

    @staticmethod
    def forward(ctx, x: Tensor, packed: Packed, relu: bool) -> Tensor:
        out = packed.forward(x, relu)
        ctx.packed, ctx.shape = packed, x.shape
        ctx.save_for_backward(*([out] if relu else []))
        return out

    @staticmethod
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx, grad: Tensor
    ) -> tuple[Tensor, None, None]:
        packed = ctx.packed
        for out in ctx.saved_tensors:
            grad = native.through_relu(grad, out)
        if torch.is_grad_enabled():
            # A second derivative is wanted.
            weight = packed.weight
            return conv2d_input(ctx.shape, weight, grad, padding=packed.padding), None, None
        return packed.backward(grad), None, None


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
        ordered = _reordered(weight, (1, 1), tuple(x.shape))
        _order(ordered)
        x = x.contiguous(memory_format=torch.channels_last)
        found = _multiplied(x, ordered, None, (1, 1))
    except (RuntimeError, AttributeError, TypeError) as error:
        return in_one_line(error)[:160]
    expected = F.conv2d(x.float(), weight.float(), padding=1)
    near = (found.float() - expected).abs().max() <= 0.02 * expected.abs().max()
    return None if near else "oneDNN's packed convolution gives other numbers than the plain one"
