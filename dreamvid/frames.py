"""Frames, flows, sizes and clocks: the shapes everything else agrees on.

`Frame`: torch float32 (3, H, W), RGB, [0, 1], contiguous, no gradient. No batch axis.
`Flow`: torch float32 (2, H, W) in pixels, channel 0 is dx, channel 1 is dy, y down, backward:
``out[:, y, x] = in[:, y + dy, x + dx]``.
"""

import hashlib
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from dreamvid.sizes import Size

Frame = Tensor
Flow = Tensor
BLURRED = 16
"""Pixels of a film that one pixel of its blurred padding covers."""
Key = tuple[int, ...]
Offsets = tuple[int, int] | Tensor
"""How far a picture is rolled, down and to the right, in pixels."""


class Clock(NamedTuple):
    """Film time of a frame and the time since the frame before it, both in seconds."""

    time: float
    step: float


def size_of(frame: Tensor) -> Size:
    """The size of a frame, a flow or a batch of them."""
    return Size(*frame.shape[-2:])


@lru_cache(maxsize=2**16)
def constant(
    values: tuple[float, ...], device: torch.device, dtype: torch.dtype = torch.float32
) -> Tensor:
    """Numbers (n,) on a device, only to be read; made once, for bringing them there waits."""
    # A tensor born in inference mode could serve no gradient later.
    with torch.inference_mode(False):
        return torch.tensor(values, dtype=dtype, device=device)


def checked(frame: Tensor) -> Frame:
    """`frame` itself where it is a `Frame`; a `TypeError` that says what is wrong where not."""
    if frame.ndim != 3 or frame.shape[0] != 3 or frame.dtype != torch.float32:
        raise TypeError(f"a frame is float32 (3, H, W), not {frame.dtype} {tuple(frame.shape)}")
    return frame


def from_pixels(pixels: np.ndarray, device: str | torch.device = "cpu") -> Frame:
    """A frame from RGB pixels (H, W, 3), uint8 or uint16."""
    scaled = pixels.astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max)
    return checked(torch.from_numpy(np.ascontiguousarray(scaled.transpose(2, 0, 1))).to(device))


def to_pixels(frame: Frame, depth: int = 8) -> np.ndarray:
    """RGB pixels (H, W, 3) of a frame, rounded to uint8 or, with a depth of 16, uint16."""
    top = np.float32(2**depth - 1)
    # NumPy, for this runs in threads beside the dream, where torch would start more of its own.
    whole = np.rint(checked(frame).cpu().numpy().clip(0, 1) * top)
    pixels = whole.astype(np.uint8 if depth == 8 else np.uint16)
    return np.ascontiguousarray(pixels.transpose(1, 2, 0))


def quantised(frame: Frame, depth: int = 8) -> Frame:
    """The frame as it will be read back after being written with `depth` bits a channel."""
    top = 2**depth - 1
    # By a plain number a GPU would multiply by its reciprocal, which is another result.
    exactly = constant((float(top),), frame.device)
    return checked(frame).clamp(0, 1).mul(top).round().div(exactly)


def resized(image: Tensor, size: Size, corners: bool = True) -> Tensor:
    """`image` (…, H, W) at another size, bilinear, corner pixels on corner pixels.

    The same sampling as ``scipy.ndimage.zoom`` of order 1, which the 2015 notebook uses. Without
    `corners` the corners of corner pixels meet, as in OpenCV's linear resize.
    """
    if size_of(image) == size:
        return image
    batch = image[None] if image.ndim == 3 else image
    result = F.interpolate(batch, tuple(size), mode="bilinear", align_corners=corners)
    return result[0] if image.ndim == 3 else result


def photographic(image: Tensor, size: Size) -> Tensor:
    """`image` (3, H, W) at another size for looking at: bicubic, antialiased, within [0, 1]."""
    if size_of(image) == size:
        return image
    result = F.interpolate(image[None], tuple(size), mode="bicubic", antialias=True)
    return result[0].clamp(0, 1)


def covered(image: Tensor, size: Size) -> Tensor:
    """`image` (3, H, W) brought to fill `size`: its middle, where the shapes differ."""
    rows, columns = middle(size_of(image), size)
    return photographic(image[:, rows, columns], size)


def middle(shape: Size, size: Size) -> tuple[slice, slice]:
    """The rows and columns of the largest middle of a picture that has the shape of `size`."""
    height, width = shape
    scale = max(size.height / height, size.width / width)
    rows = min(height, max(1, round(size.height / scale)))
    columns = min(width, max(1, round(size.width / scale)))
    top, left = (height - rows) // 2, (width - columns) // 2
    return slice(top, top + rows), slice(left, left + columns)


def fitted(image: Tensor, size: Size, fit: str = "crop", padding: str = "blurred") -> Tensor:
    """`image` (3, H, W) brought to `size`, where their shapes differ by `fit`.

    Args:
        image: within [0, 1].
        size: of the result.
        fit: crop, to show its middle; pad, to show all of it with something around it; stretch.
        padding: what is around it: blurred, which is the image itself, enlarged; or black.
    """
    if fit == "crop":
        return covered(image, size)
    if fit == "stretch":
        return photographic(image, size)
    return padded(photographic(image, inside(size_of(image), size)), size, padding)


def inside(shape: Size, size: Size) -> Size:
    """The largest size of that shape that fits into `size`."""
    scale = min(size.height / shape.height, size.width / shape.width)
    return Size(*(min(a, max(1, round(b * scale))) for a, b in zip(size, shape, strict=True)))


def padded(image: Tensor, size: Size, padding: str) -> Tensor:
    """`image` (3, H, W) in the middle of a picture of `size`, which is no smaller."""
    if size_of(image) == size:
        return image
    if padding == "black":
        result = image.new_zeros(3, *size)
    else:
        coarse = Size(*(max(2, round(side / BLURRED)) for side in size))
        result = photographic(covered(image, coarse), size)
    height, width = size_of(image)
    top, left = (size.height - height) // 2, (size.width - width) // 2
    result[:, top : top + height, left : left + width] = image
    return result


def drawn(key: Key, low: int, high: int) -> int:
    """A whole number from `low` to `high`, both included, that depends on `key` alone."""
    digest = hashlib.blake2b(repr(tuple(key)).encode(), digest_size=8).digest()
    return low + int.from_bytes(digest, "big") % (high - low + 1)


def noise(size: Size, key: Key, *, exponent: float = 1.0, contrast: float = 0.15) -> Frame:
    """Coloured noise whose amplitude falls as 1/frequency^exponent, around middle grey.

    `contrast` is the standard deviation of each channel. Computed on the CPU, so that every
    device starts from the same picture.
    """
    generator = torch.Generator().manual_seed(drawn(key, 0, 2**62))
    white = torch.randn(3, *size, generator=generator)
    rows = torch.fft.fftfreq(size.height)[:, None]
    columns = torch.fft.rfftfreq(size.width)[None, :]
    frequency = (rows**2 + columns**2).sqrt().clamp_min(1 / max(size))
    spectrum = torch.fft.rfft2(white) / frequency**exponent
    field = torch.fft.irfft2(spectrum, s=tuple(size))
    field = field - field.mean((1, 2), keepdim=True)
    return (0.5 + contrast * field / (field.std((1, 2), keepdim=True) + 1e-12)).clamp(0, 1)
