"""The test that kernels for a GPU pass before they are used: torch's own operations beside them."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dreamvid.networks import operations
from dreamvid.networks.convolutions import alone

AGREEMENT = {torch.bfloat16: 2e-2, torch.float16: 5e-3}
"""How far a kernel may be from float32 in each type, as a share; it rounds once or twice."""
EXACT = 1e-4
"""The same for other types."""
IN_A_ROW = 4
"""How many times as far what rounds several times in a row may be."""


class Trial(NamedTuple):
    """One operation, and what torch's own is."""

    name: str
    x: Tensor
    ours: Callable[[Tensor], Tensor]
    theirs: Callable[[Tensor], Tensor]
    share: float


def disagreement(fused: Any, device: torch.device, dtype: torch.dtype) -> str:
    """The first operation of `fused` that is not near enough to torch's own; or nothing."""
    generator = torch.Generator().manual_seed(0)
    for makes in (_of_places, _of_blocks, _of_pictures):
        for name, x, ours, theirs, share in makes(fused, device, dtype, generator):
            # What is rounded before both is no disagreement.
            pairs = zip(_both(ours, x), _both(theirs, x.float()), strict=True)
            if not all(_near(a, b, share) for a, b in pairs):
                return name
    return ""


def _of_places(
    fused: Any, device: torch.device, dtype: torch.dtype, generator: torch.Generator
) -> Iterator[Trial]:
    x = (100 * torch.randn(1, 32, 21, 34, generator=generator)).to(device).to(dtype)
    share = AGREEMENT.get(dtype, EXACT)
    yield Trial(
        "response",
        x,
        lambda x: fused.local_response(x, 5, 1e-2),
        lambda x: operations.local_response(x, 5, 1e-2),
        share,
    )
    for stride in (1, 2):
        yield Trial(
            f"pool of stride {stride}",
            x,
            lambda x, stride=stride: fused.pooled(x, stride),
            lambda x, stride=stride: F.max_pool2d(x, 3, stride, padding=2 - stride, ceil_mode=True),
            share,
        )


def _of_blocks(
    fused: Any, device: torch.device, dtype: torch.dtype, generator: torch.Generator
) -> Iterator[Trial]:
    x = torch.randn(1, 32, 9, 14, generator=generator).to(device).to(dtype)
    share = IN_A_ROW * AGREEMENT.get(dtype, EXACT)

    def drawn(inputs: int, outputs: int, side: int) -> nn.Conv2d:
        weight = torch.randn(outputs, inputs, side, side, generator=generator)
        weight *= 2 / (inputs * side**2) ** 0.5
        bias = torch.randn(outputs, generator=generator)
        made = alone(weight.to(device).to(dtype), bias.to(device).to(dtype))
        made.padding = (side // 2, side // 2)
        return made

    first = [drawn(32, width, 1) for width in (16, 16, 24)]
    rest = [drawn(16, 32, 3), drawn(24, 16, 5), drawn(32, 16, 1)]
    inner, expand = [drawn(32, 16, 1), drawn(16, 16, 3)], drawn(32, 48, 1)
    yield Trial(
        "convolution",
        x,
        lambda x: fused.clipped(rest[2], x),
        lambda x: _exact(rest[2], x).relu(),
        share,
    )
    yield Trial(
        "inception block",
        x,
        lambda x: fused.inception(first, rest, x),
        lambda x: _inception(first, rest, x),
        share,
    )
    yield Trial(
        "bottleneck",
        x,
        lambda x: fused.bottleneck(inner[0], inner[1:], expand, x),
        lambda x: _bottleneck(inner, expand, x),
        share,
    )


def _of_pictures(
    fused: Any, device: torch.device, dtype: torch.dtype, generator: torch.Generator
) -> Iterator[Trial]:
    x = torch.randn(2, 3, 21, 34, generator=generator).to(device)
    offsets = torch.tensor([5, -9], device=device)
    yield Trial(
        "roll",
        x,
        lambda x: _no_gradient(fused.rolled, x, offsets),
        lambda x: _no_gradient(torch.roll, x, (5, -9), (2, 3)),
        EXACT,
    )
    ends = torch.tensor([[-1.0, -0.5, -0.7], [0.9, 1.1, 0.4]], device=device).view(2, 1, 3, 1, 1)
    sizes = torch.rand(21, 34, generator=generator).to(device)

    def moved(x: Tensor) -> Tensor:
        return fused.moved(x, x.roll((5, -9), (2, 3)) * 1e-3, offsets, sizes, (ends[0], ends[1]))[0]

    def plainly(x: Tensor) -> Tensor:
        scaled = x / x.abs().mean((1, 2, 3), keepdim=True)
        return (x + sizes * scaled).clamp(ends[0], ends[1])

    yield Trial(
        "step", x, lambda x: _no_gradient(moved, x), lambda x: _no_gradient(plainly, x), EXACT
    )
    if dtype in AGREEMENT:
        weight = torch.randn(32, 3, 7, 7, generator=generator).to(device)
        bias = torch.randn(32, generator=generator).to(device)
        # Blocks begin at even pixels, so the taps get one more before them.
        made = alone(F.pixel_unshuffle(F.pad(weight, (1, 0, 1, 0)), 2), bias)
        yield Trial(
            "stem",
            x,
            lambda x: fused.stem(x, made, (4, 2, 4, 3), dtype, relu=True),
            lambda x: F.conv2d(x, weight, bias, stride=2, padding=3).relu(),
            IN_A_ROW * AGREEMENT[dtype],
        )


def _no_gradient(function: Any, x: Tensor, *arguments: Any) -> Tensor:
    """What a function gives that is never followed back, and a gradient of nothing."""
    with torch.no_grad():
        made = function(x, *arguments)
    return made + 0 * x


def _exact(convolution: nn.Conv2d, x: Tensor) -> Tensor:
    """A convolution in float32."""
    weight, bias = convolution.weight.float(), convolution.bias
    return F.conv2d(x, weight, None if bias is None else bias.float(), 1, convolution.padding)


def _inception(first: Sequence[nn.Conv2d], rest: Sequence[nn.Conv2d], x: Tensor) -> Tensor:
    one, *inner = (_exact(each, x).relu() for each in first)
    seen = [*inner, F.max_pool2d(x, 3, 1, padding=1)]
    ends = (_exact(part, each).relu() for part, each in zip(rest, seen, strict=True))
    return torch.cat([one, *ends], 1)


def _bottleneck(inner: Sequence[nn.Conv2d], expand: nn.Conv2d, x: Tensor) -> Tensor:
    depths = []
    for part in inner:
        depths.append(x := F.silu(_exact(part, x)))
    return _exact(expand, torch.cat(depths, 1)).relu()


def _both(operation: Any, x: Tensor) -> tuple[Tensor, Tensor]:
    """What an operation gives, and the gradient of an uneven sum of it."""
    with torch.inference_mode(False), torch.enable_grad():
        x = x.clone(memory_format=torch.channels_last).requires_grad_(True)
        out = operation(x)
        weights = torch.linspace(-1, 2, out.numel(), device=x.device).view(out.shape)
        (gradient,) = torch.autograd.grad((out.float() * weights).sum(), x)
    return out.detach().float(), gradient.float()


def _near(found: Tensor, wanted: Tensor, share: float) -> bool:
    return bool((found - wanted).norm() <= share * wanted.norm())
