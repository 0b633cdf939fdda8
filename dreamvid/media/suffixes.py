"""What may have been meant by a suffix that nothing is written for."""

from collections.abc import Sequence

from dreamvid.media.writing import WRITE_FORMATS
from dreamvid.registry import did_you_mean

OTHER_FILMS = frozenset({
    *("mkv", "avi", "m4v", "wmv", "flv", "f4v", "ts", "m2ts", "mts", "mpg", "mpeg", "m2v", "vob"),
    *("3gp", "3g2", "ogv", "ogg", "mxf", "asf", "rm", "nut", "y4m", "h264", "h265", "hevc", "av1"),
    *("ivf", "avif"),
})  # fmt: skip
"""Suffixes of films that are no slips of those we write."""


def film_hint(suffix: str, films: Sequence[str]) -> str:
    """What to do instead of a film of that suffix, `films` being those that there are."""
    if suffix in WRITE_FORMATS:
        return "; `dreamvid image` makes a picture, a name without a suffix a folder of PNG"
    if suffix[1:] in OTHER_FILMS:
        return "; .mp4 plays everywhere, and ffmpeg turns it into others"
    return did_you_mean(suffix[1:], films)


def picture_hint(suffix: str, films: Sequence[str]) -> str:
    """What to do instead of a picture of that suffix."""
    if suffix[1:] in films or suffix[1:] in OTHER_FILMS:
        return "; `dreamvid zoom` makes a film"
    return did_you_mean(suffix, WRITE_FORMATS)
