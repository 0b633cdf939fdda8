"""Torchvision's convolutional classifiers, each under torchvision's own name for it.

Layers are the nodes of the network's traced graph, in order. What is asked for is cut out of that
graph, so nothing past the deepest layer is computed. Torchvision itself is imported only here,
and only when one of its networks is asked for.
"""

import dataclasses
import operator
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, fx, nn

from dreamvid.errors import NetworkError, in_one_line
from dreamvid.networks import weights as weights_files
from dreamvid.networks.base import Network, Preprocessing
from dreamvid.networks.registered import Entry, networks
from dreamvid.networks.torchvision.family import families, family_of
from dreamvid.networks.torchvision.fusing import fused
from dreamvid.networks.torchvision.imagenet import imagenet_classes
from dreamvid.networks.weights import Source

RENAMED = {"torchvision_googlenet": "googlenet"}
"""Our name for a network whose torchvision name is another network's here."""

SHORT = {"squeezenet": "squeezenet1_1", "mobilenet_v3": "mobilenet_v3_large"}
"""Short names for the variants most people mean."""

TRANSFORMERS = ("maxvit", "swin", "vit_")
"""How the names begin of torchvision's networks that have no channels or take only one size."""

WITH_AUXILIARY_HEADS = ("googlenet", "inception_v3")

LICENCE = "BSD-3-Clause, torchvision; trained on ImageNet"
SPELT = re.compile(r"-([0-9a-f]{8,64})\.[a-z]+$")

IN_PLACE_OPERATORS: dict[Any, Callable[..., Any]] = {
    operator.iadd: operator.add,
    operator.imul: operator.mul,
}


def names() -> list[str]:
    """Torchvision's convolutional classifiers, those that more is known of first.

    Raises:
        NetworkError: Torchvision cannot be imported.
    """
    models = _models()
    ours = {theirs: ours for ours, theirs in RENAMED.items()}
    theirs: list[str] = models.list_models(module=models)
    usable = [name for name in theirs if not name.startswith(TRANSFORMERS)]
    known = [*(ours.get(name, name) for name in usable), *SHORT]
    told = [name for family in families() for name in family.models]
    return [*told, *(name for name in known if name not in told)]


def entry(name: str) -> Entry:
    """One of `names`."""
    return Entry(builder(name), lambda: sketch(name), sources(name))


def builder(name: str) -> Callable[..., Network]:
    """The builder of one of `names`, with the same options as our own networks' builders."""

    def build(*, weights: Path | None = None) -> Network:
        return _built(name, weights)

    build.__name__ = name
    known = family_of(name).models.get(name)
    build.__doc__ = known or f"Torchvision's {_theirs(name)}."
    return build


def _theirs(name: str) -> str:
    """Torchvision's own name of a network."""
    return RENAMED.get(name) or SHORT.get(name) or name


def _models() -> Any:
    try:
        import torchvision.models.feature_extraction
    # A torchvision built for another torch fails in ways of its own: RuntimeError, OSError, ...
    except Exception as error:
        reason = in_one_line(error)[:120]
        raise NetworkError(
            f"torchvision cannot be imported ({reason}); install the release made for torch "
            f"{torch.__version__}, or choose a network of our own"
        ) from error
    return torchvision.models


class Classifier(Network):
    """A torchvision model seen through cuts of its traced graph."""

    def __init__(self, name: str, model: nn.Module, preprocessing: Preprocessing) -> None:
        super().__init__()
        self.name = name
        self.preprocessing = preprocessing
        self.model = model.eval()
        for module in model.modules():
            if getattr(module, "inplace", False):
                module.inplace = False  # pyright: ignore[reportArgumentType]
        for part, module in self.named_modules():
            if isinstance(module, nn.Conv2d) and module.in_channels == 3:
                # It sees the picture; what it makes of it is rounded like everything after.
                self.exact = part
                module.register_forward_hook(lambda _, inputs, result: result.to(self.dtype))
                break
        self._cuts: dict[tuple[tuple[str, ...], bool, int], nn.Module] = {}
        self.smallest_side, self.layers, self.favourite = self._explored()
        family = family_of(name)
        self.aliases = {**_outputs(self.layers), **family.aliases(model, self.layers)}
        if family.favourite:
            self.favourite = self.aliases.get(family.favourite, family.favourite)

    def activations(self, inputs: Tensor) -> Iterator[tuple[str, Tensor]]:
        """Yield every layer's activation; computed together, unlike our own networks'."""
        yield from self.forward(inputs, self.layers).items()

    def forward(self, inputs: Tensor, layers: Collection[str]) -> dict[str, Tensor]:
        """The activations of `layers`; see `Network.forward`."""
        if unknown := set(layers).difference(self.layers):
            raise NetworkError(f"{self.name}: no layer {sorted(unknown)[0]!r}")
        if not layers:
            return {}
        wanted = tuple(layer for layer in self.layers if layer in layers)
        learning = self.training or any(each.requires_grad for each in self.parameters())
        changes = sum(each._version for each in self.parameters())
        key = (wanted, learning, changes)
        if key not in self._cuts:
            cut = self._cut(wanted)
            plain = learning or self.device.type == "meta"
            self._cuts[key] = cut if plain else fused(cut)
        return self._cuts[key](inputs.to(self.input_dtype))

    def _apply(self, *arguments: Any, **options: Any) -> "Classifier":
        # A move to another device may replace tensors that the cuts still hold.
        self._cuts.clear()
        return super()._apply(*arguments, **options)

    def _cut(self, layers: Collection[str]) -> fx.GraphModule:
        extraction = _models().feature_extraction
        cut = extraction.create_feature_extractor(
            self.model, {layer: layer for layer in layers}, suppress_diff_warning=True
        )
        cut.eval()
        # An activation handed back must not be overwritten by the operation that follows it.
        for node in cut.graph.nodes:
            _write_elsewhere(node)
        cut.recompile()
        return cut

    def _explored(self) -> tuple[int, tuple[str, ...], str]:
        """The smallest picture this network takes, its layers, and one that shows objects.

        Found without computing anything.
        """
        nodes = _models().feature_extraction.get_graph_node_names(self.model)[1][1:]
        cut = self._cut(nodes)
        for side in (16, 24, 32, 48, 64, 80, 96, 128, 192, 256):
            try:
                found = cut(torch.empty(2, 3, side, side + 8, device="meta"))
            except (RuntimeError, ValueError, AssertionError):
                continue
            # Some nodes are no activations but sizes, or parameters, which know no batch.
            layers = tuple(
                node
                for node in nodes
                if isinstance(found[node], Tensor) and found[node].shape[:1] == (2,)
            )
            pictures = [layer for layer in layers if found[layer].ndim == 4]
            if found[layers[-1]].ndim == 2:
                self.head, self.class_count = layers[-1], found[layers[-1]].shape[1]
            # Two thirds of the way up most classifiers see parts of things.
            return side, layers, pictures[len(pictures) * 2 // 3]
        raise NetworkError(f"{self.name}: takes pictures of one size only, so it cannot be dreamed")


def _outputs(layers: Sequence[str]) -> dict[str, str]:
    """For each module of which layers are parts, the last of those: what the module returns.

    >>> _outputs(["conv", "layer1.0.conv1", "layer1.0.relu", "layer1.1.relu"])
    {'layer1': 'layer1.1.relu', 'layer1.0': 'layer1.0.relu', 'layer1.1': 'layer1.1.relu'}
    """
    found: dict[str, str] = {}
    for layer in layers:
        parts = layer.split(".")
        for count in range(1, len(parts)):
            found[".".join(parts[:count])] = layer
    return {module: layer for module, layer in found.items() if module not in layers}


def _write_elsewhere(node: fx.Node) -> None:
    """Make a graph's operation write to memory of its own."""
    if node.kwargs.get("inplace"):
        node.update_kwarg("inplace", False)
    if node.op == "call_function":
        name = getattr(node.target, "__name__", "")
        if node.target in IN_PLACE_OPERATORS:
            node.target = IN_PLACE_OPERATORS[node.target]
        elif name.endswith("_") and not name.startswith("_"):
            node.target = getattr(torch, name[:-1])
    elif node.op == "call_method" and re.fullmatch("[a-z].*[a-z0-9]_", str(node.target)):
        node.target = str(node.target)[:-1]


def _built(name: str, path: Path | None) -> Classifier:
    path = path or weights_files.kept(name, sources(name))
    found = weights_files.read(path, name)
    tensors = {_modern(key): tensor for key, tensor in found.tensors.items()}
    # A classifier trained on other classes differs only in its head, whose bias comes last.
    last = list(empty_model(name, 1000).state_dict())[-1]
    classes = tensors[last].numel() if last in tensors else 1000
    network = sketch(name, classes if 1 <= classes <= 100_000 else 1000)
    network.classes = _class_names(found, classes)
    return weights_files.install(
        network,
        dataclasses.replace(found, tensors=tensors),
        prefix="model.",
        ignored=("aux1.", "aux2.", "AuxLogits."),
    )


def _class_names(found: weights_files.Weights, classes: int) -> tuple[str, ...]:
    """The names a file that `dreamvid train` made gives its classes, or ImageNet's thousand."""
    if "classes" not in found.metadata:
        return imagenet_classes() if classes == 1000 else ()
    return weights_files.class_names(found, classes)


def _modern(key: str) -> str:
    """A parameter's present name: the published densenets say norm.1 where the module says norm1.

    >>> _modern("features.denseblock1.denselayer2.norm.1.weight")
    'features.denseblock1.denselayer2.norm1.weight'
    """
    return re.sub(r"(denselayer\d+\.(?:norm|conv))\.([12])\.", r"\1\2.", key)


def new_model(name: str, classes: int) -> nn.Module:
    """The model with random weights for so many classes, without its auxiliary heads."""
    return _model(name, classes, init_weights=True)


def empty_model(name: str, classes: int) -> nn.Module:
    """The model on the meta device, without memory and without its auxiliary heads."""
    try:
        with torch.device("meta"):
            return _model(name, classes, init_weights=False)
    except (RuntimeError, NotImplementedError):
        # Some constructors (regnet's) calculate with tensors, which meta tensors cannot.
        return _model(name, classes, init_weights=False).to("meta")


def _model(name: str, classes: int, *, init_weights: bool) -> nn.Module:
    theirs = _theirs(name)
    options: dict[str, Any] = {"weights": None, "num_classes": classes}
    if theirs in WITH_AUXILIARY_HEADS:
        options |= {"aux_logits": False, "init_weights": init_weights, "transform_input": False}
    return _models().get_model(theirs, **options)


def sketch(name: str, classes: int = 1000) -> Classifier:
    """The network without memory: enough to know its layers and smallest side."""
    return Classifier(name, empty_model(name, classes), preprocessing_of(name))


def published_weights(name: str) -> list[Any]:
    """Torchvision's published weights of a model, the best first."""
    known = _models().get_model_weights(_theirs(name))
    return sorted(known, key=lambda member: member is not known.DEFAULT)


def preprocessing_of(name: str) -> Preprocessing:
    """The preprocessing that the published weights of a model were trained with."""
    # The published weights of these two were trained on pictures in [-1, 1]; torchvision takes
    # ImageNet's mean off outside the model and converts inside it (transform_input=True). Doing
    # it once, here, is the same map, so the model is built with transform_input=False.
    if _theirs(name) in WITH_AUXILIARY_HEADS:
        return Preprocessing(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
    transforms = published_weights(name)[0].transforms()
    return Preprocessing(mean=tuple(transforms.mean), std=tuple(transforms.std))


def sources(name: str) -> tuple[Source, ...]:
    """Where torchvision publishes weights for this classifier, the best first.

    Torchvision spells the first eight digits of the SHA-256 in a file's name.
    """
    published = published_weights(name)
    usual = published[0].transforms()
    return tuple(
        Source(member.url, LICENCE, spelt[1] if (spelt := SPELT.search(member.url)) else "")
        for member in published
        # Weights for other preprocessing are features without a head, not this classifier.
        if member.transforms().mean == usual.mean
    )


class _Torchvision:
    """A `Library` of the networks here."""

    def names(self) -> list[str]:
        return names()

    def entry(self, name: str) -> Entry:
        return entry(name)


networks.add_library(_Torchvision())
