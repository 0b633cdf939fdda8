"""Weights: reading files nobody vouches for, fitting them to networks, fetching, keeping them."""

from dreamvid.networks.weights.fetching import fetch
from dreamvid.networks.weights.installing import install
from dreamvid.networks.weights.reading import SIZE_CAP, Weights, class_names, read
from dreamvid.networks.weights.store import Source, check, hub_folder, kept, pinned
from dreamvid.networks.weights.writing import write

__all__ = [
    "SIZE_CAP",
    "Source",
    "Weights",
    "check",
    "class_names",
    "fetch",
    "hub_folder",
    "install",
    "kept",
    "pinned",
    "read",
    "write",
]
