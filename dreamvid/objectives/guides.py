"""What a dream is guided by: a picture, the pictures of a folder in turn, or a film."""

from collections.abc import Callable, Iterator
from fractions import Fraction
from hashlib import sha256
from pathlib import Path

import numpy as np

from dreamvid import media
from dreamvid.errors import MediaError
from dreamvid.frames import Frame, from_pixels
from dreamvid.machine.hashing import file_hash

Guide = Callable[[int], tuple[int, Frame]]
"""From a frame's index to what guides it: its number, by which it is known again, and it."""


def guide_at(path: Path, rate: Fraction, stay: float) -> tuple[Guide, bool]:
    """What guides the frames of a film of that rate, and whether it changes.

    Args:
        path: a picture; a folder, whose pictures come in the order of their names, and then the
            first again; or a film, which keeps time with the dream and whose last picture stays.
        rate: frames a second of the dream.
        stay: seconds that each picture of a folder stays.

    Raises:
        MediaError: it cannot be read, or a folder holds no picture.
    """
    if path.is_dir():
        return _in_turn(path, float(stay * rate))
    if not media.is_picture_file(path) and (film := _film_at(path)):
        return _following(path, film, rate), True
    picture = media.read_picture(path)
    return (lambda index: (0, picture)), False


def guide_hash(path: Path) -> str:
    """The SHA-256 of a picture or film; of a folder, that of its pictures' names and hashes."""
    if not path.is_dir():
        return file_hash(path)
    lines = [f"{file_hash(each)} {each.name}\n" for each in _pictures(path)]
    return sha256("".join(lines).encode(errors="surrogateescape")).hexdigest()


def _pictures(folder: Path) -> list[Path]:
    """The pictures in a folder, by what they hold, in natural order of their names."""
    files = [each for each in folder.iterdir() if each.is_file() and each.name[0] != "."]
    found = [each for each in files if each.stat().st_size and media.is_picture_file(each)]
    if not found:
        raise MediaError(f"{folder}: holds no picture to guide a dream; put some in it")
    return sorted(found, key=lambda each: media.natural(each.name))


def _in_turn(folder: Path, frames: float) -> tuple[Guide, bool]:
    paths = _pictures(folder)
    for path in paths:
        media.read_picture(path)  # one that is damaged is found now, not in the middle of a film
    kept: dict[int, Frame] = {}

    def at(index: int) -> tuple[int, Frame]:
        number = int(index / frames) % len(paths)
        if number not in kept:
            kept.clear()
            kept[number] = media.read_picture(paths[number])
        return number, kept[number]

    return at, len(paths) > 1


def _film_at(path: Path) -> media.Film | None:
    try:
        return media.probe(path)
    except MediaError:
        return None


def _following(path: Path, film: media.Film, rate: Fraction) -> Guide:
    last = film.frames_at(rate) - 1
    reading: Iterator[np.ndarray] = iter(())
    following, number, pixels = -1, -1, None

    def at(index: int) -> tuple[int, Frame]:
        nonlocal reading, following, number, pixels
        wanted = min(index, last)
        if wanted != following - 1:
            if wanted != following:
                reading = media.decoded(path, film, rate=rate, start=wanted)
            # Damaged films may end early: what was shown last stays.
            found = next(reading, pixels)
            if found is None:
                raise MediaError(f"{path}: has no picture at frame {wanted}")
            if found is not pixels:
                number, pixels = wanted, found
            following = wanted + 1
        assert pixels is not None
        return number, from_pixels(pixels)

    return at
