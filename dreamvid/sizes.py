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


def parsed_size(wanted: Size | int | str, source: Size) -> Size:
    """The size that ``"WxH"`` or ``"LONGER"`` asks for; the latter keeps the source's shape.

    Raises `SettingsError` unless every side is a whole number from 1 to `LARGEST_SIDE`.
    """
    text = str(wanted).strip()
    size = Size.from_text(text)
    if re.fullmatch(r"\d{1,9}", text):
        scale = int(text) / max(source)
        size = Size(*(max(min(1, int(text)), round(side * scale)) for side in source))
    if size and min(size) >= 1 and max(size) <= LARGEST_SIDE:
        return size
    raise SettingsError(
        f"size: got {str(wanted)!r}, wanted WxH or the longer side in pixels, "
        f"1 to {LARGEST_SIDE}, such as 640 or 640x360"
    )


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
        f"{where}: got {place!r}, wanted a frame's number or a time, such as 120, 2.5s or 1:02.5"
    )
