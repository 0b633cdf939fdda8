"""OpenEXR pictures, written: linear light in half precision."""

import struct
import zlib

import numpy as np

from dreamvid.frames import Frame
from dreamvid.media.profiles import light_of

_LINES = 16  # of a block that is compressed together
_ZIP, _HALF = 3, 1


def exr_bytes(frame: Frame, comment: str = "") -> bytes:
    """The file of a frame: scan lines of red, green and blue with the primaries of sRGB.

    The layout is that of the OpenEXR file format, version 2.
    """
    signal = frame.cpu().numpy().transpose(1, 2, 0).astype(np.float64)
    light = light_of(signal, None).astype("<f2")
    height, width, _ = light.shape
    box = struct.pack("<4i", 0, 0, width - 1, height - 1)
    # Names in the order of the alphabet, in which their rows follow each other.
    channels = b"".join(
        name + b"\0" + struct.pack("<i4xii", _HALF, 1, 1) for name in (b"B", b"G", b"R")
    )
    attributes = [
        (b"channels", b"chlist", channels + b"\0"),
        (b"compression", b"compression", bytes([_ZIP])),
        (b"dataWindow", b"box2i", box),
        (b"displayWindow", b"box2i", box),
        (b"lineOrder", b"lineOrder", b"\0"),
        (b"pixelAspectRatio", b"float", struct.pack("<f", 1)),
        (b"screenWindowCenter", b"v2f", struct.pack("<2f", 0, 0)),
        (b"screenWindowWidth", b"float", struct.pack("<f", 1)),
    ]
    if comment:
        attributes.append((b"comments", b"string", comment.encode()))
    header = (
        struct.pack("<2I", 20000630, 2)
        + b"".join(
            name + b"\0" + kind + b"\0" + struct.pack("<i", len(value)) + value
            for name, kind, value in attributes
        )
        + b"\0"
    )
    rows = np.ascontiguousarray(light[..., ::-1].transpose(0, 2, 1))
    blocks = [_block(top, rows[top : top + _LINES].tobytes()) for top in range(0, height, _LINES)]
    places = np.cumsum([len(header) + 8 * len(blocks), *map(len, blocks[:-1])]).astype("<u8")
    return header + places.tobytes() + b"".join(blocks)


def _block(top: int, data: bytes) -> bytes:
    """Rows packed: bytes of even places first, then what each differs from the one before."""
    whole = np.frombuffer(data, np.uint8)
    sorted_ = np.concatenate([whole[::2], whole[1::2]]).astype(np.int16)
    sorted_[1:] = np.diff(sorted_) + 128
    packed = zlib.compress(sorted_.astype(np.uint8).tobytes(), 4)
    kept = packed if len(packed) < len(data) else data
    return struct.pack("<ii", top, len(kept)) + kept
