import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from conftest import run_cli

from dreamvid import media
from dreamvid.errors import JobLockedError, ResumeError
from dreamvid.jobs.films import settings_for
from dreamvid.jobs.folder import Job, Manifest
from dreamvid.settings import assigned

SMALL = ("--size", "96x64", "--octaves", "2", "--iterations", "2", "--quiet")


@pytest.fixture
def job(tmp_path, picture):
    manifest = Manifest("zoom", settings_for("default"), tmp_path / "a.mp4", {"sha256": ""}, "", {})
    folder = tmp_path / "a.mp4.dream"
    Job.claim(folder, tmp_path / "seed.png", manifest.out)
    return Job.create(folder, manifest, picture)


@pytest.fixture
def seed(tmp_path, picture):
    path = tmp_path / "seed.png"
    media.write_picture(picture, path)
    return path


def test_a_job_comes_back(job, picture):
    again = Job.open(job.folder)
    assert again.manifest == job.manifest
    job.write(0, picture, {"gain": 1.5})
    assert again.finished() == 1
    assert torch.equal(again.read(0), media.read_png(job.frame_path(0)))
    assert again.journal.entries()[0]["gain"] == 1.5


def test_frames_past_the_first_bad_one_are_made_again(job, picture):
    for index in range(6):
        job.write(index, picture, {})
    path = job.frame_path(3)
    path.write_bytes(path.read_bytes()[:-20])
    (job.frames / ".000007.png.part").write_bytes(b"x")
    assert job.finished() == 3
    assert len(list(job.frames.iterdir())) == 7, "counting must remove nothing"
    job.trim(3)
    assert sorted(each.name for each in job.frames.iterdir()) == [
        f"{index:06d}.png" for index in range(3)
    ]
    assert sorted(job.journal.entries()) == [0, 1, 2]


@pytest.mark.parametrize(
    "harm",
    [
        lambda text: text[:-9],
        lambda text: text + '{"index": 2, "sha',
        lambda text: "\x00" * 40 + "\n" + text,
        lambda text: text + "[1, 2]\n3\nnull\n",
    ],
)
def test_a_torn_journal_costs_no_more_than_its_torn_lines(job, picture, harm):
    for index in range(2):
        job.write(index, picture, {})
    job.journal.path.write_text(harm(job.journal.path.read_text()))
    assert job.finished() >= 1
    job.trim(job.finished())
    job.write(job.finished(), picture, {})
    assert job.finished() >= 2


def test_a_frame_of_another_job_is_no_frame(job, picture):
    job.write(0, picture, {})
    media.write_picture(picture.flip(2), job.frame_path(0))
    assert job.finished() == 0


def test_two_runs_of_one_job(job):
    with job.locked(), pytest.raises(JobLockedError, match="another run"), job.locked():
        pass


def test_changed_settings_are_listed(job):
    changed = settings_for("default", assigned=assigned(["ascent.step_size=9", "motion.pan.x=1"]))
    with pytest.raises(ResumeError) as caught:
        job.must_fit(replace(job.manifest, settings=changed))
    assert "ascent.step_size 1.5 -> 9.0" in str(caught.value)
    assert "motion.pan.x" in str(caught.value)
    longer = settings_for("default", assigned=assigned(["film.frames=7"]))
    job.must_fit(replace(job.manifest, settings=longer))


def test_another_kind_or_input_is_refused(job):
    with pytest.raises(ResumeError, match="a job of zoom, not of video"):
        job.must_fit(replace(job.manifest, kind="video"))
    with pytest.raises(ResumeError, match="another input"):
        job.must_fit(replace(job.manifest, source={**job.manifest.source, "sha256": "0" * 64}))
    job.must_fit(replace(job.manifest, source={**job.manifest.source, "path": "/moved.jpg"}))


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 99}', '{"format": 1}', "null"])
def test_a_torn_manifest(job, text):
    (job.folder / "job.json").write_text(text)
    with pytest.raises(ResumeError, match=r"job\.json"):
        Job.open(job.folder)


@pytest.mark.parametrize("name", ["photo.jpg", "source.png", "frames"])
def test_only_jobs_are_claimed(tmp_path, name):
    other = tmp_path / "holiday"
    other.mkdir()
    (other / name).write_bytes(b"x")
    with pytest.raises(ResumeError, match="not a job folder"):
        Job.claim(other, tmp_path / "seed.png", tmp_path / "a.mp4")
    assert (other / name).exists()
    with pytest.raises(ResumeError, match="holds the seed"):
        Job.claim(other, other / name, tmp_path / "a.mp4")
    with pytest.raises(ResumeError, match="name of the film"):
        Job.claim(other, tmp_path / "seed.png", other)
    with pytest.raises(ResumeError, match="no folder"):
        Job.claim(tmp_path / "no" / "where", tmp_path / "seed.png", tmp_path / "a.mp4")


def test_encoding_removes_nothing_and_never_poses_as_whole(seed, tmp_path):
    out = tmp_path / "film.mp4"
    assert run_cli("zoom", seed, "-o", out, "--frames", 3, *SMALL).returncode == 0
    folder = Path(f"{out}.dream")
    with (folder / "frames" / "000001.png").open("ab") as torn:
        torn.write(b"x")
    (folder / "frames" / "notes.txt").write_text("mine")
    before = sorted(path.name for path in (folder / "frames").iterdir())
    refused = run_cli("encode", folder, "--overwrite")
    assert refused.returncode == 2
    assert "1 of 3 frames" in refused.stderr
    part = run_cli("encode", folder, "-o", tmp_path / "part.gif", "--set", "encode.dither='none'")
    assert part.returncode == 0, part.stderr
    assert len(list(media.frames_of(tmp_path / "part.gif"))) == 1
    assert sorted(path.name for path in (folder / "frames").iterdir()) == before
    again = run_cli("resume", folder, "--overwrite", "--quiet")
    assert again.returncode == 0, again.stderr
    assert (folder / "frames" / "notes.txt").exists()
    assert len(list(media.frames_of(out))) == 3


def test_the_same_job_for_another_film(seed, tmp_path):
    """A second output name and encoder options are taken, and the first film stays."""
    first, second = tmp_path / "first.mp4", tmp_path / "second.mp4"
    job = ("--job", tmp_path / "job")
    options = ("--frames", 2, *SMALL)
    made = run_cli("zoom", seed, "-o", first, *job, *options, "--set", "encode.crf=20")
    assert made.returncode == 0, made.stderr
    bytes_before = first.read_bytes()
    other = run_cli("zoom", seed, "-o", second, *job, *options, "--set", "encode.crf=45")
    assert other.stdout == f"{second}\n", other.stderr
    assert second.stat().st_size < first.stat().st_size
    assert first.read_bytes() == bytes_before
    gif = run_cli("encode", tmp_path / "job", "-o", tmp_path / "film.gif", "--quiet")
    assert gif.returncode == 0, gif.stderr


def test_a_job_can_be_made_longer_and_encoded_again(seed, tmp_path):
    out = tmp_path / "film.mp4"
    assert run_cli("zoom", seed, "-o", out, "--frames", 3, *SMALL).returncode == 0
    folder = Path(f"{out}.dream")
    before = [path.read_bytes() for path in sorted((folder / "frames").iterdir())]
    longer = run_cli("resume", folder, "--frames", 5, "--overwrite", "--quiet")
    assert longer.returncode == 0, longer.stderr
    after = [path.read_bytes() for path in sorted((folder / "frames").iterdir())]
    assert after[:3] == before
    assert len(list(media.frames_of(out))) == 5
    again = run_cli("encode", folder, "-o", tmp_path / "film.gif", "--quiet")
    assert again.returncode == 0, again.stderr
    assert len(list(media.frames_of(tmp_path / "film.gif"))) == 5
    done = run_cli("resume", folder, "--frames", 5)
    assert done.returncode == 0
    assert "nothing left to do" in done.stderr


def test_stopping_tells_how_to_go_on(seed, tmp_path):
    out = tmp_path / "film.mp4"
    process = subprocess.Popen(
        [sys.executable, "-m", "dreamvid", "zoom", seed, "-o", out, "--frames", "500", *SMALL],
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for_frames(Path(f"{out}.dream"), 2)
    process.send_signal(signal.SIGTERM)
    _, message = process.communicate(timeout=60)
    assert process.returncode == 143
    assert f"dreamvid resume {out}.dream`" in message
    assert not out.exists()


def test_stopping_a_longer_run_tells_the_longer_length(seed, tmp_path):
    out = tmp_path / "film.mp4"
    assert run_cli("zoom", seed, "-o", out, "--frames", 2, *SMALL).returncode == 0
    folder = Path(f"{out}.dream")
    process = subprocess.Popen(
        [sys.executable, "-m", "dreamvid", "resume", folder, "--frames", "500", "--overwrite"],
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for_frames(folder, 4)
    process.send_signal(signal.SIGINT)
    _, message = process.communicate(timeout=60)
    assert process.returncode == 130
    assert f"dreamvid resume {folder} --frames 500 --overwrite`" in message
    assert len(list(media.frames_of(out))) == 2


def wait_for_frames(folder, count):
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if len(list(folder.glob("frames/[0-9]*.png"))) >= count:
            return
        time.sleep(0.02)
    raise AssertionError(f"{folder}: no {count} frames within two minutes")


def test_killed_five_times_and_resumed_it_is_the_unbroken_film(seed, tmp_path):
    """Every frame and the decoded film equal those of a run that was never killed."""
    whole, broken = tmp_path / "whole.mp4", tmp_path / "broken.mp4"
    frames = ("--frames", "40", *SMALL)
    unbroken = run_cli("zoom", seed, "-o", whole, *frames)
    assert unbroken.returncode == 0, unbroken.stderr
    folder = Path(f"{broken}.dream")
    chance = random.Random(os.environ.get("DREAMVID_TEST_SEED", "5"))
    command = [sys.executable, "-m", "dreamvid"]
    arguments = ["zoom", str(seed), "-o", str(broken), *frames]
    for kill in range(5):
        process = subprocess.Popen([*command, *arguments])
        wait_for_frames(folder, min(39, 7 * kill + 3))
        time.sleep(chance.uniform(0, 0.15))
        process.kill()
        process.wait()
        arguments = ["resume", str(folder), "--quiet"]
    finished = run_cli("resume", folder, "--quiet")
    assert finished.returncode == 0, finished.stderr
    for index in range(40):
        name = f"frames/{index:06d}.png"
        assert (folder / name).read_bytes() == (Path(f"{whole}.dream") / name).read_bytes(), index
    assert broken.read_bytes() == whole.read_bytes() or all(
        (a == b).all() for a, b in zip(media.frames_of(broken), media.frames_of(whole), strict=True)
    )
    lines = (folder / "journal.jsonl").read_text().splitlines()
    assert [json.loads(line)["index"] for line in lines] == list(range(40))
