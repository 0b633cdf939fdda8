import csv
import json

import pytest
import torch
from conftest import run_cli
from PIL import Image

import dreamvid
from dreamvid import media
from dreamvid.dream.report import Noted
from dreamvid.errors import MediaError, ResumeError
from dreamvid.frames import Size, noise, photographic
from dreamvid.jobs import image_folders as folders
from dreamvid.jobs import logs

SMALL = {"octaves": 2, "iterations": 2, "settings": {"machine": {"threads": 1}}}
FLAGS = ("--octaves", 2, "--iterations", 2, "--set", "machine.threads=1")


@pytest.fixture
def photos(tmp_path, picture):
    """Four pictures of two sizes and three formats, and a file that is none."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, name in enumerate(["b.png", "a.png", "c.jpg"]):
        media.write_picture(picture.roll(9 * number, 2), folder / name)
    Image.fromarray(noisy(Size(70, 66))).save(folder / "c.bmp")
    (folder / "words.txt").write_text("no picture, and not taken for one")
    return folder


def noisy(size):
    from dreamvid.frames import to_pixels

    return to_pixels(noise(size, (5,)))


def test_pictures_dreamed_together_are_those_dreamed_alone(photos, tmp_path):
    """Under their names, or as PNG where there is no writing their format."""
    out = dreamvid.image(photos, batch=3, precision="fp32", **SMALL)
    assert out == tmp_path / "photos-dream"
    names = {path.name for path in out.iterdir()} - {".dreamvid"}
    assert names == {"a.png", "b.png", "c.jpg", "c.bmp.png"}
    for name, dream in (("a.png", "a.png"), ("b.png", "b.png"), ("c.bmp", "c.bmp.png")):
        alone = dreamvid.image(photos / name, tmp_path / "one.png", precision="fp32",
                               overwrite=True, **SMALL)  # fmt: skip
        difference = (media.read_picture(alone) - media.read_picture(out / dream)).abs()
        assert difference.mean() < 2e-4
        assert media.read_picture(photos / name).shape == media.read_picture(out / dream).shape
    assert json.loads(media.read_metadata(out / "a.png")["comment"])["kind"] == "image"


def test_what_is_there_and_whole_is_left_alone(photos):
    out = dreamvid.image(photos, **SMALL)
    journal = out / ".dreamvid" / "journal.jsonl"
    before = {path.name: path.stat().st_mtime_ns for path in out.glob("*.*")}
    (out / "a.png").write_bytes((out / "a.png").read_bytes()[:400])
    (out / "b.png").unlink()
    media.write_picture(torch.rand(3, 60, 92), photos / "c.jpg")
    with journal.open("a") as stream:
        stream.write('{"name": "torn')
    dreamvid.image(photos, **SMALL)
    after = {path.name: path.stat().st_mtime_ns for path in out.glob("*.*")}
    changed = {name for name in before if before[name] != after.get(name)} - {".dreamvid"}
    assert changed == {"a.png", "b.png", "c.jpg"}
    assert {json.loads(line)["name"] for line in journal.read_text().splitlines()} == {
        *("a.png", "b.png", "c.jpg", "c.bmp.png")
    }
    with pytest.raises(ResumeError, match=r"octaves.count 2 -> 1.*--overwrite"):
        dreamvid.image(photos, **{**SMALL, "octaves": 1})
    dreamvid.image(photos, overwrite=True, **{**SMALL, "octaves": 1})
    again = {path.name: path.stat().st_mtime_ns for path in out.glob("*.*")}
    assert all(again[name] != after[name] for name in ("a.png", "c.jpg", "c.bmp.png"))


def test_the_command_skips_and_names_bad_pictures(photos):
    (photos / "bad.jpg").write_bytes(b"\xff\xd8\xff no picture")
    media.write_picture(photographic(torch.rand(3, 60, 92), Size(20, 31)), photos / "tiny.png")
    told = run_cli("image", photos, "--log", *FLAGS)
    assert told.returncode == 2
    assert told.stdout == ""
    lines = told.stderr.splitlines()
    assert lines[-1].startswith("dreamvid: 2 of 6 pictures left out: ")
    assert "bad.jpg" in lines[-1]
    assert "tiny.png" in lines[-1]
    out = photos.with_name("photos-dream")
    assert len(list(out.glob("*.*"))) == 4 + 1
    assert not list(out.glob("*bad*"))
    with photos.with_name("photos-dream-log.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 4 * 2 * 2
    assert {row["picture"] for row in rows} == {"a.png", "b.png", "c.jpg", "c.bmp.png"}
    with Image.open(photos.with_name("photos-dream-log.png")) as plot:
        assert plot.size == (1000, 500)
    (photos / "bad.jpg").unlink()
    (photos / "tiny.png").unlink()
    again = run_cli("image", photos, "--quiet", *FLAGS)
    assert (again.returncode, again.stderr) == (0, "")
    assert again.stdout == f"{out}\n"


def test_places_that_cannot_be(photos, tmp_path):
    with pytest.raises(MediaError, match="is the input itself"):
        dreamvid.image(photos, photos)
    with pytest.raises(MediaError, match="holds other files"):
        dreamvid.image(photos, tmp_path)
    with pytest.raises(MediaError, match="is a file"):
        dreamvid.image(photos, photos / "a.png")
    (tmp_path / "empty").mkdir()
    with pytest.raises(MediaError, match="holds no pictures"):
        dreamvid.image(tmp_path / "empty")
    assert not (tmp_path / "empty-dream").exists()


def test_batches_wait_for_their_size_but_not_for_ever(monkeypatch):
    sizes = [Size(8, 9), Size(9, 8), Size(8, 9), Size(8, 9), Size(9, 8), Size(7, 7)]
    pictures = [(number, torch.zeros(3, *size)) for number, size in enumerate(sizes)]
    found = [numbers for numbers, _ in folders.batches(pictures, lambda size: 2)]
    assert found == [[0, 2], [1, 4], [3], [5]]
    monkeypatch.setattr("dreamvid.jobs.batches.WAITING", 200)
    many = [numbers for numbers, _ in folders.batches(pictures, lambda size: 99)]
    assert many == [[0, 2], [1, 4], [3], [5]]


def test_the_log_of_a_picture(picture, tmp_path):
    seed = tmp_path / "seed.png"
    media.write_picture(picture, seed)
    out = dreamvid.image(
        seed,
        tmp_path / "dream.png",
        octaves=2,
        iterations=5,
        log=True,
        settings={"ascent": {"step_size": 0.5, "jitter": 0}},
    )
    with (tmp_path / "dream-log.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert tuple(rows[0]) == logs.COLUMNS
    assert [(int(row["octave"]), int(row["step"])) for row in rows] == [
        (octave, step) for octave in range(2) for step in range(5)
    ]
    assert (rows[-1]["width"], rows[-1]["height"]) == ("92", "60")
    assert (rows[0]["width"], rows[0]["height"]) == ("66", "43")
    for octave in (rows[:5], rows[5:]):
        assert float(octave[-1]["objective"]) > float(octave[0]["objective"])
    out.unlink()
    with pytest.raises(MediaError, match=r"dream-log\.csv: exists already"):
        dreamvid.image(seed, tmp_path / "dream.png", log=True)
    assert not out.exists()


def test_a_skipped_step_has_no_objective(tmp_path):
    size = Size(4, 6)
    noted = [Noted(0, 0, size, 0, 1.5), Noted(0, 0, size, 1, float("nan"))]
    path = logs.write_log({"a.png": noted}, tmp_path / "a.png")
    assert path.read_text().splitlines()[1:] == ["a.png,0,0,6,4,0,1.5", "a.png,0,0,6,4,1,"]
