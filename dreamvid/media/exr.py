"""OpenEXR pictures: linear light."""

import struct
from math import ceil
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np

from dreamvid.frames import Size
from dreamvid.media.deep import Check, Layers, of_pixels, straight

_ELSEWHERE = 0x1800  # flags of files of deep data or of several parts: another table
_LINES = {0: 1, 1: 1, 2: 1, 3: 16, 4: 32, 5: 16, 6: 32, 7: 32, 8: 32, 9: 256}
"""Lines in a block, by the number of the compression."""


def exr_layers(path: Path, check: Check) -> Layers:
    """The picture at `path`. FFmpeg reads it; OpenCV's wheels are built without OpenEXR."""
    data = path.read_bytes()
    attributes, end = _header(data)
    shown, stored = (_window(attributes[name]) for name in (b"displayWindow", b"dataWindow"))
    check(max(shown, stored, key=lambda size: size.height * size.width))
    _check_whole(data, attributes, end, stored)
    with iio.imopen(data, "r", plugin="pyav", extension=".exr") as opened:
        picture: Any = opened
        pixels = picture.read(index=0, format=None)
        name = str(picture.metadata().get("video_format"))
    if "f16" in name:
        pixels = pixels.view("<f2")
    if pixels.ndim == 3 and name.startswith("gbr"):  # planes of green, blue, red, alpha
        pixels = np.moveaxis(pixels[[2, 0, 1, 3][: len(pixels)]], 0, -1)
    layers = of_pixels(pixels.astype(np.float32) / (65535 if pixels.dtype.kind == "u" else 1))
    if layers.alpha is not None:
        layers.colours = straight(layers.colours, layers.alpha)
    layers.linear = True
    return layers


def exr_comment(path: Path) -> bytes:
    """The comment in the header of a picture; empty where there is none."""
    with path.open("rb") as file:
        return _header(file.read(1_000_000))[0].get(b"comments", b"")


def _header(data: bytes) -> tuple[dict[bytes, bytes], int]:
    """The attributes of the first header, and where it ends."""
    attributes, position = {}, 8
    while data[position] != 0:
        name, kind, rest = data[position : position + 600].split(b"\0", 2)
        start = position + len(name) + len(kind) + 6
        length = int.from_bytes(rest[:4], "little")
        attributes[name] = data[start : start + length]
        position = start + length
    return attributes, position + 1


def _window(box: bytes) -> Size:
    left, top, right, bottom = struct.unpack("<4i", box)
    size = Size(bottom - top + 1, right - left + 1)
    if min(size) < 1:
        raise ValueError("it has no pixels")
    return size


def _check_whole(data: bytes, attributes: dict[bytes, bytes], end: int, size: Size) -> None:
    """Raise `ValueError` where blocks are missing: ffmpeg would show them black, without a word."""
    flags = int.from_bytes(data[4:8], "little")
    if flags & _ELSEWHERE:
        return
    tiles = attributes.get(b"tiles")
    if tiles is None:
        blocks = ceil(size.height / _LINES.get(attributes[b"compression"][0], 1))
        head = "<ii"
    else:
        across, down = struct.unpack("<II", tiles[:8])
        blocks, head = ceil(size.height / down) * ceil(size.width / across), "<iiiii"
    lead = struct.calcsize(head)
    for (offset,) in struct.iter_unpack("<Q", data[end : end + 8 * blocks]):
        if offset + lead > len(data) or offset < end:
            raise ValueError("the file ends before the picture does")
        *_, length = struct.unpack_from(head, data, offset)
        if offset + lead + length > len(data):
            raise ValueError("the file ends before the picture does")
    if len(data) < end + 8 * blocks:
        raise ValueError("the file ends before the picture does")
