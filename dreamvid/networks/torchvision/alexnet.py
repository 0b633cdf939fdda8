"""AlexNet. Source: Krizhevsky, "One weird trick for parallelizing convolutional networks", 2014."""

from collections.abc import Sequence

from torch import nn

from dreamvid.networks.torchvision.family import Family, register


def _relus(model: nn.Module, layers: Sequence[str]) -> dict[str, str]:
    """``relu1`` to ``relu5`` follow the convolutions."""
    relus = [name for name, part in model.named_modules() if isinstance(part, nn.ReLU)]
    features = [name for name in relus if name.startswith("features.")]
    return {f"relu{number}": layer for number, layer in enumerate(features, 1)}


register(
    Family(
        {"alexnet": "AlexNet, the first of them, coarse and quick (Krizhevsky 2014)."},
        favourite="relu5",
        aliases=_relus,
    )
)
