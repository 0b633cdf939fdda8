"""What may have been meant by a suffix that nothing is written for."""

from collections.abc import Sequence

from dreamvid.media.writing import WRITE_FORMATS
from dreamvid.registry import did_you_mean

CODECS = {"h264": "h264", "264": "h264", "h265": "hevc", "265": "hevc", "hevc": "hevc",
          "av1": "av1", "vp9": "vp9", "prores": "prores", "ffv1": "ffv1"}  # fmt: skip
"""Codecs that are given as a suffix, by what they are called."""
_HOLDING = {"vp9": "webm", "prores": "mov", "ffv1": "mkv"}
OTHER_FILMS = frozenset({
    *("wmv", "flv", "f4v", "ts", "m2ts", "mts", "mpg", "mpeg", "m2v", "vob", "qt", "yuv", "dv"),
    *("3gp", "3g2", "ogv", "ogg", "mxf", "asf", "rm", "nut", *CODECS),
    *("ivf", "avif"),
})  # fmt: skip
"""Suffixes of films that are no slips of those we write."""


def film_hint(suffix: str, films: Sequence[str]) -> str:
    """What to do instead of a film of that suffix, `films` being those that there are."""
    if suffix in WRITE_FORMATS:
        return (
            "; `dreamvid image` makes a picture, a name without a suffix a folder of PNG, "
            f"name.%04d{suffix} a sequence"
        )
    if codec := CODECS.get(suffix[1:]):
        return f"; name a .{_HOLDING.get(codec, 'mp4')} and give --set encode.codec={codec}"
    if suffix[1:] in OTHER_FILMS:
        return "; .mp4 plays everywhere, and ffmpeg turns it into others"
    return did_you_mean(suffix[1:], films)


def picture_hint(suffix: str, films: Sequence[str]) -> str:
    """What to do instead of a picture of that suffix."""
    if suffix[1:] in films or suffix[1:] in OTHER_FILMS:
        return "; `dreamvid zoom` makes a film"
    return did_you_mean(suffix, WRITE_FORMATS)
