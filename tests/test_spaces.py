"""Spaces: laws over the registry, dreams in them, and what stays near its beginning."""

import inspect

import pytest
import torch
from conftest import call_cli
from tiny import Tiny

from dreamvid import media
from dreamvid.dream.dreamer import Dreamer, dreamer_for
from dreamvid.dream.spaces import spaces
from dreamvid.dream.spaces.views import Views, viewed
from dreamvid.frames import Size, noise, size_of
from dreamvid.jobs.films import settings_for
from dreamvid.networks.layers import Choice
from dreamvid.settings import settled

SIZES = [Size(24, 37), Size(31, 20), Size(17, 17)]
SMALL = ("--size", "92x60", "--octaves", "1", "--iterations", "2")


@pytest.fixture
def pictures():
    return torch.stack([noise(Size(21, 30), (seed,), contrast=0.3) for seed in (1, 2)]).double()


def dreamer(space, **ascent):
    settings = settings_for(assigned={"space": space, "octaves": {"count": 1}, "ascent": ascent})
    return Dreamer(Tiny(), [Choice("b")], settings)


@pytest.mark.parametrize("name", spaces.names())
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_pictures_come_back_from_every_space(name, size):
    pictures = torch.stack([noise(size, (seed,), contrast=0.2) for seed in (1, 2)]).double()
    space = spaces[name](pictures, None)
    assert len(space.parameters) == 2
    torch.testing.assert_close(space.pictures(space.parameters), pictures, atol=1 / 500, rtol=0)


@pytest.mark.parametrize("name", spaces.names())
def test_the_gradient_of_every_space_is_that_of_finite_differences(name, pictures):
    space = spaces[name](pictures, None)
    weights = torch.rand(pictures.shape, generator=torch.Generator().manual_seed(4)).double()
    start = space.parameters.detach().requires_grad_(True)
    (weights * space.pictures(start)).sum().backward()
    way = torch.randn(start.shape, generator=torch.Generator().manual_seed(5)).double()
    reach = 1e-5
    ahead, behind = (
        (weights * space.pictures(start.detach() + sign * reach * way)).sum() for sign in (1, -1)
    )
    slope = (start.grad * way).sum()
    assert abs(slope) > 1e-6
    torch.testing.assert_close((ahead - behind) / (2 * reach), slope, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("name", spaces.names())
def test_a_step_has_one_size_in_every_space(name, pictures):
    space = spaces[name](pictures, None)
    way = torch.randn(space.parameters.shape, generator=torch.Generator().manual_seed(6)).sign()
    moved = space.pictures(space.parameters + 0.01 * space.unit * way)
    change = (moved - space.pictures(space.parameters)).square().mean().sqrt()
    assert 0.005 < change < 0.02


@pytest.mark.parametrize("name", spaces.names())
def test_a_dream_in_every_space_raises_its_objective(name, picture):
    made = dreamer({"name": name}, iterations=6, update="adam", jitter=2)
    frame = made.still(picture)
    assert size_of(frame) == size_of(picture)
    gains = [each.gain for each in made.report.noted()]
    before, after = (
        made.gain(made.network.preprocessing.to_input(each[None])).item()
        for each in (picture, frame)
    )
    begins = spaces.options(name).get("begin")
    if begins and begins.default == "noise":
        before = gains[0]
    assert after > 1.05 * before
    assert torch.equal(frame, made.still(picture))


def test_only_a_first_frame_begins_with_noise(picture):
    made = dreamer({"name": "fourier", "begin": "noise"}, iterations=1, step_size=0.01)
    assert (made(picture, (0, 0)) - picture).abs().mean() > 0.1
    assert (made(picture, (0, 0), later=True) - picture).abs().mean() < 0.03
    assert not torch.equal(made(picture, (0, 0)), made(picture, (1, 0)))


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_what_is_periodic_has_no_jump_and_nothing_else_changes(size):
    from dreamvid.dream.spaces.phase import periodic

    ramp = torch.linspace(0, 1, size.width, dtype=torch.float64).expand(1, 3, *size).contiguous()
    assert periodic(ramp).std() < 0.3 * ramp.std()
    torch.testing.assert_close(periodic(ramp).mean(), ramp.mean())
    wave = (2 * torch.pi * torch.arange(size.height).double() / size.height).sin()
    wave = wave[:, None].expand(1, 1, *size).contiguous()
    # Its own jump from the last row to the first is that of any neighbours.
    assert (periodic(wave) - wave).abs().max() < 0.35


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_a_phase_holds_every_magnitude(size):
    from dreamvid.dream.spaces.colours import spread
    from dreamvid.dream.spaces.phase import periodic

    pictures = noise(size, (3,), contrast=0.2)[None].double()
    for key in (None, (1, 2)):
        space = spaces["phase"](pictures, key)
        turned = torch.randn(space.parameters.shape, generator=torch.Generator().manual_seed(7))
        # Without the clamp to what a picture can hold, which comes after.
        shown = spread(space.pictures(0.1 * turned.double()))
        # What begins with noise has no jump from edge to edge.
        light = periodic(spread(pictures)) if key else spread(pictures)
        got, wanted = (torch.fft.rfft2(each).abs() for each in (shown, light))
        close = (got - wanted).abs() <= 0.02 * wanted + 0.02 * wanted.mean()
        assert close.double().mean() > 0.98


def test_the_light_of_photographs(picture, tmp_path):
    dark = tmp_path / "dark.png"
    media.write_picture(0.2 * picture, dark)
    space = {"name": "phase", "photographs": str(dark)}
    plain, lit = (
        dreamer(each, iterations=1, step_size=0.01).still(picture).mean()
        for each in ({"name": "phase"}, space)
    )
    assert lit < plain - 0.1


def test_views_are_drawn_by_their_key_alone(picture):
    views = Views(turn=20, scale=0.2, crops=3, crop=0.5, side=40, noise=0.1)
    first, again, other = (viewed(picture[None], views, key, 0.01) for key in ((1,), (1,), (2,)))
    assert first.shape == (3, 3, 40, 40)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert viewed(picture[None], Views(), (1,), 0.01) is not None
    whole = viewed(picture[None], Views(turn=1e-9, scale=1e-9), (1,), 0.01)
    torch.testing.assert_close(whole, picture[None], atol=1e-3, rtol=0)


def test_near_its_beginning_the_same_things_grow(picture):
    """With a weight of 2 the objective rests where all is twice as strong."""
    free = dreamer({"name": "pixels"}, iterations=20, jitter=3)
    tree = {"name": "energy", "also": {"near": {"name": "nearness", "weight": 2.0}}}
    settings = free.settings.changed("ascent", step_size=0.5)
    import dataclasses

    near = Dreamer(Tiny(), [Choice("b")], dataclasses.replace(settings, objective=tree))
    energies, likenesses = [], []
    for made in (free, near):
        inputs = made.network.preprocessing.to_input(torch.stack([picture, made.still(picture)]))
        before, after = made.network(inputs, ["b"])["b"].flatten(1)
        energies.append((after.square().mean() / before.square().mean()).item())
        likenesses.append(torch.cosine_similarity(before, after, 0).item())
    assert likenesses[1] > likenesses[0]
    assert 1.05 < energies[1] < energies[0]


def test_alpha_is_where_the_dream_asked_for_something(picture, tmp_path):
    seed = tmp_path / "seed.png"
    media.write_picture(picture, seed)
    asked = ("--space", "phase", *SMALL, "--set", "space.alpha=true", "--set", "space.crops=1")
    done = call_cli("image", seed, *asked, "-o", tmp_path / "out.png")
    assert done.returncode == 0, done.stderr
    alpha = media.read_alpha(tmp_path / "out.png", Size(60, 92))
    assert alpha is not None
    assert alpha.min() < 0.9
    assert alpha.max() == 1
    for command, name in (("image", "out.jpg"), ("zoom", "out.mp4")):
        done = call_cli(command, seed, *asked, "-o", tmp_path / name)
        assert done.returncode == 2
        assert "transparency" in done.stderr


STYLE = """
[objective]
name = "energy"
[objective.also.strokes]
name = "style"
picture = "seed.png"
layers = ["conv2"]
"""


@pytest.mark.parametrize("asked", ["--space fourier", "--space phase", "--config style.toml"])
def test_a_film_in_a_space_or_a_style_resumes_to_the_same_bytes(asked, picture, tmp_path):
    seed, job = tmp_path / "seed.png", tmp_path / "film.mp4.dream"
    media.write_picture(picture, seed)
    (tmp_path / "style.toml").write_text(STYLE)
    asked = (*asked.split(), *SMALL, "-o", tmp_path / "film.mp4", "--frames", "3")
    masked = ("--mask", "seed.png", "--cadence", "2", "--set", "machine.tile=48")
    done = call_cli("zoom", "seed.png", *asked, *masked, "--layer", "conv1", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    whole = [path.read_bytes() for path in sorted((job / "frames").iterdir())]
    (job / "frames" / "000002.png").unlink()
    (tmp_path / "film.mp4").unlink()
    done = call_cli("resume", job)
    assert done.returncode == 0, done.stderr
    assert whole == [path.read_bytes() for path in sorted((job / "frames").iterdir())]


@pytest.mark.parametrize("name", spaces.names())
def test_tiles_change_nothing_in_any_space(name):
    picture = noise(Size(72, 110), (5,), contrast=0.2)
    machine = {"precision": "fp64", "threads": 1, "device": "cpu"}
    tree = {"space": {"name": name}, "network": {"layers": ["conv1"]}, "octaves": {"count": 1},
            "ascent": {"iterations": 2}}  # fmt: skip
    whole, tiled = (
        dreamer_for(settled({**tree, "machine": {**machine, "tile": tile}})).still(picture)
        for tile in (0, 48)
    )
    assert (whole - picture).abs().max() > 0.01
    torch.testing.assert_close(tiled, whole, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("assignment", "words"),
    [
        ("space.name=furier", "did you mean 'fourier'"),
        ("space.decay=9", "space.decay: got 9"),
        ("space.crop=0.5", "space.crop: no such setting"),
        ("ascent.blur=1", "ascent.blur: got 1"),
        ("space.photographs=nowhere", "space.photographs: nowhere is not there"),
    ],
)
def test_bad_spaces_are_one_line(assignment, words, picture, tmp_path):
    media.write_picture(picture, tmp_path / "seed.png")
    space = "pixels" if "crop=" in assignment else "phase" if "photo" in assignment else "fourier"
    asked = ("--space", space, "--set", assignment, *SMALL)
    done = call_cli("image", tmp_path / "seed.png", *asked, "-o", tmp_path / "out.png")
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stderr.strip().count("\n") == 0


def test_spaces_are_listed_with_their_options():
    listed = call_cli("list", "spaces").stdout
    for name in spaces.names():
        assert name in listed
    assert inspect.getdoc(spaces["phase"]).partition("\n")[0][:20] in listed
