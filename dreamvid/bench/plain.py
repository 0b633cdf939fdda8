"""The same dream in straightforward PyTorch: what ours is held against.

float32, channels first, torch's own local response normalisation, the whole network forward
whatever layer is needed, and a new tensor for every intermediate result.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from dreamvid.dream.ascent import jitter
from dreamvid.dream.octaves import for_each_octave, octave_sizes
from dreamvid.errors import NetworkError
from dreamvid.frames import Key, Size, size_of
from dreamvid.networks import ways
from dreamvid.networks.base import Network
from dreamvid.networks.googlenet import INCEPTION_WIDTHS
from dreamvid.settings import Settings

Forward = Callable[[Tensor], Mapping[str, Tensor]]


def forward_of(network: Network) -> Forward:
    """All activations of `network` (float32), computed plainly where we know how."""
    if network.name == "googlenet":
        weights = {
            name.removeprefix("convolutions."): value.contiguous()
            for name, value in network.state_dict().items()
        }
        return lambda x: googlenet(weights, x)

    def forward(x: Tensor) -> Mapping[str, Tensor]:
        with ways.plain():
            return network(x, network.layers)

    return forward


def googlenet(weights: Mapping[str, Tensor], x: Tensor) -> dict[str, Tensor]:
    """Caffe's GoogLeNet straight from its definition; the blobs a dream may ask for, by name."""

    def convolved(name: str, x: Tensor, stride: int = 1, padding: int = 0) -> Tensor:
        weight, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
        return F.relu(F.conv2d(x, weight, bias, stride, padding))

    def halved(x: Tensor) -> Tensor:
        return F.max_pool2d(x, 3, 2, ceil_mode=True)

    def normalised(x: Tensor) -> Tensor:
        return F.local_response_norm(x, 5, 1e-4, 0.75, 1.0)

    blobs = {"conv1/7x7_s2": (x := convolved("conv1/7x7_s2", x, 2, 3))}
    x = convolved("conv2/3x3_reduce", normalised(halved(x)))
    blobs["conv2/3x3"] = x = convolved("conv2/3x3", x, padding=1)
    x = halved(normalised(x))
    for block in INCEPTION_WIDTHS:
        name = f"inception_{block}/"
        one = convolved(name + "1x1", x)
        three = convolved(name + "3x3", convolved(name + "3x3_reduce", x), padding=1)
        five = convolved(name + "5x5", convolved(name + "5x5_reduce", x), padding=2)
        pooled = convolved(name + "pool_proj", F.max_pool2d(x, 3, 1, padding=1))
        blobs[name + "output"] = x = torch.cat([one, three, five, pooled], 1)
        if block in ("3b", "4e"):
            x = halved(x)
    return blobs


def step(image: Tensor, forward: Forward, layer: str, settings: Settings, key: Key) -> Tensor:
    """One step of gradient ascent on (1, 3, H, W) in the network's own units, unclamped."""
    down, right = jitter(key, settings.ascent.jitter)
    image = torch.roll(image, (down, right), (2, 3)).requires_grad_(True)
    blobs = forward(image)
    if layer not in blobs:
        raise NetworkError(f"the plain reference has no layer {layer}; choose a block's output")
    (0.5 * (blobs[layer] ** 2).mean()).backward()
    gradient = image.grad
    assert gradient is not None
    size = for_each_octave(settings.ascent.step_size, settings.octaves.count, "ascent.step_size")
    image = image.detach() + size[-1] * gradient / gradient.abs().mean()
    return torch.roll(image, (-down, -right), (2, 3))


def frame(
    image: Tensor,
    forward: Forward,
    layer: str,
    bounds: tuple[Tensor, Tensor],
    settings: Settings,
    key: Key,
) -> Tensor:
    """A whole frame (1, 3, H, W) in the network's own units: octaves, steps, clamping."""

    def resized(x: Tensor, size: Size) -> Tensor:
        return F.interpolate(x, tuple(size), mode="bilinear", align_corners=True)

    sizes = octave_sizes(size_of(image), settings.octaves)
    bases = [image]
    for size in sizes[-2::-1]:
        bases.insert(0, resized(bases[0], size))
    detail = torch.zeros_like(bases[0])
    counts = for_each_octave(settings.ascent.iterations, len(bases), "ascent.iterations")
    for octave, base in enumerate(bases):
        image = base + resized(detail, size_of(base))
        for index in range(counts[octave]):
            image = step(image, forward, layer, settings, (*key, octave, index))
            image = torch.clamp(image, *bounds)
        detail = image - base
    return image
