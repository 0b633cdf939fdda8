"""DenseNet. Source: Huang et al., "Densely connected convolutional networks", 2016."""

from dreamvid.networks.torchvision.family import Family, register

register(
    Family(
        {
            f"densenet{depth}": f"DenseNet-{depth} (Huang et al. 2016)."
            for depth in (121, 161, 169, 201)
        },
        favourite="features.denseblock3",
    )
)
