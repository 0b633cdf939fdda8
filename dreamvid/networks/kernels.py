"""Which kernels a dream runs on: our own, where they agree with torch's, or torch's."""

import importlib
from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dreamvid.machine.remarks import say_once
from dreamvid.networks import convolutions, native, operations, ways

Kernels = Literal["auto", "plain"]
AGREEMENT = {torch.bfloat16: 2e-2, torch.float16: 5e-3}
"""How far a kernel may be from float32 in each type, as a share; it rounds once or twice."""
EXACT = 1e-4
"""The same for other types."""


def choose(kernels: Kernels, device: torch.device, dtype: torch.dtype) -> str:
    """Have networks of `dtype` on `device` run on fused kernels, after a test; fused or plain.

    Where the kernels of a GPU cannot be built or do not agree, that is said, and torch's own are
    taken. What a processor has, `absences` tells.
    """
    ways.fuse(None)
    ways.use(kernels != "plain")
    if kernels == "plain" or device.type != "cuda" or dtype == torch.float64:
        return "plain"
    try:
        fused = importlib.import_module("dreamvid.networks.fused")
        blocks = importlib.import_module("dreamvid.networks.fused_blocks")
        found = disagreement(fused, device, dtype) or block_disagreement(blocks, device, dtype)
    except Exception as error:  # a compiler may fail in any way, and the dream goes on
        reason = str(error).partition("\n")[0] or type(error).__name__
        say_once(f"the fused kernels cannot be built ({reason}); torch's own are slower")
        return "plain"
    if found:
        say_once(f"the fused {found} does not agree with torch's own here, which is slower")
        return "plain"
    ways.fuse(ways.Fused(fused, blocks))
    return "fused"


def absences(dtype: torch.dtype) -> list[str]:
    """What a dream of `dtype` does in torch's own slower way on this processor, and why."""
    reasons = {"pools, responses and small convolutions": native.absence(dtype)}
    reasons["convolutions"] = convolutions.absence(dtype)
    return [f"{what}: {reason}" for what, reason in reasons.items() if reason]


def disagreement(fused: Any, device: torch.device, dtype: torch.dtype) -> str:
    """The first operation of `fused` that is not near enough to the plain one; or nothing."""
    generator = torch.Generator().manual_seed(0)
    x = (100 * torch.randn(1, 32, 21, 34, generator=generator)).to(device)
    trials = {
        "response": (
            lambda x: fused.local_response(x, 5, 1e-2),
            lambda x: operations.local_response(x, 5, 1e-2),
        ),
        **{
            f"pool of stride {stride}": (
                lambda x, stride=stride: fused.pooled(x, stride),
                lambda x, stride=stride: F.max_pool2d(
                    x, 3, stride, padding=2 - stride, ceil_mode=True
                ),
            )
            for stride in (1, 2)
        },
    }
    if dtype in AGREEMENT:
        kernel = torch.randn(32, 12, 4, 4, generator=generator).to(device)
        trials["stem"] = (
            lambda x: fused.stem(x[:, :12].float(), kernel, None, dtype),
            lambda x: F.conv2d(x[:, :12], kernel),
        )
    for name, (ours, theirs) in trials.items():
        # What is rounded before both is no disagreement.
        rounded = x.to(dtype)
        pairs = zip(_both(ours, rounded), _both(theirs, rounded.float()), strict=True)
        if not all(_near(a, b, AGREEMENT.get(dtype, EXACT)) for a, b in pairs):
            return name
    return ""


def block_disagreement(blocks: Any, device: torch.device, dtype: torch.dtype) -> str:
    """The first of `fused_blocks` that is not near enough to single operations; or nothing."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1, 32, 9, 14, generator=generator).to(device)

    def drawn(inputs: int, outputs: int, side: int) -> nn.Conv2d:
        weight = torch.randn(outputs, inputs, side, side, generator=generator)
        weight *= 2 / (inputs * side**2) ** 0.5
        bias = torch.randn(outputs, generator=generator)
        made = convolutions.alone(weight.to(device).to(dtype), bias.to(device).to(dtype))
        made.padding = (side // 2, side // 2)
        return made

    first = [drawn(32, width, 1) for width in (16, 16, 24)]
    rest = [drawn(16, 32, 3), drawn(24, 16, 5), drawn(32, 16, 1)]
    inner, expand = [drawn(32, 16, 1), drawn(16, 16, 3)], drawn(32, 48, 1)
    trials = {
        "convolution": (lambda x: blocks.clipped(rest[2], x), lambda x: _exact(rest[2], x).relu()),
        "inception": (
            lambda x: blocks.inception(first, rest, x),
            lambda x: _inception(first, rest, x),
        ),
        "bottleneck": (
            lambda x: blocks.bottleneck(inner[0], inner[1:], expand, x),
            lambda x: _bottleneck(inner, expand, x),
        ),
    }
    for name, (ours, theirs) in trials.items():
        rounded = x.to(dtype)
        pairs = zip(_both(ours, rounded), _both(theirs, rounded.float()), strict=True)
        # Several convolutions round one after the other.
        if not all(_near(a, b, 4 * AGREEMENT.get(dtype, EXACT)) for a, b in pairs):
            return name
    return ""


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
