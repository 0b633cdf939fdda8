"""MobileNet v3. Source: Howard et al., "Searching for MobileNetV3", 2019."""

from dreamvid.networks.torchvision.family import Family, register

register(
    Family(
        {
            "mobilenet_v3": "MobileNet v3 large (Howard et al. 2019).",
            "mobilenet_v3_large": "MobileNet v3 large (Howard et al. 2019).",
            "mobilenet_v3_small": "MobileNet v3 small (Howard et al. 2019).",
        },
        favourite="features.11",
    )
)
