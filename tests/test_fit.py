"""Inputs of another shape than the film: cropped, padded or stretched; sizes with one side."""

import pytest
import torch
from conftest import call_cli

from dreamvid import media
from dreamvid.errors import SettingsError
from dreamvid.film.footage import film_frames, masks_of
from dreamvid.frames import Size, fitted, from_pixels, quantised, size_of
from dreamvid.jobs.films import settings_for
from dreamvid.jobs.folder import Job
from dreamvid.media import film_writing
from dreamvid.settings import Settings
from dreamvid.sizes import parsed_size

NONE = ("--octaves", 1, "--iterations", 0, "--set", "ascent.later=0", "-q")


@pytest.fixture
def wide():
    """A picture (3, 48, 96): red at the left, green in the middle half, blue at the right."""
    image = torch.zeros(3, 48, 96)
    image[0, :, :24] = image[1, :, 24:72] = image[2, :, 72:] = 1
    return image


def test_what_is_seen_of_it(wide):
    size = Size(96, 48)
    cropped, stretched = fitted(wide, size), fitted(wide, size, "stretch")
    assert cropped[1].mean() > 0.95
    assert stretched[0, 10, 2] == stretched[2, 90, 45] == 1
    black = fitted(wide, size, "pad", "black")
    assert not black[:, :36].any()
    assert not black[:, 60:].any()
    assert black[0, 40, 2] == black[2, 55, 45] == 1
    blurred = fitted(wide, size, "pad")
    assert torch.equal(blurred[:, 36:60], black[:, 36:60])
    assert blurred[:, :36].sum(0).min() > 0.5
    assert blurred[1, 10, 24] > blurred[0, 10, 24]
    assert {size_of(each) for each in (cropped, stretched, black, blurred)} == {size}


@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
@pytest.mark.parametrize("size", [Size(96, 48), Size(33, 71), Size(48, 96)])
def test_a_film_is_fitted_as_a_picture_is(wide, tmp_path, fit, size):
    film_writing.encode_film(iter([wide, wide]), tmp_path / "clip.mp4", 10)
    film = media.probe(tmp_path / "clip.mp4")
    frames = list(film_frames(tmp_path / "clip.mp4", film, size, film.rate, 0, fit=fit))
    assert len(frames) == 2
    difference = from_pixels(frames[1]) - fitted(wide, size, fit)
    assert size_of(difference) == size
    assert difference.abs().mean() < 0.06
    media.write_picture(wide, tmp_path / "mask.png")
    mask = next(masks_of(tmp_path / "mask.png", size, film.rate, 0, fit)(0))
    assert (from_pixels(mask) - fitted(wide, size, fit, "black")).abs().max() < 0.01


def test_films_and_pictures_take_it(wide, tmp_path):
    media.write_picture(wide, tmp_path / "seed.png")
    size = ("--size", "48x96", "--fit", "pad", "--set", "film.padding=black")
    told = call_cli("zoom", "seed.png", "--frames", 1, *size, *NONE, cwd=tmp_path)
    assert told.returncode == 0, told.stderr
    job = Job.open(tmp_path / "seed-zoom.mp4.dream")
    assert torch.equal(job.read_source(), quantised(fitted(wide, Size(96, 48), "pad", "black")))
    assert call_cli("image", "seed.png", *size, *NONE, cwd=tmp_path).returncode == 0
    assert not media.read_picture(tmp_path / "seed-dream.png")[:, :30].any()
    told = call_cli("image", "seed.png", "--fit", "padd", "-o", "x.png", cwd=tmp_path)
    assert "did you mean 'pad'" in told.stderr


def test_a_film_that_is_cropped_says_nothing_new():
    assert "fit" not in Settings().tree()["film"]
    assert "padding" not in Settings().tree()["film"]
    tree = settings_for(flags={"film": {"fit": "stretch"}}).tree()
    assert tree["film"]["fit"] == "stretch"


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("x1080", Size(1080, 1920)),
        ("960x", Size(540, 960)),
        ("X90", Size(90, 160)),
        ("320", Size(180, 320)),
        ("320x100", Size(100, 320)),
    ],
)
def test_sizes_with_one_side(text, size):
    assert parsed_size(text, Size(720, 1280)) == size


@pytest.mark.parametrize("text", ["x", "x0", "0x", "x99999", "xx9", "9xx"])
def test_sizes_that_are_none(text):
    with pytest.raises(SettingsError, match="x360"):
        parsed_size(text, Size(720, 1280))
