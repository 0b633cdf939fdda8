"""Jobs that were moved, renamed or taken to another machine go on where they lie."""

import json

import numpy as np
import pytest
from conftest import call_cli, run_cli

from dreamvid import media
from dreamvid.frames import from_pixels
from dreamvid.media import film_writing

SMALL = ("--size", "64x48", "--octaves", "1", "--iterations", "1", "--set", "ascent.jitter=2", "-q")


@pytest.fixture
def first(tmp_path):
    """A folder where a film is made: a clip of three frames and a still, both of 64x48."""
    folder = tmp_path / "first"
    folder.mkdir()
    generator = np.random.default_rng(1)
    pixels = [generator.integers(0, 255, (48, 64, 3), np.uint8) for _ in range(3)]
    film_writing.encode_film(map(from_pixels, pixels), folder / "clip.mp4", 10)
    media.write_picture(from_pixels(pixels[0]), folder / "seed.png")
    return folder


def begun(folder, *command):
    """A job of two frames whose second one is lost again, and whose film is not there yet."""
    told = call_cli(*command, "--frames", 2, "-o", "film.mp4", *SMALL, cwd=folder)
    assert told.returncode == 0, told.stderr
    (folder / "film.mp4").unlink()
    (folder / "film.mp4.dream" / "frames" / "000001.png").unlink()
    return folder / "film.mp4.dream"


@pytest.mark.parametrize("name", ["film.mp4.dream", "other"])
@pytest.mark.parametrize("old", [False, True])
def test_a_zoom_goes_on_beside_its_new_place(first, tmp_path, name, old):
    job = begun(first, "zoom", "seed.png")
    second = tmp_path / "second"
    second.mkdir()
    moved = job.rename(second / name)
    if old:
        manifest = json.loads((moved / "job.json").read_text())
        del manifest["begun_in"]
        (moved / "job.json").write_text(json.dumps(manifest))
    for path in [*first.iterdir()]:
        path.unlink()
    first.rmdir()
    told = call_cli("resume", moved)
    assert told.returncode == 0, told.stderr
    assert media.probe(second / "film.mp4").frames == 2
    assert not first.exists()


def test_a_renamed_job_keeps_the_place_of_its_film(first):
    job = begun(first, "zoom", "seed.png")
    told = call_cli("resume", job.rename(first / "renamed.dream"))
    assert told.stdout == f"{first / 'film.mp4'}\n"


def test_a_job_elsewhere_keeps_the_place_of_its_film(first, tmp_path):
    elsewhere = tmp_path / "scratch" / "film.mp4.dream"
    elsewhere.parent.mkdir()
    told = call_cli("zoom", first / "seed.png", "--frames", 1, "-o", first / "film.mp4", *SMALL,
                    "--job", elsewhere)  # fmt: skip
    assert told.returncode == 0, told.stderr
    (first / "film.mp4").unlink()
    assert call_cli("resume", elsewhere).stdout == f"{first / 'film.mp4'}\n"
    moved = elsewhere.rename(tmp_path / "film.mp4.dream")
    (first / "film.mp4").unlink()
    assert call_cli("resume", moved).stdout == f"{first / 'film.mp4'}\n"


def test_a_film_and_its_mask_are_found_by_their_content(first, tmp_path):
    media.write_picture(media.read_picture(first / "seed.png"), first / "mask.png")
    job = begun(first, "video", "clip.mp4", "--mask", "mask.png")
    second = tmp_path / "second"
    second.mkdir()
    moved = job.rename(second / job.name)
    (second / "decoy.mp4").write_bytes(b"another film")
    (first / "clip.mp4").rename(second / "renamed.mp4")
    (first / "mask.png").rename(second / "renamed.png")
    # Another film has taken the old place.
    (first / "clip.mp4").write_bytes(b"another film")
    told = call_cli("resume", moved)
    assert told.returncode == 0, told.stderr
    assert f"clip.mp4: taken from {second / 'renamed.mp4'}" in told.stderr
    assert media.probe(second / "film.mp4").frames == 2


def test_a_film_is_where_one_says(first, tmp_path):
    job = begun(first, "video", "clip.mp4")
    (tmp_path / "far").mkdir()
    clip = (first / "clip.mp4").rename(tmp_path / "far" / "clip.mp4")
    told = call_cli("resume", job)
    assert told.returncode == 2
    assert "--source FILE" in told.stderr
    told = call_cli("resume", job, "--source", first / "seed.png")
    assert told.returncode == 2
    assert "is not the film the job began with" in told.stderr
    assert call_cli("resume", job, "--source", clip).returncode == 0
    assert media.probe(first / "film.mp4").frames == 2


def test_a_zoom_takes_no_source(first):
    told = call_cli("resume", begun(first, "zoom", "seed.png"), "--source", first / "seed.png")
    assert told.returncode == 2
    assert "has all it needs" in told.stderr


def test_the_same_command_takes_the_film_from_its_new_place(first, tmp_path):
    begun(first, "video", "clip.mp4")
    second = first.rename(tmp_path / "second")
    (second / "clip.mp4").rename(second / "renamed.mp4")
    told = call_cli("video", "renamed.mp4", "--frames", 2, "-o", "film.mp4", *SMALL, cwd=second)
    assert told.returncode == 0, told.stderr


def test_guides_and_plugins_move_with_the_job(first, tmp_path, no_plugin_stays):
    (first / "mine.py").write_text(
        "from dreamvid.plugins import motions\n"
        "@motions.register\n"
        "def sidle(points, clock, size, *, x: float = 1.0):\n"
        '    """Go aside."""\n'
        "    return points + x * clock.step\n"
    )
    media.write_picture(media.read_picture(first / "seed.png"), first / "guide.png")
    job = begun(
        first, "zoom", "seed.png", "--plugin", "mine.py", "--motion", "sidle",
        "--set", "objective.name=guide", "--set", "objective.picture=guide.png",
    )  # fmt: skip
    second = tmp_path / "second"
    second.mkdir()
    moved = job.rename(second / job.name)
    (first / "mine.py").rename(second / "mine.py")
    (first / "guide.png").rename(second / "other-name.png")
    told = run_cli("resume", moved)
    assert told.returncode == 0, told.stderr
    assert media.probe(second / "film.mp4").frames == 2
