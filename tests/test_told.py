"""What is told beside the work: hints, the way on after a stop, fewer octaves, RAFT's weights."""

import os
import re
import signal

import pytest
from conftest import call_cli

from dreamvid import media
from dreamvid.cli.hints import TRIED
from dreamvid.flags import COMMANDS, flags_of
from dreamvid.jobs.films import settings_for
from dreamvid.jobs.folder import Job
from dreamvid.jobs.progress import Silence
from dreamvid.jobs.runs import Run
from dreamvid.jobs.settling import hint_of_rates
from dreamvid.motion.optical_flow import method_for
from dreamvid.networks import published
from dreamvid.settings import assigned

TINY = ("--size", "64x48", "--octaves", 1, "--iterations", 1)


@pytest.fixture
def place(tmp_path, picture):
    media.write_picture(picture, tmp_path / "seed.png")
    return tmp_path


def stopped_after(place, index, monkeypatch):
    """What is said of a film of four frames that is stopped once the frame `index` is written."""
    real = Job.note

    def write(job, number, *rest):
        if index < 0:
            os.kill(os.getpid(), signal.SIGTERM)
        real(job, number, *rest)
        if number == index:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(Job, "note", write)
    told = call_cli("zoom", "seed.png", *TINY, "--frames", 4, "-o", "my film.gif", cwd=place)
    monkeypatch.setattr(Job, "note", real)
    assert told.returncode == 143
    return told.stderr.splitlines()[-1]


def test_the_line_of_a_stopped_film_names_what_makes_a_film_of_what_there_is(place, monkeypatch):
    line = stopped_after(place, 1, monkeypatch)
    assert "go on with `dreamvid resume 'my film.gif.dream'`" in line
    assert (
        "a film of what there is: `dreamvid encode 'my film.gif.dream' -o 'my film-part.gif'`"
        in line
    )
    told = call_cli("encode", "my film.gif.dream", "-o", "my film-part.gif", cwd=place)
    assert told.returncode == 0, told.stderr
    assert 2 <= len(list(media.frames_of(place / "my film-part.gif"))) < 4


def test_without_a_frame_there_is_no_film_to_make(place):
    call_cli("zoom", "seed.png", *TINY, "--frames", 1, "-o", "a.gif", cwd=place)
    job = Job.open(place / "a.gif.dream")
    run = Run(job, place / "a.gif", job.manifest.settings, False, Silence())
    assert "encode" in run.so_far()
    job.frame_path(0).unlink()
    assert run.so_far() == ""


def hint(*sets):
    return hint_of_rates(settings_for(assigned=assigned(list(sets))))


@pytest.mark.parametrize(
    ("rate", "words"),
    [
        ("1.04", "1.04 is the growth in a second, 1.48 times in ten; for a growth in each frame"),
        ("0.97", "write 0.97/frame"),
        ("'0: (1.02), 60: (1.05)'", "1.05 is the growth in a second"),
    ],
)
def test_a_rate_of_each_frame_gets_a_hint(rate, words):
    assert words in hint(f"motion.zoom.rate={rate}")


@pytest.mark.parametrize("rate", ["1.3", "1", "'1.04/frame'", "'0: (1), 60: (1.3)'", "0.8"])
def test_other_rates_get_none(rate):
    assert hint(f"motion.zoom.rate={rate}") == ""


def test_the_hint_comes_once(place):
    told = call_cli("zoom", "seed.png", *TINY, "--frames", 2, "--set", "motion.zoom.rate=1.04",
                    cwd=place)  # fmt: skip
    assert told.stderr.count("write 1.04/frame") == 1


@pytest.mark.parametrize(
    ("flag", "words"), [("--length", "--seconds 10"), ("--boomerang", "dreamvid encode JOB")]
)
def test_flags_of_other_programs_are_known(flag, words):
    said = call_cli("zoom", "seed.png", flag, 3).stderr
    assert f"No such option: {flag}; write " in said
    assert words in said
    assert said.endswith("(see `dreamvid zoom --help`)\n")


def test_every_hint_names_flags_that_there_are():
    spelled = {
        spelling
        for command in COMMANDS
        for name, flag in flags_of(command).items()
        for spelling in (f"--{name.replace('_', '-')}", *flag.names)
    }
    for tried, hint in TRIED.items():
        assert set(re.findall(r"(?<!\w)--?[a-z-]+", hint)) <= spelled, tried


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        ("image seed.png -o -", "a picture goes to a file"),
        ("image seed.png --batch 2", "--batch: seed.png is no folder of pictures; leave it out"),
        ("image . --at 3", "--at: . is a folder of pictures; leave it out"),
        ("zoom seed.png --set step_size=3", "did you mean ascent.step_size?"),
        ("zoom seed.png --set network.layers=4c", "expected a list, such as ['4c']"),
        ("zoom seed.png --frames 3 --seconds 1", "--seconds: sets film.frames, as another flag"),
        ("zoom seed.png --size 16", "film.size: got 16x"),
        ("list", "Missing argument 'KIND': networks|layers"),
        ("jobs seed.png", "seed.png: is a file, expected a folder"),
        ("info nowhere.mp4", "nowhere.mp4: no such file"),
        ("resume plan", "it is a plan, with which `dreamvid work plan` goes on"),
        ("resume seed.png", "name a film, or the folder beside it"),
        ("run seed.png", "not UTF-8 text; expected a TOML file of jobs"),
    ],
)
def test_a_slip_is_told_with_its_remedy(place, words, remedy):
    (place / "plan").mkdir(exist_ok=True)
    (place / "plan" / "plan.json").write_text("{}")
    said = call_cli(*words.split(), cwd=place)
    assert said.returncode == 2
    assert remedy in said.stderr


def test_a_film_stands_for_its_job(place):
    call_cli("zoom", "seed.png", *TINY, "--frames", 1, "-o", "a.gif", cwd=place)
    said = call_cli("resume", "a.gif", "--frames", 2, cwd=place)
    assert said.returncode == 0, said.stderr
    assert len(list(media.frames_of(place / "a.gif"))) == 2
    said = call_cli("resume", "seed.png", cwd=place)
    assert "seed.png: not a job folder" in said.stderr


def test_studies_take_fewer_octaves_of_small_pictures(place):
    said = call_cli("sheet", "seed.png", "--size", 64, "--layer", "conv1,conv2", "--iterations", 1,
                    "--set", "octaves.count=4", cwd=place)  # fmt: skip
    assert said.returncode == 0, said.stderr
    assert said.stderr.count("room for 1 of 4 octaves") == 1
    # Where their number is what differs, they are taken at their word.
    said = call_cli("sheet", "seed.png", "--size", 64, "--layer", "conv1", "--octaves", "1,4",
                    "--iterations", 1, "-o", "b.png", cwd=place)  # fmt: skip
    assert said.returncode == 2
    assert "octave 1 of 4 of 64x42" in said.stderr
    said = call_cli("explain", "seed.png", "--size", 64, "--iterations", 1, "--octaves", 4,
                    cwd=place)  # fmt: skip
    assert said.returncode == 0, said.stderr
    assert "room for 1 of 4 octaves" in said.stderr


@pytest.mark.parametrize("command", ["sheet", "explain"])
def test_sizes_too_small_for_anything_are_one_line(place, command):
    said = call_cli(command, "seed.png", "--size", 24, cwd=place)
    assert said.returncode == 2
    assert "32 pixels a side" in said.stderr.splitlines()[-1]


def test_bench_takes_fewer_octaves(monkeypatch):
    monkeypatch.setattr("dreamvid.bench.roofs.MATRIX_SIDE", {"cpu": 8})
    said = call_cli("bench", "--size", "64x48", "--iterations", 1, "--repeats", 1, "--compare", "",
                    "--precision", "fp32", "--octaves", 4)  # fmt: skip
    assert said.returncode == 0, said.stderr
    assert "64x48 has room for 2 of 4 octaves" in said.stderr
    said = call_cli("bench", "--size", "24x20")
    assert said.returncode == 2
    assert "32 pixels a side" in said.stderr


def test_rafts_weights_are_listed_and_found(tmp_path, monkeypatch):
    monkeypatch.setattr("torch.hub.get_dir", lambda: str(tmp_path))
    lines = call_cli("weights", "list").stdout.splitlines()
    assert {"not here  raft: BSD-3-Clause", "not here  raft_small: BSD-3-Clause"} <= set(lines)
    assert "raft_large" in call_cli("weights", "list", "raft").stdout
    (entry,) = published.table("raft_small")
    assert "dreamvid weights fetch raft_small" in call_cli("weights", "path", "raft_small").stderr
    with pytest.raises(Exception, match="`dreamvid weights fetch raft_small`"):
        method_for({"name": "raft", "size": "small"})
    place = tmp_path / "checkpoints" / entry.source.file
    place.parent.mkdir()
    place.write_bytes(b"another file")
    assert "not what they were" in call_cli("weights", "verify", "raft_small").stderr
