"""What a film dreams of by default wanders, and its octaves follow its size."""

from typing import Any

import pytest
import torch
from conftest import call_cli

from dreamvid import media
from dreamvid.dream.octaves import counted, octave_sizes
from dreamvid.film.wandering import wandering
from dreamvid.frames import Size
from dreamvid.jobs.films import settings_for
from dreamvid.jobs.folder import Job
from dreamvid.networks import network
from dreamvid.networks.layers import Selector
from dreamvid.settings import Settings, laid_over, settled

TINY = ("--size", "64x48", "--iterations", 1, "--frames", 4, "--set", "ascent.later=0")


@pytest.fixture
def place(tmp_path, picture):
    media.write_picture(picture, tmp_path / "seed.png")
    return tmp_path


def made(place, command, *flags):
    given = ("seed.png", *TINY, *flags, "-o", "a.gif", "--overwrite")
    told = call_cli(command, *given, cwd=place)
    assert told.returncode == 0, told.stderr
    return Job.open(place / "a.gif.dream").manifest.settings


def walks_of(settings) -> list[Any]:
    return [Selector.read(text) for text in settings.network.layers]


def walk_of(settings):
    (walk,) = walks_of(settings)
    return walk


def test_a_film_takes_the_networks_own_tour(place):
    walk, tour = walk_of(made(place, "zoom")), network("pocket").tour
    assert (walk.name, walk.stay, walk.channels) == ("4c", 0.7, tour)
    assert len(set(tour)) == len(tour) == 59
    other = walk_of(made(place, "zoom", "--seed", 1))
    assert other.channels != tour
    assert set(other.channels) == set(tour)


def test_a_loop_ends_where_it_begins(place):
    walk = walk_of(made(place, "loop", "--fps", 2, "--set", "network.wander=0.55"))
    assert walk.stay == 0.5
    assert len(walk.channels) == 4
    # A film of one channel stays with it.
    assert len(walk_of(made(place, "loop")).channels) == 1


def test_walks_at_once_share_the_tour_and_drift_apart(place):
    settings = made(place, "zoom", "--preset", "endless")
    first, second = walks_of(settings)
    assert first.channels == network("pocket").tour[::2]
    assert second.channels == network("pocket").tour[1::2]
    assert (first.stay, second.stay) == (0.9, pytest.approx(0.9 * 1.23))
    assert settings.network.at_once == 1, "they are recorded as walks"
    # In a loop each ends where it begins, though one takes fewer channels than the other.
    asked = ("--fps", 2, "--set", "network.wander=0.4", "--set", "network.at_once=2")
    first, second = walks_of(made(place, "loop", *asked))
    assert (first.stay, len(first.channels), second.stay, len(second.channels)) == (0.4, 5, 0.5, 4)
    assert not set(first.channels) & set(second.channels)


@pytest.mark.parametrize(
    "flags",
    [
        ("--layer", "4b"),
        ("--of", "volcano"),
        ("--set", "network.wander=0"),
        ("--set", "network.walk=['4a', '4b']"),
        ("--preset", "gentle"),
    ],
)
def test_what_is_chosen_stays(place, flags):
    settings = made(place, "zoom", *flags)
    assert not any("walk" in layer for layer in settings.network.layers)
    assert settings.network.wander == 0


def test_a_network_without_a_tour_goes_where_it_sees_most(picture):
    class Made:
        """A dreamer as far as it is asked."""

        network = network("pocket")
        turbo = None
        choices = network.choices()
        settings = settled({"network": {"wander": 1}, "octaves": {"count": 1}})

    Made.network.tour = ()
    walk = walk_of(wandering(Made(), picture).settings)  # pyright: ignore
    net = Made.network
    with torch.no_grad():
        seen = net(net.preprocessing.to_input(picture[None]), ["4c"])["4c"].amax((0, 2, 3))
    assert len(walk.channels) == 64
    assert seen[list(walk.channels)].min() > seen.median() * 0.999


@pytest.mark.parametrize(
    ("size", "count"),
    [((100, 160), 1), ((150, 240), 2), ((200, 320), 3), ((400, 640), 5), ((1080, 1920), 8)],
)
def test_the_smallest_octave_is_about_as_large_in_every_picture(size, count):
    settings = counted(settings_for("default"), Size(*size))
    assert (settings.octaves.count, settings.octaves.smallest) == (count, 0)
    smallest = min(octave_sizes(Size(*size), settings.octaves)[0])
    assert 104 / 1.4**0.5 < smallest < 104 * 1.4**0.5
    assert counted(settings, Size(*size)) == settings


def test_lists_of_values_are_never_too_short():
    tree = {"octaves": {"smallest": 20}, "ascent": {"iterations": [3, 2]}}
    assert counted(settled(tree), Size(200, 320)).octaves.count == 2
    assert counted(settled({"octaves": {"smallest": 500}}), Size(20, 30)).octaves.count == 1


def test_a_number_of_octaves_wins_over_the_size_of_a_preset(place):
    assert made(place, "zoom", "--octaves", 2).octaves.count == 2
    both = settings_for("default", assigned={"octaves": {"count": 2}})
    assert (both.octaves.count, both.octaves.smallest) == (2, 0)
    above = {"octaves": {"count": 3, "smallest": 50}}
    assert laid_over({"octaves": {"smallest": 104}}, above)["octaves"] == above["octaves"]
    assert laid_over({"octaves": {"smallest": 104, "scale": 2}}, {"octaves": {"count": 3}}) == {
        "octaves": {"scale": 2, "count": 3}
    }


def test_what_is_not_asked_is_not_recorded():
    tree = Settings().tree()
    assert "smallest" not in tree["octaves"]
    assert not {"wander", "at_once"} & tree["network"].keys()
