"""Colour profiles: pictures of any colour space, in sRGB."""

import contextlib
import io
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageCms

PQ, HLG = 16, 18
"""Transfers of a high dynamic range, by ITU-T H.273."""
# From the XYZ of a profile, whose white is D50, to linear sRGB: IEC 61966-2-1 by Bradford.
_TO_SRGB = np.array(
    [
        [3.1338561, -1.6168667, -0.4906146],
        [-0.9787684, 1.9161415, 0.0334540],
        [0.0719453, -0.2289914, 1.4052427],
    ]
)


def without_profile(picture: Image.Image, profile: bytes | None) -> Image.Image:
    """A Pillow picture in RGB, converted to sRGB from its colour profile, if it has one."""
    if profile:
        # A broken profile, or one for another mode, is ignored as viewers do.
        with contextlib.suppress(ImageCms.PyCMSError, OSError, ValueError):
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            target = ImageCms.createProfile("sRGB")
            converted = ImageCms.profileToProfile(picture, source, target, outputMode="RGB")
            if converted is not None:
                return converted
    return picture.convert("RGB")


def light_of(signal: np.ndarray, profile: bytes | None) -> np.ndarray:
    """The linear light in sRGB's primaries of RGB (H, W, 3) of floats; 1 is white.

    Pillow converts 8 bits only, so profiles of curves and primaries are followed here. One that is
    a table, which cameras and screens do not write, is taken for sRGB.
    """
    found = _curves_and_primaries(profile) if profile else None
    if found is None:
        bent = ((np.maximum(signal, 0) + 0.055) / 1.055) ** 2.4
        return np.where(signal <= 0.04045, signal / 12.92, bent)
    curves, primaries = found
    light = np.stack([curve(signal[..., n]) for n, curve in enumerate(curves)], axis=-1)
    return light @ (_TO_SRGB @ primaries).T


def encoded(linear: np.ndarray) -> np.ndarray:
    """The sRGB signal of linear light, 1 is white; light below 0 is black."""
    light = np.maximum(linear, 0)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def signalled(profile: bytes | None) -> tuple[int, int] | None:
    """Primaries and transfer that a profile of a high dynamic range names, by ITU-T H.273."""
    body = _tags(profile).get(b"cicp", b"") if profile else b""
    if len(body) >= 12 and body[9] in (PQ, HLG):
        return body[8], body[9]
    return None


def _tags(profile: bytes) -> dict[bytes, bytes]:
    count = min(100, int.from_bytes(profile[128:132], "big"))
    tags = {}
    for entry in (profile[132 + 12 * n : 144 + 12 * n] for n in range(count)):
        start, length = int.from_bytes(entry[4:8], "big"), int.from_bytes(entry[8:12], "big")
        tags[entry[:4]] = profile[start : start + length]
    return tags


Curve = Callable[[np.ndarray], np.ndarray]


def _curves_and_primaries(profile: bytes) -> tuple[list[Curve], np.ndarray] | None:
    tags = _tags(profile)
    if profile[16:20] != b"RGB " or b"A2B0" in tags:
        return None
    try:
        curves = [_curve(tags[name]) for name in (b"rTRC", b"gTRC", b"bTRC")]
        columns = [_numbers(tags[name][8:20]) for name in (b"rXYZ", b"gXYZ", b"bXYZ")]
        return curves, np.stack(columns, axis=1)
    except (KeyError, ValueError):
        return None


def _numbers(data: bytes) -> np.ndarray:
    return np.frombuffer(data, ">i4") / 65536


def _curve(tag: bytes) -> Curve:
    """The function from signal to light of a curve's tag, by ICC.1:2022, 10.6 and 10.18."""
    if tag[:4] == b"curv":
        count = int.from_bytes(tag[8:12], "big")
        table = np.frombuffer(tag[12 : 12 + 2 * count], ">u2")
        if count == 0:
            return lambda signal: signal
        if count == 1:
            gamma = float(table[0]) / 256
            return lambda signal: np.maximum(signal, 0) ** gamma
        places = np.linspace(0, 1, count)
        return lambda signal: np.interp(signal, places, table / 65535)
    kind = int.from_bytes(tag[8:10], "big")
    lengths = (1, 3, 4, 5, 7)
    if tag[:4] != b"para" or kind >= len(lengths):
        raise ValueError("no curve")
    given = list(_numbers(tag[12 : 12 + 4 * lengths[kind]]))
    gamma, a, b, c, d, e, f = {
        0: lambda g: (g, 1, 0, 0, -1, 0, 0),
        1: lambda g, a, b: (g, a, b, 0, -b / a, 0, 0),
        2: lambda g, a, b, c: (g, a, b, 0, -b / a, c, c),
        3: lambda g, a, b, c, d: (g, a, b, c, d, 0, 0),
        4: lambda *all_: all_,
    }[kind](*given)

    def curve(signal: np.ndarray) -> np.ndarray:
        bent = np.maximum(a * signal + b, 0) ** gamma + e
        return np.where(signal >= d, bent, c * signal + f)

    return curve
