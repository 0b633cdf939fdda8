"""Arrays in and out, frames one by one, results that show themselves, a cell that follows."""

import inspect
import pickle
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import dreamvid
from dreamvid import media
from dreamvid.errors import SettingsError
from dreamvid.frames import Size, from_pixels, noise, to_pixels
from dreamvid.media.film_writing import encode_film
from dreamvid.notebooks import Result, watching
from dreamvid.notebooks.watching import Cell

TINY = {"size": "64x48", "octaves": 1, "iterations": 1}


class Handle:
    """Stands in for what IPython's display gives."""

    def __init__(self):
        self.shown = []

    def update(self, shown):
        self.shown.append(shown._repr_html_())


@pytest.fixture(scope="module")
def pixels():
    return to_pixels(noise(Size(48, 64), (7,)))


@pytest.fixture(scope="module")
def made(tmp_path_factory, pixels):
    """A film of an array, what was called for each frame, and the folder."""
    folder, calls = tmp_path_factory.mktemp("made"), []
    film = dreamvid.zoom(
        pixels,
        folder / "fall.mp4",
        frames=4,
        on_frame=lambda index, frame: calls.append((index, frame)),
        **TINY,
    )
    return film, calls, folder


def test_frames_is_the_function_and_its_file_can_still_be_imported():
    from dreamvid.frames import Size as again

    assert again is Size
    assert inspect.isgeneratorfunction(dreamvid.frames)


def test_frames_come_one_by_one_and_are_those_of_the_film(made, pixels):
    _, calls, folder = made
    assert [index for index, _ in calls] == [0, 1, 2, 3]
    seed = folder / "fall-seed.png"
    for source in (seed, pixels, str(seed)):
        found = list(dreamvid.frames(source, frames=4, **TINY))
        assert [each.shape for each in found] == [(48, 64, 3)] * 4
        assert all(np.array_equal(a, b) for a, (_, b) in zip(found, calls, strict=True))
    stored = media.read_picture(folder / "fall.mp4.dream" / "frames" / "000003.png")
    assert np.array_equal(to_pixels(stored), calls[3][1])


def test_frames_are_dreamed_as_they_are_asked_for_and_leave_nothing(pixels, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    endless = dreamvid.frames(pixels, frames=100_000, **TINY)
    next(endless)
    assert list(tmp_path.iterdir())
    endless.close()
    assert not list(tmp_path.iterdir())


def test_frames_of_a_film_are_dreamed_over_it(tmp_path):
    still = (noise(Size(48, 64), (5,)).roll(index, 2) for index in range(3))
    encode_film(still, tmp_path / "clip.mp4", 8, options={"preset": "ultrafast"})
    found = list(dreamvid.frames(tmp_path / "clip.mp4", octaves=1, iterations=1, carry="none"))
    assert len(found) == 3
    (only,) = dreamvid.frames(tmp_path / "clip.mp4", at=1, frames=1, **TINY)
    assert only.shape == (48, 64, 3)


def kinds(pixels):
    frame = from_pixels(pixels)
    return {
        "uint8": pixels,
        "uint16": pixels.astype(np.uint16) * 257,
        "float32": frame.numpy().transpose(1, 2, 0),
        "PIL": Image.fromarray(pixels),
        "tensor": frame,
        "tensor of uint8": torch.from_numpy(pixels).movedim(2, 0),
    }


@pytest.mark.parametrize("kind", ["uint8", "uint16", "float32", "PIL", "tensor", "tensor of uint8"])
def test_a_dream_is_of_the_kind_of_its_picture(kind, pixels, tmp_path):
    given = kinds(pixels)[kind]
    dream = dreamvid.image(given, octaves=1, iterations=1)
    assert type(dream) is (Image.Image if kind == "PIL" else type(given))
    if kind != "PIL":
        assert (dream.dtype, dream.shape) == (given.dtype, given.shape)
    as_float = np.asarray(dream, np.float32)
    as_float = as_float / {"uint16": 65535}.get(kind, 255 if as_float.max() > 1 else 1)
    rows = as_float.transpose(1, 2, 0) if kind.startswith("tensor") else as_float
    media.write_picture(from_pixels(pixels), tmp_path / "seed.png")
    written = dreamvid.image(tmp_path / "seed.png", tmp_path / "dream.png", octaves=1, iterations=1)
    wanted = media.read_picture(written).numpy().transpose(1, 2, 0)
    assert np.abs(rows - wanted).max() <= 0.51 / 255


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (np.zeros((4, 48, 64, 3), np.uint8), "got an array (4, 48, 64, 3)"),
        (np.zeros((48, 64, 4), np.uint8), "expected RGB"),
        (np.full((48, 64, 3), 200.0), "got values from 200 to 200"),
        (np.full((48, 64, 3), np.nan), "got values from nan"),
        (np.zeros((48, 64, 3), np.int64), "got int64"),
        (torch.zeros(1, 3, 48, 64), "got a tensor (1, 3, 48, 64)"),
        (None, "got NoneType, expected a path or RGB"),
    ],
)
def test_what_is_no_picture_is_refused(wrong, words):
    with pytest.raises(SettingsError) as error:
        dreamvid.image(wrong)
    assert words in str(error.value)


def test_what_an_array_has_no_use_for_is_refused(pixels, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for more in ({"log": True}, {"batch": 2}, {"at": 3}):
        with pytest.raises(SettingsError, match="at and batch are for files"):
            dreamvid.image(pixels, **more)
    assert not list(tmp_path.iterdir())


def test_another_seed_is_never_written_over(made, pixels):
    film, _, folder = made
    with pytest.raises(SettingsError, match="another seed is kept"):
        dreamvid.zoom(255 - pixels, folder / "fall.mp4", frames=4, **TINY)
    assert film.exists()


def test_a_film_plays_and_a_picture_is_seen(made, pixels, tmp_path):
    film, _, folder = made
    assert isinstance(film, Path)
    assert film == folder / "fall.mp4"
    assert film._repr_png_() is None
    assert film._repr_html_().startswith("<video controls loop")
    assert type(pickle.loads(pickle.dumps(film))) is Result
    picture = dreamvid.image(pixels, tmp_path / "a<b>.png", octaves=1, iterations=1)
    assert picture._repr_html_() is None
    assert picture._repr_png_().startswith(b"\x89PNG")
    loop = dreamvid.loop(
        None, tmp_path / "l&.gif", frames=3, settings={"loop": {"turns": 2}}, **TINY
    )
    assert '<img alt="' in loop._repr_html_()
    assert "l&amp;.gif" in loop._repr_html_()
    film.rename(folder / "gone.mp4")
    assert film._repr_html_() is None
    (folder / "gone.mp4").rename(film)


def test_a_cell_shows_how_far_it_is(pixels):
    handle = Handle()
    for _ in dreamvid.frames(pixels, frames=2, progress=Cell(handle), **TINY):
        pass
    assert '<progress value="2" max="2">' in handle.shown[-1]
    assert "2 of 2 frames" in handle.shown[-1]
    assert "data:image/jpeg" in handle.shown[-1]
    cell = Cell(handle, "step")
    cell.say("<b>")
    assert "&lt;b&gt;" in handle.shown[-1]
    assert cell.ask("go on?")


def test_without_a_notebook_nobody_is_told(capsys):
    with watching(None, None) as silent:
        silent.say("x")
    assert capsys.readouterr() == ("", "")


def test_on_frame_of_a_picture_sees_every_step(pixels):
    seen = []
    dreamvid.image(
        pixels, octaves=2, iterations=2, on_frame=lambda step, now: seen.append((step, now.shape))
    )
    assert [step for step, _ in seen] == [0, 1, 2, 3]
    assert seen[0][1] < seen[-1][1] == (48, 64, 3)


def test_on_frame_of_a_picture_gives_the_dream_itself(pixels):
    """In the picture's own colours: the last step is what is returned, but for rounding."""
    seen = []
    dream = dreamvid.image(
        pixels, octaves=1, iterations=2, on_frame=lambda step, now: seen.append(now)
    )
    assert np.abs(seen[-1].astype(int) - dream).max() <= 1
    assert np.abs(seen[0].astype(int) - pixels).mean() < 8


def test_what_on_frame_raises_stops_the_film_which_goes_on_later(pixels, tmp_path):
    def stop(index, frame):
        raise ValueError("enough")

    with pytest.raises(ValueError, match="enough"):
        dreamvid.zoom(pixels, tmp_path / "f.gif", frames=3, on_frame=stop, **TINY)
    assert dreamvid.zoom(pixels, tmp_path / "f.gif", frames=3, **TINY).exists()


def test_the_code_of_the_page_runs(pixels, tmp_path, monkeypatch):
    page = (Path(__file__).parents[1] / "docs" / "notebooks.md").read_text("utf-8")
    monkeypatch.chdir(tmp_path)
    media.write_picture(from_pixels(pixels), tmp_path / "seed.jpg")
    names = {}
    for block in re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE):
        small = block.replace("frames=90", "frames=2").replace("320x200", "64x48")
        exec(small, names)
    assert names["dream"].shape == pixels.shape
    assert names["steps"][-1].shape == pixels.shape
