"""EfficientNet. Source: Tan and Le, "EfficientNet", 2019."""

from dreamvid.networks.torchvision.classifier import Family

FAMILY = Family(
    {f"efficientnet_b{size}": f"EfficientNet-B{size} (Tan and Le 2019)." for size in range(8)},
    favourite="features.5",
)
