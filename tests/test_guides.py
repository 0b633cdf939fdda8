"""Guides that change: a film that keeps time with the dream, the pictures of a folder in turn."""

from fractions import Fraction

import pytest
import torch
from conftest import call_cli
from tiny import Tiny

from dreamvid import media
from dreamvid.errors import MediaError
from dreamvid.frames import Size
from dreamvid.jobs.folder import Job
from dreamvid.media import film_writing
from dreamvid.networks.layers import Choice
from dreamvid.objectives import Goal
from dreamvid.objectives.guides import guide_at, guide_hash

SMALL = ("--size", "64x48", "--octaves", 1, "--iterations", 2, "--set", "ascent.jitter=2", "-q")


def grey(index):
    return torch.full((3, 48, 64), (1 + index) / 8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A film of four greys at 2 frames a second, and a folder of three in another order."""
    folder = tmp_path_factory.mktemp("guides")
    film_writing.encode_film(map(grey, range(4)), folder / "clip.mp4", 2)
    (folder / "turn").mkdir()
    for index, name in ((0, "2.png"), (2, "10.png"), (1, "3.jpg")):
        media.write_picture(grey(index), folder / "turn" / name)
    (folder / "turn" / "notes.txt").write_text("no picture")
    return folder


def seen(guide, indices):
    return [round(float(guide(index)[1].mean()) * 8 - 1) for index in indices]


def test_a_film_keeps_time_and_its_last_picture_stays(folder):
    guide, moves = guide_at(folder / "clip.mp4", Fraction(4), 2)
    assert moves
    assert seen(guide, range(10)) == [0, 0, 1, 1, 2, 2, 3, 3, 3, 3]
    assert seen(guide, [5, 5, 0, 3, 99, 2]) == [2, 2, 0, 1, 3, 1]
    # Equal pictures have equal numbers, so that they are looked at once.
    assert guide(6)[0] == guide(7)[0] != guide(5)[0]


def test_the_pictures_of_a_folder_come_in_turn(folder):
    guide, moves = guide_at(folder / "turn", Fraction(2), 1.5)
    assert moves
    assert seen(guide, range(12)) == [0, 0, 0, 1, 1, 1, 2, 2, 2, 0, 0, 0]
    picture = guide_at(folder / "turn" / "3.jpg", Fraction(2), 1.5)
    assert not picture[1]
    assert seen(picture[0], [0, 50]) == [1, 1]


def test_a_folder_is_known_by_what_it_holds(folder, tmp_path):
    before = guide_hash(folder / "turn")
    (folder / "turn" / "notes.txt").write_text("still no picture")
    assert guide_hash(folder / "turn") == before
    media.write_picture(grey(5), tmp_path / "1.png")
    assert guide_hash(tmp_path) != before
    (tmp_path / "empty").mkdir()
    with pytest.raises(MediaError, match="holds no picture"):
        guide_at(tmp_path / "empty", Fraction(2), 1)


@pytest.mark.parametrize("name", ["guide", "caricature"])
def test_each_frame_is_drawn_to_its_own_guide(folder, name, picture):
    net = Tiny().requires_grad_(False)
    choices, size = [Choice("b")], Size(60, 92)

    def gain(path, index):
        goal = Goal(net, {"name": name, "picture": str(path), "stay": 1.0}, rate=Fraction(1))
        hills = [goal.hill(choices, size, each) for each in range(index + 1)]
        return [hill.gain(picture[None], (0, 0)).item() for hill in hills][-1]

    for index, one in enumerate(("2.png", "3.jpg", "10.png", "2.png")):
        alone = gain(folder / "turn" / one, 0)
        assert gain(folder / "turn", index) == pytest.approx(alone)


@pytest.mark.parametrize("guide", ["clip.mp4", "turn"])
def test_films_are_guided_and_go_on(folder, tmp_path, guide, picture):
    media.write_picture(picture, tmp_path / "seed.png")
    told = call_cli(
        "zoom", "seed.png", "--frames", 3, "--fps", 1, *SMALL, "--set", "objective.name=guide",
        "--set", f"objective.picture={folder / guide}", "--set", "objective.stay=1", cwd=tmp_path,
    )  # fmt: skip
    assert told.returncode == 0, told.stderr
    job = Job.open(tmp_path / "seed-zoom.mp4.dream")
    assert job.manifest.pictures["objective.picture"] == guide_hash(folder / guide)
    before = job.read(2)
    (tmp_path / "seed-zoom.mp4").unlink()
    job.frame_path(2).unlink()
    told = call_cli("resume", job.folder)
    assert told.returncode == 0, told.stderr
    assert torch.equal(job.read(2), before)
