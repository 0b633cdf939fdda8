"""Still pictures: anything a person may have, read upright and in sRGB; PNG frames, exactly."""

import contextlib
import io
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageCms, ImageOps, TiffImagePlugin

from dreamvid.errors import MediaError
from dreamvid.frames import Frame, from_pixels, to_pixels
from dreamvid.media.atomic import atomic_write
from dreamvid.media.formats import PNG_START, damaged, head_of
from dreamvid.media.metadata import png_texts, xmp

LARGEST_PICTURE = 64_000_000
SMALLEST_SIDE = 16
READ_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "AVIF", "JPEG2000")
READ_SUFFIXES = {
    *(".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".ppm", ".pgm", ".avif", ".jp2")
}
"""What a picture's name ends in where it could be a film as well."""
WRITE_FORMATS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
}


def read_picture(
    path: Path,
    *,
    background: tuple[int, int, int] = (0, 0, 0),
    largest: int = LARGEST_PICTURE,
) -> Frame:
    """The picture at `path` as a viewer shows it: upright, sRGB, without transparency.

    16-bit grey keeps its range, 16-bit colour is read with 8 bits. Of 32-bit and floating point
    grey, values up to 65535 and up to 1 are taken to be the usual range; where a picture goes
    beyond, its own maximum becomes white. Of an animation the first frame is taken.

    Args:
        path: a JPEG, PNG, WebP, TIFF, BMP, GIF, PPM, AVIF or JPEG 2000 file of any name.
        background: what shows through transparent pixels, sRGB from 0 to 255.
        largest: the most pixels to accept.

    Raises:
        MediaError: the file is missing, unreadable, damaged, of another kind, too large or has a
            side under 16 pixels.
    """
    head = head_of(path)
    with warnings.catch_warnings():
        # Of sizes, where our own limit is checked below, and of tags that nobody looks at.
        warnings.simplefilter("ignore")
        return from_pixels(_decoded(path, head, background, largest))


def _decoded(path: Path, head: bytes, background: tuple[int, int, int], largest: int) -> np.ndarray:
    try:
        picture = Image.open(path, formats=READ_FORMATS)
    except Image.DecompressionBombError as error:
        raise _too_large(path, "far more pixels", largest) from error
    except Image.UnidentifiedImageError as error:
        raise MediaError(f"{path}: {_unreadable(head)}") from error
    except Exception as error:
        raise damaged(path, error) from error
    with picture:
        width, height = picture.size
        if width * height > largest:
            raise _too_large(path, f"{width}x{height}", largest)
        if min(width, height) < SMALLEST_SIDE:
            raise MediaError(
                f"{path}: {width}x{height} is too small to dream on, "
                f"wanted at least {SMALLEST_SIDE} pixels a side; enlarge it first"
            )
        try:
            picture.load()
            return _srgb(ImageOps.exif_transpose(picture), background)
        # A decoder given damaged bytes raises nearly anything: OSError, SyntaxError, IndexError...
        except Exception as error:
            raise damaged(path, error) from error


def _unreadable(head: bytes) -> str:
    known = "JPEG, PNG, WebP, TIFF, BMP, GIF, PPM, AVIF or JPEG 2000"
    if head[4:8] == b"ftyp" and re.match(rb"hei|hev|mif1|msf1", head[8:12]):
        return f"is a HEIC picture, wanted {known}; export it as JPEG"
    if re.search(rb"<svg[\s>]", head, re.IGNORECASE):
        return f"is an SVG drawing, wanted {known}; export it as PNG"
    return f"is not a picture that can be read, wanted {known}; convert it first"


def _too_large(path: Path, got: str, largest: int) -> MediaError:
    return MediaError(
        f"{path}: {got} is too large, wanted at most {largest / 1e6:.0f} million pixels; shrink it"
    )


def _srgb(picture: Image.Image, background: tuple[int, int, int]) -> np.ndarray:
    """RGB pixels (H, W, 3), uint8 or uint16, of a loaded picture of any mode."""
    if picture.mode[0] in "IF":
        values = np.nan_to_num(np.asarray(picture).astype(np.float64), posinf=0, neginf=0)
        usual = 1.0 if picture.mode == "F" else 65535.0
        grey = np.clip(values / max(usual, values.max()), 0, 1) * 65535
        return np.repeat(np.rint(grey).astype(np.uint16)[..., None], 3, axis=2)
    alpha = None
    if picture.has_transparency_data:
        with_alpha = picture.convert("RGBA")
        alpha = np.asarray(with_alpha.getchannel("A"), np.float64)[..., None] / 255
        picture = picture.convert("L") if picture.mode == "LA" else with_alpha.convert("RGB")
    elif picture.mode in ("P", "1"):
        picture = picture.convert("RGB")
    colours = np.asarray(_without_profile(picture), np.float64)
    if alpha is not None:
        colours = colours * alpha + np.array(background, np.float64) * (1 - alpha)
    return np.rint(colours).astype(np.uint8)


def _without_profile(picture: Image.Image) -> Image.Image:
    """`picture` in RGB, converted to sRGB from the colour profile it carries, if it has one."""
    profile = picture.info.get("icc_profile")
    if profile:
        # A broken profile, or one for another mode, is ignored as viewers do.
        with contextlib.suppress(ImageCms.PyCMSError, OSError, ValueError):
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            target = ImageCms.createProfile("sRGB")
            converted = ImageCms.profileToProfile(picture, source, target, outputMode="RGB")
            if converted is not None:
                return converted
    return picture.convert("RGB")


def write_picture(
    frame: Frame, path: Path, depth: int = 8, metadata: Mapping[str, str] | None = None
) -> None:
    """Write `frame` to `path`, whole or not at all; the suffix chooses the format.

    Args:
        frame: what to write; rounded to `depth` bits a channel.
        path: ends in .png, .jpg, .webp or .tiff.
        depth: 8 or 16; only PNG has 16.
        metadata: words to keep with the picture; formats other than PNG keep ``comment`` only.

    Raises:
        MediaError: the suffix is unknown or has no 16 bits.
        StorageError: the disk is full, read-only or broken.
    """
    kind = WRITE_FORMATS.get(path.suffix.lower())
    if kind is None:
        raise MediaError(
            f"{path}: no picture format {path.suffix!r}, wanted one of {', '.join(WRITE_FORMATS)}"
        )
    if depth != 8 and kind != "PNG":
        raise MediaError(f"{path}: {kind} has 8 bits a channel, not {depth}; write a .png")
    pixels = to_pixels(frame, depth)
    if kind == "PNG":
        # Pillow has no 16-bit RGB. Level 6 takes 7 times as long to save a few percent.
        backwards = np.ascontiguousarray(pixels[..., ::-1])
        _, packed = cv2.imencode(".png", backwards, [cv2.IMWRITE_PNG_COMPRESSION, 1])
        data = packed.tobytes()
        end = len(data) - 12  # before the closing IEND chunk
        data = data[:end] + png_texts(metadata or {}) + data[end:]
    else:
        data = _pillow_bytes(pixels, kind, (metadata or {}).get("comment"))
    with atomic_write(path) as part:
        part.write_bytes(data)


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


def read_png(path: Path) -> Frame:
    """A PNG of `write_picture` with every bit it was written with; quicker than `read_picture`.

    Raises:
        MediaError: the file is missing, damaged or not 8 or 16-bit RGB.
    """
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
        raise MediaError(f"{path}: {pixels.dtype} {pixels.shape}, wanted 8 or 16-bit RGB")
    return from_pixels(pixels[..., ::-1])
