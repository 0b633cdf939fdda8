"""Spaces: the numbers that a picture is written in while its dream climbs. `spaces` names them."""

from dreamvid.dream.spaces import fourier, phase, pixels
from dreamvid.dream.spaces.registered import (
    Space,
    files_of,
    moved_files,
    photographs_of,
    space_for,
    spaces,
)
from dreamvid.dream.spaces.views import Views

__all__ = [
    "Space",
    "Views",
    "files_of",
    "fourier",
    "moved_files",
    "phase",
    "photographs_of",
    "pixels",
    "space_for",
    "spaces",
]
