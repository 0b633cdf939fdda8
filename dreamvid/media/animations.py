"""Animated pictures as films: GIF, APNG and WebP, with their times, transparency and disposal."""

import contextlib
import itertools
import warnings
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
from PIL import Image

from dreamvid.errors import MediaError, in_one_line
from dreamvid.frames import Size
from dreamvid.media.backgrounds import Colour
from dreamvid.media.formats import check_pixels, damaged, kind_of
from dreamvid.media.png import Png, read_chunks

ANIMATIONS = {"gif": 20, "apng": 1, "webp": 1}
"""The kinds, and the fewest milliseconds that a picture can ask for; browsers show those that ask
for less for a tenth of a second."""
_UNTIMED = Fraction(1, 10)

Picture = tuple[Fraction | None, np.ndarray | None, list[str]]
"""Film time, pixels where they were asked for, and what the decoder complained of since the one
before. The last of a film has neither time nor pixels."""


@dataclass(frozen=True)
class Animation:
    """An animation's kind, one of `ANIMATIONS`, its size, and seconds that each picture is shown.

    `torn` says why there are no more pictures, where the file ends too early.
    """

    kind: str
    size: Size
    waits: tuple[Fraction, ...]
    torn: str = ""


def animation_of(head: bytes) -> str | None:
    """The kind of animation that may be in a file that begins with `head`."""
    kind = kind_of(head)
    if kind == "PNG":
        return "apng" if b"acTL" in head else None
    return kind.lower() if kind in ("GIF", "WEBP") else None


def read_animation(path: Path, kind: str) -> Animation:
    """The animation at `path`, all of it looked at.

    Raises:
        MediaError: it is missing, too large, or not even its first picture can be read.
    """
    waits, torn, size = [], "", None
    with _opened(path, kind) as (reader, png):
        size = Size(*reader.properties(index=0).shape[:2])
        check_pixels(path, size)
        for index in itertools.count(png.poster):
            try:
                reader.read(index=index)  # which a WebP needs before it tells of the time
                named = Fraction(reader.metadata(index=index).get("duration") or 0) / 1000
            except EOFError:
                break
            except Exception as error:  # as in `read_picture`
                torn = in_one_line(error)
                break
            if png.waits:  # exact, where Pillow's are floats
                named = png.waits[min(len(waits), len(png.waits) - 1)]
            waits.append(named if named * 1000 >= ANIMATIONS[kind] else _UNTIMED)
    if not waits:
        raise MediaError(f"{path}: the animation is damaged ({torn}); fetch or save it again")
    return Animation(kind, size, tuple(waits), torn)


def animation_pictures(
    path: Path, animation: Animation, size: Size | None, background: Colour
) -> Generator[Picture, None, None]:
    """Every picture as it stands on `background`, RGB (H, W, 3), at `size` where there is one."""
    time, sides = Fraction(0), animation.size
    with _opened(path, animation.kind) as (reader, png):
        for index, wait in enumerate(animation.waits, png.poster):
            pixels = None
            try:
                if size:
                    canvas = reader.read(index=index, mode="RGBA")[: sides.height, : sides.width]
                    pixels = _composited(canvas, size, background)
            except Exception as error:  # as in `read_picture`
                yield None, None, [in_one_line(error)]
                return
            yield time, pixels, []
            time += wait
    yield None, None, [animation.torn] if animation.torn else []


def _composited(canvas: np.ndarray, size: Size, background: Colour) -> np.ndarray:
    picture = Image.new("RGBA", (canvas.shape[1], canvas.shape[0]), background)
    picture.alpha_composite(Image.fromarray(canvas))
    sides = (size.width, size.height)
    pixels = np.array(picture.convert("RGB").resize(sides, Image.Resampling.BICUBIC))
    pixels.flags.writeable = False
    return pixels


@contextlib.contextmanager
def _opened(path: Path, kind: str) -> Iterator[tuple[Any, Png]]:
    """The reader of imageio for an animation, and for an APNG what its chunks tell."""
    with warnings.catch_warnings(), contextlib.ExitStack() as stack:
        # Of sizes, where our own limit is checked, and of tags that nobody looks at.
        warnings.simplefilter("ignore")
        png = Png(b"")
        try:
            # Never the name: imageio takes some names for addresses or archives.
            source = stack.enter_context(path.open("rb"))
            if kind == "apng":
                png = read_chunks(source.read())
                source = png.data
            reader = stack.enter_context(iio.imopen(source, "r", plugin="pillow"))
        except Exception as error:  # as in `read_picture`
            cause = error.__cause__  # imageio's own words say less
            raise damaged(path, cause if isinstance(cause, Exception) else error) from error
        yield reader, png
