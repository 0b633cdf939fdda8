"""Chunks of a long shot: warmed up, blended where they meet, and only if they are asked for."""

import json
from fractions import Fraction

import pytest
import torch
from conftest import call_cli
from test_farm import FAST as QUICK
from test_farm import planned, shots

from dreamvid.farm import parts
from dreamvid.frames import quantised
from dreamvid.jobs.folder import Job
from dreamvid.media.film_writing import encode_film

FAST = (*QUICK, "--precision", "fp32")
LONG = 12


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("chunks")
    encode_film(shots(1, LONG), folder / "clip.mp4", Fraction(12), options={"crf": 0})
    made = call_cli("video", "clip.mp4", *FAST, "-o", "clip-video.mp4", cwd=folder)
    assert made.returncode == 0, made.stderr
    return folder


def test_a_long_shot_stays_whole_unless_chunks_are_asked_for(place):
    planned(place, "video", "clip.mp4", "-o", "whole", "--per-unit", 2, *FAST)
    units = json.loads((place / "whole/plan.json").read_text())["units"]
    assert [unit["frames"] for unit in units] == [LONG, 0]


def test_chunks_warm_up_for_48_frames_and_blend_over_12():
    assert list(parts._chunks(100, 1000, 300)) == [
        (100, 100, 400, 0),
        (352, 400, 700, 12),
        (652, 700, 1000, 12),
    ]
    # What begins where the shot does is the shot itself, and needs no blend.
    assert list(parts._chunks(100, 150, 30)) == [(100, 100, 125, 0), (100, 125, 150, 0)]
    assert list(parts._chunks(0, 300, 300)) == [(0, 0, 300, 0)]


def test_where_chunks_meet_one_fades_into_the_other(place, monkeypatch):
    monkeypatch.setattr(parts, "WARM_UP", 4)
    monkeypatch.setattr(parts, "BLEND", 2)
    planned(place, "video", "clip.mp4", "-o", "chunked", "--chunks", 6, *FAST)
    done = call_cli("work", "chunked", cwd=place)
    assert done.returncode == 0, done.stderr
    film, one = Job.open(place / "chunked/units/film"), Job.open(place / "clip-video.mp4.dream")
    first, second = (Job.open(place / f"chunked/units/shot-000{number}") for number in (1, 2))
    assert film.finished() == LONG
    assert sorted(int(path.stem) for path in second.frames.iterdir()) == list(range(2, LONG))
    for index in range(4):
        assert film.frame_path(index).read_bytes() == one.frame_path(index).read_bytes()
    for index, share in ((4, 1 / 3), (5, 2 / 3)):
        blended = torch.lerp(first.read(index), second.read(index), share)
        assert film.read(index).equal(quantised(blended, 8))
        assert not film.read(index).equal(first.read(index))
    for index in range(6, LONG):
        assert film.frame_path(index).read_bytes() == second.frame_path(index).read_bytes()
    # The warm-up has brought the second chunk nearer to the film than it begins.
    apart = [(second.read(index) - one.read(index)).abs().mean() for index in (2, 6)]
    assert apart[1] < apart[0]
    assert "chunks meet at 1 place; `dreamvid measure" in done.stderr
    command = done.stderr.partition("`dreamvid ")[2].partition("`")[0].split()
    assert command[-2:] == ["--joint", "6"]
    told = call_cli(*command, cwd=place)
    assert told.returncode == 0, told.stderr
    assert "its most elsewhere is" in told.stdout
