"""Black bars around a film's picture: found where they are bars, and left alone."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from conftest import call_cli

from dreamvid import media
from dreamvid.film.bars import Bars, bars_in
from dreamvid.frames import Size, from_pixels, noise, to_pixels
from dreamvid.jobs.folder import Job
from dreamvid.media.film_writing import encode_film

TINY = ("--octaves", 1, "--iterations", 2)


def scene(number, size=(60, 92)):
    return to_pixels(noise(Size(*size), (number,)).roll(3 * number, 2)).copy()


def barred(number, top=8, bottom=7, left=0, right=0):
    pixels = scene(number)
    pixels[:top] = pixels[60 - bottom :] = 0
    pixels[:, :left] = pixels[:, 92 - right :] = 0
    return pixels


def dim(pixels, rows):
    pixels[rows] //= 20
    return pixels


@pytest.mark.parametrize(
    ("frames", "bars"),
    [
        ([barred(n) for n in range(6)], Bars(8, 7, 0, 0)),
        ([barred(n, 0, 0, 10, 11) for n in range(6)], Bars(0, 0, 10, 11)),
        ([barred(n, 8, 7, 10, 11) for n in range(6)], Bars(8, 7, 10, 11)),
        ([barred(n, 5, 0) for n in range(6)], Bars(5, 0, 0, 0)),
        ([scene(n) for n in range(6)], None),
        # Frames that are black tell nothing; a dark sky hides where a bar ends, in some frames.
        ([barred(0) * 0, *(barred(n) for n in range(3))], Bars(8, 7, 0, 0)),
        ([dim(barred(0), slice(0, 30)), *(barred(n) for n in range(3))], Bars(8, 7, 0, 0)),
        ([np.zeros((60, 92, 3), np.uint8)] * 3, None),
        ([], None),
        # The bars of half of the film are no bars: the picture crosses them.
        ([barred(0), barred(1), barred(2), scene(3)], None),
        # A thin line, or most of the picture, is no bar.
        ([barred(n, 1, 1) for n in range(4)], None),
        ([barred(n, 40, 0) for n in range(4)], None),
    ],
)
def test_bars(frames, bars):
    assert bars_in(frames) == bars


def test_noise_in_bars_and_words_in_them_hide_nothing():
    frames = [np.maximum(barred(n), np.random.default_rng(n).integers(0, 18, (60, 92, 3), np.uint8))
              for n in range(6)]  # fmt: skip
    for frame in frames[:2]:
        frame[55:58, 30:60:3] = 255
    assert bars_in(frames) == Bars(8, 7, 0, 0)
    assert bars_in([frame.astype(np.uint16) * 257 for frame in frames]) == Bars(8, 7, 0, 0)


def test_a_thing_before_a_dark_room_has_none():
    """A ball on black touches the rows beside the black only with its rim."""
    y, x = np.mgrid[:60, :92]
    ball = ((y - 30) ** 2 + (x - 46) ** 2 < 22**2)[..., None] * scene(1)
    assert bars_in([np.roll(ball, n, 1) for n in range(6)]) is None


def test_bars_are_written_and_read():
    bars = Bars(8, 7, 0, 3)
    assert Bars.from_text(str(bars)) == bars
    rows, columns = bars.inside(Size(60, 92))
    assert torch.zeros(60, 92)[rows, columns].shape == bars.between(Size(60, 92)) == (45, 89)


@pytest.fixture
def place(tmp_path):
    frames = (from_pixels(barred(n, 8, 8)) for n in range(4))
    encode_film(frames, tmp_path / "clip.mp4", Fraction(4), options={"crf": 1})
    return tmp_path


def dreamed(place, *flags):
    told = call_cli("video", "clip.mp4", *TINY, *flags, "-o", "a", "--overwrite", cwd=place)
    assert told.returncode == 0, told.stderr
    frames = [media.read_png(path) for path in sorted((place / "a").iterdir())]
    return told.stderr, frames


@pytest.mark.parametrize("flags", [(), ("--carry", "none"), ("--keep-color",)])
def test_they_stay_black_and_the_picture_is_dreamed(place, flags):
    said, frames = dreamed(place, *flags)
    assert "black bars stay as they are (8 top, 8 bottom, of 92x60); --bars dream" in said
    source = [from_pixels(pixels) for pixels in media.frames_of(place / "clip.mp4")]
    for frame, before in zip(frames, source, strict=True):
        assert (frame - before)[:, :8].abs().max() < 0.003
        assert (frame - before)[:, 52:].abs().max() < 0.003
        assert (frame - before)[:, 8:52].abs().mean() > 0.005
    assert Job.open(place / "a.dream").manifest.source["bars"] == "8,8,0,0"
    last = place / "a.dream/frames/000003.png"
    was = last.read_bytes()
    last.unlink()
    told = call_cli("resume", "a.dream", "--overwrite", cwd=place)
    assert told.returncode == 0, told.stderr
    assert last.read_bytes() == was


def test_they_are_dreamed_over_where_that_is_asked(place):
    said, frames = dreamed(place, "--bars", "dream")
    assert "bars" not in said
    assert frames[0][:, :6].max() > 0.05
    assert "bars" not in Job.open(place / "a.dream").manifest.source
    told = call_cli("video", "clip.mp4", *TINY, "-o", "a.gif", "--bars", "paint", cwd=place)
    assert "video.bars: got 'paint', expected keep or dream" in told.stderr


def test_an_older_job_goes_on_as_it_was_begun(place):
    dreamed(place)
    manifest = place / "a.dream/job.json"
    manifest.write_text(manifest.read_text().replace('"bars": "8,8,0,0"', '"more": ""'))
    manifest.write_text(manifest.read_text().replace(',\n  "more": ""', ""))
    assert "bars" not in Job.open(place / "a.dream").manifest.source
    (place / "a.dream/frames/000003.png").unlink()
    told = call_cli("video", "clip.mp4", *TINY, "-o", "b", "--job", "a.dream", cwd=place)
    assert told.returncode == 0, told.stderr
