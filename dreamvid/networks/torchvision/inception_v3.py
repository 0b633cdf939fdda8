"""Inception v3. Source: Szegedy et al., "Rethinking the Inception architecture", 2015."""

from collections.abc import Sequence

from torch import nn

from dreamvid.networks.torchvision.family import Family, register

BLOCKS = ("5b", "5c", "5d", "6a", "6b", "6c", "6d", "6e", "7a", "7b", "7c")


def _keras(model: nn.Module, layers: Sequence[str]) -> dict[str, str]:
    """Keras calls the blocks' outputs ``mixed0`` to ``mixed10``."""
    return {
        f"mixed{number}": [x for x in layers if x.startswith(f"Mixed_{block}.")][-1]
        for number, block in enumerate(BLOCKS)
    }


register(
    Family(
        {"inception_v3": "Inception v3, also of Keras' dream tutorial (Szegedy et al. 2015)."},
        favourite="mixed5",
        aliases=_keras,
    )
)
