"""Plans and workers: what many make equals what one makes, whatever happens to any of them."""

import errno
import json
import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest
from conftest import call_cli

from dreamvid.errors import StorageError
from dreamvid.farm import claims
from dreamvid.farm.claims import Ledger
from dreamvid.farm.simulation import simulated
from dreamvid.frames import Size, noise
from dreamvid.jobs.folder import Job
from dreamvid.jobs.runs import Run
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
        json.loads(path.read_text())["pid"] for path in (place / "three/claims").glob("*/*.done")
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


SWEEP = """
command = "zoom"
seed = "seed.png"
frames = 2
size = "64x40"
iterations = 1
octaves = 1
set = ["machine.threads=1"]
[grid]
strength = [0.5, 1, 2]
"motion.zoom.rate" = [1.05, 1.2]
"""


@pytest.fixture(scope="module")
def photos(place):
    """Pictures of three sizes, so many that some are dreamed together; one is none."""
    from dreamvid import media

    folder = place / "photos"
    folder.mkdir()
    for number in range(12):
        size = Size(40, 64) if number % 3 else Size(56, 48)
        media.write_picture(noise(size, (5, number)), folder / f"{number:02d}.png")
    media.write_picture(noise(Size(40, 64), (5, 99)), place / "seed.png")
    made = call_cli("image", "photos", "-o", "dreams", "--batch", 2, *FAST, cwd=place)
    assert made.returncode == 0, made.stderr
    return folder


def test_a_folder_of_pictures_by_three(place, photos):
    planned(place, "image", "photos", "-o", "pictures", "--batch", 2, *FAST)
    units = json.loads((place / "pictures" / "plan.json").read_text())["units"]
    assert [unit["frames"] for unit in units] == [2, 2, 2, 2, 2, 2, 0]
    assert hands(place / "pictures", count=3) == [0, 0, 0]
    dreams = place / "pictures" / "results"
    assert {path.name for path in dreams.glob("*.png")} == {p.name for p in photos.iterdir()}
    for path in photos.iterdir():
        assert (dreams / path.name).read_bytes() == (place / "dreams" / path.name).read_bytes()
    # What was joined is a folder that the command itself goes on with.
    again = call_cli("image", "photos", "-o", dreams, "--batch", 2, *FAST, cwd=place)
    assert "12 of 12 pictures are there already" in again.stderr


def test_a_sweep_has_a_film_for_each_setting_and_a_sheet(place, photos):
    (place / "sweep.toml").write_text(SWEEP)
    planned(place, "sweep", "sweep.toml", "-o", "sweep")
    done = call_cli("work", "sweep", cwd=place)
    assert done.returncode == 0, done.stderr
    names = sorted(path.name for path in (place / "sweep/results").iterdir())
    assert names == [*(f"seed-zoom-{number:04d}.mp4" for number in range(1, 7)), "sheet.png"]
    words = ("--frames", 2, "--size", "64x40", "--strength", 2, "--set", "motion.zoom.rate=1.2")
    assert call_cli("zoom", "seed.png", *FAST, *words, "-o", "last.mp4", cwd=place).returncode == 0
    last = (place / "sweep/results/seed-zoom-0006.mp4").read_bytes()
    assert last == (place / "last.mp4").read_bytes()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("command = 'zom'\n[grid]\nstrength = [1, 2]\n", "did you mean 'zoom'?"),
        (SWEEP.replace("strength", "strenth"), "no key 'strenth'; did you mean 'strength'?"),
        (SWEEP.replace("[0.5, 1, 2]", "[0.5, -1, 2]"), "strength -1, motion.zoom.rate 1.05: "),
        (SWEEP.partition("[grid]")[0], "makes 1 films, expected 2 to"),
        (SWEEP.replace("[0.5, 1, 2]", "3"), "strength: got 3, expected a list of values"),
        ("a = ", "not a TOML file of a sweep"),
    ],
)
def test_a_wrong_sweep_is_one_line_and_leaves_nothing(place, photos, text, words):
    (place / "wrong.toml").write_text(text)
    told = call_cli("plan", "sweep", "wrong.toml", "-o", "none", cwd=place)
    assert (told.returncode, len(told.stderr.splitlines())) == (2, 1), told.stderr
    assert words in told.stderr
    assert not (place / "none").exists()


def test_other_schedulers_take_it_too(place, photos):
    planned(
        place, "image", "photos", "-o", "others", "--per-unit", 5, "--format", "shell,slurm,openjd",
        "--batch", 2, *FAST,
    )  # fmt: skip
    plan = place / "others"
    lines = (plan / "plan.sh").read_text().splitlines()
    assert lines[2:] == [f"dreamvid work {plan} --unit {name}" for name in
                         ("pictures-0001", "pictures-0002", "gather")]  # fmt: skip
    assert "#SBATCH --array=1-2" in (plan / "slurm-units.sh").read_text()
    assert "afterok:$array" in (plan / "slurm.sh").read_text()
    for file in plan.glob("*.sh"):
        subprocess.run(["sh", "-n", file], check=True)
    tree = json.loads((plan / "openjd.json").read_text())
    space = tree["steps"][0]["parameterSpace"]["taskParameterDefinitions"]
    assert space == [{"name": "Unit", "type": "INT", "range": "1-2"}]
    assert tree["steps"][1]["dependencies"] == [{"dependsOn": "Units"}]
    for line in lines[2:]:
        assert call_cli(*line.split()[1:]).returncode == 0
    assert len(list((plan / "results").glob("*.png"))) == 12
    told = call_cli("plan", "image", "photos", "-o", "no", "--format", "slrm", *FAST, cwd=place)
    assert "did you mean 'slurm'?" in told.stderr


def test_nothing_is_lost_by_kills_at_random_instants(place):
    """Ten workers are killed one after another; each goes on where the last one was."""
    # One that dies while it takes a unit has not said yet who it is: its silence alone tells.
    planned(
        place, "video", "clip.mp4", "-o", "killed", "--per-unit", 1, "--silence", 30, *FAST
    )  # fmt: skip
    assert hands(place / "killed", kills=10, count=1, after=(0.05, 0.9)) == [0]
    must_equal(place, place / "killed")
    # A unit that was taken over is dreamed on, not anew: no frame has two lines in its journal.
    for journal in (place / "killed/units").glob("shot-*/journal.jsonl"):
        lines = [json.loads(line)["index"] for line in journal.read_text().splitlines()]
        assert len(lines) == len(set(lines)) == EACH


def test_machines_with_other_clocks_and_a_frozen_one(place):
    """One is frozen in its unit and taken over by strangers; awake again, it harms nothing."""
    planned(
        place, "video", "clip.mp4", "-o", "frozen", "--per-unit", 1, "--silence", 3, *FAST
    )  # fmt: skip
    asked = {"count": 3, "strangers": True, "clocks": [0, 300, -300], "freeze": (0.3, 0.5)}
    statuses = hands(place / "frozen", **asked)
    assert statuses[0] == 0
    must_equal(place, place / "frozen")
    claims = [path.name for path in (place / "frozen/claims").glob("*/*")]
    # Clocks alone make nobody silent: a unit is taken twice only where its owner was frozen.
    assert sum(name.endswith(".2") for name in claims) <= 1
    assert not any(name.endswith(".3") for name in claims)


class Clock:
    """Seconds that pass when they are told to."""

    now = 0.0

    def __call__(self):
        return self.now


def test_silence_is_judged_by_the_readers_own_clock(tmp_path, monkeypatch):
    owner = Ledger(tmp_path, 300)
    monkeypatch.setattr(claims, "this_process", lambda: {"host": "b", "pid": 1, "began": "1",
                                                         "machine": "b"})  # fmt: skip
    clock = Clock()
    reader = Ledger(tmp_path, 300, clock=clock)
    claim = owner.take("shot-0001", 1)
    assert reader.take("shot-0001", 1) is None
    for hour in (-1, 1):  # whatever the owner's clock says
        os.utime(claim.path, (hour * 3600, hour * 3600))
        assert reader.silent(reader.states(["shot-0001"])) == []
        clock.now += 299
    assert reader.silent(reader.states(["shot-0001"])) == []
    clock.now += 302
    assert reader.silent(reader.states(["shot-0001"])) == ["shot-0001"]
    taken = reader.take("shot-0001", 2)
    assert reader.holds(taken)
    assert not owner.holds(claim)
    # A late look at an older state takes nothing.
    assert owner.take("shot-0001", 2) is None
    owner.release(claim)
    assert reader.states(["shot-0001"])["shot-0001"].taken


def test_a_claim_is_there_with_its_owner_or_not_at_all(tmp_path, monkeypatch):
    link, one, other = os.link, Ledger(tmp_path, 300, "one"), Ledger(tmp_path, 300, "other")

    def claimed(by):
        assert by.take("shot-0001", 1) is not None
        [path] = (tmp_path / "000").glob("*.1")
        assert json.loads(path.read_text())["name"] == by.owner["name"]
        assert {one.take("shot-0001", 1), other.take("shot-0001", 1)} == {None}
        path.unlink()

    def killed(*paths):
        raise KeyboardInterrupt

    def without_links(*paths):
        raise PermissionError(errno.EPERM, "no links here")

    def answer_lost(*paths):
        link(*paths)
        link(*paths)

    monkeypatch.setattr(os, "link", killed)
    with pytest.raises(KeyboardInterrupt):
        one.take("shot-0001", 1)
    assert not other.states(["shot-0001"])  # nobody has it: there is nothing to wait for
    for way in (link, without_links, answer_lost):
        monkeypatch.setattr(os, "link", way)
        claimed(other)
    assert not list((tmp_path / "000").iterdir())


def test_a_unit_that_fails_is_named_and_the_rest_is_made(place, monkeypatch):
    planned(place, "video", "clip.mp4", "-o", "fails", "--per-unit", 1, *FAST)
    real = Run.dream

    def dream(self, total):
        if self.job.folder.name == "shot-0002":
            raise ValueError("the dream is bad")
        return real(self, total)

    monkeypatch.setattr(Run, "dream", dream)
    told = call_cli("work", "fails", "-q", cwd=place)
    assert (told.returncode, len(told.stderr.splitlines())) == (1, 1), told.stderr
    assert "shot-0002: cannot be made: ValueError: the dream is bad" in told.stderr
    done = {path.name for path in (place / "fails/claims").glob("*/*.done")}
    assert done == {"shot-0001.done", "shot-0003.done", "shot-0004.done"}
    for _ in range(3):
        call_cli("work", "fails", "-q", cwd=place)
    assert len(list((place / "fails/claims").glob("*/shot-0002.*.failed"))) == 3
    monkeypatch.undo()
    assert call_cli("work", "fails", cwd=place).returncode == 1  # given up
    assert call_cli("work", "fails", "--retry", cwd=place).returncode == 0
    must_equal(place, place / "fails")


def test_a_full_disk_stops_a_worker_and_loses_nothing(place, monkeypatch):
    planned(place, "video", "clip.mp4", "-o", "full", "--per-unit", 1, *FAST)
    real, left = Job.publish, [8]

    def publish(self, index, pixels):
        left[0] -= 1
        if left[0] < 0:
            raise StorageError(f"cannot write {index}: No space left on device")
        return real(self, index, pixels)

    monkeypatch.setattr(Job, "publish", publish)
    told = call_cli("work", "full", "-q", cwd=place)
    assert (told.returncode, len(told.stderr.splitlines())) == (74, 1)
    assert "No space left" in told.stderr
    monkeypatch.undo()
    assert call_cli("work", "full", cwd=place).returncode == 0
    must_equal(place, place / "full")


def test_bad_input_is_one_line(place, monkeypatch):
    planned(place, "video", "clip.mp4", "-o", "bad", "--per-unit", 12, *FAST)
    file = place / "bad" / "plan.json"
    text = file.read_text()

    def told(*words):
        done = call_cli("work", "bad", "-q", *words, cwd=place)
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
        return done.stderr

    file.write_text(text.replace('"format": ', '"format": 9'))
    assert "is a plan of dreamvid" in told()
    file.write_text(text.replace('"dreamvid": "', '"dreamvid": "9'))
    assert "install the same on all machines" in told()
    file.write_text(text[:-9])
    assert "cannot be read" in told()
    file.write_text(text)
    assert "a number from 1 to" in told("--unit", "shut-0001")
    assert "not a plan" in call_cli("work", place / "photos").stderr
    assert (
        "is a plan already" in call_cli("plan", "video", "clip.mp4", "-o", "bad", cwd=place).stderr
    )
    (place / "clip.mp4").rename(place / "gone.mp4")
    try:
        assert "put the input back, or share its folder" in told()
    finally:
        (place / "gone.mp4").rename(place / "clip.mp4")
    # Another worker, which has all, makes it.
    assert call_cli("work", "bad", cwd=place).returncode == 0
    must_equal(place, place / "bad")


def test_many_workers_claim_every_unit_once(tmp_path):
    """Units of recorded times in many blocks; what a claim asks of the folder stays little."""
    units = [f"unit-{number:05d}" for number in range(1, 801)]
    told = simulated(tmp_path / "claims", units, workers=40, times=[0, 0.002, 0.004])
    assert (told["units"], told["twice"]) == (800, 0)
    # Three for the claim and three for its end; what else there is are looks at blocks.
    assert told["operations_per_claim"] < 12
    assert len(list((tmp_path / "claims").iterdir())) == 9
