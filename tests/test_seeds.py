"""The other command is named for a film or a picture that goes there; a film's frame as a seed."""

import numpy as np
import pytest
import torch
from conftest import call_cli

import dreamvid
from dreamvid import media
from dreamvid.frames import from_pixels
from dreamvid.jobs.folder import Job
from dreamvid.media import film_writing

SMALL = ("--octaves", 1, "--iterations", 0, "--set", "ascent.later=0", "-q")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A film of six plain greys at 2 frames a second, as MP4 and GIF, and a picture."""
    folder = tmp_path_factory.mktemp("files")
    frames = [torch.full((3, 48, 64), (1 + index) / 8) for index in range(6)]
    for suffix in ("mp4", "gif"):
        film_writing.encode_film(iter(frames), folder / f"clip.{suffix}", 2)
    media.write_picture(frames[0], folder / "photo.jpg")
    media.write_picture(frames[0], folder / "photo.png")
    return folder


@pytest.mark.parametrize("name", ["photo.jpg", "photo.png"])
def test_a_picture_is_no_film(files, tmp_path, name):
    told = call_cli("video", files / name, cwd=tmp_path)
    assert told.returncode == 2
    assert told.stderr.endswith("is a picture; use `dreamvid zoom` or `image`\n")
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("command", ["zoom", "loop", "image"])
def test_a_film_is_no_picture(files, tmp_path, command):
    told = call_cli(command, files / "clip.mp4", cwd=tmp_path)
    assert told.returncode == 2
    assert "use `dreamvid video`, or `--at 3s` for a frame of it" in told.stderr
    assert not [*tmp_path.iterdir()]


def test_what_is_neither_is_said_as_before(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing")
    for command in ("zoom", "video"):
        assert "notes.txt: is not a " in call_cli(command, tmp_path / "notes.txt").stderr


@pytest.mark.parametrize(("at", "index"), [("3", 3), ("1.5s", 3), ("0:02.1", 4), (0, 0)])
@pytest.mark.parametrize("suffix", ["mp4", "gif"])
def test_a_frame_of_a_film(files, tmp_path, at, index, suffix):
    out = tmp_path / "still.png"
    told = call_cli("image", files / f"clip.{suffix}", "--at", at, "-o", out, *SMALL)
    assert told.returncode == 0, told.stderr
    assert np.abs(media.read_picture(out).numpy() - (1 + index) / 8).max() < 0.02


def test_films_begin_with_it(files, tmp_path):
    for make in (dreamvid.loop, dreamvid.zoom):
        out = make(files / "clip.mp4", tmp_path / f"{make.__name__}.mp4", at="1s", frames=3,
                   octaves=1, iterations=0)  # fmt: skip
        job = Job.open(out.with_name(out.name + ".dream"))
        assert torch.allclose(job.read_source(), from_pixels(np.uint8([[[96] * 3]])), atol=0.02)
    (tmp_path / "zoom.mp4").unlink()
    command = ("zoom", files / "clip.mp4", "--frames", 3, "-o", tmp_path / "zoom.mp4")
    other = call_cli(*command, "--at", "2s", "--octaves", 1, "--iterations", 0)
    assert other.returncode == 2
    assert "made from another input" in other.stderr


@pytest.mark.parametrize(
    ("seed", "at", "words"),
    [
        ("clip.mp4", "6", "expected a place before the end of clip.mp4, which has 6 frames, 3 s"),
        ("clip.mp4", "soon", "--at: got 'soon'"),
        ("photo.png", "1s", "is a picture, and --at is a place in a film"),
        (".", "1s", "is a folder"),
    ],
)
def test_a_place_that_is_none(files, tmp_path, seed, at, words):
    told = call_cli("image", files / seed, "--at", at, "-o", tmp_path / "out.png")
    assert told.returncode == 2
    assert words in told.stderr
    assert call_cli("loop", "--at", at, cwd=tmp_path).returncode == 2
