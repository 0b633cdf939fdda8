"""PNG files chunk by chunk: the picture in them is never lost to what stands beside it."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

from dreamvid.media.formats import PNG_START
from dreamvid.media.profiles import HLG, PQ

_PICTURE = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"acTL", b"fcTL", b"fdAT"}
_SMALL = {b"gAMA": 4, b"cHRM": 32, b"sRGB": 1, b"pHYs": 9}
"""Chunks that are kept where they have the length they must have."""
_LONGEST_TEXT = 2**19
_LONGEST_TEXTS = 2**23  # all together
_LARGEST_PROFILE = 2**24
_LONGEST_WAIT = Fraction(1, 10)  # seconds, of a picture that names no time of its own


@dataclass
class Png:
    """What a PNG file holds.

    Attributes:
        data: a PNG of the same picture without what a decoder could stumble over.
        depth: bits a channel.
        colours: the colour type of the header: 0 grey, 2 RGB, 3 palette, 4 and 6 with alpha.
        signal: primaries and transfer by ITU-T H.273, where the range is a high dynamic one.
        profile: the ICC profile, None without one that can be unpacked.
        waits: seconds that each picture of an animation is shown.
        poster: whether the first picture is no part of the animation.
    """

    data: bytes
    depth: int = 8
    colours: int = 2
    signal: tuple[int, int] | None = None
    profile: bytes | None = None
    waits: list[Fraction] = field(default_factory=list)
    poster: bool = False


def chunks(data: bytes) -> Iterator[tuple[bytes, bytes, bytes, bool]]:
    """The chunks of a PNG: kind, body, all its bytes, whether the checksum is right.

    The last one may be torn.
    """
    position = len(PNG_START)
    while position + 8 <= len(data):
        end = position + 12 + int.from_bytes(data[position : position + 4], "big")
        whole = data[position:end]
        kind, body = whole[4:8], whole[8 : end - position - 4]
        yield kind, body, whole, zlib.crc32(body, zlib.crc32(kind)).to_bytes(4, "big") == whole[-4:]
        position = end


def chunk(kind: bytes, body: bytes) -> bytes:
    """A chunk as it stands in a file."""
    check = zlib.crc32(kind + body)
    return len(body).to_bytes(4, "big") + kind + body + check.to_bytes(4, "big")


def read_chunks(data: bytes) -> Png:
    """What is in the PNG file `data`.

    Decoders refuse a file for words that are too long, for a broken profile or for the checksum
    of a date. None of that is the picture, so it is left out of the result's `data`.
    """
    png, kept, pictured, words = Png(data), [PNG_START], False, 0
    for kind, body, whole, right in chunks(data):
        if kind == b"IHDR" and len(body) == 13:
            png.depth, png.colours = body[8], body[9]
        elif right and kind == b"cICP" and len(body) == 4:
            png.signal = (body[0], body[1]) if body[1] in (PQ, HLG) else None
        elif right and kind == b"iCCP" and png.profile is None:
            name, _, packed = body.partition(b"\0")
            png.profile = unpacked(packed[1:], _LARGEST_PROFILE)
            if name == b"ITUR_2100_PQ_FULL":  # how it was told before there was cICP
                png.signal = png.signal or (9, PQ)
        elif kind == b"fcTL" and len(body) == 26:
            above, below = int.from_bytes(body[20:22], "big"), int.from_bytes(body[22:24], "big")
            png.waits.append(Fraction(above, below or 100) or _LONGEST_WAIT)
            png.poster |= pictured and len(png.waits) == 1
        pictured |= kind == b"IDAT"
        length = _kept_length(kind, body, right)
        if length is not None and words + length <= _LONGEST_TEXTS:
            words += length
            kept.append(whole)
    png.data = b"".join(kept)
    return png


def _kept_length(kind: bytes, body: bytes, right: bool) -> int | None:
    """How many bytes of words a chunk has that stays; None of one that is left out."""
    if kind in _PICTURE or not kind[:1].islower():  # a capital letter: decoders must know it
        return 0
    if not right or len(body) > _LONGEST_TEXT:
        return None
    if kind in _SMALL:
        return 0 if len(body) == _SMALL[kind] else None
    if kind == b"eXIf":
        return 0
    text = text_of(kind, body)  # the orientation may be among the words
    return None if text is None else len(text[1])


def text_of(kind: bytes, body: bytes) -> tuple[str, str] | None:
    """The name and the words of a tEXt, zTXt or iTXt chunk; None where they cannot be read."""
    name, mark, text = body.partition(b"\0")
    if not (mark and name):
        return None
    encoding = "latin-1"
    if kind == b"zTXt":
        text = unpacked(text[1:], _LONGEST_TEXT) if text[:1] == b"\0" else None
    elif kind == b"iTXt":
        encoding, parts = "utf-8", text[2:].split(b"\0", 2)
        packed, text = text[:1] == b"\1", parts[2] if len(parts) == 3 else None
        if packed and text is not None:
            text = unpacked(text, _LONGEST_TEXT)
    elif kind != b"tEXt":
        return None
    return None if text is None else (name.decode("latin-1"), text.decode(encoding, "replace"))


def unpacked(packed: bytes, largest: int) -> bytes | None:
    """What zlib makes of `packed`; None where it is damaged or larger than `largest` bytes."""
    try:
        decompressor = zlib.decompressobj()
        data = decompressor.decompress(packed, largest)
    except zlib.error:
        return None
    return None if decompressor.unconsumed_tail else data
