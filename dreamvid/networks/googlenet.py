"""BVLC GoogLeNet as Caffe runs it: the network of the 2015 pictures.

Source: Szegedy et al., "Going deeper with convolutions", 2014, in the BVLC model zoo's form:
input BGR, 0..255 minus (104, 116, 122); pooling rounds its output size up; local response
normalisation over five channels with alpha 1e-4, beta 0.75, k 1. Layers carry Caffe's names, and
each convolution's activation is taken after its ReLU, which Caffe computes in place.
"""

from collections.abc import Collection, Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dreamvid.networks import weights as weights_files
from dreamvid.networks.base import Network, Preprocessing, layers_of
from dreamvid.networks.convolutions import convolved, convolved_beside
from dreamvid.networks.halving import halving_convolution
from dreamvid.networks.inceptions import inception
from dreamvid.networks.operations import local_response, pooled
from dreamvid.networks.registered import networks
from dreamvid.networks.torchvision.imagenet import imagenet_classes
from dreamvid.networks.weights import Source

INCEPTION_WIDTHS = {
    "3a": (192, 64, 96, 128, 16, 32, 32),
    "3b": (256, 128, 128, 192, 32, 96, 64),
    "4a": (480, 192, 96, 208, 16, 48, 64),
    "4b": (512, 160, 112, 224, 24, 64, 64),
    "4c": (512, 128, 128, 256, 24, 64, 64),
    "4d": (512, 112, 144, 288, 32, 64, 64),
    "4e": (528, 256, 160, 320, 32, 128, 128),
    "5a": (832, 256, 160, 320, 32, 128, 128),
    "5b": (832, 384, 192, 384, 48, 128, 128),
}
"""Channels of each block: in, 1x1, 3x3_reduce, 3x3, 5x5_reduce, 5x5, pool_proj."""
FIRST, REST = ("1x1", "3x3_reduce", "5x5_reduce"), ("3x3", "5x5", "pool_proj")
"""A block's convolutions of its input, and those of what these, and a pool, make of it."""
STEM = "conv1/7x7_s2"
HEAD = "loss3/classifier"
SOURCES = (
    Source(
        "https://dl.caffe.berkeleyvision.org/bvlc_googlenet.caffemodel",
        "unrestricted, Berkeley Vision and Learning Center",
        sha1="405fc5acd08a3bb12de8ee5e23a96bec22f08204",
    ),
)


class GoogLeNet(Network):
    """GoogLeNet from `conv1/7x7_s2` to `pool5/7x7_s1`, and to its class scores where it has any."""

    name = "googlenet"
    preprocessing = Preprocessing("BGR", 255.0, (104.0, 116.0, 122.0), (1.0, 1.0, 1.0))
    favourite = "inception_4c/output"
    smallest_side = 32
    repeats = True
    landmark = "conv1/7x7_s2.weight"
    exact = "convolutions.conv1/7x7_s2"

    def __init__(self, classes: int | None = None) -> None:
        super().__init__()
        """The weights and biases of convolutions that are done as one, until parameters change."""
        convolutions = {
            STEM: nn.Conv2d(3, 64, 7, stride=2, padding=3),
            "conv2/3x3_reduce": nn.Conv2d(64, 64, 1),
            "conv2/3x3": nn.Conv2d(64, 192, 3, padding=1),
        }
        for block, widths in INCEPTION_WIDTHS.items():
            inputs, one, reduce3, three, reduce5, five, projection = widths
            for branch, convolution in {
                "1x1": nn.Conv2d(inputs, one, 1),
                "3x3_reduce": nn.Conv2d(inputs, reduce3, 1),
                "3x3": nn.Conv2d(reduce3, three, 3, padding=1),
                "5x5_reduce": nn.Conv2d(inputs, reduce5, 1),
                "5x5": nn.Conv2d(reduce5, five, 5, padding=2),
                "pool_proj": nn.Conv2d(inputs, projection, 1),
            }.items():
                convolutions[f"inception_{block}/{branch}"] = convolution
        self.convolutions = nn.ModuleDict(convolutions)
        if classes:
            self.head, self.class_count = HEAD, classes
            self.convolutions[HEAD] = nn.Linear(1024, classes)
        self.layers = tuple(layers_of(self))

    def activations(self, inputs: Tensor) -> Iterator[tuple[str, Tensor]]:
        """Yield Caffe's blobs in Caffe's order, without the dropped and the data layers."""
        return self.activations_of(inputs, None)

    def activations_of(
        self, inputs: Tensor, wanted: Collection[str] | None
    ) -> Iterator[tuple[str, Tensor]]:
        """See `Network`; an inception block is made in one go where nobody looks into it."""
        first: Any = self.convolutions[STEM]
        second: Any = self.convolutions["conv2/3x3_reduce"]
        dtype = second.weight.dtype
        # What is largest may be clipped after it is found, in a quarter of the places. A GPU clips
        # with the convolution.
        late = inputs.device.type == "cpu" and wanted is not None and STEM not in wanted
        x = halving_convolution(inputs, first.weight, first.bias, dtype, relu=not late)
        if not late:
            yield STEM, x
        x = pooled(x, 2)
        yield "pool1/3x3_s2", (x := F.relu_(x) if late else x)
        yield "pool1/norm1", (x := local_response(x))
        yield "conv2/3x3_reduce", (x := self._convolved("conv2/3x3_reduce", x))
        yield "conv2/3x3", (x := self._convolved("conv2/3x3", x))
        yield "conv2/norm2", (x := local_response(x))
        yield "pool2/3x3_s2", (x := pooled(x, 2))
        for block in INCEPTION_WIDTHS:
            prefix = f"inception_{block}/"
            if wanted is None or any(
                name.startswith(prefix) and name != prefix + "output" for name in wanted
            ):
                x = yield from self._looked_into(prefix, x)
            else:
                x = self.inception(block, x)
            yield prefix + "output", x
            if block in ("3b", "4e"):
                yield f"pool{block[0]}/3x3_s2", (x := pooled(x, 2))
        # Caffe's mean is over 7x7, which is all of a picture of 224 pixels a side.
        yield "pool5/7x7_s1", (x := x.mean((2, 3), keepdim=True))
        if self.head:
            yield self.head, self.convolutions[HEAD](x.flatten(1))

    def _looked_into(self, prefix: str, x: Tensor) -> Generator[tuple[str, Tensor], None, Tensor]:
        """Yield an inception block's activations in order; return its output."""
        one, three, five = convolved_beside(self._of(prefix, FIRST), x, relu=True)
        yield prefix + "1x1", one
        yield prefix + "3x3_reduce", three
        yield prefix + "3x3", (three := self._convolved(prefix + "3x3", three))
        yield prefix + "5x5_reduce", five
        yield prefix + "5x5", (five := self._convolved(prefix + "5x5", five))
        yield prefix + "pool", (most := pooled(x, 1))
        yield prefix + "pool_proj", (most := self._convolved(prefix + "pool_proj", most))
        return torch.cat([one, three, five, most], 1)

    def inception(self, block: str, x: Tensor) -> Tensor:
        """One inception block alone, such as 4e, from what it reads to its output."""
        prefix = f"inception_{block}/"
        first, rest = (self._of(prefix, names) for names in (FIRST, REST))
        return inception(first, rest, x)

    def _of(self, prefix: str, names: Sequence[str]) -> list[Any]:
        """Convolutions of a block."""
        return [self.convolutions[prefix + name] for name in names]

    def _convolved(self, name: str, x: Tensor) -> Tensor:
        convolution: Any = self.convolutions[name]
        return convolved(convolution, x, relu=True)


@networks.register(sources=SOURCES, sketch=GoogLeNet)
def googlenet(*, weights: Path | None = None) -> GoogLeNet:
    """BVLC GoogLeNet, the network of the 2015 pictures; its weights are to be fetched."""
    found = weights_files.read(weights or weights_files.kept("googlenet", SOURCES), "googlenet")
    scores = found.tensors.get(f"{HEAD}.bias") if f"{HEAD}.weight" in found.tensors else None
    with torch.device("meta"):
        network = GoogLeNet(scores.numel() if scores is not None else None)
    if scores is not None and scores.numel() == len(imagenet_classes()):
        network.classes = imagenet_classes()
    # Caffe's file also holds auxiliary heads, which no dream reaches.
    ignored = ("loss1/", "loss2/", "loss3/")
    return weights_files.install(network, found, prefix="convolutions.", ignored=ignored)
