"""TensorFlow's GoogLeNet of 2015, "inception5h": the network of TensorFlow's DeepDream tutorial.

Source: the nodes of tensorflow_inception_graph.pb, in its own order and under its own names. Input
RGB, 0..255 minus 117; padding SAME, which for an even size is larger at the right and the bottom;
TensorFlow's local response normalisation with depth_radius 5, bias 2, alpha 1e-4, beta 0.5. It
differs from Caffe's GoogLeNet in these, in two widths and in its weights.

Every convolution is a layer before its ReLU (``mixed4d_3x3_bottleneck_pre_relu``, the graph's
BiasAdd) and after it (``mixed4d_3x3_bottleneck``). Numbers count the graph's 59 convolutions from
0, as the tutorial's list of them does, so that 34 is ``mixed4d_3x3_bottleneck_pre_relu``; the last
two are of the auxiliary heads, which a file may lack.
"""

import dataclasses
import re
from collections.abc import Collection, Generator, Iterator
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dreamvid.networks import native
from dreamvid.networks import weights as weights_files
from dreamvid.networks.base import Network, Preprocessing, layers_of
from dreamvid.networks.convolutions import convolved
from dreamvid.networks.halving import halving_convolution
from dreamvid.networks.inceptions import inception
from dreamvid.networks.operations import neighbours, pooled
from dreamvid.networks.registered import networks
from dreamvid.networks.weights import Source

WIDTHS = {
    "3a": (192, 64, 96, 128, 16, 32, 32),
    "3b": (256, 128, 128, 192, 32, 96, 64),
    "4a": (480, 192, 96, 204, 16, 48, 64),
    "4b": (508, 160, 112, 224, 24, 64, 64),
    "4c": (512, 128, 128, 256, 24, 64, 64),
    "4d": (512, 112, 144, 288, 32, 64, 64),
    "4e": (528, 256, 160, 320, 32, 128, 128),
    "5a": (832, 256, 160, 320, 48, 128, 128),
    "5b": (832, 384, 192, 384, 48, 128, 128),
}
"""Channels of each block: in, 1x1, 3x3_bottleneck, 3x3, 5x5_bottleneck, 5x5, pool_reduce."""
STEM = "conv2d0"
POOLS_AFTER = {"3b": "maxpool4", "4e": "maxpool10"}
FIRST = ("1x1", "3x3_bottleneck", "5x5_bottleneck")
REST = ("3x3", "5x5", "pool_reduce")
"""A block's convolutions of its input, and those of what these, and a pool, make of it."""
HEADS = {"head0": 508, "head1": 528}
"""The auxiliary heads' input channels; they read mixed4a and mixed4d."""
RADIUS, BIAS, ALPHA, BETA = 5, 2.0, 1e-4, 0.5

PORTED_BLOCK = {
    "conv_1x1": "1x1",
    "conv_3x3_reduce": "3x3_bottleneck",
    "conv_3x3": "3x3",
    "conv_5x5_reduce": "5x5_bottleneck",
    "conv_5x5": "5x5",
    "pool_proj": "pool_reduce",
}
PORTED = {"conv1": "conv2d0", "conv2": "conv2d1", "conv3": "conv2d2", "fc": "softmax2"}
"""Names that captum's port gives to parts, and the graph's own."""

SOURCES = (
    Source(
        "https://storage.googleapis.com/download.tensorflow.org/models/inception5h.zip",
        "Apache-2.0, TensorFlow",
    ),
    Source(
        "https://github.com/ProGamerGov/pytorch-old-tensorflow-models/raw/master/inception5h.pth",
        "none stated; the same weights",
    ),
)


def same_padded(x: Tensor, kernel: int, stride: int, value: float = 0.0) -> Tensor:
    """`x` padded as TensorFlow's SAME does for a square window: the odd pixel at the far side."""
    padding = []
    for size in (x.shape[-1], x.shape[-2]):
        total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
        padding += [total // 2, total - total // 2]
    return F.pad(x, padding, value=value) if any(padding) else x


def local_response(x: Tensor) -> Tensor:
    """TensorFlow's x / (2 + 1e-4 · Σ x²)^0.5, the sum over five channels on either side."""
    if native.serves(x):
        return native.responded(x, RADIUS, BIAS, ALPHA, BETA, _local_response)
    return _local_response(x)


def _local_response(x: Tensor) -> Tensor:
    near = neighbours(x.shape[1], 2 * RADIUS + 1, x.dtype, x.device) * ALPHA
    return x * F.conv2d(x * x, near[:, :, None, None]).add(BIAS).rsqrt()


def _pool(x: Tensor, stride: int) -> Tensor:
    return pooled(same_padded(x, 3, stride, -torch.inf) if stride > 1 else x, stride)


class Inception5h(Network):
    """The graph from `conv2d0_pre_relu` to the class scores before their softmax."""

    name = "inception5h"
    preprocessing = Preprocessing("RGB", 255.0, (117.0, 117.0, 117.0), (1.0, 1.0, 1.0))
    favourite = "mixed4c"
    smallest_side = 16
    repeats = True
    landmark = f"{STEM}.weight"
    exact = f"parts.{STEM}"
    first_number = 0

    def __init__(self, classes: int | None = 1008, heads: bool = True) -> None:
        super().__init__()
        convolutions = {
            STEM: nn.Conv2d(3, 64, 7, stride=2),
            "conv2d1": nn.Conv2d(64, 64, 1),
            "conv2d2": nn.Conv2d(64, 192, 3, padding=1),
        }
        for block, widths in WIDTHS.items():
            inputs, one, reduce3, three, reduce5, five, projection = widths
            convolutions |= {
                f"mixed{block}_1x1": nn.Conv2d(inputs, one, 1),
                f"mixed{block}_3x3_bottleneck": nn.Conv2d(inputs, reduce3, 1),
                f"mixed{block}_3x3": nn.Conv2d(reduce3, three, 3, padding=1),
                f"mixed{block}_5x5_bottleneck": nn.Conv2d(inputs, reduce5, 1),
                f"mixed{block}_5x5": nn.Conv2d(reduce5, five, 5, padding=2),
                f"mixed{block}_pool_reduce": nn.Conv2d(inputs, projection, 1),
            }
        if heads:
            for head, channels in HEADS.items():
                convolutions[f"{head}_bottleneck"] = nn.Conv2d(channels, 128, 1)
        self.parts = nn.ModuleDict(convolutions)
        if classes:
            self.parts["softmax2"] = nn.Linear(1024, classes)
            self.head, self.class_count = "softmax2_pre_activation", classes
        self.numbered = tuple(f"{name}_pre_relu" for name in convolutions)
        self.layers = tuple(layers_of(self))

    def activations(self, inputs: Tensor) -> Iterator[tuple[str, Tensor]]:
        """Yield the graph's nodes in the graph's order; the heads come after the trunk."""
        return self.activations_of(inputs, None)

    def activations_of(
        self, inputs: Tensor, wanted: Collection[str] | None
    ) -> Iterator[tuple[str, Tensor]]:
        """See `Network`; a block is made in one go where nobody looks into it."""
        x = yield from self._convolved(STEM, inputs)
        yield "maxpool0", (x := _pool(x, 2))
        yield "localresponsenorm0", (x := local_response(x))
        x = yield from self._convolved("conv2d1", x)
        x = yield from self._convolved("conv2d2", x)
        yield "localresponsenorm1", (x := local_response(x))
        yield "maxpool1", (x := _pool(x, 2))
        read_by_heads = {}
        for block in WIDTHS:
            name = f"mixed{block}"
            first, rest = (
                [self.parts[f"{name}_{each}"] for each in names] for names in (FIRST, REST)
            )
            if wanted is None or any(each.startswith(f"{name}_") for each in wanted):
                x = yield from self._looked_into(name, x)
            else:
                x = inception(first, rest, x)
            yield name, x
            read_by_heads[name] = x
            if block in POOLS_AFTER:
                yield POOLS_AFTER[block], (x := _pool(x, 2))
        # The graph averages 7x7, which is all of a picture of 224 pixels a side.
        yield "avgpool0", (x := x.mean((2, 3), keepdim=True))
        for head, block in zip(HEADS, ("mixed4a", "mixed4d"), strict=True):
            if f"{head}_bottleneck" in self.parts:
                pooled = _head_pool(read_by_heads[block])
                yield f"{head}_pool", pooled
                yield from self._convolved(f"{head}_bottleneck", pooled)
        if "softmax2" in self.parts:
            yield "softmax2_pre_activation", self.parts["softmax2"](x.flatten(1))

    def _looked_into(self, name: str, x: Tensor) -> Generator[tuple[str, Tensor], None, Tensor]:
        """Yield a block's nodes in order; return its output."""
        one = yield from self._convolved(f"{name}_1x1", x)
        three = yield from self._convolved(f"{name}_3x3_bottleneck", x)
        three = yield from self._convolved(f"{name}_3x3", three)
        five = yield from self._convolved(f"{name}_5x5_bottleneck", x)
        five = yield from self._convolved(f"{name}_5x5", five)
        yield f"{name}_pool", (pooled := _pool(x, 1))
        pooled = yield from self._convolved(f"{name}_pool_reduce", pooled)
        return torch.cat([one, three, five, pooled], 1)

    def _convolved(self, name: str, x: Tensor) -> Generator[tuple[str, Tensor], None, Tensor]:
        convolution = self.parts[name]
        assert isinstance(convolution, nn.Conv2d)
        if name == STEM:
            # SAME padding of a 7x7 window of stride 2.
            before = (2 + x.shape[-2] % 2, 2 + x.shape[-1] % 2)
            x = halving_convolution(x, convolution.weight, convolution.bias, self.dtype, before)
        else:
            x = convolved(convolution, x)
        yield f"{name}_pre_relu", x
        yield name, (x := F.relu(x))
        return x


def _head_pool(x: Tensor) -> Tensor:
    """The mean of each 5x5 window, three apart; of all there is where a side is shorter."""
    return F.avg_pool2d(x, (min(5, x.shape[-2]), min(5, x.shape[-1])), 3)


def _graph_name(key: str) -> str:
    """A parameter's name here, from the graph's, from that of the port to PyTorch, or captum's.

    >>> [_graph_name(k) for k in ("conv2d0_w", "conv2d0_pre_relu_conv.weight", "conv1.weight")]
    ['conv2d0.weight', 'conv2d0.weight', 'conv2d0.weight']
    >>> _graph_name("mixed4a.conv_3x3_reduce.bias")
    'mixed4a_3x3_bottleneck.bias'
    """
    if key.endswith(("_w", "_b")):
        return key[:-2] + (".weight" if key.endswith("_w") else ".bias")
    part, _, kind = key.rpartition(".")
    part = re.sub("_pre_relu_conv$|_pre_activation_matmul$", "", part)
    block, _, branch = part.partition(".")
    if branch in PORTED_BLOCK:
        part = f"{block}_{PORTED_BLOCK[branch]}"
    return f"{PORTED.get(part, part)}.{kind}"


def _oihw(key: str, tensor: Tensor) -> Tensor:
    """A graph's kernel (height, width, in, out) or matrix (in, out) in PyTorch's order."""
    if key.endswith("_w") and tensor.ndim == 4:
        return tensor.permute(3, 2, 0, 1)
    return tensor.T if key.endswith("_w") and tensor.ndim == 2 else tensor


@networks.register(sources=SOURCES, sketch=Inception5h)
def inception5h(*, weights: Path | None = None) -> Inception5h:
    """TensorFlow's GoogLeNet of 2015, of its DeepDream tutorial; its weights are to be fetched."""
    found = weights_files.read(weights or weights_files.kept("inception5h", SOURCES), "inception5h")
    tensors = {_graph_name(key): _oihw(key, tensor) for key, tensor in found.tensors.items()}
    scores = tensors.get("softmax2.bias")
    with torch.device("meta"):
        network = Inception5h(
            scores.numel() if scores is not None else None,
            heads="head0_bottleneck.weight" in tensors,
        )
    # The auxiliary heads' matrices fit one size of picture only, and no dream reaches them.
    return weights_files.install(
        network,
        dataclasses.replace(found, tensors=tensors),
        prefix="parts.",
        ignored=("nn0", "nn1", "softmax0", "softmax1", "aux"),
    )
