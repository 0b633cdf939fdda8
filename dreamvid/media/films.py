"""Films of any kind, a file or pictures in a row: what each is, and its frames."""

import contextlib
from collections.abc import Callable, Generator
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from dreamvid.errors import MediaError
from dreamvid.frames import Frame, Size, covered, from_pixels, to_pixels
from dreamvid.media import decoding, probing
from dreamvid.media.backgrounds import BLACK, Colour, chosen, laid_on
from dreamvid.media.decoding import Damage
from dreamvid.media.pictures import read_layers
from dreamvid.media.probing import Film
from dreamvid.media.sequences import is_sequence, stills_of
from dreamvid.media.timing import even_timing

USUAL_RATE = Fraction(30)
"""Frames a second of pictures in a row, which carry none."""
_LOOKED_AT = 24  # pictures, for one that tells which background suits them


def probe(path: Path, rate: Fraction | None = None) -> Film:
    """What the film at `path` is: a file, or a folder or a pattern of pictures.

    Args:
        path: the film.
        rate: frames a second of pictures in a row; a file has its own.

    Raises:
        MediaError: it is missing, damaged beyond use, holds no pictures, or too large ones.
    """
    if not is_sequence(path):
        return probing.probe(path)
    stills = stills_of(path)
    first = next(each for each in stills.paths if each)
    colours, alpha = read_layers(first)
    size = Size(*colours.shape[:2])
    return Film(
        **{**vars(even_timing(len(stills.paths), [rate or USUAL_RATE])), "remarks": stills.remarks},
        width=size.width,
        height=size.height,
        size=size,
        depth=8 * colours.dtype.itemsize,
        alpha=alpha is not None,
        codec="pictures",
        container="sequence",
        pixel_format="unknown",
        stills=stills.paths,
        numbering=(stills.first, stills.step),
    )


def decoded(path: Path, film: Film, **options: Any) -> Generator[np.ndarray]:
    """Frames of a film one after the other; see `decoding.decoded`, whose options it takes.

    Pictures in a row are a frame each at any rate. One of another size than the first is brought
    to fill it; of one that cannot be read, the one before stays.
    """
    if film.stills:
        return _frames_of_stills(path, film, **options)
    return decoding.decoded(path, film, **options)


def picture_at(path: Path, film: Film, place: int | Fraction, **options: Any) -> Frame:
    """A picture of a film: the frame of a number, or what it shows at a time in seconds.

    Errors as in `decoded`, as are the options `background` and `say`.
    """
    if isinstance(place, Fraction) and not film.stills:
        return from_pixels(decoding.picture_at(path, film, place, **options))
    index = place if isinstance(place, int) else int(place * film.rate)
    with contextlib.closing(decoded(path, film, start=index, count=1, **options)) as frames:
        return from_pixels(next(frames))


def check_whole(path: Path, film: Film, **options: Any) -> None:
    """Read the film at `path` to its end and raise `MediaError` where anything is damaged."""
    if not film.stills:
        decoding.check_whole(path, film, **options)
        return
    damage = Damage(path, strict=True)
    for number, still in enumerate(film.stills):
        try:
            _layers(still, number)
        except MediaError as error:
            damage.lose(1, str(error))


def _frames_of_stills(
    path: Path,
    film: Film,
    *,
    size: Size | None = None,
    rate: Fraction | None = None,
    start: int = 0,
    count: int | None = None,
    background: Colour | None = None,
    strict: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> Generator[np.ndarray]:
    size, damage, others, given = size or film.size, Damage(path, strict), 0, 0
    end = film.frames if count is None else min(film.frames, start + count)
    if background is None and film.alpha:
        background = _chosen_background(path, film, say)
    held: np.ndarray | None = None
    for index in range(start, end):
        near = [*range(index - 1, -1, -1), *range(index + 1, film.frames)] if held is None else []
        for place in (index, *near):
            try:
                colours, alpha = _layers(film.stills[place], place)
            except MediaError as error:
                if place == index:
                    damage.lose(1, str(error))
                continue
            others += place == index and colours.shape[:2] != film.size
            held = _at_size(colours, alpha, size, background or BLACK)
            break
        if held is None:
            raise MediaError(f"{path}: not a picture of it can be read; {damage}")
        yield held
        given += 1
    if others:
        say(f"{path.name}: {others} pictures are of another size than the first and are fitted")
    if damage:
        say(f"{path.name}: is damaged ({damage}); {given} frames, the picture before stays")


def _layers(still: Path | None, number: int) -> tuple[np.ndarray, np.ndarray | None]:
    if still is None:
        raise MediaError(f"picture {number} is missing")
    return read_layers(still)


def _at_size(
    colours: np.ndarray, alpha: np.ndarray | None, size: Size, background: Colour
) -> np.ndarray:
    pixels = colours if alpha is None else laid_on(colours, alpha, background)
    if pixels.shape[:2] != size:
        pixels = to_pixels(covered(from_pixels(pixels), size), 8 * pixels.dtype.itemsize)
    pixels = np.ascontiguousarray(pixels)
    pixels.flags.writeable = False
    return pixels


def _chosen_background(path: Path, film: Film, say: Callable[[str], None]) -> Colour:
    """What pictures in a row show best on, by the first that is neither empty nor full."""
    for still in islice(filter(None, film.stills), _LOOKED_AT):
        with contextlib.suppress(MediaError):
            colours, alpha = read_layers(still)
            if alpha is not None and 0.001 < alpha.mean() < 0.999:
                colour, line = chosen(colours, alpha)
                say(f"{path.name}: {line}")
                return colour
    return BLACK
