"""Finished frames as other films: cut, turned round, faster, joined; frame by frame."""

import wave
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from conftest import call_cli

from dreamvid import media
from dreamvid.jobs.films import settings_for
from dreamvid.jobs.folder import Job, Manifest
from dreamvid.sizes import Size

SIZE = Size(32, 48)


def job_of(folder, name, greys, size=SIZE, fps=10):
    """A finished zoom whose frames are plain greys of 8 bits."""
    settings = settings_for("default").changed("film", size=size, frames=len(greys), fps=fps)
    settings = settings.changed("film", fps=Fraction(fps))
    manifest = Manifest("zoom", settings, folder / f"{name}.mp4", {"sha256": ""}, "", {})
    place = folder / f"{name}.mp4.dream"
    Job.claim(place, folder / "seed.png", manifest.out)
    job = Job.create(place, manifest, torch.zeros(3, *size))
    for index, grey in enumerate(greys):
        job.write(index, torch.full((3, *size), grey / 255), {})
    return place


@pytest.fixture(scope="module")
def a(tmp_path_factory):
    return job_of(tmp_path_factory.mktemp("jobs"), "a", [0, 10, 20, 30, 40, 50])


@pytest.fixture(scope="module")
def b(a):
    return job_of(a.parent, "b", [200, 210, 220, 230])


def greys_of(path):
    """The greys of a folder of pictures, as numbers of 8 bits."""
    return [
        round(float(media.read_png(each).mean()) * 255, 1) for each in sorted(path.glob("*.png"))
    ]


def encoded(tmp_path, *arguments):
    told = call_cli("encode", *arguments, "-o", tmp_path / "out", cwd=tmp_path)
    assert told.returncode == 0, told.stderr
    return greys_of(tmp_path / "out")


@pytest.mark.parametrize(
    ("flags", "wanted"),
    [
        (("--reverse",), [50, 40, 30, 20, 10, 0]),
        (("--boomerang",), [0, 10, 20, 30, 40, 50, 40, 30, 20, 10]),
        (("--start", 1, "--end", "0.4s"), [10, 20, 30]),
        (("--speed", 2), [0, 20, 40]),
        (("--speed", 0.5, "--end", 2), [0, 0, 10, 10]),
        (("--fps", 5), [0, 20, 40]),
        (("--fps", 20, "--speed", 2), [0, 10, 20, 30, 40, 50]),
        (("--fps", 8, "--speed", 0.8), [0, 10, 20, 30, 40, 50]),
        (("--start", 4, "--reverse", "--boomerang"), [50, 40]),
    ],
)
def test_each_frame_is_where_it_belongs(a, tmp_path, flags, wanted):
    assert encoded(tmp_path, a, *flags) == wanted


def test_jobs_are_joined_and_fade(a, b, tmp_path):
    assert encoded(tmp_path, a, b) == [0, 10, 20, 30, 40, 50, 200, 210, 220, 230]
    film = tmp_path / "faded"
    film.mkdir()
    wanted = [0, 10, 20, 30, 40 * 2 / 3 + 200 / 3, 50 / 3 + 210 * 2 / 3, 220, 230]
    got = encoded(film, a, b, "--fade", "0.2s")
    assert np.abs(np.subtract(got, wanted)).max() <= 0.5
    assert not media.read_png(film / "out" / "000000.png").any()


def test_a_job_of_another_size_and_rate_is_brought_to_the_first(a, tmp_path):
    other = job_of(tmp_path, "other", [100, 110], size=Size(20, 20), fps=5)
    assert encoded(tmp_path, a, other, "--start", 5) == [50, 100, 100, 110, 110]
    assert media.read_png(tmp_path / "out" / "000001.png").shape == (3, 32, 48)


def test_the_rate_and_the_length_of_a_film(a, tmp_path):
    out = tmp_path / "film.mp4"
    assert call_cli("encode", a, "--fps", "24000/1001", "-o", out).returncode == 0
    film = media.probe(out)
    assert film.rate == Fraction(24000, 1001)
    assert film.frames == 14
    assert abs(film.duration - Fraction(6, 10)) < Fraction(1, 24)


def test_a_sound_file_is_laid_under_it(a, tmp_path):
    with wave.open(str(tmp_path / "song.wav"), "wb") as song:
        song.setparams((1, 2, 8000, 0, "NONE", ""))
        song.writeframes((8000 * np.sin(np.arange(16000) / 5)).astype("<i2").tobytes())
    out = tmp_path / "film.mp4"
    told = call_cli("encode", a, "--audio", tmp_path / "song.wav", "-o", out)
    assert told.returncode == 0, told.stderr
    assert "silent" not in told.stderr
    film = media.probe(out)
    assert film.sound == "aac"
    assert film.frames == 6
    (tmp_path / "notes.wav").write_text("no sound")
    told = call_cli("encode", a, "--audio", tmp_path / "notes.wav", "-o", out, "--overwrite")
    assert told.returncode == 2
    assert "holds no sound" in told.stderr


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--reverse",), "name another with -o"),
        (("--fade", 1, "-o", "x.mp4"), "two or more"),
        (("--start", 6, "-o", "x.mp4"), "there are 6 frames"),
        (("--speed", 0, "-o", "x.mp4"), "--speed: got"),
        (("--fps", "fast", "-o", "x.mp4"), "--fps: got 'fast'"),
        (("--fade", "long", "-o", "x.mp4"), "--fade: got"),
        (("--reverse", "-o", "x.mkw"), "no encoder for"),
    ],
)
def test_what_cannot_be(a, tmp_path, flags, words):
    told = call_cli("encode", a, *flags, cwd=tmp_path)
    assert told.returncode == 2
    assert words in told.stderr
    assert not (tmp_path / "x.mp4").exists()


def test_a_fade_is_no_longer_than_its_jobs(a, b, tmp_path):
    told = call_cli("encode", a, b, a, "--fade", "0.3", "-o", tmp_path / "x.mp4")
    assert told.returncode == 2
    assert "has 1 left for it" in told.stderr


def test_a_job_is_gone_on_with_as_before(a, tmp_path):
    manifest = Job.open(a).manifest
    assert replace(manifest) == manifest
    out = tmp_path / "plain"
    assert call_cli("encode", a, "-o", out).returncode == 0
    assert greys_of(out) == [0, 10, 20, 30, 40, 50]
