"""The networks that dream, a file each, and torchvision's.

To add one, write its module here: a builder under ``@networks.register(sources=…, sketch=…)``. It
needs no entry anywhere else. Of torchvision's networks, more can be told in a `Family`.
"""

from dreamvid.networks.base import Network, Preprocessing
from dreamvid.networks.building import has_bfloat16, network, quick_precision, sketch, sources
from dreamvid.networks.naming import absolute_weights, moved_weights, weights_for
from dreamvid.networks.registered import discover, networks

__all__ = [
    "Network",
    "Preprocessing",
    "absolute_weights",
    "has_bfloat16",
    "moved_weights",
    "network",
    "networks",
    "quick_precision",
    "sketch",
    "sources",
    "weights_for",
]

discover(__path__, __name__)
