"""Sizes of pictures and places in films, as people write them. Nothing heavy is imported."""

import re
from fractions import Fraction
from typing import NamedTuple

from dreamvid.errors import SettingsError

LARGEST_SIDE = 16384


class Size(NamedTuple):
    """Height and width in pixels, in the order of a tensor's last two axes."""

    height: int
    width: int

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"

    @classmethod
    def from_text(cls, text: str) -> "Size | None":
        """The size that ``"WxH"`` says; None where the text says anything else."""
        match = re.fullmatch(r"\s*(\d{1,9})\s*[xX]\s*(\d{1,9})\s*", text)
        size = match and cls(int(match[2]), int(match[1]))
        return size if size and 1 <= min(size) <= max(size) <= LARGEST_SIDE else None


PIXEL = Size(1, 1)


def parsed_size(asked: Size | int | str, source: Size, block: Size = PIXEL) -> Size:
    """The size that ``"WxH"``, ``"LONGER"``, ``"Wx"`` or ``"xH"`` asks for.

    All but the first keep the source's shape.

    Sides that follow from the shape are multiples of `block`, for codecs that need even ones.

    Raises `SettingsError` unless every side is a whole number from 1 to `LARGEST_SIDE`.
    """
    text = str(asked).strip()
    size = Size.from_text(text)
    if re.fullmatch(r"\d{1,9}", text):
        scale = int(text) / max(source)
        sides = zip(source, block, strict=True)
        size = Size(*(max(min(b, int(text)), b * round(side * scale / b)) for side, b in sides))
    if side := re.fullmatch(r"(\d{1,9})[xX]|[xX](\d{1,9})", text):
        given = int(side[1] or side[2])
        scale = Fraction(given, source.width if side[1] else source.height)
        sides = zip(source, block, strict=True)
        size = Size(*(max(min(b, given), b * round(each * scale / b)) for each, b in sides))
    if size and min(size) >= 1 and max(size) <= LARGEST_SIDE:
        return size
    raise SettingsError(
        f"size: got {str(asked)!r}, expected WxH, the longer side or one side in pixels, "
        f"1 to {LARGEST_SIDE}, such as 640x360, 640 or x360"
    )


class Duration(NamedTuple):
    """A length of a film as people write it in seconds: ``10s``, ``2.5 s``."""

    seconds: Fraction

    def __str__(self) -> str:
        return f"{float(self.seconds):.9f}".rstrip("0").rstrip(".") + "s"

    @classmethod
    def from_text(cls, text: str) -> "Duration | None":
        """The length that ``"10s"`` says; None where the text says anything else."""
        match = re.fullmatch(r"\s*(\d{1,6}(?:\.\d{1,9})?|\.\d{1,9})\s*s\s*", text)
        return cls(Fraction(match[1])) if match and Fraction(match[1]) else None

    def frames(self, rate: Fraction) -> int:
        """The nearest number of frames, one at the least."""
        return max(1, round(self.seconds * rate))


def film_seconds(place: int | str, rate: Fraction, where: str) -> Fraction:
    """The time of a place in a film: a frame's number at `rate`, or a time as 2.5s or 1:02.5.

    Raises `SettingsError`, which names `where`, for anything else.
    """
    text = str(place).strip()
    if re.fullmatch(r"\d{1,9}", text):
        return int(text) / rate
    match = re.fullmatch(r"(?:(?:(\d{1,4}):)?(\d{1,4}):)?(\d{1,9}(?:\.\d{1,9})?)(s?)", text)
    if match and (match[2] or match[4]):
        hours, minutes = (int(part or 0) for part in match.groups()[:2])
        return 3600 * hours + 60 * minutes + Fraction(match[3])
    raise SettingsError(
        f"{where}: got {place!r}, expected a frame's number or a time, such as 120, 2.5s or 1:02.5"
    )
