"""Plans and workers: what many make equals what one makes, whatever happens to any of them."""

import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest
from conftest import call_cli

from dreamvid.frames import Size, noise
from dreamvid.jobs.folder import Job
from dreamvid.media.film_writing import encode_film

FAST = ("--iterations", 1, "--octaves", 1, "--set", "machine.threads=1")
SHOTS, EACH = 4, 6


def shots(count=SHOTS, each=EACH):
    """Moving shots, each unlike the one before."""
    for number in range(count):
        still = noise(Size(40, 64), (11, number))
        still = still * 0.5 if number % 2 else 1 - 0.6 * still
        yield from (still.roll(index * (1 + number % 2), 2) for index in range(each))


def hands(plan, **asked):
    """The exit statuses of worker processes, see `farm_hands`."""
    asked = json.dumps({"plan": str(plan), **asked})
    script = Path(__file__).with_name("farm_hands.py")
    done = subprocess.run(
        [sys.executable, script, asked], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def planned(place, *words):
    """A plan in `place` by a command line."""
    made = call_cli("plan", *words, cwd=place)
    assert made.returncode == 0, made.stderr
    return made


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A film of four shots, and the film dreamed over it by one process without a plan."""
    folder = tmp_path_factory.mktemp("farm")
    encode_film(shots(), folder / "clip.mp4", Fraction(12), options={"crf": 0})
    made = call_cli("video", "clip.mp4", *FAST, "-o", "clip-video.mp4", cwd=folder)
    assert made.returncode == 0, made.stderr
    return folder


def must_equal(place, plan):
    """The frames and the film of a plan are those of one process."""
    frames = contents(place / "clip-video.mp4.dream" / "frames")
    assert contents(plan / "units" / "film" / "frames") == frames
    film = (plan / "results" / "clip-video.mp4").read_bytes()
    assert film == (place / "clip-video.mp4").read_bytes()


def test_shots_dreamed_alone_are_those_of_the_film(place):
    told = planned(place, "video", "clip.mp4", "-o", "one", "--per-unit", 1, *FAST)
    assert f"{SHOTS} shots" in told.stderr
    units = json.loads((place / "one" / "plan.json").read_text())["units"]
    assert [unit["facts"].get("keeps") for unit in units] == [0, 6, 12, 18, None]
    assert units[-1]["needs"] == [unit["name"] for unit in units[:-1]]
    # In another order than the film's: nothing of one shot may reach another.
    for number in (3, 1, 4, 2):
        assert call_cli("work", "one", "--unit", number, cwd=place).returncode == 0
    waits = call_cli("work", "one", "--unit", "film", cwd=place)
    assert waits.returncode == 0, waits.stderr
    assert waits.stdout == "one/results/clip-video.mp4\n" or "clip-video.mp4" in waits.stdout
    must_equal(place, place / "one")
    again = call_cli("work", "one", cwd=place)
    assert again.returncode == 0


def test_three_processes_make_what_one_makes(place):
    planned(place, "video", "clip.mp4", "-o", "three", "--per-unit", 1, *FAST)
    assert hands(place / "three", count=3) == [0, 0, 0]
    must_equal(place, place / "three")
    owners = {
        json.loads(path.read_text())["pid"] for path in (place / "three/claims").glob("*.done")
    }
    assert len(owners) > 1


def test_a_shot_of_a_plan_says_what_joins_it(place):
    planned(place, "video", "clip.mp4", "-o", "part", "--per-unit", 12, *FAST)
    assert len(list((place / "part" / "units").iterdir())) == 3
    for words in (("resume",), ("encode", "-o", "x.mp4")):
        told = call_cli(words[0], "part/units/shot-0002", *words[1:], cwd=place)
        assert told.returncode == 2
        assert "makes frames 12:24 of a film" in told.stderr
        assert "dreamvid work" in told.stderr
    assert Job.open(place / "part/units/shot-0002").finished() == 12
