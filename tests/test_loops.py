import json
import os
import random
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import pytest
import torch
from conftest import run_cli

import dreamvid
from dreamvid import media
from dreamvid.errors import MediaError, SettingsError
from dreamvid.film import loops
from dreamvid.film.cadence import between
from dreamvid.film.carries import Situation, anchoring, by_motion, traced_back
from dreamvid.film.seams import loop_seam
from dreamvid.film.sources import Moment
from dreamvid.film.tone import anchored, share_of, tone_of
from dreamvid.frames import Clock, Size, noise, size_of
from dreamvid.jobs.films import settings_for
from dreamvid.jobs.naming import film_name
from dreamvid.motion.motions import composed
from dreamvid.motion.warp import grid, warp
from dreamvid.settings import assigned, flagged, settled

SMALL = ("--size", "96x64", "--octaves", "2", "--iterations", "2", "--quiet")
SIZE = Size(60, 92)
FALL = {"zoom": {"rate": 3.0}}


def closing(motion, period=24, stride=1, planting=True):
    """A closing whose turn before is white."""
    white = torch.ones(3, *SIZE)
    return loops.Closing(
        composed(motion), Fraction(6), period, stride, lambda index: white, (0,), planting
    )


def left_after_each(close, period, stride=1):
    """How much of a black turn is still black after each of its frames, place by place."""
    left, each = torch.ones(SIZE), []
    for phase in range(0, period, stride):
        step = Situation(period + phase, Moment(torch.zeros(3, *SIZE)), None)
        left = left * (1 - close(step, torch.zeros(3, *SIZE))[0])
        each.append(left)
    return each


@pytest.mark.parametrize("motion", [FALL, {"spin": {}}, {"hold": {}}, {"zoom": {"rate": 0.5}}])
@pytest.mark.parametrize("planting", [True, False])
@pytest.mark.parametrize("stride", [1, 4])
def test_a_turn_ends_exactly_as_the_one_before(motion, planting, stride):
    close = closing(motion, stride=stride, planting=planting)
    dream = noise(SIZE, (1,))
    first, last = (
        close(Situation(index, Moment(dream), dream), dream) for index in (24, 48 - stride)
    )
    assert torch.equal(first, dream), "the first frame of a turn is a plain dream"
    assert torch.equal(last, torch.ones(3, *SIZE)), "its last is that of the turn before"
    assert torch.equal(close(Situation(7, Moment(dream), dream), dream), dream), "turn 0 is free"


def test_a_closing_follows_the_whole_turn_only_once():
    """Where the spot lies is the same for all frames, and takes as long to find as a dream."""
    calls = []

    def counted(points, clock, size):
        calls.append(size)
        return composed(FALL)(points, clock, size)

    close = loops.Closing(counted, Fraction(6), 24, 1, lambda index: torch.ones(3, *SIZE), (0,))
    shares, counts = [], []
    for phase in (5, 6):
        calls.clear()
        shares.append(close.share(phase, SIZE))
        counts.append(len(calls))
    assert counts[0] > 20 * 22
    assert counts[1] < 4 * 24
    assert torch.equal(shares[1], closing(FALL).share(6, SIZE))


def test_what_falls_towards_us_is_planted_while_it_is_small():
    """A spot in the middle goes over at once; what is carried out of view never does."""
    each = left_after_each(closing(FALL), 24)
    assert each[8][30, 46] < 0.01
    assert each[8][2, 2] > 0.99
    assert each[8][30, 2] > 0.99
    # The spot grows with the motion: 3 times a second, 6 frames a second.
    widths = [(frame[30] < 0.5).sum().item() for frame in each]
    assert widths[20] / widths[14] == pytest.approx(3.0, rel=0.15)


def test_what_stays_in_view_goes_over_patch_by_patch():
    each = left_after_each(closing({"hold": {}}), 24)
    half = each[12]
    assert (half > 0.9).float().mean() > 0.2
    assert (half < 0.1).float().mean() > 0.2
    together = left_after_each(closing({"hold": {}}, planting=False), 24)[12]
    assert together.std() < 1e-4
    assert 0.3 < together.mean() < 0.7


def test_the_walk_is_closed_and_begins_at_its_picture(picture):
    walk = loops.Walk(picture, 10, 3, 0.1)
    moments = walk.moments(0)
    frames = [next(moments).frame for _ in range(21)]
    torch.testing.assert_close(frames[0], picture, atol=1e-6, rtol=0)
    assert torch.equal(frames[10], frames[20])
    assert torch.equal(frames[3], next(walk.moments(13)).frame)
    assert (frames[5] - picture).abs().mean() > 0.05


def test_standing_still_is_told_from_moving():
    rate = Fraction(10)
    assert loops.stands_still(composed({"hold": {}, "zoom": {"rate": 1.0}}), rate, 12)
    assert not loops.stands_still(composed({"pan": {"x": 0.01}}), rate, 12)


def still_seam(frames):
    return loop_seam(frames, lambda index, before, after: torch.zeros(2, *size_of(after)))


def test_the_seam_is_one_step_over_the_others():
    def film(*levels):
        return [torch.full((3, 20, 30), level) for level in levels]

    found = still_seam(film(0.1, 0.2, 0.3, 0.4))
    assert found.seam == pytest.approx(0.3)
    assert found.median == pytest.approx(0.1)
    assert found.ratio == pytest.approx(3.0)
    with pytest.raises(MediaError, match="2 frames"):
        still_seam(film(0.1, 0.2))


def test_a_seam_is_seen_without_knowing_the_motion():
    """A pan over an endless texture is closed; the same pan cut short by half is not."""
    wide = noise(Size(64, 96), (4,), exponent=1.3)
    closed = [wide.roll(8 * index, 2) for index in range(12)]
    assert loop_seam(closed).ratio < 1.2
    assert loop_seam(closed[:6]).ratio > 2


def test_the_way_ahead_is_the_way_back_undone():
    """Filled frames show each thing where the motion has brought it, from both sides."""
    motion, rate = composed({"zoom": {"rate": 2.0, "centre": [0.4, 0.6]}, "spin": {}}), Fraction(6)
    texture = noise(Size(60, 92), (2,), exponent=2.0)
    points = grid(SIZE)

    def at(index):
        return warp(texture, traced_back(motion, points, index, index, SIZE, rate) - points)

    fill = between(motion, rate, 4)
    assert fill is not None
    filled = list(fill(8, at(4), at(8)))
    assert len(filled) == 3
    for index, frame in zip((5, 6, 7), filled, strict=True):
        error = (frame - at(index))[:, 12:-12, 12:-12].abs().mean()
        assert error < 0.01, index
    assert between(motion, rate, 1) is None


def test_a_stride_moves_as_far_as_its_frames(picture):
    motion, rate = composed({"zoom": {"rate": 2.0}}), Fraction(30)
    once = by_motion(motion, rate, stride=4)(Situation(4, Moment(picture), picture)).frame
    points = grid(size_of(picture))
    whole = motion(points, Clock(0.0, 4 / 30), size_of(picture)) - points
    torch.testing.assert_close(once, warp(picture, whole), atol=1e-3, rtol=0)


def test_the_anchor_brings_tone_back(picture):
    drifted = (picture * 0.5 + torch.tensor([0.3, 0.0, 0.1])[:, None, None]).clamp(0, 1)
    wanted, before, after = (
        tone_of(each) for each in (picture, drifted, anchored(drifted, tone_of(picture), 0.5))
    )
    for name in ("mean", "contrast", "saturation"):
        aim, then, now = (getattr(tone, name).item() for tone in (wanted, before, after))
        assert abs(now - aim) < 0.8 * abs(then - aim), name
    assert anchored(drifted, tone_of(picture), 0.0) is drifted
    full = tone_of(anchored(drifted, tone_of(picture), 1.0))
    assert full.mean.item() == pytest.approx(wanted.mean.item(), abs=0.02)


def test_the_anchor_is_as_strong_at_every_rate(picture):
    for rate in (24, 60):
        share = share_of(0.3, Fraction(1, rate))
        assert 1 - (1 - share) ** rate == pytest.approx(0.3)
    carry = anchoring(by_motion(composed({"hold": {}}), Fraction(10)), 1.0, Fraction(1, 10))
    dark = picture * 0.5
    assert carry(Situation(0, Moment(dark), None)).frame is dark
    held = carry(Situation(3, Moment(picture), dark)).frame
    assert held.mean() == pytest.approx(picture.mean().item(), abs=0.03)


def test_lengths_and_names():
    faster = assigned(["film.fps=12"])
    for given in ({"seconds": "2.5"}, {"seconds": 2.5}, {"frames": "2.5s"}):
        settings = settings_for("default", None, flagged(given, "loop"), faster)
        assert settings.film.length == 30
        assert settled(settings.tree()) == settings
    for bad in ("0", "-1", "nan", "1e9", "x"):
        with pytest.raises(SettingsError, match="--seconds"):
            flagged({"seconds": bad})
    with pytest.raises(SettingsError, match="another flag"):
        flagged({"seconds": "2", "frames": "30"})
    assert film_name(None, None, "loop") == Path("noise-loop.mp4")
    assert film_name(None, Path("a/seed.jpg"), "loop") == Path("seed-loop.mp4")
    assert film_name(None, Path("a/seed-zoom.mp4.dream"), "loop") == Path("seed-zoom-loop.mp4")


LOOP = ("--frames", 8, "--fps", 4, *SMALL)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A loop from noise that was never interrupted."""
    out = tmp_path_factory.mktemp("loop") / "loop.gif"
    result = run_cli("loop", "-o", out, *[each for each in LOOP if each != "--quiet"])
    assert result.returncode == 0, result.stderr
    return out, result.stderr


def test_a_loop_is_closed_and_repeats_for_ever(made):
    out, told = made
    assert "closes well, after 2 turns" in told
    assert len(list(media.frames_of(out))) == 8
    assert b"NETSCAPE2.0\x03\x01\x00\x00\x00" in out.read_bytes()
    frames = Path(f"{out}.dream/frames")
    assert len(list(frames.glob("*.png"))) == 16
    assert (frames / "000015.png").read_bytes() == (frames / "000007.png").read_bytes()
    line = json.loads((frames.parent / "journal.jsonl").read_text().splitlines()[-1])
    assert {"mean", "contrast", "saturation"} <= line.keys()


def test_measuring_a_loop(made):
    result = run_cli("measure", "--loop", made[0])
    assert result.returncode == 0, result.stderr
    assert "ratio" in result.stdout
    both = run_cli("measure", made[0], made[0], "--loop", made[0])
    assert both.returncode == 2


def test_a_killed_loop_goes_on_to_the_same_bytes(made, tmp_path):
    out = tmp_path / "loop.gif"
    folder = Path(f"{out}.dream")
    chance = random.Random(os.environ.get("DREAMVID_TEST_SEED", "5"))
    arguments = ["loop", "-o", str(out), *map(str, LOOP)]
    for count in (3, 11):
        process = subprocess.Popen([sys.executable, "-m", "dreamvid", *arguments])
        deadline = time.monotonic() + 120
        while len(list(folder.glob("frames/[0-9]*.png"))) < count:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        time.sleep(chance.uniform(0, 0.1))
        process.kill()
        process.wait()
        arguments = ["resume", str(folder), "--quiet"]
    finished = run_cli("resume", folder, "--quiet")
    assert finished.returncode == 0, finished.stderr
    for index in range(16):
        name = f"frames/{index:06d}.png"
        assert (folder / name).read_bytes() == (Path(f"{made[0]}.dream") / name).read_bytes()
    assert out.read_bytes() == made[0].read_bytes()
    longer = run_cli("resume", folder, "--frames", 9)
    assert longer.returncode == 2
    assert "begun with 8" in longer.stderr


@pytest.mark.parametrize("suffix", ["webp", "apng"])
def test_other_formats_repeat_for_ever_too(made, tmp_path, suffix):
    out = tmp_path / f"loop.{suffix}"
    result = run_cli("encode", f"{made[0]}.dream", "-o", out, "--quiet")
    assert result.returncode == 0, result.stderr
    data = out.read_bytes()
    start, plays = {"webp": (b"ANIM", slice(12, 14)), "apng": (b"acTL", slice(8, 12))}[suffix]
    chunk = data[data.index(start) :]
    assert not any(chunk[plays]), "zero is for ever"


def test_a_loop_of_a_job_with_cadence(made, tmp_path):
    """From the last frame of another job, dreamed every fourth frame, its turns still equal."""
    out = tmp_path / "again.mp4"
    film = dreamvid.loop(
        f"{made[0]}.dream", out, seconds=3, fps=4, cadence=4, size="96x64", octaves=2, iterations=1
    )
    frames = Path(f"{film}.dream/frames")
    assert len(list(frames.glob("*.png"))) == 24
    assert (frames / "000020.png").read_bytes() == (frames / "000008.png").read_bytes()
    assert len(list(media.frames_of(film))) == 12


def test_cadence_kept_through_kills_and_lengths(tmp_path, picture):
    seed, whole, parts = (tmp_path / name for name in ("seed.png", "whole.mp4", "parts.mp4"))
    media.write_picture(picture, seed)
    arguments = ("--cadence", 4, *SMALL)
    assert run_cli("zoom", seed, "-o", whole, "--frames", 11, *arguments).returncode == 0
    assert run_cli("zoom", seed, "-o", parts, "--frames", 6, *arguments).returncode == 0
    longer = run_cli("resume", f"{parts}.dream", "--frames", 11, "--overwrite", "--quiet")
    assert longer.returncode == 0, longer.stderr
    for index in range(11):
        name = f"frames/{index:06d}.png"
        assert (Path(f"{whole}.dream") / name).read_bytes() == (
            Path(f"{parts}.dream") / name
        ).read_bytes(), index


def test_previews_come_first_and_leave_nothing_else(tmp_path, picture):
    seed, out = tmp_path / "seed.png", tmp_path / "film.gif"
    media.write_picture(picture, seed)
    result = run_cli("zoom", seed, "-o", out, "--frames", 2, "--preview", *SMALL)
    assert result.returncode == 0, result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "film-motion.gif",
        "film-quarter.gif",
        "film.gif",
        "film.gif.dream",
        "seed.png",
    ]
    for name in ("film-motion.gif", "film-quarter.gif"):
        assert next(media.frames_of(tmp_path / name)).shape[2] == 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--frames", 2], "film.frames"),
        (["--frames", 10, "--cadence", 4], "film.cadence"),
        (["--seconds", "soon"], "--seconds"),
        (["--seconds", 2, "--frames", 9], "another flag"),
        (["--set", "loop.closing='glue'"], "planting or relaxation"),
        (["--anchor", 2], "film.anchor"),
        (["nowhere.png"], "nowhere.png"),
        (["."], "not a job folder"),
        (["--size", "20"], "film.size"),
    ],
)
def test_bad_loops_are_one_line_and_leave_nothing(tmp_path, arguments, words):
    result = run_cli("loop", *arguments, cwd=tmp_path)
    assert result.returncode == 2, result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert words in result.stderr
    assert not list(tmp_path.iterdir())
