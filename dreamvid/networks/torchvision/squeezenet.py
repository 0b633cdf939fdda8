"""SqueezeNet. Source: Iandola et al., "SqueezeNet", 2016."""

from dreamvid.networks.torchvision.family import Family, register

register(
    Family(
        {
            "squeezenet": "SqueezeNet 1.1, five megabytes (Iandola et al. 2016).",
            "squeezenet1_0": "SqueezeNet 1.0 (Iandola et al. 2016).",
            "squeezenet1_1": "SqueezeNet 1.1, five megabytes (Iandola et al. 2016).",
        },
        favourite="features.9",
    )
)
