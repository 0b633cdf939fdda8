"""ResNet. Source: He et al., "Deep residual learning for image recognition", 2015."""

import re
from collections.abc import Sequence

from torch import nn

from dreamvid.networks.torchvision.family import Family, register


def _relus(model: nn.Module, layers: Sequence[str]) -> dict[str, str]:
    """``relu1``, ``relu2``, … in order; ``botneck1`` to ``botneck4`` end the four stages.

    A single bottleneck goes by its module's name, ``layer3.2``.
    """
    relus = [layer for layer in layers if re.fullmatch(r"relu(_\d+)?", layer.split(".")[-1])]
    names = {f"relu{number}": layer for number, layer in enumerate(relus, 1)}
    for stage in range(1, 5):
        names[f"botneck{stage}"] = [x for x in relus if x.startswith(f"layer{stage}.")][-1]
    return names


register(
    Family(
        {f"resnet{depth}": f"ResNet-{depth} (He et al. 2015)." for depth in (18, 34, 50, 101, 152)},
        favourite="layer3",
        aliases=_relus,
    )
)
