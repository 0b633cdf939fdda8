"""Pictures of more than 8 bits, read by those of imageio's plugins that keep them all."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import imageio.v3 as iio
import numpy as np

from dreamvid.errors import MediaError
from dreamvid.frames import Size
from dreamvid.media.png import Png

Signal = tuple[int, int]
"""Primaries and transfer, by ITU-T H.273, of a high dynamic range."""


@dataclass
class Layers:
    """A picture as it is stored: not turned upright, its colours in its own space.

    Attributes:
        colours: RGB (H, W, 3), uint8 or uint16, or floats where 1 is white.
        alpha: (H, W) from 0 to 1; None where every pixel is opaque.
        orientation: EXIF's number.
        profile: the ICC profile, None without one.
        linear: whether the colours are light rather than a signal.
        signal: where the range is a high dynamic one.
    """

    colours: np.ndarray
    alpha: np.ndarray | None = None
    orientation: int = 1
    profile: bytes | None = None
    linear: bool = False
    signal: Signal | None = None


def png_layers(png: Png, orientation: int) -> Layers:
    """A PNG of 16-bit colour; Pillow has no such pictures and would drop half of the bits."""
    pixels = iio.imread(
        png.data, plugin="opencv", extension=".png", index=0, flags=cv2.IMREAD_UNCHANGED
    )
    return of_pixels(pixels, orientation=orientation, profile=png.profile)


Check = Callable[[Size], None]
"""Raises where a picture of that size is not to be decoded."""


def tiff_layers(path: Path, check: Check) -> Layers | None:
    """The first page of a TIFF of 16-bit or floating-point colour; None for most others.

    Raises:
        MediaError: it is a camera's raw picture.
    """
    # Opened here: imageio takes some names for addresses or archives.
    with path.open("rb") as file, iio.imopen(file, "r", plugin="tifffile") as opened:
        tiff: Any = opened
        tags: dict[str, Any] = tiff.metadata(index=..., page=0)
        photometric, bits = tags.get("PhotometricInterpretation"), tags.get("BitsPerSample")
        depth = max(bits) if isinstance(bits, tuple) else int(bits or 1)
        if tags.get("NewSubfileType") == 1 and ("SubIFDs" in tags or "DNGVersion" in tags):
            raise MediaError(
                f"{path}: is a camera's raw picture, of which only a small preview could be read; "
                "develop it and export a TIFF or JPEG"
            )
        formats = np.atleast_1d(tags.get("SampleFormat", 1))
        floats, signed = 3 in formats, 2 in formats
        samples = int(tags.get("SamplesPerPixel", 1))
        grey = photometric == 1 and floats and depth != 32 and samples == 1
        # Those of 16-bit grey that Pillow takes for others, or does not read.
        odd = signed or samples == 2 or photometric == 0
        grey |= photometric in (0, 1) and depth == 16 and not floats and odd and samples <= 2
        if depth <= 8 or not (grey or (photometric == 2 and samples >= 3)):
            return None
        size = Size(tags["ImageLength"], tags["ImageWidth"])
        check(size)
        try:
            pixels = tiff.read(index=None, page=0)
        except (ValueError, ImportError):  # of a compression that needs a package more
            pixels = _by_opencv(path)
    if pixels is None:
        return None
    if pixels.ndim == 3 and pixels.shape[0] == samples and pixels.shape[1:] == size:
        pixels = np.moveaxis(pixels, 0, -1)  # a plane for each channel
    if photometric == 0 and not signed:
        black = np.array([65535, 0][:samples], np.uint16)  # its 0 is white
        pixels = pixels ^ (black if pixels.ndim == 3 else black[0])
    extra = np.atleast_1d(tags.get("ExtraSamples", ()))
    layers = of_pixels(
        pixels,
        orientation=int(tags.get("Orientation", 1)),
        profile=tags.get("InterColorProfile"),
    )
    if samples > 3 and not (len(extra) and extra[0] in (1, 2)):
        layers.alpha = None  # a fourth channel of something else
    if layers.alpha is not None and len(extra) and extra[0] == 1:
        layers.colours = straight(layers.colours, layers.alpha)
    return layers


def _by_opencv(path: Path) -> np.ndarray | None:
    try:
        return iio.imread(path.read_bytes(), plugin="opencv", extension=".tiff", index=0,
                          flags=cv2.IMREAD_UNCHANGED)  # fmt: skip
    except (ValueError, cv2.error):
        return None


def radiance_layers(path: Path, check: Check) -> Layers:
    """A Radiance picture, .hdr: linear light."""
    data = path.read_bytes()
    found = re.search(rb"\n([-+][XY]) (\d{1,9}) ([-+][XY]) (\d{1,9})\n", data[: 2**16])
    if not found:
        raise ValueError("it has no size")
    check(Size(int(found[2]), int(found[4])))
    pixels = iio.imread(data, plugin="opencv", extension=".hdr", index=0,
                        flags=cv2.IMREAD_UNCHANGED)  # fmt: skip
    layers = of_pixels(pixels.astype(np.float32))
    layers.linear = True
    return layers


def of_pixels(pixels: np.ndarray, **others: Any) -> Layers:
    """Layers of grey or RGB, with alpha or without, (H, W) or (H, W, 1 to 4)."""
    if pixels.dtype.kind == "f":
        pixels = np.nan_to_num(pixels.astype(np.float32), posinf=65504, neginf=0)
    elif pixels.dtype not in (np.uint8, np.uint16):
        top = np.iinfo(pixels.dtype).max
        pixels = (pixels.clip(0).astype(np.float64) / top).astype(np.float32)
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    alpha = None
    if pixels.shape[2] in (2, 4):
        top = 1 if pixels.dtype.kind == "f" else np.iinfo(pixels.dtype).max
        alpha = (pixels[..., -1] / np.float32(top)).clip(0, 1)
        pixels = pixels[..., :-1]
    colours = pixels if pixels.shape[2] >= 3 else np.repeat(pixels[..., :1], 3, axis=2)
    return Layers(np.ascontiguousarray(colours[..., :3]), alpha, **others)


def straight(colours: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Colours that were multiplied with their alpha, as they were before."""
    straight = colours / np.maximum(alpha, 1e-4)[..., None]
    if colours.dtype.kind == "f":
        return straight
    return np.rint(straight).clip(0, np.iinfo(colours.dtype).max).astype(colours.dtype)
