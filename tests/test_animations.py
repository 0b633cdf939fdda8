"""Animated pictures as films: their times, what they dispose of and what shows through."""

import subprocess
from fractions import Fraction

import imageio.v3 as iio
import numpy as np
import pytest
from conftest import shared
from PIL import Image

from dreamvid import media
from dreamvid.errors import MediaError
from dreamvid.frames import Size
from dreamvid.media import png

HEIGHT, WIDTH = 40, 64


def canvas(colour=(0, 0, 0, 0)):
    return Image.new("RGBA", (WIDTH, HEIGHT), colour)


def with_box(picture, left, colour):
    picture = picture.copy()
    picture.paste(colour, (left, 8, left + 12, 28))
    return picture


RED, GREEN, BLUE = (220, 0, 0, 255), (0, 200, 0, 255), (0, 0, 230, 255)


def read(path, **options):
    said = []
    film = media.probe(path)
    frames = list(media.decoded(path, film, say=said.append, **options))
    return film, frames, said


def colours_at(frame, *columns):
    return [tuple(int(value) for value in frame[18, column]) for column in columns]


@pytest.mark.parametrize("suffix", ["gif", "png", "webp"])
def test_pictures_replace_each_other_where_they_say_so(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    pictures = [with_box(canvas(), left, colour) for left, colour in
                ((2, RED), (22, GREEN), (42, BLUE))]  # fmt: skip
    options = {"lossless": True} if suffix == "webp" else {"disposal": 2 if suffix == "gif" else 1}
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=100, **options)
    film, frames, said = read(path, background=(0, 0, 0))
    assert (film.rate, film.frames, film.size) == (10, 3, Size(HEIGHT, WIDTH))
    assert not said
    for index, frame in enumerate(frames):
        seen = [index == n for n in range(3)]
        found = [max(colour) > 100 for colour in colours_at(frame, 8, 28, 48)]
        assert found == seen
    assert colours_at(frames[1], 28) == [GREEN[:3]]


def test_pictures_of_a_gif_stay_where_nothing_disposes_of_them(tmp_path):
    path = tmp_path / "a.gif"
    # Parts only, transparent but for their box, over what is there.
    first = with_box(canvas((9, 9, 9, 255)), 2, RED)
    rest = [with_box(canvas(), left, colour) for left, colour in ((22, GREEN), (42, BLUE))]
    first.save(path, save_all=True, append_images=rest, duration=40, disposal=1)
    _, frames, _ = read(path)
    last = colours_at(frames[-1], 8, 28, 48, 60)
    assert [max(colour) > 100 for colour in last] == [True, True, True, False]


def test_times_of_animations_are_exact(tmp_path):
    pictures = [with_box(canvas((9, 9, 9, 255)), left, RED) for left in (2, 12, 22, 32)]
    waits = [40, 40, 120, 40]
    for name, options in (
        ("a.gif", {}),
        ("a.png", {}),
        ("a.webp", {"lossless": True}),
    ):
        path = tmp_path / name
        pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=waits, **options)
        film, frames, said = read(path)
        assert (film.rate, film.frames, film.pictures) == (25, 6, 4)
        assert film.duration == Fraction(240, 1000)
        assert not said
        lefts = [int(np.argmax(frame[18, :, 0] > 100)) for frame in frames]
        assert lefts == [2, 12, 22, 22, 22, 32]
        media.check_whole(path, film)
        part = list(media.decoded(path, film, start=2, count=3))
        assert all(map(np.array_equal, part, frames[2:5]))


def test_an_apng_of_an_odd_rate_keeps_it(tmp_path):
    path = tmp_path / "a.png"
    pictures = [with_box(canvas((9, 9, 9, 255)), left, RED) for left in (2, 12, 22)]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=40)
    parts = [png.PNG_START]
    for kind, body, whole, _ in png.chunks(path.read_bytes()):
        if kind == b"fcTL":
            delay = (1001).to_bytes(2, "big") + (24000).to_bytes(2, "big")
            whole = png.chunk(kind, body[:20] + delay + body[24:])
        parts.append(whole)
    path.write_bytes(b"".join(parts))
    film, frames, _ = read(path)
    assert film.rate == Fraction(24000, 1001)
    assert len(frames) == 3


def test_the_still_before_an_apng_is_no_part_of_it(tmp_path):
    path = tmp_path / "a.png"
    poster, *rest = (with_box(canvas((9, 9, 9, 255)), left, RED) for left in (2, 12, 22))
    poster.save(path, save_all=True, append_images=rest, duration=50, default_image=True)
    film, frames, _ = read(path)
    assert (film.frames, film.rate) == (2, 20)
    assert [int(np.argmax(frame[18, :, 0] > 100)) for frame in frames] == [12, 22]


def test_pictures_without_a_time_are_shown_as_browsers_do(tmp_path):
    pictures = [with_box(canvas((9, 9, 9, 255)), left, RED) for left in (2, 12, 22)]
    for name, wait, rate in (("a.gif", 0, 10), ("b.gif", 10, 10), ("c.gif", 20, 50),
                             ("a.webp", 0, 10), ("b.webp", 10, 100)):  # fmt: skip
        pictures[0].save(
            tmp_path / name, save_all=True, append_images=pictures[1:], duration=wait, loop=0
        )
        film = media.probe(tmp_path / name)
        assert (film.rate, film.frames) == (rate, 3), name


@pytest.mark.parametrize("name", ["a.gif", "a.webp", "a.png"])
def test_torn_animations_give_what_there_is(tmp_path, name):
    path = tmp_path / name
    generator = np.random.default_rng(2)
    pictures = [Image.fromarray(generator.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8))
                for _ in range(8)]  # fmt: skip
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=40, lossless=True)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10])
    if name == "a.webp":  # whose container tells its length
        with pytest.raises(MediaError, match="damaged"):
            media.probe(path)
        return
    film, frames, said = read(path)
    assert 3 <= len(frames) <= 5
    assert len(said) == 1
    assert "damaged" in said[0]
    assert "\n" not in said[0]
    with pytest.raises(MediaError, match="damaged"):
        media.check_whole(path, film)


def test_a_bomb_is_no_animation(tmp_path):
    path = tmp_path / "bomb.gif"
    canvas(RED).save(path)
    data = bytearray(path.read_bytes())
    data[6:10] = (60000).to_bytes(2, "little") * 2
    path.write_bytes(data)
    with pytest.raises(MediaError, match="too large"):
        media.probe(path)


def test_imageio_and_ffmpeg_see_the_same_pictures(tmp_path):
    path = tmp_path / "a.gif"
    generator = np.random.default_rng(5)
    pictures = [generator.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8) for _ in range(4)]
    iio.imwrite(path, np.stack(pictures), duration=50, loop=0)
    _, frames, _ = read(path)
    from imageio_ffmpeg import get_ffmpeg_exe

    raw = subprocess.run(
        [get_ffmpeg_exe(), "-v", "error", "-i", path, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"],
        capture_output=True,
        check=True,
    ).stdout
    expected = np.frombuffer(raw, np.uint8).reshape(-1, HEIGHT, WIDTH, 3)
    assert np.array_equal(np.stack(frames), expected)


def test_our_own_gif_is_whole():
    path = shared("media/reports/own.gif")
    film, frames, said = read(path)
    assert (film.frames, len(frames), film.rate) == (6, 6, 10)
    assert not said
    media.check_whole(path, film)
