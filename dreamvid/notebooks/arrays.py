"""Pictures as arrays: NumPy (H, W, 3), PIL images, torch tensors (3, H, W); in, and out again."""

from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
import torch
from PIL import Image

from dreamvid import media
from dreamvid.errors import SettingsError
from dreamvid.frames import Frame, from_pixels, to_pixels
from dreamvid.jobs import stills
from dreamvid.jobs.progress import Progress
from dreamvid.settings import Settings

Array = np.ndarray | Image.Image | torch.Tensor
Seed = str | PathLike[str] | Array
"""A picture: where it is, or the picture itself."""
EXPECTED = (
    "RGB: a NumPy array (H, W, 3) of uint8, uint16 or of floats from 0 to 1, a PIL image, "
    "or a torch tensor (3, H, W) of uint8 or of floats from 0 to 1"
)
FLOAT_DEPTH = 16
"""Bits a channel with which floats are kept in a file."""


def is_array(seed: Any) -> TypeGuard[Array]:
    """Whether `seed` is a picture itself, rather than where it is."""
    return isinstance(seed, Array)


def frame_from(array: Array) -> Frame:
    """The frame of a picture, on the processor.

    Raises:
        SettingsError: It is no RGB picture, or its values are not within their range.
    """
    if isinstance(array, Image.Image):
        return from_pixels(np.asarray(array.convert("RGB")))
    if isinstance(array, torch.Tensor):
        if array.ndim != 3:
            raise SettingsError(f"picture: got a tensor {tuple(array.shape)}, expected {EXPECTED}")
        array = array.detach().cpu().movedim(0, 2)
        array = (array.float() if array.is_floating_point() else array).numpy()
    if array.ndim == 2:
        array = np.repeat(array[..., None], 3, axis=2)
    if array.ndim != 3 or array.shape[2] != 3 or not array.size:
        raise SettingsError(f"picture: got an array {array.shape}, expected {EXPECTED}")
    if array.dtype in (np.uint8, np.uint16):
        return from_pixels(array)
    if array.dtype.kind != "f":
        raise SettingsError(f"picture: got {array.dtype}, expected {EXPECTED}")
    low, high = float(array.min()), float(array.max())
    if not (low >= 0 and high <= 1):
        raise SettingsError(f"picture: got values from {low:g} to {high:g}, expected {EXPECTED}")
    return torch.from_numpy(np.ascontiguousarray(array.transpose(2, 0, 1), dtype=np.float32))


def converter(like: Any, depth: int = 8) -> Callable[[Frame], Any]:
    """What makes of a frame a picture of the kind that `like` is.

    Where it is no array, a NumPy array (H, W, 3) of `depth` bits a channel.
    """
    if isinstance(like, Image.Image):
        return lambda frame: Image.fromarray(to_pixels(frame))
    if isinstance(like, torch.Tensor):
        kind, device = like.dtype, like.device
        if kind.is_floating_point:
            return lambda frame: frame.to(device, kind)
        return lambda frame: torch.from_numpy(to_pixels(frame)).movedim(2, 0).to(device)
    if isinstance(like, np.ndarray) and like.dtype.kind == "f":
        return lambda frame: frame.cpu().numpy().transpose(1, 2, 0).astype(like.dtype)
    if isinstance(like, np.ndarray):
        depth = 8 * like.dtype.itemsize
    return lambda frame: to_pixels(frame, depth)


def dreamed_array(array: Array, settings: Settings, progress: Progress) -> Any:
    """The dream of a picture, as an array of the same kind."""
    stills.check(settings)
    frame, _ = stills.dreamed(frame_from(array), settings, progress)
    return converter(array)(frame)


def kept_seed(seed: Any, out: Path | None, overwrite: bool) -> Path:
    """Where the seed of a film is: an array is kept beside it, since its job needs it again.

    Raises:
        SettingsError: It is no picture, or another picture is there already.
    """
    if isinstance(seed, str | PathLike):
        return Path(seed)
    if not is_array(seed):
        raise SettingsError(f"picture: got {type(seed).__name__}, expected a path or {EXPECTED}")
    frame = frame_from(seed)
    eight = isinstance(seed, Image.Image) or str(seed.dtype).endswith("uint8")
    path = Path("array.png") if out is None else out.with_name(f"{out.stem}-seed.png")
    if path.exists() and not overwrite and not torch.equal(media.read_picture(path), frame):
        raise SettingsError(
            f"{path}: another seed is kept there already; give the film another name, or "
            "overwrite=True"
        )
    media.write_picture(frame, path, 8 if eight else FLOAT_DEPTH)
    return path
