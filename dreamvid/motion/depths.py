"""Depths: how far away each pixel of a seed is, from a file beside it or made up.

A depth is float32 (H, W), the nearest thing being 1 away.
"""

from pathlib import Path

import cv2
import numpy as np

from dreamvid.errors import MediaError, SettingsError
from dreamvid.frames import Size
from dreamvid.media.exr import exr_layers
from dreamvid.media.formats import head_of, kind_of
from dreamvid.media.pictures import read_layers

LAYERS = "layers"
SHAPE = 0.02
"""How much the shape of a depth may differ from the seed's, as a share."""
NEAREST = 0.01
"""The share of pixels of a depth in units of its own that are taken to be nearer than it says."""
TERRACES = (5, 0.03, 2.0)
"""The bilateral filter that smooths the steps of 8 bits: pixels, depth, standard deviation."""


def read_depth(path: Path, size: Size, white: str, far: float) -> np.ndarray:
    """The depth in a picture, (H, W) at `size`.

    Of ordinary pictures, black to white spans 1 to `far`: evenly in one divided by the distance
    where white is near, as depth networks give it, and evenly in the distance where it is far. An
    EXR file holds distances, or their inverses, in any unit: the nearest becomes 1, and what is
    beyond `far` becomes `far`.

    Raises:
        MediaError: it cannot be read, or has negative depths.
    """
    values, measured = _values(path)
    values = _fitted(values, size)
    if not measured:
        smooth = cv2.bilateralFilter(values, *TERRACES)
        if white == "near":
            return 1 / (smooth + (1 - smooth) / far)
        return 1 + smooth * (far - 1)
    if values.min() < 0:
        raise MediaError(
            f"{path}: has a depth of {values.min():.4g}, wanted 0 or more; export distances"
        )
    with np.errstate(divide="ignore"):
        distances = 1 / values if white == "near" else values
    real = distances[np.isfinite(distances) & (distances > 0)]
    if not real.size:
        raise MediaError(f"{path}: holds no distance above 0; export another depth")
    nearest = np.quantile(real, NEAREST)
    return np.nan_to_num(distances / nearest, nan=far, posinf=far).clip(1, far).astype(np.float32)


def check_shape(path: Path, seed: Size) -> None:
    """Raise `SettingsError` where the depth at `path` has another shape than the seed."""
    height, width = _values(path)[0].shape
    if abs(width / height / (seed.width / seed.height) - 1) > SHAPE:
        raise SettingsError(
            f"motion.camera.depth: {path} is {Size(height, width)}, and the seed {seed}; wanted "
            "one of the seed's shape"
        )


def _values(path: Path) -> tuple[np.ndarray, bool]:
    """What a picture says, (H, W) float32: of an EXR as it stands (True), else from 0 to 1."""
    if kind_of(head_of(path)) == "EXR":
        try:
            return exr_layers(path, lambda size: None).colours.mean(2, dtype=np.float32), True
        except MediaError:
            raise
        # A decoder given damaged bytes raises nearly anything.
        except Exception as error:
            raise MediaError(f"{path}: cannot be read as EXR ({error})") from None
    colours, _ = read_layers(path)
    return colours.mean(2, dtype=np.float32) / np.float32(np.iinfo(colours.dtype).max), False


def _fitted(values: np.ndarray, size: Size) -> np.ndarray:
    """The middle of `values` at `size`; no value is mixed with another, for edges stay edges."""
    height, width = values.shape
    scale = max(size.height / height, size.width / width)
    rows = min(height, max(1, round(size.height / scale)))
    columns = min(width, max(1, round(size.width / scale)))
    top, left = (height - rows) // 2, (width - columns) // 2
    cut = np.ascontiguousarray(values[top : top + rows, left : left + columns])
    shape = (size.width, size.height)
    if rows >= size.height:
        return cv2.resize(cut, shape, interpolation=cv2.INTER_NEAREST_EXACT)
    return cv2.resize(cut, shape, interpolation=cv2.INTER_LINEAR)


def layered(size: Size, count: int, far: float) -> np.ndarray:
    """Layers one behind another, like hills or the wings of a stage: the lowest is nearest."""
    rows = np.linspace(0, 1, size.height, dtype=np.float32)[:, None]
    columns = np.linspace(0, 1, size.width, dtype=np.float32)[None, :]
    depth = np.full(size, far, np.float32)
    for number in range(1, count):
        # From the farthest to the nearest, each with a wavy edge of its own.
        share = number / (count - 1) if count > 1 else 1.0
        edge = 0.3 + 0.5 * number / count
        edge = edge + 0.06 * np.sin(2 * np.pi * (columns * (1 + number) + 0.37 * number))
        depth[np.broadcast_to(rows > edge, size)] = 1 / ((1 - share) / far + share)
    return depth
