"""A list of films: checked as a whole, made in turn, gone on with."""

import os
import re
import signal

import pytest
import torch
from conftest import call_cli

from dreamvid import media
from dreamvid.errors import Stopped
from dreamvid.jobs import queue, queue_running
from dreamvid.jobs.folder import Job
from dreamvid.jobs.progress import Silence

TINY = 'size = "64x48"\noctaves = 1\niterations = 1\nframes = 2\n'
LIST = f"""
[[job]]
command = "zoom"
seed = "seed.png"
{TINY}
motion = ["zoom", "spin"]
--seed = 4
set = ["motion.spin.rate=20"]

[[job]]
command = "zoom"
seed = "seed.png"
{TINY}
keep-color = true
out = "b.gif"

[[job]]
command = "video"
input = "b.gif"
{TINY}
out = "sub/c.mp4"

[[job]]
command = "loop"
size = "64x48"
octaves = 1
iterations = 1
seconds = 1
fps = 3
[job.set]
loop.turns = 2
"ascent.later" = 1
"""
FILMS = ["seed-zoom.mp4", "b.gif", "sub/c.mp4", "noise-loop.mp4"]


@pytest.fixture
def place(tmp_path, picture):
    media.write_picture(picture, tmp_path / "seed.png")
    (tmp_path / "sub").mkdir()
    return tmp_path


def listed(place, text):
    (place / "jobs.toml").write_text(text)


def run(place, *flags, status=0):
    result = call_cli("run", place / "jobs.toml", *flags)
    assert result.returncode == status, result.stderr
    return result


def log_of(place):
    return (place / "jobs.log").read_text().splitlines()


def test_every_film_is_made_from_its_own_flags(place):
    listed(place, LIST)
    result = run(place)
    assert result.stdout.splitlines() == [str(place / film) for film in FILMS]
    zoom, keeping, video, loop = (
        Job.open(place / f"{film}.dream").manifest.settings for film in FILMS
    )
    assert list(zoom.motion) == ["zoom", "spin"]
    assert zoom.motion["spin"] == {"rate": 20}
    assert (zoom.film.seed, keeping.film.seed) == (4, 0)
    assert keeping.video.keep_color
    assert (video.carry["damping"], loop.loop.turns, loop.film.length) == (0.9, 2, 3)
    assert loop.ascent.later == 1
    for line in log_of(place):
        assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \S", line)
    assert sum("finished in 0:0" in line for line in log_of(place)) == 4
    before = {film: (place / film).stat().st_mtime_ns for film in FILMS}
    assert run(place).stderr.count("is there already") == 4
    assert before == {film: (place / film).stat().st_mtime_ns for film in FILMS}


def test_it_goes_on_where_it_stopped(place, monkeypatch):
    listed(place, f'[[job]]\ncommand = "zoom"\nseed = "seed.png"\n{TINY}'.replace("= 2", "= 4"))
    real = Job.note

    def write(job, index, *rest):
        real(job, index, *rest)
        if index == 1:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(Job, "note", write)
    stopped = run(place, status=143)
    assert f"go on with `dreamvid run {place / 'jobs.toml'}`" in stopped.stderr
    assert "stopped by a signal" in log_of(place)[-1]
    monkeypatch.setattr(Job, "note", real)
    first = (place / "seed-zoom.mp4.dream/frames/000000.png").stat().st_mtime_ns
    assert "are there already" in run(place).stderr
    assert first == (place / "seed-zoom.mp4.dream/frames/000000.png").stat().st_mtime_ns
    assert len(list(media.frames_of(place / "seed-zoom.mp4"))) == 4


def test_one_that_fails_stops_no_other(place, monkeypatch):
    text = "".join(
        f'[[job]]\ncommand = "zoom"\nseed = "seed.png"\nout = "{name}.gif"\n{TINY}'
        for name in "abc"
    )
    listed(place, text)
    real = Job.note

    def write(job, index, *rest):
        if job.folder.name == "a.gif.dream":
            raise RuntimeError("no kernel\nfor this")
        if job.folder.name == "b.gif.dream":
            raise MemoryError
        real(job, index, *rest)

    monkeypatch.setattr(Job, "note", write)
    told = run(place, status=1).stderr
    assert "failed: RuntimeError: no kernel for this" in told
    assert "2 of 3 films failed" in told.splitlines()[-1]
    assert [(place / f"{name}.gif").exists() for name in "abc"] == [False, False, True]
    assert any("Traceback" in line for line in log_of(place))
    monkeypatch.setattr(Job, "note", real)
    run(place)
    assert all((place / f"{name}.gif").exists() for name in "abc")


def test_everything_is_checked_before_anything_begins(place):
    (place / "taken.mp4").write_bytes(b"mine")
    good = f'[[job]]\ncommand = "zoom"\nseed = "seed.png"\n{TINY}'
    bad = [
        ('command = "zom"', "did you mean 'zoom'"),
        ('command = "image"', "expected zoom, loop, video"),
        ('command = "zoom"', 'zoom: needs seed = "FILE"'),
        ('command = "zoom"\nseed = 5', "for randomness write --seed = 5"),
        ('command = "zoom"\nseed = "no.png"', "no.png: no such file"),
        ('command = "zoom"\nseed = "seed.png"\nframse = 3', "did you mean 'frames'"),
        ('command = "zoom"\nseed = "seed.png"\npreview = true', "nobody can be asked"),
        ('command = "zoom"\nseed = "seed.png"\niterations = "many"', "ascent.iterations"),
        ('command = "zoom"\nseed = "seed.png"\nset = ["carry.damping=1"]', "changes nothing"),
        ('command = "zoom"\nseed = "seed.png"\nout = "taken.mp4"', "exists already"),
        ('command = "zoom"\nseed = "seed.png"\nout = "a.gif"\nlayer = "9z"', "9z"),
        ('command = "loop"\nout = 3', "out: got 3, expected a text"),
        ('command = "video"\ninput = "seed.png"', "is a picture"),
        ('command = "loop"\nout = "b.gif"\nset = 3', "set: got 3"),
    ]
    listed(place, good + "".join(f"[[job]]\n{text}\n" for text, _ in bad))
    result = run(place, status=2)
    lines = result.stderr.splitlines()
    assert lines[-1].endswith(f"nothing was begun, faults: {len(bad)}")
    for number, (_, words) in enumerate(bad, 2):
        (line,) = (line for line in lines if f"job {number}" in line)
        assert words in line
    assert not list(place.glob("*.dream"))
    assert not (place / "jobs.log").exists()
    assert not (place / "seed-zoom.mp4").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("job = 3", "has no jobs"),
        ("", "has no jobs"),
        ("[[job", "not a TOML file"),
        ('size = "64x48"\n[[job]]\ncommand = "loop"', "size: stands in no [[job]]"),
        ('[[job]]\ncommand = "loop"\n[[job]]\ncommand = "loop"\nout = "noise-loop.mp4"',
         "job 1 makes noise-loop.mp4 too"),
    ],
)  # fmt: skip
def test_lists_that_are_none(place, text, words):
    listed(place, text)
    assert words in run(place, status=2).stderr
    assert "no such file" in call_cli("run", place / "none.toml").stderr


def test_two_of_a_name_are_numbered_the_same_at_every_run(place):
    job = f'[[job]]\ncommand = "zoom"\nseed = "seed.png"\n{TINY}'
    listed(place, f"{job}{job}--seed = 3\n")
    assert "2 jobs can be made" in run(place, "--check").stderr
    assert not list(place.glob("*.mp4*"))
    assert len(run(place).stdout.splitlines()) == 2
    assert "seed-zoom-2.mp4): is there already" in run(place, "--check").stderr
    assert sorted(path.name for path in place.glob("*.mp4")) == [
        "seed-zoom-2.mp4", "seed-zoom.mp4"
    ]  # fmt: skip
    # What is changed in the list is not what is there.
    listed(place, f"{job}--seed = 9\n")
    assert "made with other settings" in run(place, status=2).stderr
    media.write_picture(torch.zeros(3, 60, 92), place / "seed.png")
    listed(place, job)
    assert "made from another input" in run(place, status=2).stderr


def test_a_stop_between_films_is_told_too(place, monkeypatch):
    (entry,), faults = queue.entries([{"command": "loop", "frames": 3}])
    assert not faults

    def stop(entry):
        raise Stopped(signal.SIGTERM, place)

    monkeypatch.setattr(queue.Entry, "is_finished", stop)
    with pytest.raises(Stopped) as stopped:
        queue_running.run([entry], place / "jobs.toml", "`again`", Silence())
    assert stopped.value.remedy == "`again`"
