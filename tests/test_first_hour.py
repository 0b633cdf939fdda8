"""What a stranger meets in the first hour: second tries, longer films, slips."""

import pytest
from conftest import call_cli

from dreamvid import media

TINY = ("--size", "64x48", "--octaves", "1", "--iterations", "1")
ZOOM = ("zoom", "seed.png", *TINY)


@pytest.fixture
def place(tmp_path, picture):
    """A folder with a picture in it."""
    media.write_picture(picture, tmp_path / "seed.png")
    return tmp_path


def told(*arguments, cwd, status=0):
    """What a command says of itself."""
    result = call_cli(*arguments, cwd=cwd)
    assert result.returncode == status, result.stderr
    return result.stderr


def length(film):
    return len(list(media.frames_of(film)))


def test_a_longer_film_takes_the_place_of_its_shorter_self(place):
    told(*ZOOM, "--frames", 2, cwd=place)
    film, folder = place / "seed-zoom.mp4", place / "seed-zoom.mp4.dream"
    told("resume", folder, "--frames", 3, cwd=place)
    assert length(film) == 3
    told("resume", folder, "--frames", 4, "-o", "longer.mp4", cwd=place)
    assert (length(film), length(place / "longer.mp4")) == (3, 4)
    # A shorter one, or a film that is not the job's, is replaced only by a flag.
    assert "exists already" in told("resume", folder, "--frames", 2, cwd=place, status=2)
    assert "exists already" in told("resume", folder, "-o", "longer.mp4", cwd=place, status=2)
    told("zoom", "seed.png", *TINY, "--seed", 5, "--frames", 2, "-o", "other.mp4", cwd=place)
    (place / "other.mp4").replace(film)
    assert "exists already" in told("resume", folder, "--frames", 5, cwd=place, status=2)
    assert length(film) == 2


def test_a_second_try_is_numbered(place):
    told(*ZOOM, "--frames", 1, cwd=place)
    said = told(*ZOOM, "--frames", 1, "--seed", 2, cwd=place)
    assert "seed-zoom.mp4 is there already, so this one is seed-zoom-2.mp4" in said
    assert (place / "seed-zoom-2.mp4.dream" / "job.json").exists()
    # One that was begun is gone on with, under its number.
    (place / "seed-zoom-2.mp4").unlink()
    said = told(*ZOOM, "--frames", 1, "--seed", 2, cwd=place)
    assert length(place / "seed-zoom-2.mp4") == 1
    before = (place / "seed-zoom.mp4").read_bytes()
    told(*ZOOM, "--frames", 1, "--seed", 2, "--overwrite", cwd=place)
    assert (place / "seed-zoom.mp4").read_bytes() != before
    assert not (place / "seed-zoom-3.mp4").exists()
    refused = told(*ZOOM, "--frames", 1, "-o", "seed-zoom.mp4", cwd=place, status=2)
    assert "exists already" in refused
    for _ in range(2):
        told("image", "seed.png", *TINY, cwd=place)
    assert (place / "seed-dream-2.png").exists()


def test_a_pipe_is_no_folder(place):
    for command in (ZOOM, ("loop", "seed.png"), ("video", "seed.png")):
        assert "-o -: " in told(*command, "-o", "-", cwd=place, status=2)
    assert not (place / "-").exists()
