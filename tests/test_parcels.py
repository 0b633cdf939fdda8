"""Units that travel by content: made where neither the plan nor its inputs are to be seen."""

import os
from dataclasses import replace
from fractions import Fraction

import pytest
from conftest import call_cli
from test_farm import FAST, planned, shots

from dreamvid import media
from dreamvid.errors import ResumeError
from dreamvid.farm import parcels
from dreamvid.farm.making import Maker
from dreamvid.farm.parcels import Fresh, Packer, Scratch
from dreamvid.farm.plans import Plan
from dreamvid.frames import Size, noise
from dreamvid.jobs.folder import Job
from dreamvid.media.film_writing import encode_film
from dreamvid.settings import plugin_loading

PLUGIN = """
from dreamvid.plugins import motion

@motion
def sidle(points, clock, size, *, rate: float = 1.0):
    "Goes to the side."
    return points + rate * clock.step
"""


@pytest.fixture
def place(tmp_path):
    folder = tmp_path / "home"
    folder.mkdir()
    encode_film(shots(2, 3), folder / "clip.mp4", Fraction(12), options={"crf": 0})
    for number in range(3):
        media.write_picture(noise(Size(40 + 8 * number, 56), (5, number)), folder / f"{number}.png")
    media.write_picture(noise(Size(40, 56), (5, 9)), folder / "mask.png")
    return folder


def there(plan, unit, before=None):
    """The words of a unit that is made elsewhere, and the parcel that went there."""
    packer = Packer(plan, bytes)
    parcel = packer.parcel(plan.unit(unit)[0])
    home = plan.folder.parent
    away = home.rename(home.with_name("away"))
    scratch = Scratch(plan, bytes)
    try:
        maker = Maker(scratch.plan)
        maker.plan, made = scratch.unpacked(parcel)
        if before:
            before(scratch)
        fresh = Fresh(maker.folder(made))
        told = maker.make(made)
        return list(fresh()), list(scratch.results()), dict(told)
    finally:
        scratch.remove()
        away.rename(home)


def test_a_shot_is_made_without_its_film_and_goes_on_from_what_is_there(place):
    words = ("video", "clip.mp4", "--per-unit", 6, "--mask", "mask.png", *FAST)
    planned(place, *words, "-o", "plan")
    plan = Plan.open(place / "plan")
    assert set(plan.inputs) == {str(place / "clip.mp4"), str(place / "mask.png")}
    assert call_cli("work", "plan", "--unit", 1, cwd=place).returncode == 0
    job = Job.open(place / "plan/units/shot-0001")
    whole = {path.name: path.read_bytes() for path in job.frames.iterdir()}
    job.trim(2)  # what a worker had done that died
    job.frame_path(2).write_bytes(b"torn")
    frames, films, told = there(plan, "shot-0001")
    assert films == []
    assert told["end"] == 6
    assert [name for name, _, _ in frames] == [f"frames/{number:06d}.png" for number in range(2, 6)]
    assert all(whole[name.removeprefix("frames/")] == data for name, data, _ in frames)
    assert [line["index"] for _, _, line in frames] == [2, 3, 4, 5]


def test_pictures_and_films_do_not_tell_where_they_were_made(place, monkeypatch):
    pictures = place / "pictures"
    pictures.mkdir()
    for number in range(3):
        (place / f"{number}.png").rename(pictures / f"{number}.png")
    words = ("--mask", "mask.png", *FAST)
    assert call_cli("image", "pictures", "-o", "dreams", *words, cwd=place).returncode == 0
    planned(place, "image", "pictures", "--per-unit", 9, *words, "-o", "plan")
    plan = Plan.open(place / "plan")
    dreams, films, told = there(plan, "pictures-0001")
    assert (films, told) == ([], {"left_out": []})
    assert {name: data for name, data, _ in dreams} == {
        name: (place / "dreams" / name).read_bytes() for name in ("0.png", "1.png", "2.png")
    }
    zoom = ("pictures/0.png", "--frames", 2, *words)
    assert call_cli("zoom", *zoom, "-o", "zoom.mp4", cwd=place).returncode == 0
    planned(place, "zoom", *zoom, "-o", "films", "--result", "zoom.mp4")
    monkeypatch.setattr(parcels, "PIECE", 1000)
    frames, films, _ = there(Plan.open(place / "films"), "1")
    assert len(frames) == 2
    assert [last for _, _, last in films] == [False] * (len(films) - 1) + [True]
    assert b"".join(data for _, data, _ in films) == (place / "zoom.mp4").read_bytes()


def test_a_plugin_travels_too_and_must_be_the_same(place, no_plugin_stays):
    (place / "sidle.py").write_text(PLUGIN)
    words = ("zoom", "0.png", "--frames", 2, "--plugin", "sidle.py", "--motion", "sidle", *FAST)
    planned(place, *words, "-o", "plan")
    plan = Plan.open(place / "plan")
    assert str(place / "sidle.py") in plan.inputs
    forget = plugin_loading._forget
    forget(plugin_loading._loaded.pop(str(place / "sidle.py")))  # another process has not loaded it
    frames, _, _ = there(plan, "1")
    assert len(frames) == 2

    def spoil(scratch):
        for path in scratch.folder.rglob("sidle.py"):
            path.write_text(PLUGIN + "\n")

    with pytest.raises(ResumeError, match="not the plugin the job began with"):
        there(plan, "1", spoil)


def test_what_a_killed_worker_has_left_is_removed(place, monkeypatch, tmp_path):
    monkeypatch.setattr(parcels.tempfile, "tempdir", str(tmp_path))
    planned(place, "zoom", "0.png", "--frames", 2, *FAST, "-o", "plan")
    plan = Plan.open(place / "plan")
    old = tmp_path / f"{parcels._mark()}-4194304-77-abc"
    strange = tmp_path / "dreamvid-unit-another0-4194304-77-abc"  # of another container, perhaps
    for folder in (old, strange):
        folder.mkdir()
    alive = Scratch(plan, bytes)
    another = Scratch(replace(plan, identity="b"), bytes)
    assert not old.exists()
    assert strange.exists()
    assert alive.folder.name.startswith(f"{parcels._mark()}-{os.getpid()}-")
    for each in (alive, another):
        each.remove()
    assert list(tmp_path.glob("dreamvid-unit-*")) == [strange]
