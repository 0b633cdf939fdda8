"""Still pictures: anything a person may have, read upright and in sRGB."""

import contextlib
import io
import re
import struct
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps

from dreamvid.errors import EncodeError, MediaError
from dreamvid.frames import Frame, Size, covered, from_pixels
from dreamvid.media.animations import animation_of
from dreamvid.media.backgrounds import Colour, chosen, laid_on
from dreamvid.media.decoding import decoded
from dreamvid.media.deep import (
    Check,
    Layers,
    Signal,
    of_pixels,
    png_layers,
    radiance_layers,
    tiff_layers,
)
from dreamvid.media.exr import exr_layers
from dreamvid.media.formats import (
    LARGEST_PICTURE,
    SMALLEST_SIDE,
    damaged,
    head_of,
    is_picture_file,
    kind_of,
    too_large,
)
from dreamvid.media.png import read_chunks
from dreamvid.media.probing import probe
from dreamvid.media.profiles import HLG, PQ, encoded, light_of, signalled, without_profile
from dreamvid.media.toning import shouldered, toned

READ_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "AVIF", "JPEG2000", "PSD",
                "QOI", "SGI")  # fmt: skip
"""What Pillow reads here; more is read by other ways, see `kind_of`."""
_ORIENTATION = 0x0112  # of EXIF
_KNOWN = (
    "JPEG, PNG, WebP, TIFF, BMP, GIF, PPM, AVIF, HEIC, JPEG 2000, PSD, QOI, SGI, OpenEXR or "
    "Radiance"
)


def read_picture(
    path: Path,
    *,
    background: Colour | None = None,
    largest: int = LARGEST_PICTURE,
    say: Callable[[str], None] = lambda line: None,
) -> Frame:
    """The picture at `path` as a viewer shows it: upright, sRGB, without transparency.

    More than 8 bits stay where the file has them: PNG and TIFF of 16 bits, AVIF and HEIC of 10
    or 12. A high dynamic range is toned down. Of 32-bit and floating-point grey, values up to
    65535 and up to 1 are taken to be the usual range; where a picture goes beyond, its own maximum
    becomes white. Of an animation the first frame is taken.

    Args:
        path: a JPEG, PNG, WebP, TIFF, BMP, GIF, PPM, AVIF, JPEG 2000, PSD, QOI, SGI, OpenEXR or
            Radiance file of any name; a HEIC file where pillow-heif is installed.
        background: what shows through transparent pixels, sRGB from 0 to 255; by default one on
            which the picture shows, black where it can be.
        largest: the most pixels to accept.
        say: takes a line about a background that was chosen.

    Raises:
        MediaError: the file is missing, unreadable, damaged, of another kind, too large or has a
            side under 16 pixels.
    """
    colours, alpha = read_layers(path, largest)
    if alpha is not None:
        if background is None:
            background, line = chosen(colours, alpha)
            say(f"{path.name}: {line}")
        colours = laid_on(colours, alpha, background)
    return from_pixels(colours)


def is_picture(path: Path) -> bool:
    """Whether what is in the file at `path` is a picture, still or animated."""
    with contextlib.suppress(MediaError):
        return is_picture_file(path)
    return False


def is_still(path: Path) -> bool:
    """Whether the file at `path` holds one picture rather than a film.

    Raises `MediaError` where there is none.
    """
    head = head_of(path)
    kind = kind_of(head)
    if kind in ("GIF", "WEBP", "AVIF", "HEIF") or animation_of(head):
        with contextlib.suppress(MediaError):
            return probe(path).pictures == 1
    return kind is not None


def read_alpha(path: Path, size: Size) -> np.ndarray | None:
    """How opaque the picture at `path` is, (H, W) from 0 to 1 at `size`; None where all is.

    Where the shapes differ, the middle is taken, as of the picture itself. Errors as in
    `read_picture`.
    """
    alpha = read_layers(path)[1]
    if alpha is None:
        return None
    plane = torch.from_numpy(np.ascontiguousarray(alpha, np.float32))
    return covered(plane.expand(3, -1, -1), size)[0].numpy()


def read_layers(path: Path, largest: int = LARGEST_PICTURE) -> tuple[np.ndarray, np.ndarray | None]:
    """The picture's colours, RGB (H, W, 3), uint8 or uint16, and its alpha (H, W) from 0 to 1.

    The alpha is None where every pixel is opaque. Otherwise like `read_picture`.
    """
    head = head_of(path)
    kind = kind_of(head)
    if kind is None:
        raise MediaError(f"{path}: {_unreadable(head)}")
    check = partial(_check_size, path, largest=largest)
    with warnings.catch_warnings():
        # Of sizes, where our own limit is checked, and of tags that nobody looks at.
        warnings.simplefilter("ignore")
        try:
            layers = LAYERS.get(kind, _ordinary)(path, check)
            colours = _upright(_in_srgb(layers), layers.orientation)
            alpha = layers.alpha
            if alpha is None or alpha.min() >= 1:
                return colours, None
            return colours, _upright(alpha, layers.orientation)
        except MediaError:
            raise
        # A decoder given damaged bytes raises nearly anything: OSError, SyntaxError, IndexError...
        except Exception as error:
            raise damaged(path, error, kind) from error


def _unreadable(head: bytes) -> str:
    if re.search(rb"<svg[\s>]", head, re.IGNORECASE):
        return f"is an SVG drawing, expected {_KNOWN}; export it as PNG"
    return f"is not a picture that can be read, expected {_KNOWN}; convert it first"


def _check_size(path: Path, size: Size, *, largest: int) -> None:
    """Raise `MediaError` where a picture of that size is not to be decoded."""
    if size.height * size.width > largest:
        raise too_large(path, str(size), largest)
    if min(size) < SMALLEST_SIDE:
        raise MediaError(
            f"{path}: {size} is too small, expected at least {SMALLEST_SIDE} pixels a side; "
            "enlarge it first"
        )


def _ordinary(path: Path, check: Check) -> Layers:
    """Read by Pillow itself: imageio's plugin gives no colour profile that ImageCms could use."""
    with Image.open(path, formats=READ_FORMATS) as picture:
        return _loaded(picture, check, picture.info.get("icc_profile"))


def _loaded(
    picture: Image.Image, check: Check, profile: bytes | None, signal: Signal | None = None
) -> Layers:
    """What an opened picture of any mode shows: upright and, but for a `signal`, in sRGB."""
    check(Size(picture.height, picture.width))
    picture.load()
    with contextlib.suppress(Exception):  # an unreadable tag is no unreadable picture
        picture = ImageOps.exif_transpose(picture)
    if picture.mode[0] in "IF":
        values = np.nan_to_num(np.asarray(picture).astype(np.float64), posinf=0, neginf=0)
        usual = 1.0 if picture.mode == "F" else 65535.0
        grey = np.clip(values / max(usual, values.max()), 0, 1) * 65535
        return Layers(np.repeat(np.rint(grey).astype(np.uint16)[..., None], 3, axis=2))
    alpha = None
    if picture.has_transparency_data:
        with_alpha = picture.convert("RGBA")
        alpha = np.asarray(with_alpha.getchannel("A"), np.float64) / 255
        picture = picture.convert("L") if picture.mode == "LA" else with_alpha.convert("RGB")
    elif picture.mode in ("P", "1"):
        picture = picture.convert("RGB")
    signal = signal or signalled(profile)
    colours = picture.convert("RGB") if signal else without_profile(picture, profile)
    return Layers(np.asarray(colours), alpha, signal=signal)


def _png(path: Path, check: Check) -> Layers:
    png = read_chunks(path.read_bytes())
    signal = png.signal or signalled(png.profile)
    with Image.open(io.BytesIO(png.data), formats=["PNG"]) as picture:
        if png.depth < 16 or png.colours not in (2, 6):
            return _loaded(picture, check, png.profile, signal)
        check(Size(picture.height, picture.width))
        layers = png_layers(png, orientation_of(picture))
    layers.signal = signal
    return layers


def orientation_of(picture: Image.Image) -> int:
    """How an opened picture is turned and mirrored when it is shown, by EXIF's number."""
    with contextlib.suppress(Exception):  # as in `_loaded`
        return int(picture.getexif().get(_ORIENTATION, 1))
    return 1


def _tiff(path: Path, check: Check) -> Layers:
    layers = None
    # What tifffile stumbles over, Pillow may read.
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, IndexError, struct.error):
        layers = tiff_layers(path, check)
    return layers or _ordinary(path, check)


def _avif(path: Path, check: Check) -> Layers:
    with Image.open(path, formats=["AVIF"]) as picture:
        check(Size(picture.height, picture.width))
        profile = picture.info.get("icc_profile")
        film = None
        with contextlib.suppress(MediaError):  # then the 8 bits of Pillow's are all there is
            film = probe(path)
        signal = film and ((film.primaries, film.transfer) if film.transfer in (PQ, HLG) else None)
        layers = _loaded(picture, check, profile, signal)
    plain = signal is None and not profile and layers.signal is None
    if film and film.depth > 8 and film.size == layers.colours.shape[:2] and (plain or signal):
        with contextlib.suppress(MediaError, EncodeError):
            layers.colours, layers.signal = next(decoded(path, film, count=1)), None
    return layers


def _first_of_several(path: Path, check: Check) -> Layers | None:
    """The first picture of a film; None where there is none, or no more than one."""
    with contextlib.suppress(MediaError):
        film = probe(path)
        if film.pictures > 1:
            check(film.size)
            return Layers(next(decoded(path, film, count=1)))
    return None


def _heif(path: Path, check: Check) -> Layers:
    try:
        import pillow_heif
    except ImportError:
        if first := _first_of_several(path, check):
            return first
        raise MediaError(
            f"{path}: is a HEIC picture; install dreamvid[heic] to read it, or export it as JPEG"
        ) from None
    try:
        file = pillow_heif.open_heif(path, convert_hdr_to_8bit=False)
    except Exception:  # as in `read_layers`
        # A sequence need not hold a picture beside its film.
        if first := _first_of_several(path, check):
            return first
        raise
    check(Size(file.size[1], file.size[0]))
    nclx = file.info.get("nclx_profile") or {}
    found = int(nclx.get("color_primaries", 2)), int(nclx.get("transfer_characteristics", 2))
    profile = file.info.get("icc_profile")
    signal = found if found[1] in (PQ, HLG) else signalled(profile)
    if file.mode in ("RGB;16", "RGBA;16", "I;16", "L;16"):
        # What it is turned by has been done, the tag only tells of it.
        layers = of_pixels(np.asarray(file))
        layers.profile, layers.signal = profile, signal
        return layers
    pillow_heif.register_heif_opener()
    with Image.open(path, formats=["HEIF"]) as picture:
        return _loaded(picture, check, profile, signal)


LAYERS: dict[str, Callable[[Path, Check], Layers]] = {
    "PNG": _png,
    "TIFF": _tiff,
    "AVIF": _avif,
    "HEIF": _heif,
    "EXR": exr_layers,
    "HDR": radiance_layers,
}
"""How the kinds of pictures are read that Pillow does not read in full."""


def _in_srgb(layers: Layers) -> np.ndarray:
    """The colours of `layers`, uint8 or uint16, of an ordinary range."""
    colours = layers.colours
    if layers.signal:
        deep = colours if colours.dtype == np.uint16 else colours.astype(np.uint16) * 257
        return toned(deep, layers.signal[1], layers.signal[0])
    floating = colours.dtype.kind == "f"
    if not floating and not layers.profile:
        return colours
    signal = colours if floating else colours / np.iinfo(colours.dtype).max
    light = signal if layers.linear else light_of(signal, layers.profile)
    if not floating:
        signal = encoded(light)
    elif layers.linear or layers.profile or signal.max() > 1:
        signal = encoded(shouldered(light))
    return np.rint(signal.clip(0, 1) * 65535).astype(np.uint16)


def _upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Pixels (H, W, ...) turned and mirrored as EXIF's number says."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels
