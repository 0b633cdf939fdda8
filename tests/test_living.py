"""A film in which nothing moves lives: its dream changes, and old dreams make room."""

import pytest
import torch
from conftest import call_cli

from dreamvid import media
from dreamvid.jobs.folder import Job

TINY = ("--size", "64x48", "--octaves", 1, "--iterations", 2)


@pytest.fixture
def place(tmp_path, picture):
    media.write_picture(picture, tmp_path / "seed.png")
    return tmp_path


def made(place, *flags):
    told = call_cli("zoom", "seed.png", *TINY, "--frames", 2, *flags, "-o", "a.gif", "--overwrite",
                    cwd=place)  # fmt: skip
    assert told.returncode == 0, told.stderr
    return told.stderr, Job.open(place / "a.gif.dream").manifest.settings


@pytest.mark.parametrize(
    "still", [("--motion", "hold"), ("--set", "motion.zoom.rate=1", "--motion", "zoom")]
)
def test_what_stands_still_goes_through_channels(place, still):
    said, settings = made(place, *still)
    assert "nothing moves" in said
    assert settings.loop.breath == 0.05
    (walk,) = settings.network.layers
    assert walk.startswith("4c:walk(")
    _, other = made(place, *still, "--seed", 5)
    assert other.network.layers != settings.network.layers


@pytest.mark.parametrize(
    "flags",
    [
        (),
        ("--motion", "hold", "--set", "loop.breath=0"),
        ("--motion", "zoom", "--set", "motion.zoom.rate=0: (1), 1: (1.5)"),
    ],
)
def test_what_moves_or_is_not_to_live_is_left_alone(place, flags):
    said, settings = made(place, *flags)
    assert "nothing moves" not in said
    (walk,) = settings.network.layers
    assert walk.endswith(", 0.7s)=1.0"), "it wanders as any film does"
    assert not settings.loop.breath


@pytest.mark.parametrize("layer", ["4c:3", "4c=0: (1), 1: (0.5)", "4c:walk(0..3, 1s)"])
def test_chosen_channels_and_schedules_stay(place, layer):
    _, settings = made(place, "--motion", "hold", "--layer", layer)
    assert settings.network.layers == (layer,)
    assert settings.loop.breath == 0.05


def test_it_goes_on_changing(place):
    """A dead film goes on along its own way; a living one has left its dream after a second."""
    moved = {}
    dead = ("--set", "loop.breath=0", "--set", "network.wander=0")
    for name, breath in (("dead", dead), ("living", ())):
        told = call_cli("zoom", "seed.png", *TINY, "--fps", 6, "--frames", 25, "--motion", "hold",
                        *breath, "-o", f"{name}.gif", cwd=place)  # fmt: skip
        assert told.returncode == 0, told.stderr
        frames = [media.read_png(place / f"{name}.gif.dream/frames/{i:06d}.png") for i in (12, 24)]
        source = media.read_png(place / f"{name}.gif.dream/source.png")
        before, after = (frame - source for frame in frames)
        moved[name] = (before * after).sum() / torch.sqrt((before**2).sum() * (after**2).sum())
    assert moved["living"] < 0.75 < moved["dead"], moved
    again = place / "living.gif.dream/frames/000020.png"
    was = again.read_bytes()
    again.unlink()
    told = call_cli("resume", "living.gif.dream", "--overwrite", cwd=place)
    assert again.read_bytes() == was
