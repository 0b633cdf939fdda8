"""EfficientNet. Source: Tan and Le, "EfficientNet", 2019."""

from dreamvid.networks.torchvision.family import Family, register

register(
    Family(
        {f"efficientnet_b{size}": f"EfficientNet-B{size} (Tan and Le 2019)." for size in range(8)},
        favourite="features.5",
    )
)
