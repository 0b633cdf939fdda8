"""Draw a short film, dream over it in three ways, and lay them side by side.

    python samples/compare_video.py OUT.mp4

The film is drawn here: the view pans over samples/seed.jpg while two balls cross it.
"""

import math
import sys
import tempfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

import dreamvid
from dreamvid import media
from dreamvid.frames import from_pixels
from dreamvid.media import film_writing

SIZE = (288, 180)
FRAMES, RATE = 60, Fraction(25)
WAYS = {
    "the film": None,
    "--carry none": {"carry": "none", "iterations": 6},
    "--carry blend": {"carry": "blend", "iterations": 6},
    "dreamvid video": {},
}


def drawn() -> Iterator[np.ndarray]:
    ground = Image.open(Path(__file__).with_name("seed.jpg")).resize((384, 240))
    for index in range(FRAMES):
        t = index / FRAMES
        left, top = 96 * t, 30 + 24 * math.sin(2 * math.pi * t)
        box = (left, top, left + SIZE[0], top + SIZE[1])
        view = ground.resize((2 * SIZE[0], 2 * SIZE[1]), Image.Resampling.BICUBIC, box)
        pen = ImageDraw.Draw(view)
        ball(pen, 700 * t - 60, 240 + 60 * math.sin(9 * t), 54, (222, 120, 60), 9 * t)
        ball(pen, 620 - 640 * t, 130 + 40 * math.cos(7 * t), 38, (70, 130, 200), -12 * t)
        yield np.asarray(view.resize(SIZE, Image.Resampling.BOX))


def ball(
    pen: ImageDraw.ImageDraw, x: float, y: float, r: float, colour: tuple, turn: float
) -> None:
    pen.ellipse((x - r, y - r, x + r, y + r), fill=colour)
    for stripe in range(3):
        angle = turn + stripe * 2 * math.pi / 3
        dot_x, dot_y = x + 0.55 * r * math.cos(angle), y + 0.55 * r * math.sin(angle)
        pen.ellipse((dot_x - r / 4, dot_y - r / 4, dot_x + r / 4, dot_y + r / 4), fill="white")


def labelled(pixels: np.ndarray, text: str) -> np.ndarray:
    picture = Image.fromarray(pixels)
    pen = ImageDraw.Draw(picture)
    pen.rectangle((0, 0, 8 + pen.textlength(text), 14), fill="black")
    pen.text((4, 2), text, fill="white")
    return np.asarray(picture)


def main(out: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mov"
        film_writing.encode_film((from_pixels(pixels) for pixels in drawn()), clip, RATE)
        films = {}
        for number, (name, flags) in enumerate(WAYS.items()):
            film = clip
            if flags is not None:
                film = dreamvid.video(clip, Path(folder) / f"{number}.mov", octaves=3, **flags)
            found = media.probe(film)
            films[name] = [
                labelled((pixels >> 8).astype(np.uint8), name)
                for pixels in media.decoded(film, found)
            ]
        shown = (
            np.concatenate([np.concatenate(four[:2], 1), np.concatenate(four[2:], 1)])
            for four in zip(*films.values(), strict=True)
        )
        film_writing.encode_film(map(from_pixels, shown), out, RATE, options={"crf": 23})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
