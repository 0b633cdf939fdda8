"""Depths: how far away each pixel of a picture is, from a file beside it or made up.

A depth is float32 (H, W), the nearest thing being 1 away.
"""

from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import torch

from dreamvid import media
from dreamvid.errors import MediaError, SettingsError
from dreamvid.frames import Size
from dreamvid.media.exr import exr_layers
from dreamvid.media.formats import head_of, kind_of
from dreamvid.media.pictures import read_layers
from dreamvid.motion.camera import focal_length, nearness_of
from dreamvid.motion.scenes import Surface
from dreamvid.motion.warp import grid

LAYERS = "layers"
SHAPE = 0.02
"""How much the shape of a depth may differ from the seed's, as a share."""
NEAREST = 0.01
"""The share of pixels of a depth in units of its own that are taken to be nearer than it says."""
TERRACES = (5, 0.03, 2.0)
"""The bilateral filter that smooths the steps of 8 bits: pixels, depth, standard deviation."""


def read_depth(
    path: Path, size: Size, white: str, far: float, unit: Path | None = None
) -> np.ndarray:
    """The depth in a picture, (H, W) at `size`.

    Of ordinary pictures, black to white spans 1 to `far`: evenly in one divided by the distance
    where white is near, as depth networks give it, and evenly in the distance where it is far. An
    EXR file holds distances, or their inverses, in any unit: the nearest becomes 1, or that in the
    picture `unit`, and what is beyond `far` becomes `far`.

    Raises:
        MediaError: it cannot be read, or has negative depths.
    """
    values, measured = _values(path)
    values = _fitted(values, size)
    if not measured:
        return _spanned(values, white, far)
    distances = _distances(path, values, white)
    nearest = _nearest(unit or path, white)
    return np.nan_to_num(distances / nearest, nan=far, posinf=far).clip(1, far).astype(np.float32)


def _spanned(values: np.ndarray, white: str, far: float) -> np.ndarray:
    """What values from 0 to 1 say, as distances from 1 to `far`."""
    smooth = cv2.bilateralFilter(values, *TERRACES)
    if white == "near":
        return 1 / (smooth + (1 - smooth) / far)
    return 1 + smooth * (far - 1)


def _distances(path: Path, values: np.ndarray, white: str) -> np.ndarray:
    """Distances in a unit of their own."""
    if values.min() < 0:
        raise MediaError(
            f"{path}: has a depth of {values.min():.4g}, expected 0 or more; export distances"
        )
    with np.errstate(divide="ignore"):
        return 1 / values if white == "near" else values


@lru_cache(maxsize=4)
def _nearest(path: Path, white: str) -> float:
    """The nearest distance in a picture of distances, in its own unit."""
    distances = _distances(path, _values(path)[0], white)
    real = distances[np.isfinite(distances) & (distances > 0)]
    if not real.size:
        raise MediaError(f"{path}: holds no distance above 0; export another depth")
    return float(np.quantile(real, NEAREST))


def check_shape(path: Path, of: Size, name: str) -> None:
    """Raise `SettingsError` where the picture of a depth has another shape than what it is of."""
    height, width = _values(path)[0].shape
    must_have_shape(path, Size(height, width), of, name)


def must_have_shape(path: Path, size: Size, of: Size, name: str) -> None:
    """`check_shape` for one whose size is known."""
    if abs(size.width / size.height / (of.width / of.height) - 1) > SHAPE:
        raise SettingsError(
            f"motion.camera.depth: {path} is {size}, and the {name} {of}; expected one of the "
            f"{name}'s shape"
        )


def film_surface(
    path: Path, white: str, far: float, *, rate: Fraction, own: Fraction, first: int
) -> Surface:
    """The depth of every frame of a film: from one picture, from a row of them, or from a film.

    Args:
        path: of the depths. A row of pictures has one for each frame of the film dreamed over.
        white: whether that is near or far; see `read_depth`.
        far: see there.
        rate: frames a second of the film that is made.
        own: of the film dreamed over.
        first: the first frame of it, at `rate`.
    """
    if not media.is_sequence(path) and media.is_still(path):
        return lambda size, index: read_depth(path, size, white, far)
    if media.is_sequence(path):
        stills = media.stills_of(path).paths

        def of_stills(size: Size, index: int) -> np.ndarray:
            place = min(int((first + max(index, 0)) * own / rate), len(stills) - 1)
            # Where one is missing, the one before it stays.
            still = next(each for each in stills[place::-1] if each)
            return read_depth(still, size, white, far, stills[0])

        return of_stills
    film = _DepthFilm(path, rate)

    def of_film(size: Size, index: int) -> np.ndarray:
        return _spanned(_fitted(film(first + max(index, 0)), size), white, far)

    return of_film


def depths_there(path: Path, rate: Fraction, own: Fraction) -> int | None:
    """Of how many frames at `rate` the depths at `path` tell; None: one picture tells of all."""
    if media.is_sequence(path):
        return int(len(media.stills_of(path).paths) * rate / own)
    return None if media.is_still(path) else media.probe(path).frames_at(rate)


class _DepthFilm:
    """A film whose frames are depths; it holds its decoder, which reads them in order."""

    def __init__(self, path: Path, rate: Fraction) -> None:
        self.path, self.film, self.rate = path, media.probe(path), rate
        self.frames: Iterator[np.ndarray] = iter(())
        self.place, self.last = -1, np.zeros((0, 0), np.float32)

    def __call__(self, place: int) -> np.ndarray:
        """What the frame `place` says, (H, W), from 0 to 1."""
        if place != self.place:
            if place != self.place + 1 or self.place < 0:
                self.frames = media.decoded(self.path, self.film, rate=self.rate, start=place)
            pixels = next(self.frames, None)
            if pixels is not None:  # after its end the last one stays
                scale = np.float32(np.iinfo(pixels.dtype).max)
                self.last = pixels.mean(2, dtype=np.float32) / scale
            self.place = place
        return self.last


def standing(name: str, size: Size, fov: float, far: float) -> np.ndarray:
    """A plane, a tunnel or a floor as the depth of a picture, nothing of it beyond `far`."""
    middle = torch.tensor([(size.width - 1) / 2, (size.height - 1) / 2])[:, None, None]
    rays = (grid(size) - middle) / focal_length(fov, size)
    return (1 / nearness_of(rays, name).clamp(1 / far, 1)).numpy()


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
