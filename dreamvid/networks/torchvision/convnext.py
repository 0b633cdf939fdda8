"""ConvNeXt. Source: Liu et al., "A ConvNet for the 2020s", 2022."""

from dreamvid.networks.torchvision.family import Family, register

register(
    Family(
        {
            f"convnext_{size}": f"ConvNeXt {size} (Liu et al. 2022)."
            for size in ("tiny", "small", "base", "large")
        },
        favourite="features.5",
    )
)
