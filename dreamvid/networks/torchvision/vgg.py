"""VGG. Source: Simonyan and Zisserman, "Very deep convolutional networks", 2014."""

from collections.abc import Sequence

from torch import nn

from dreamvid.networks.torchvision.family import Family, register


def _relus(model: nn.Module, layers: Sequence[str]) -> dict[str, str]:
    """``relu3_2`` is the second ReLU of the third block; ``relu3`` is the block's last."""
    names: dict[str, str] = {}
    block, place = 1, 0
    for layer, module in model.named_modules():
        if not layer.startswith("features."):
            continue
        if isinstance(module, nn.ReLU):
            place += 1
            names[f"relu{block}_{place}"] = names[f"relu{block}"] = layer
        elif isinstance(module, nn.MaxPool2d):
            names[f"pool{block}"] = layer
            block, place = block + 1, 0
    return names


register(
    Family(
        {
            f"vgg{depth}{suffix}": f"VGG-{depth}{words} (Simonyan and Zisserman 2014)."
            for depth in (11, 13, 16, 19)
            for suffix, words in (("", ""), ("_bn", " with batch normalisation"))
        },
        favourite="relu4",
        aliases=_relus,
    )
)
