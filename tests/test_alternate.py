"""Octaves that alternate on frames that start from a dream."""

import math

import pytest
import torch

from dreamvid.dream.dreamer import dreamer_for
from dreamvid.dream.plan import Plan
from dreamvid.dream.turbo import files
from dreamvid.dream.turbo.net import TurboNet, Widths
from dreamvid.frames import Size
from dreamvid.networks import sketch
from dreamvid.networks.pocket import pocket
from dreamvid.settings import settled

SIZE = Size(90, 146)
PICTURE = torch.rand(3, *SIZE, generator=torch.Generator().manual_seed(2))


def tree(later="alternate", count=4, cadence=1, **more):
    return {
        "octaves": {"count": count, "scale": 1.2, "later": later, **more},
        "ascent": {"iterations": 3, "later": 1, "jitter": 0},
        "film": {"frames": 30, "cadence": cadence},
        "machine": {"precision": "fp32", "threads": 1},
    }


def dreamed_at(index, first=False, **octaves):
    """The octaves that are dreamed at a frame, smallest first."""
    net = sketch("pocket")
    plan = Plan(net, net.choices(), settled(tree(**octaves))).at(index, not first)
    return [number for number, octave in enumerate(plan.octaves) if octave.steps]


def test_the_largest_octave_is_always_dreamed_and_one_other():
    assert [dreamed_at(index) for index in range(1, 6)] == [[1, 3], [2, 3], [0, 3], [1, 3], [2, 3]]
    assert dreamed_at(5, first=True) == [0, 1, 2, 3]
    assert dreamed_at(5, later="all") == [0, 1, 2, 3]


def test_of_many_octaves_none_waits_longer_than_two_frames():
    assert [dreamed_at(index, count=7) for index in range(3)] == [[0, 3, 6], [1, 4, 6], [2, 5, 6]]
    assert [dreamed_at(index, count=3) for index in range(3)] == [[0, 2], [1, 2], [0, 2]]


@pytest.mark.parametrize("count", [1, 2])
def test_where_there_is_no_other_nothing_waits(count):
    assert [dreamed_at(index, count=count) for index in range(3)] == [list(range(count))] * 3


def test_of_a_film_that_is_not_dreamed_at_every_frame_no_octave_is_left_out():
    others = [dreamed_at(index, cadence=3)[0] for index in range(0, 18, 3)]
    assert others == [0, 1, 2, 0, 1, 2]


def test_a_frame_is_what_the_octaves_that_are_dreamed_make_of_it():
    made = dreamer_for(settled(tree()))(PICTURE, (0, 1), later=True, index=1)
    weights = [0.0, math.sqrt(3), 0.0, 1.0]
    weighed = dreamer_for(settled(tree("all", weights=weights)))
    assert torch.equal(made, weighed(PICTURE, (0, 1), later=True, index=1))
    assert not torch.equal(made, dreamer_for(settled(tree()))(PICTURE, (0, 1), True, index=2))


@pytest.fixture(scope="module")
def turbo(tmp_path_factory):
    torch.manual_seed(5)
    path = tmp_path_factory.mktemp("turbo") / "small.turbo.safetensors"
    net = TurboNet(("4c",), Widths(4, 6, 8, 10, 5))
    net.decoder.initialised()
    files.write_turbo(path, net.decoder.state_dict(), net, pocket(), {"name": "energy"}, {})
    return {"turbo": {"dream": str(path)}}


def test_what_is_fresh_waits_for_nothing_by_turbo(turbo):
    fresh = torch.ones(*SIZE)
    alternate, all_of_them = (
        dreamer_for(settled({**tree(later), **turbo})) for later in ("alternate", "all")
    )
    made = alternate(PICTURE, (0, 1), True, fresh)
    assert torch.allclose(made, all_of_them(PICTURE, (0, 1), True, fresh), atol=1e-5)
    old = torch.zeros(*SIZE)
    calm = alternate(PICTURE, (0, 1), True)
    assert torch.allclose(alternate(PICTURE, (0, 1), True, old), calm, atol=1e-5)
    assert not torch.allclose(made, calm, atol=1e-3)


def test_what_is_fresh_waits_for_nothing_by_ascent():
    alternate, all_of_them = (dreamer_for(settled(tree(later))) for later in ("alternate", "all"))
    fresh = torch.ones(*SIZE)
    made = alternate(PICTURE, (0, 1), True, fresh)
    assert alternate.report.steps == 4 * 3
    assert torch.allclose(made, all_of_them(PICTURE, (0, 1), True, fresh), atol=1e-5)
