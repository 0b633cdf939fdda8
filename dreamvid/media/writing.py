"""Pictures written whole or not at all; PNG frames, exactly."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tifffile
from PIL import Image, TiffImagePlugin

from dreamvid.errors import MediaError
from dreamvid.frames import Frame, from_pixels, to_pixels
from dreamvid.media.atomic import atomic_write
from dreamvid.media.exr_writing import exr_bytes
from dreamvid.media.formats import PNG_START, head_of
from dreamvid.media.metadata import png_texts, xmp

WRITE_FORMATS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".jfif": "JPEG",
    ".jpe": "JPEG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".exr": "EXR",
}
DEEP = ("PNG", "TIFF", "EXR")
"""The formats that have 16 bits a channel; EXR has no fewer."""
OPAQUE = ("JPEG", "EXR")
"""Those that are written without transparency."""


def write_picture(
    frame: Frame,
    path: Path,
    depth: int = 8,
    metadata: Mapping[str, str] | None = None,
    alpha: np.ndarray | None = None,
) -> None:
    """Write `frame` to `path`, whole or not at all; the suffix chooses the format.

    Args:
        frame: what to write; rounded to `depth` bits a channel.
        path: ends in .png, .jpg, .webp, .tiff or .exr.
        depth: 8 or 16; only PNG, TIFF and EXR have 16.
        metadata: words to keep with the picture; formats other than PNG keep ``comment`` only.
        alpha: how opaque it is, (H, W) from 0 to 1.

    Raises:
        MediaError: the suffix is unknown, or has no 16 bits or no transparency.
        StorageError: the disk is full, read-only or broken.
    """
    kind = WRITE_FORMATS.get(path.suffix.lower())
    if kind is None:
        raise MediaError(
            f"{path}: no picture format {path.suffix!r}, expected one of {', '.join(WRITE_FORMATS)}"
        )
    if depth != 8 and kind not in DEEP:
        raise MediaError(
            f"{path}: {kind} has 8 bits a channel, not {depth}; write a .png, .tif or .exr"
        )
    if alpha is not None and kind in OPAQUE:
        raise MediaError(f"{path}: {kind} has no transparency here; write a .png, .webp or .tiff")
    pixels = to_pixels(frame, depth)
    if alpha is not None:
        plane = np.rint(alpha[..., None].clip(0, 1) * np.iinfo(pixels.dtype).max)
        pixels = np.concatenate([pixels, plane.astype(pixels.dtype)], axis=2)
    if kind == "PNG":
        # Pillow has no 16-bit RGB. Level 6 takes 7 times as long to save a few percent.
        order = [2, 1, 0, 3][: pixels.shape[2]]
        backwards = np.ascontiguousarray(pixels[..., order])
        _, packed = cv2.imencode(".png", backwards, [cv2.IMWRITE_PNG_COMPRESSION, 1])
        data = packed.tobytes()
        end = len(data) - 12  # before the closing IEND chunk
        data = data[:end] + png_texts(metadata or {}) + data[end:]
    elif kind == "EXR":
        data = exr_bytes(frame, (metadata or {}).get("comment", ""))
    elif depth != 8:
        data = _deep_tiff(pixels, (metadata or {}).get("comment"))
    else:
        data = _pillow_bytes(pixels, kind, (metadata or {}).get("comment"))
    with atomic_write(path) as part:
        part.write_bytes(data)


def frame_bytes(pixels: np.ndarray) -> bytes:
    """The PNG of a frame's RGB pixels (H, W, 3), uint8 or uint16, packed for speed.

    Of a dreamed frame runs of equal bytes are all that packing finds: a search for more takes
    three times as long, and the file is a twentieth larger.
    """
    options = [
        cv2.IMWRITE_PNG_COMPRESSION,
        1,
        cv2.IMWRITE_PNG_STRATEGY,
        cv2.IMWRITE_PNG_STRATEGY_RLE,
    ]
    if hasattr(cv2, "IMWRITE_PNG_FILTER"):
        options += [cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_AVG]
    _, packed = cv2.imencode(".png", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), options)
    return packed.tobytes()


def _pillow_bytes(pixels: np.ndarray, kind: str, comment: str | None) -> bytes:
    options: dict[str, Any] = {"quality": 95} if kind != "TIFF" else {"compression": "tiff_lzw"}
    if kind == "JPEG":
        options["subsampling"] = 0
        if comment and len(comment.encode()) < 65_000:  # a JPEG segment holds 64 kB
            options["comment"] = comment.encode()
    elif kind == "WEBP" and comment:
        options["xmp"] = xmp(comment)
    elif kind == "TIFF" and comment:
        directory = TiffImagePlugin.ImageFileDirectory_v2()
        directory[270] = comment
        options["tiffinfo"] = directory
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def _deep_tiff(pixels: np.ndarray, comment: str | None) -> bytes:
    """A TIFF of 16 bits, which Pillow has not in colour."""
    buffer = io.BytesIO()
    kinds = {3: None, 4: ("unassalpha",)}
    tifffile.imwrite(
        buffer,
        pixels,
        photometric="rgb",
        extrasamples=kinds[pixels.shape[2]],
        compression="zlib",
        description=comment,
        metadata=None,
        software=False,
    )
    return buffer.getvalue()


def read_png(path: Path) -> Frame:
    """A PNG of `write_picture` with every bit it was written with; quicker than `read_picture`.

    Raises:
        MediaError: the file is missing, damaged or not 8 or 16-bit RGB.
    """
    return from_pixels(read_pixels(path))


def read_pixels(path: Path) -> np.ndarray:
    """The RGB pixels (H, W, 3), uint8 or uint16, of a PNG of `write_picture`; see `read_png`."""
    if not head_of(path).startswith(PNG_START):
        raise MediaError(f"{path}: is not a PNG; its frame must be made again")
    data = np.fromfile(path, np.uint8)
    try:
        pixels = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    except cv2.error:
        pixels = None
    if pixels is None:
        raise MediaError(f"{path}: the PNG is damaged; its frame must be made again")
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype not in (np.uint8, np.uint16):
        raise MediaError(f"{path}: {pixels.dtype} {pixels.shape}, expected 8 or 16-bit RGB")
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
