import math
from hashlib import sha256
from itertools import islice

import laws
import pytest
import torch
from conftest import run_cli
from tiny import Tiny

from dreamvid import media
from dreamvid.dream.ascent import gain_and_gradients
from dreamvid.dream.dreamer import Dreamer
from dreamvid.errors import DreamvidError, NetworkError, ResumeError
from dreamvid.film.carries import carry_for
from dreamvid.film.pipeline import Recurrence, dreamed
from dreamvid.film.sources import StillSource
from dreamvid.frames import Size, size_of
from dreamvid.jobs.films import settings_for, zoom
from dreamvid.jobs.folder import Job
from dreamvid.jobs.resuming import resume
from dreamvid.networks.layers import Choice
from dreamvid.objectives import Goal, gains, objectives
from dreamvid.objectives.seeing import picked
from dreamvid.settings import Settings


@pytest.fixture
def guide(tmp_path, picture):
    path = tmp_path / "guide.png"
    media.write_picture(picture.flip(2), path)
    return path


@pytest.mark.parametrize("name", objectives.names())
def test_every_objective_rises_in_three_steps(name, picture, tmp_path):
    laws.rises(name, picture, tmp_path)


@pytest.mark.parametrize("name", objectives.names())
def test_every_picture_has_its_own_gain(name, picture, tmp_path):
    laws.each_picture_has_its_own_gain(name, picture, tmp_path)


def test_channels_and_weights_choose(picture):
    net = Tiny().requires_grad_(False)
    hill = Goal(net, {"name": "mean", "weight": 3.0}).hill([Choice("a", (1,), 2.0)], Size(60, 92))
    activation = net(picture[None], ["a"])["a"]
    expected = 6 * activation[:, 1].mean().item()
    assert hill.gain(picture[None], (0, 0)).item() == pytest.approx(expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("channels", [None, (3,), (4, 1)])
@pytest.mark.parametrize("name", ["energy", "mean", "norm"])
def test_a_gradient_lies_in_memory_as_its_activation_does(name, channels, dtype):
    torch.manual_seed(1)
    planes = torch.randn(2, 6, 5, 7).to(dtype)
    last = planes.contiguous(memory_format=torch.channels_last)
    found = []
    for activation in (planes.requires_grad_(), last.requires_grad_()):
        seen = picked(activation, Choice("a", channels))
        assert seen.dtype == torch.float32
        gain = objectives[name](seen)
        (gradient,) = torch.autograd.grad(gain.sum(), activation)
        assert gradient.stride() == activation.stride()
        found.append((gain, gradient))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)


def test_several_objectives_add_up_each_with_its_own_layers(picture):
    net = Tiny().requires_grad_(False)
    tree = {"name": "mean", "also": {"more": {"name": "norm", "layers": ["b:3=2"], "weight": 0.5}}}
    found = net(picture[None], ["a", "b"])
    expected = found["a"].mean() + 0.5 * 2 * found["b"][:, 3].pow(2).sum().sqrt()
    hill = Goal(net, tree).hill([Choice("a")], size_of(picture))
    assert hill.gain(picture[None], (0, 0)).item() == pytest.approx(expected.item())
    assert hill.masks is None


def test_options_follow_their_schedule(picture, tmp_path):
    """A neuron's place, and that of a second term, move through the film as their texts say."""
    net = Tiny().requires_grad_(False)
    tree = {"name": "neuron", "x": "0: (0), 2: (1)", "also": {"more": {"name": "neuron", "y": "0"}}}
    settings = settings_for("default", assigned={"objective": tree, "film": {"frames": 3}})
    dreamer = Dreamer(net, [Choice("a")], settings)
    assert dreamer.plan.changes
    for index, x in enumerate((0.0, 0.5, 1.0)):
        plain = {"name": "neuron", "x": x, "also": {"more": {"name": "neuron", "y": 0.0}}}
        expected = Goal(net, plain).hill([Choice("a")], size_of(picture))
        got = dreamer.goal.hill(dreamer.choices, size_of(picture), index)
        assert torch.equal(got.gain(picture[None], (0, 0)), expected.gain(picture[None], (0, 0)))
    with pytest.raises(DreamvidError, match=r"objective\.x: got '2', expected 0 to 1|objective\.x"):
        Goal(net, {"name": "neuron", "x": "2"})
    tree = {"objective": {"name": "neuron", "x": "0: (0), 2: (9)"}, "film": {"frames": 3}}
    with pytest.raises(DreamvidError, match=r"objective\.x: .* at frame 1"):
        Dreamer(net, [Choice("a")], settings_for("default", assigned=tree))


def test_a_mask_gives_its_objectives_a_gradient_of_their_own(picture, tmp_path):
    half = torch.zeros(3, 60, 92)
    half[:, :, :46] = 1
    media.write_picture(half, tmp_path / "left.png")
    tree = {"name": "energy", "also": {"x": {"name": "mean", "mask": str(tmp_path / "left.png")}}}
    hill = Goal(Tiny().requires_grad_(False), tree).hill([Choice("a")], Size(30, 46))
    assert hill.masks is not None
    assert hill.masks.shape == (2, 1, 30, 46)
    assert hill.masks[0].all()
    assert hill.masks[1, 0, 3, 4] == 1
    assert hill.masks[1, 0, 3, -4] == 0
    assert hill.gain(picture[None], (0, 0)).shape == (2, 1)


def test_the_guides_nearest_vector_is_the_gradient():
    """The 2015 notebook: dL/da at a position is the guide's vector of the largest product."""
    activation = torch.rand(1, 4, 5, 7, requires_grad=True)
    reference = torch.rand(1, 4, 3, 6)
    height = gains.guide(activation, reference, picture=None)
    (gradient,) = torch.autograd.grad(height.sum(), activation)
    products = activation[0].detach().flatten(1).T @ reference[0].flatten(1)
    vectors = reference[0].flatten(1)[:, products.argmax(1)].view(1, 4, 5, 7)
    torch.testing.assert_close(gradient * 35, vectors)


def test_a_guide_of_any_size_is_compared_in_parts(monkeypatch):
    activation, reference = torch.rand(2, 4, 5, 7), torch.rand(1, 4, 3, 6)
    whole = gains.guide(activation, reference, picture=None)
    monkeypatch.setattr(gains, "PAIRS_AT_ONCE", 50)
    torch.testing.assert_close(gains.guide(activation, reference, picture=None), whole)


def test_the_mean_of_all_products():
    activation, reference = torch.rand(1, 4, 5, 7), torch.rand(1, 4, 3, 6)
    every = activation[0].flatten(1).T @ reference[0].flatten(1)
    got = gains.guide(activation, reference, picture=None, match="mean")
    assert got.item() == pytest.approx(every.mean().item())


def test_a_caricature_is_the_product_times_the_cosine():
    activation, aligned = torch.rand(1, 4, 15, 23), torch.rand(1, 4, 15, 23)
    straight = gains.caricature(activation, aligned, picture=None)
    cosines = torch.cosine_similarity(activation, aligned, 1)
    expected = ((activation * aligned).sum(1) * cosines).mean()
    assert straight.item() == pytest.approx(expected.item(), rel=1e-3)


def test_places_are_the_pictures_whatever_the_roll(tmp_path):
    """A caricature of itself, and a neuron, are found again in the rolled picture."""
    net = Tiny().requires_grad_(False)
    frame = torch.rand(3, 60, 92)
    media.write_picture(frame, tmp_path / "self.png")
    own = {"name": "caricature", "picture": str(tmp_path / "self.png")}
    for tree in (own, {"name": "neuron", "x": 0.2, "y": 0.7}):
        hill = Goal(net, tree).hill([Choice("a")], size_of(frame))
        inputs = net.preprocessing.to_input(frame[None])
        straight = hill.gain(inputs, (0, 0)).item()
        rolled = inputs.roll((4, -6), (2, 3))
        # Only the seam that the roll makes differs.
        assert hill.gain(rolled, (4, -6)).item() == pytest.approx(straight, rel=0.1)
        assert hill.gain(rolled, (0, 0)).item() != pytest.approx(straight, rel=0.2)


def test_a_picture_is_looked_at_once_for_each_size(picture, guide):
    net = Tiny().requires_grad_(False)
    for name, sizes in (("caricature", {(60, 92), (30, 46)}), ("guide", {(146, 224)})):
        goal = Goal(net, {"name": name, "picture": str(guide)})
        net.seen.clear()
        for size in (Size(60, 92), Size(30, 46)):
            hill = goal.hill([Choice("a")], size)
            for _ in range(3):
                gain_and_gradients(torch.rand(1, 3, *size), hill.gain)
        # Three steps at two sizes, and once for each size of the picture.
        assert len(net.seen) == 6 + len(sizes)
        assert sizes <= set(net.seen)


def test_classes_by_name_and_number(picture):
    net = Tiny().requires_grad_(False)
    scores = net(picture[None], ["scores"])["scores"]
    for label in ("Volcano", 1):
        hill = Goal(net, {"name": "class_score", "label": label}).hill([], size_of(picture))
        assert hill.gain(picture[None], (0, 0)).item() == pytest.approx(scores[0, 1].item())


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        ({"name": "guide"}, "objective.picture: guide needs one"),
        ({"name": "guide", "picture": "nowhere.jpg"}, "nowhere.jpg"),
        ({"name": "guide", "picture": 3}, "objective.picture: got 3"),
        ({"name": "energy", "picture": "a.jpg"}, "objective.picture: no such setting"),
        ({"name": "energy", "mask": "nowhere.png"}, "nowhere.png"),
        ({"name": "enrgy"}, "did you mean 'energy'"),
        ({"name": "class_score", "label": "volcanoe"}, "did you mean 'volcano'"),
        ({"name": "class_score", "label": 3}, "0 to 2"),
        ({"name": "direction", "vector": [1.0, 2.0]}, "2 numbers for 5 channels"),
        ({"name": "mean", "layers": ["c"]}, "no layer 'c'"),
        ({"name": "mean", "layers": ["a:5"]}, "no channel 5"),
        ({"name": "mean", "also": 3}, "objective.also: got 3"),
        ({"name": "mean", "also": {"x": {"weight": "much"}}}, "objective.also.x.weight"),
    ],
)
def test_bad_objectives_are_named_before_the_first_frame(tree, words):
    with pytest.raises(DreamvidError) as caught:
        Dreamer(Tiny(), [Choice("a")], Settings(objective=tree))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_class_needs_a_head():
    net = Tiny()
    net.head = None
    with pytest.raises(NetworkError, match="no class head"):
        Goal(net, {"name": "class_score", "label": 1})


def test_layers_of_octaves_and_of_frames():
    net = Tiny().requires_grad_(False)
    tree = {"octaves": {"count": 2, "scale": 2.0, "layers": [["b"], ["a"], ["a:2", "b"]]}}
    dreamer = Dreamer(net, [Choice("b")], settings_for("default", assigned=tree))
    assert dreamer.plan.at(9).octaves[0].choices == (Choice("a"),)
    assert dreamer.plan.at(9).octaves[1].choices == (Choice("a", (2,)), Choice("b"))
    walking = {"network": {"walk": ["a", "b", "a:1"]}}
    dreamer = Dreamer(net, [Choice("b")], settings_for("default", assigned=walking))
    assert [dreamer.plan.at(frame).octaves[1].choices[0] for frame in (0, 1, 2, 3)] == [
        Choice("a"),
        Choice("b"),
        Choice("a", (1,)),
        Choice("a"),
    ]


def test_a_walk_goes_a_layer_on_with_every_frame_of_a_film(picture):
    net = Tiny().requires_grad_(False)
    walking = {"network": {"walk": ["a", "b"]}, "octaves": {"count": 1}}
    dreamer = Dreamer(net, [Choice("b")], settings_for("default", assigned=walking))
    asked = []
    hill = dreamer.goal.hill
    dreamer.goal.hill = lambda choices, *more: (
        asked.append(choices[0].layer) or hill(choices, *more)
    )
    film = Recurrence(StillSource(picture), carry_for({"name": "none"}), dreamer, 0, 8)
    list(islice(dreamed(film), 4))
    assert asked == ["a", "b", "a", "b"]


def test_steps_of_each_octave(picture):
    net = Tiny().requires_grad_(False)
    tree = {
        "octaves": {"count": 2, "scale": 2.0, "passes": 3},
        "ascent": {"iterations": [7, 3, 1], "step_size": [9.0, 2.0, 4.0]},
    }
    dreamer = Dreamer(net, [Choice("a")], settings_for("default", assigned=tree))
    dreamer(picture, (0, 0))
    assert dreamer.report.steps == 3 * (3 + 1)
    level = net.preprocessing.level
    assert [octave.step_size for octave in dreamer.plan.at().octaves] == [2 * level, 4 * level]


def test_a_job_with_an_altered_guide_is_refused(picture, guide, tmp_path):
    media.write_picture(picture, tmp_path / "seed.png")
    tree = {
        "objective": {"name": "guide", "picture": str(guide), "side": 64},
        "octaves": {"count": 1},
        "ascent": {"iterations": 1},
        "film": {"frames": 1, "size": "96x64"},
    }
    out = tmp_path / "film.apng"
    zoom(tmp_path / "seed.png", out, settings_for("default", assigned=tree))
    job = Job.open(tmp_path / "film.apng.dream")
    digest = sha256(guide.read_bytes()).hexdigest()
    assert job.manifest.pictures == {"objective.picture": digest}
    media.write_picture(1 - picture, guide)
    with pytest.raises(ResumeError, match="not the picture the job began with"):
        resume(job, frames=2, overwrite=True)
    out.unlink()
    longer = settings_for("default", assigned={**tree, "film": {"frames": 2, "size": "96x64"}})
    with pytest.raises(ResumeError, match="not the picture"):
        zoom(tmp_path / "seed.png", out, longer)


def test_a_guide_on_the_command_line(picture, guide, tmp_path):
    media.write_picture(picture, tmp_path / "seed.png")
    common = ["image", tmp_path / "seed.png", "--iterations", 1, "--octaves", 1]
    chosen = ["--set", "objective.name=guide"]
    bad = run_cli(*common, *chosen, cwd=tmp_path)
    assert (bad.returncode, bad.stderr.count("\n")) == (2, 1)
    assert "objective.picture: guide needs one" in bad.stderr
    good = run_cli(*common, *chosen, "--set", "objective.picture=guide.png", cwd=tmp_path)
    assert good.returncode == 0, good.stderr
    assert math.isfinite(media.read_picture(tmp_path / "seed-dream.png").mean())


def test_a_style_is_what_goes_together_wherever_it_lies():
    from dreamvid.objectives import gains

    seen = torch.rand(1, 5, 6, 8, generator=torch.Generator().manual_seed(2))
    mixed = seen.flatten(2)[..., torch.randperm(48)].view(1, 5, 8, 6)
    other = torch.rand(2, 5, 4, 4, generator=torch.Generator().manual_seed(3))
    assert gains.style(seen, mixed, picture="a.png").abs().item() < 1e-5
    away = gains.style(other, mixed, picture="a.png")
    assert away.shape == (2,)
    assert (away < -1e-3).all()
    # As large as an energy: twice as strong activations, four times the gain.
    assert gains.style(2 * other, 2 * mixed, picture="a.png")[0] == pytest.approx(
        4 * away[0].item(), rel=0.01
    )
