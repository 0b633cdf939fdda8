"""The sizes of pictures, from the beginnings of their files where those tell."""

import contextlib
import warnings
from pathlib import Path

from PIL import Image

from dreamvid.frames import Size, size_of
from dreamvid.media.formats import head_of, kind_of
from dreamvid.media.pictures import LAYERS, READ_FORMATS, orientation_of, read_picture

LYING = (5, 6, 7, 8)
"""EXIF's numbers of pictures that are shown turned by a quarter."""


def picture_size(path: Path) -> Size:
    """The size that `read_picture` gives a picture, for most kinds without decoding it.

    Raises:
        MediaError: the file is missing, is no picture, or is damaged and does not tell its size.
    """
    kind = kind_of(head_of(path))
    # The others turn their pictures in ways of their own, or are not Pillow's.
    if kind in READ_FORMATS and (kind not in LAYERS or kind == "PNG"):
        # Nearly anything may be raised; reading the whole picture tells what is wrong.
        with (
            warnings.catch_warnings(action="ignore"),
            contextlib.suppress(Exception),
            Image.open(path, formats=[kind]) as picture,
        ):
            size = Size(picture.height, picture.width)
            lies = orientation_of(picture) in LYING
            return Size(size.width, size.height) if lies else size
    return size_of(read_picture(path))
