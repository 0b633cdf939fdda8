"""The names of ImageNet's thousand classes, which torchvision's weights list in their order."""

from functools import lru_cache


@lru_cache
def imagenet_classes() -> tuple[str, ...]:
    """The thousand names, in the order of every head trained on ILSVRC 2012.

    Empty where torchvision cannot be imported: then classes go by their numbers.
    """
    try:
        from torchvision.models import AlexNet_Weights
    # A torchvision built for another torch fails in ways of its own: RuntimeError, OSError, ...
    except Exception:
        return ()
    return tuple(AlexNet_Weights.DEFAULT.meta["categories"])
