import math

import pytest
import torch
from laws import objective_section

from dreamvid.dream import tiles
from dreamvid.dream.ascent import gain_and_gradients
from dreamvid.dream.dreamer import dreamer_for
from dreamvid.dream.fitting import larger_tile, with_fitting_octaves
from dreamvid.dream.tiles import Sight, Tiler, fitted, least_cut, sight_of
from dreamvid.errors import DreamvidError
from dreamvid.frames import Size, noise
from dreamvid.machine import devices
from dreamvid.networks import network
from dreamvid.objectives import objectives
from dreamvid.settings import settled


def dreamer(**sections):
    tree = {"octaves": {"count": 1}, "machine": {"precision": "fp64", "threads": 1}}
    return dreamer_for(settled({**tree, **sections}))


@pytest.mark.parametrize("whole", [200, 211, 350, 512])
@pytest.mark.parametrize("stride", [4, 16])
def test_tiles_cover_every_pixel_once_with_a_margin_on_the_grid(whole, stride):
    sight = Sight(2 * stride, stride)
    large = fitted(8 * stride, whole, *sight)
    cut = least_cut(8 * stride, whole, *sight)
    found = tiles.tiles(whole, cut, sight)
    assert cut <= large
    assert len(found) == len(tiles.tiles(whole, large, sight))
    assert [pixel for tile in found for pixel in range(whole)[tile.own]] == list(range(whole))
    for tile in found:
        assert tile.cut.start % stride == 0
        assert tile.cut.stop - tile.cut.start == min(cut, whole)
        assert tile.cut.start + tile.inside.start == tile.own.start
        assert tile.cut.start == 0 or tile.inside.start >= sight.field
        assert tile.cut.stop == whole or tile.cut.stop - tile.own.stop >= sight.field


@pytest.mark.parametrize(("field", "stride"), [(320, 16), (24, 4), (72, 8)])
def test_a_cut_is_the_least_of_as_many_tiles(field, stride):
    """Also where the whole side is just what the margins take, which leaves no tile between."""
    least = 2 * field + stride
    for whole in range(least - stride, least + 3 * stride):
        assert least_cut(whole + 5, whole, field, stride) == whole
        assert least_cut(1, whole, field, stride) <= whole


def test_what_cannot_be_asked_in_parts_tells_of_too_little_memory(monkeypatch):
    made = dreamer(network={"layers": ["conv1"]}, objective={"name": "norm"})
    real = made.goal.network.forward

    def limited(*arguments):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried")

    monkeypatch.setattr(made.goal.network, "forward", limited)
    with pytest.raises(DreamvidError, match="out of memory at 96x64, and its objective"):
        made(noise(Size(64, 96), (0,)), (0, 0))
    monkeypatch.setattr(made.goal.network, "forward", real)
    made(noise(Size(64, 96), (0,)), (0, 0))


def test_a_batch_of_pictures_costs_as_many(monkeypatch):
    """Probed with many pictures, a tile of one is no smaller for it."""
    monkeypatch.setattr(devices, "free_memory", lambda device: 120 * 2**20)
    sides = []
    for first in (1, 8):
        made = dreamer(network={"layers": ["conv2"]})
        made.batch(torch.rand(first, 3, 176, 200), (0, 0))
        made.batch(torch.rand(1, 3, 390, 512), (0, 0))
        (tiler,) = made._tilers.values()
        sides.append(tiler._cuts[1, 3, 390, 512])
    assert sides[0] == sides[1] != Size(390, 512)


def test_sight_is_that_of_the_arithmetic():
    """pocket's stem sees 7 + 2·2 pixels in steps of 4."""
    field, stride = sight_of(network("pocket", precision="fp32"), ["conv1"])
    assert stride == 4
    assert 11 <= field <= 16


@pytest.mark.parametrize("layers", [["conv2"], ["3a", "3b"]])
def test_a_gradient_in_tiles_is_the_whole_one(layers, monkeypatch):
    monkeypatch.setattr(tiles, "LEAST_OWN", 0)
    made = dreamer(network={"layers": layers})
    picture = made.network.preprocessing.to_input(noise(Size(236, 378), (1,))[None].double())

    def gradient(x):
        gain, gradients = gain_and_gradients(x, made.gain)
        return gain, gradients[0]

    _, whole = gradient(picture)
    tiler = Tiler(made.network, layers, side=200)
    assert tiler(picture, gradient)[1].shape == whole.shape
    assert len(tiles.tiles(378, tiler._cuts[tuple(picture.shape)].width, tiler.sight())) > 1
    tiled = tiler(picture, gradient)[1]
    torch.testing.assert_close(tiled / tiled.abs().mean(), whole / whole.abs().mean())


@pytest.mark.parametrize("name", [name for name in objectives.names() if name != "class_score"])
def test_a_local_objective_s_gradient_in_tiles_is_the_whole_one(name, tmp_path):
    section = objective_section(name, tmp_path, noise(Size(64, 80), (3,)), channels=192)
    made = dreamer(network={"layers": ["conv2"]}, objective=section)
    size = Size(236, 378)
    hill = made.goal.hill(made.choices, size)
    assert not (hill.local and name in ("norm", "neuron", "caricature"))
    if not hill.local:
        return
    picture = made.network.preprocessing.to_input(noise(size, (1,))[None].double())

    def gradient(x):
        gain, gradients = gain_and_gradients(x, hill.gain)
        return gain, gradients[0]

    gain, whole = gradient(picture)
    found, tiled = Tiler(made.network, ["conv2"], side=200)(picture, gradient)
    torch.testing.assert_close(tiled / tiled.abs().mean(), whole / whole.abs().mean())
    torch.testing.assert_close(found, gain, rtol=0.1, atol=0)


def test_tiles_that_would_be_mostly_margin_are_enlarged_and_that_is_told():
    """A tile of one's own choice takes at most four times the work of the picture as a whole."""
    said, size = [], Size(300, 500)
    for asked in (30, 150, 400):
        made = with_fitting_octaves(
            dreamer(network={"layers": ["3a"]}, machine={"precision": "fp32", "tile": asked}),
            size, None, said.append,
        )  # fmt: skip
        picture = made.network.preprocessing.to_input(noise(size, (1,))[None])
        worked = []

        def gradient(x, made=made, worked=worked):
            worked.append(math.prod(x.shape[-2:]))
            return made.gain(x), torch.zeros_like(x)

        (tiler,) = [made.tiler(made.goal.hill(made.choices, size))]
        tiler(picture, gradient)
        assert sum(worked) <= 4 * math.prod(size)
        assert (tiler.least_side(), len(worked) > 1) == (240, asked < 400)
    enlarged = "would be mostly margin; tiles of 240 instead"
    assert said == [f"machine.tile: {asked} {enlarged}" for asked in (30, 150)]
    # A picture that a tile holds needs no margin.
    made = dreamer(network={"layers": ["3a"]}, machine={"precision": "fp32", "tile": 100})
    assert larger_tile(made, Size(80, 100)) == 0
    assert larger_tile(made, Size(120, 200)) == 240


def test_ten_steps_in_tiles_leave_no_seam():
    picture = noise(Size(390, 512), (2,))
    whole = dreamer(network={"layers": ["conv2"]})(picture, (0, 0))
    made = dreamer(
        network={"layers": ["conv2"]},
        machine={"precision": "fp64", "threads": 1, "tile": 300},
    )
    tiled = made(picture, (0, 0))
    (tiler,) = made._tilers.values()
    assert tiler._cuts[(1, 3, 390, 512)] != Size(390, 512)
    assert (tiled - whole).abs().max() < 2 / 255


def test_memory_that_runs_out_halves_the_tiles(monkeypatch):
    made = dreamer(network={"layers": ["conv1"]})
    picture = torch.rand(1, 3, 200, 333, dtype=torch.float64)
    tried = []

    def gradient(x):
        tried.append(math.prod(x.shape[-2:]))
        if tried[-1] > 30_000:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried")
        return x.sum((1, 2, 3)), 2 * x

    monkeypatch.setattr(tiles, "cost", lambda *_: 1.0)
    tiler = Tiler(made.network, ["conv1"])
    _, found = tiler(picture, gradient)
    assert tried[0] == 200 * 333
    assert max(tried[2:]) <= 30_000
    torch.testing.assert_close(found / found.mean(), picture / picture.mean())


def test_too_little_memory_for_anything_is_told():
    made = dreamer(network={"layers": ["conv1"]})

    def gradient(x):
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(DreamvidError, match=r"out of memory at 120x90, even in pieces of"):
        Tiler(made.network, ["conv1"])(torch.rand(1, 3, 90, 120), gradient)


def test_other_errors_are_not_taken_for_memory():
    def gradient(x):
        raise RuntimeError("shapes differ")

    with pytest.raises(RuntimeError, match="shapes differ"):
        Tiler(network("pocket"), ["conv1"])(torch.rand(1, 3, 90, 120), gradient)


def test_little_memory_makes_small_tiles(monkeypatch):
    made = dreamer(network={"layers": ["conv2"]})
    monkeypatch.setattr(devices, "free_memory", lambda device: 60 * 2**20)
    made(noise(Size(390, 512), (2,)), (0, 0))
    (tiler,) = made._tilers.values()
    (cut,) = tiler._cuts.values()
    assert math.prod(cut) < 390 * 512
