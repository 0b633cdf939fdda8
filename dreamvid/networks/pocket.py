"""The pocket network: small enough to live inside the package, trained to dream like its teacher.

A stem of oriented filters, pooled to a quarter of the picture's size, then stages that each hand
over the teacher's own activations: what one stage predicts is what the next one reads, and every
stage is a dream layer whose L2 energy means what the teacher's means. A stage is a bottleneck of
two or three depths (Szegedy's parallel branches, one feeding the next):

    v = SiLU(reduce x)   t₁ = SiLU(conv3x3 v)   t₂ = SiLU(conv3x3 t₁)   y = ReLU(expand [v t₁ t₂])

Sizes are halved by max pooling, never by strides past the stem, and contrast is evened out by
GoogLeNet's local response normalisation: the input gradient has no checkerboard.
"""

import dataclasses
import json
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dreamvid.errors import NetworkError
from dreamvid.networks import weights as weights_files
from dreamvid.networks.base import Network, Preprocessing
from dreamvid.networks.bottlenecks import bottleneck
from dreamvid.networks.convolutions import convolved, known, remembered
from dreamvid.networks.halving import halving_convolution
from dreamvid.networks.operations import local_response, pooled
from dreamvid.networks.registered import networks
from dreamvid.networks.words import names as class_names

STEM_BASIS = 32
WORDS = "words."
"""How the names of the tensors of a head of words begin in a weights file."""
WORDS_WIDTH = 128
EARLIER = "earlier_sha256"
"""Metadata of a weights file: the file it was before it got words, all of whose tensors it has."""
HEAD = "head"
EMBEDDED = Path(__file__).with_name("pocket.safetensors")


class Stage(NamedTuple):
    """One stage: the layer it predicts and how it gets there."""

    name: str
    channels: int
    width: int = 0
    convolutions: int = 0
    pooled: bool = False
    normalised: bool = False


STAGES = (
    Stage("conv1", 64),
    Stage("conv2", 192, 48, 1, normalised=True),
    Stage("3a", 256, 64, 1, pooled=True, normalised=True),
    Stage("3b", 480, 96, 1),
    Stage("4a", 512, 112, 2, pooled=True),
    Stage("4b", 512, 112, 2),
    Stage("4c", 512, 112, 2),
    Stage("4d", 528, 112, 2),
)


TEACHERS = {
    "pool1/3x3_s2": "conv1",
    "conv2/3x3": "conv2",
    **{f"inception_{block}/output": block for block in ("3a", "3b", "4a", "4b", "4c", "4d")},
    **{f"mixed{block}": block for block in ("3a", "3b", "4a", "4b", "4c", "4d")},
}
"""The teacher's names of the layers, and those of TensorFlow's edition of the same network."""


TOUR = (
    *(25, 9, 61, 33, 2, 40, 63, 36, 27, 19, 26, 16, 45, 53, 21),
    *(28, 58, 0, 48, 32, 17, 42, 62, 56, 46, 31, 24, 12, 3, 47),
    *(68, 163, 94, 178, 101, 112, 105, 173, 110, 103, 203, 171, 229, 176, 91),
    *(75, 141, 150, 89, 122, 164, 190, 117, 204, 202, 145, 226, 224, 245),
)
"""Channels of 4c in the file that comes with dreamvid: a place or a thing, then an animal."""


class Bottleneck(nn.Module):
    """A stage's reduce, 3x3 convolutions and expand; (N, inputs, h, w) to (N, channels, h, w)."""

    def __init__(self, inputs: int, stage: Stage) -> None:
        super().__init__()
        width, depths = stage.width, stage.convolutions
        self.reduce = nn.Conv2d(inputs, width, 1)
        self.convolutions = nn.ModuleList(
            nn.Conv2d(width, width, 3, padding=1) for _ in range(depths)
        )
        self.expand = nn.Conv2d(width * (depths + 1), stage.channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Every depth of the bottleneck, expanded together."""
        return bottleneck(self.reduce, list(self.convolutions), self.expand, self.plainly, x)

    def plainly(self, x: Tensor) -> Tensor:
        """The same, an operation at a time."""
        depths = [F.silu(convolved(self.reduce, x))]
        for convolution in self.convolutions:
            depths.append(F.silu(convolved(convolution, depths[-1])))
        return convolved(self.expand, torch.cat(depths, 1), relu=True)


class Stem(nn.Module):
    """Oriented 7x7 filters as mixtures of a smaller basis, pooled before the cheaper ReLU."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.basis = nn.Conv2d(3, STEM_BASIS, 7, stride=2, padding=3, bias=False)
        self.mix = nn.Conv2d(STEM_BASIS, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) to (N, channels, H/4, W/4)."""
        dtype = next(self.mix.parameters()).dtype
        mixed = convolved(self.mix, halving_convolution(x, self.basis.weight, None, dtype))
        return F.relu_(pooled(mixed, 2))


class WordHead(nn.Module):
    """Class scores at each place of a picture, from the deepest stage; their mean is the head's.

        v = pool(SiLU(reduce x))   t₁ = SiLU(conv3x3 v)   t₂ = SiLU(conv3x3 t₁)
        scores = expand [v t₁ t₂]

    (N, inputs, h, w) to (N, classes, h/2, w/2). No ReLU at the end: a score may be below 0.
    """

    def __init__(self, inputs: int, classes: int, width: int = WORDS_WIDTH) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(inputs, width, 1)
        self.convolutions = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(2))
        self.expand = nn.Conv2d(3 * width, classes, 1)

    def initialised(self) -> "WordHead":
        """Itself with random weights to learn from, drawn from torch's own generator."""
        for name, parameter in self.named_parameters():
            if name == "expand.weight":
                nn.init.normal_(parameter, std=0.05)
            elif parameter.ndim == 4:
                nn.init.kaiming_normal_(parameter)
            else:
                nn.init.zeros_(parameter)
        return self

    def forward(self, x: Tensor) -> Tensor:
        """Every depth, expanded together."""
        depths = [pooled(F.silu(convolved(self.reduce, x)), 2)]
        for convolution in self.convolutions:
            depths.append(F.silu(convolved(convolution, depths[-1])))
        return convolved(self.expand, torch.cat(depths, 1))


class Pocket(Network):
    """A stem and stages; `units` brings each layer's activation to the teacher's own scale."""

    name = "pocket"
    preprocessing = Preprocessing("BGR", 255.0, (104.0, 116.0, 122.0), (60.0, 60.0, 60.0))
    smallest_side = 32
    repeats = True
    landmark = "blocks.0.basis.weight"
    exact = "blocks.0.basis"
    units: Tensor

    def __init__(
        self,
        stages: tuple[Stage, ...] = STAGES,
        classes: tuple[str, ...] = (),
        worded: bool = False,
    ) -> None:
        """With `worded`, it has a head of ImageNet's classes; otherwise one of `classes`, if any.

        The head of words is no layer: nobody wants it among the layers that a glob names.
        """
        super().__init__()
        self.stages = stages
        self.layers = tuple(stage.name for stage in stages)
        # The deepest stage sees the rarest things; the one before it dreams more readily.
        self.favourite = self.layers[max(0, len(stages) - 2)]
        self.aliases = {other: name for other, name in TEACHERS.items() if name in self.layers}
        blocks: list[nn.Module] = [Stem(stages[0].channels)]
        for before, stage in pairwise(stages):
            blocks.append(Bottleneck(before.channels, stage))
        self.blocks = nn.ModuleList(blocks)
        self.register_buffer("units", torch.ones(len(stages)))
        if classes:
            self.head, self.classes, self.class_count = HEAD, classes, len(classes)
            self.layers = (*self.layers, HEAD)
            self.scores = nn.Linear(stages[-1].channels, len(classes))
        elif worded:
            names = class_names()
            self.head, self.classes, self.class_count = HEAD, names, len(names)
            self.words = WordHead(stages[-1].channels, len(names))
            self.tour = TOUR

    def without_head(self) -> "Pocket":
        """The same network as it was before it had class scores."""
        if self.head:
            for name in ("scores", "words"):
                if hasattr(self, name):
                    delattr(self, name)
            self.layers = tuple(layer for layer in self.layers if layer != HEAD)
            self.head, self.classes, self.class_count = None, (), 0
        return self

    def activations(self, inputs: Tensor) -> Iterator[tuple[str, Tensor]]:
        """Yield each stage's activation in its own units, about 1 in size; then class scores."""
        x = inputs
        for index in range(len(self.stages)):
            x = self.stage(index, x)
            yield self.stages[index].name, x
        if self.head:
            yield self.head, self._class_scores(x)

    def _class_scores(self, x: Tensor) -> Tensor:
        """The scores (N, classes) that either kind of head gives the deepest stage."""
        if hasattr(self, "words"):
            return self.words(x).mean((2, 3))
        return self.scores(x.mean((2, 3)))

    def stage(self, index: int, x: Tensor) -> Tensor:
        """One stage alone, from the activation of the stage before (or the network's input)."""
        stage = self.stages[index]
        if stage.pooled:
            x = pooled(x, 2)
        if stage.normalised:
            x = local_response(x, alpha=self._alphas()[index - 1])
        return self.blocks[index](x)

    def _alphas(self) -> Sequence[float | Tensor]:
        """GoogLeNet's alpha in each stage's units; a GPU's stay there, and nothing waits."""

        def made() -> Tensor:
            return 1e-4 * self.units.float() ** 2

        if self.units.device.type != "cpu":
            return made()  # pyright: ignore[reportReturnType]
        return remembered(_ALPHAS, self, known(self.units), lambda: made().tolist())

    def found(self, inputs: Tensor, wanted: frozenset[str]) -> dict[str, Tensor]:
        """The activations of some layers in the teacher's units; see `Network.forward`."""
        found = super().found(inputs, wanted)
        units = dict(zip(self.layers, self.units, strict=False))
        return {name: activation * units.get(name, 1) for name, activation in found.items()}


_ALPHAS: WeakKeyDictionary[Pocket, tuple[Any, list[float]]] = WeakKeyDictionary()


@networks.register(sketch=Pocket)
def pocket(*, weights: Path | None = None) -> Pocket:
    """The network inside the package: small, fast, nothing to fetch."""
    found = weights_files.read(weights or EMBEDDED, "pocket")
    stages = _stages(found)
    # `dreamvid train` writes a head, and the names of its classes.
    scores = found.tensors.get("head.bias")
    classes = weights_files.class_names(found, scores.numel()) if scores is not None else ()
    worded = f"{WORDS}expand.bias" in found.tensors and not classes
    with torch.device("meta"):
        network = Pocket(stages, classes, worded)
    tensors = {key.replace("head.", "scores.", 1): each for key, each in found.tensors.items()}
    found = dataclasses.replace(found, tensors=tensors)
    unread = (*(() if classes else ("scores.",)), *(() if worded else (WORDS,)))
    network.earlier_sha256 = found.metadata.get(EARLIER)
    return weights_files.install(network, found, ignored=unread)


def _stages(found: weights_files.Weights) -> tuple[Stage, ...]:
    """The stages a weights file was trained with: JSON in its metadata, otherwise `STAGES`."""
    if "stages" not in found.metadata:
        return STAGES
    try:
        stages = tuple(Stage(*row) for row in json.loads(found.metadata["stages"]))
    except (ValueError, TypeError, RecursionError):
        stages = ()
    if not 1 <= len(stages) <= 64 or not all(_sane(stage) for stage in stages):
        raise NetworkError(f"pocket: weights {found.path}: its stages are not ones of this network")
    return stages


def _sane(stage: Stage) -> bool:
    """Whether a stage read from a file has the types and sizes of a real one."""
    sizes = (stage.channels, stage.width, stage.convolutions)
    return (
        isinstance(stage.name, str)
        and stage.name.isidentifier() | stage.name[:1].isdigit()
        and all(type(size) is int and 0 <= size <= 4096 for size in sizes)
        and type(stage.pooled) is type(stage.normalised) is bool
    )
