"""Turbo networks: what one pass adds, its training, its file, films made with it."""

import json
from itertools import islice
from pathlib import Path

import pytest
import torch
from conftest import call_cli

from dreamvid.dream.blur import gaussian_blurred, softened
from dreamvid.dream.dreamer import dreamer_for
from dreamvid.dream.turbo import files, native
from dreamvid.dream.turbo.adding import MARGIN, in_tiles
from dreamvid.dream.turbo.net import Enlarging, TurboNet, Widths
from dreamvid.dream.turbo.travel import sized, travel
from dreamvid.film.wandering import wandering
from dreamvid.media import write_picture
from dreamvid.networks.layers import Choice
from dreamvid.networks.pocket import EMBEDDED, pocket
from dreamvid.settings import Settings
from dreamvid.training.distil.checkpoints import read_checkpoint
from dreamvid.training.turbo import Place, Recipe, TurboTraining, run
from dreamvid.training.turbo.lesson import Lesson
from dreamvid.training.turbo.losses import seen_apart, tone, turned_away
from dreamvid.training.turbo.pictures import LATER, Pictures

SMALL = Widths(8, 8, 12, 16, 8)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """A turbo network that has learned nothing, which still adds something to every picture."""
    torch.manual_seed(5)
    path = tmp_path_factory.mktemp("turbo") / "small.turbo.safetensors"
    net = TurboNet(("4c", "3b"), SMALL)
    net.decoder.initialised()
    files.write_turbo(path, net.decoder.state_dict(), net, pocket(), {"name": "energy"}, {})
    return path


def turbo_of(file, precision="fp32", **ascent):
    settings = Settings().changed("turbo", dream=str(file)).changed("octaves", count=1)
    settings = settings.changed("machine", precision=precision)
    return dreamer_for(settings.changed("ascent", **ascent) if ascent else settings)


def test_an_enlarging_is_resizing_and_convolving():
    layer, x = Enlarging(3, 2), torch.rand(1, 3, 5, 7)
    large = torch.nn.functional.interpolate(x, scale_factor=2.0, mode="nearest")
    large = torch.nn.functional.pad(large, (1, 1, 1, 1), mode="reflect")
    assert torch.allclose(layer(x), layer.convolution(large), atol=1e-5)


def test_what_is_added_has_the_size_asked_for_and_no_light_of_its_own(file, picture):
    turbo = turbo_of(file).turbo
    grey = 0.5 + 0.1 * (picture[None] - picture.mean((1, 2), keepdim=True))
    added = turbo.added_to(grey, [Choice("4c")], 4.0) - grey
    assert added.square().mean().sqrt().item() * 255 == pytest.approx(4, rel=0.1)
    assert added.mean((2, 3)).abs().max() * 255 < 0.3
    twice = turbo.added_to(grey, [Choice("4c")], torch.full((60, 92), 4.0)) - grey
    assert torch.allclose(twice, added, atol=1e-6)
    assert torch.equal(turbo.added_to(grey, [Choice("4c")], 0.0), grey)


def test_channels_have_the_shares_of_an_energys_gradient():
    net = TurboNet(("4c", "3b"))
    weights, shares = net.told([Choice("4c", None, 1.0), Choice("3b", None, 3.0)])
    assert weights.tolist() == [0.25, 0.75]
    assert torch.allclose(shares, torch.ones(512))
    chosen = [Choice("4c", (5,), 0.75), Choice("4c", (9, 11), 0.25)]
    weights, shares = net.told(chosen)
    assert weights.tolist() == [1, 0]
    assert shares.square().mean().item() == pytest.approx(1)
    assert shares.nonzero()[:, 0].tolist() == [5, 9, 11]
    seen = torch.rand(1, 512, 3, 4, requires_grad=True)
    energy = sum(c.weight * seen[:, list(c.channels)].square().mean() / 2 for c in chosen)
    (slope,) = torch.autograd.grad(energy, seen)
    mine = seen.detach() * shares[None, :, None, None]
    assert torch.cosine_similarity(slope.flatten(), mine.flatten(), dim=0).item() > 1 - 1e-6
    assert torch.equal(net.told([Choice("3b")])[1], torch.ones(512))


@pytest.fixture
def channelled(file, tmp_path):
    """The same, said to have learned single channels."""
    found, path = files.read_turbo(file), tmp_path / "channels.safetensors"
    about = {"channels": "4c"}
    decoder = found.net.decoder.state_dict()
    files.write_turbo(path, decoder, found.net, pocket(), found.objective, about)
    return path


def test_channels_are_dreamed_where_they_were_learned(channelled, picture, tmp_path):
    settings = Settings().changed("turbo", dream=str(channelled)).changed("octaves", count=1)
    one, other = (
        dreamer_for(settings.changed("network", layers=(layer,))).still(picture)
        for layer in ("4c:25", "4c:9")
    )
    assert not torch.equal(one, other)
    seed = Path(__file__).parents[1] / "samples" / "seed.jpg"
    asked = ["--dream", channelled, "--layer", "3b:4", "--size", "64"]
    result = call_cli("image", seed, *asked, cwd=tmp_path)
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    assert "channels of 4c; got 3b by channels" in result.stderr


def test_a_film_wanders_by_turbo_where_it_has_learned_channels(file, channelled, picture):
    for path in (file, channelled):
        settings = Settings().changed("turbo", dream=str(path)).changed("network", wander=0.7)
        walked = wandering(dreamer_for(settings), picture).settings.network
        assert walked.wander == 0
        assert ("walk" in "".join(walked.layers)) == (path == channelled)


def test_layers_are_mixed_by_their_weights(file, picture):
    turbo = turbo_of(file).turbo
    half = [Choice("4c", None, 2.0), Choice("3b", None, 2.0)]
    both = turbo.added_to(picture[None], half, 4.0)
    for choices in ([Choice("4c")], [Choice("3b")]):
        assert not torch.equal(both, turbo.added_to(picture[None], choices, 4.0))
    scaled = [Choice("4c", None, 0.5), Choice("3b", None, 0.5)]
    assert torch.equal(both, turbo.added_to(picture[None], scaled, 4.0))


def test_tiles_agree_with_the_whole():
    picture = torch.rand(1, 3, 200, 330)
    blurred = in_tiles(picture, 64, lambda part: torch.nn.functional.avg_pool2d(part, 9, 1, 4))
    whole = torch.nn.functional.avg_pool2d(picture, 9, 1, 4)
    assert torch.allclose(blurred, whole, atol=1e-6)
    asked = []
    in_tiles(picture, 64, lambda part: asked.append(part.shape) or part)
    assert max(max(shape[-2:]) for shape in asked) <= 64 + 2 * MARGIN


def test_a_dream_goes_as_far_as_its_steps(file, picture):
    for steps in (1, 10):
        dreamer = turbo_of(file, iterations=steps)
        calm = 0.5 + 0.1 * (picture - picture.mean((1, 2), keepdim=True))
        far = (dreamer.still(calm) - calm).square().mean().sqrt().item() * 255
        assert far == pytest.approx(travel(1.5, steps), rel=0.15)
    same = turbo_of(file, iterations=0).still(picture)
    assert torch.allclose(same, picture, atol=1e-6)


def test_fresh_places_are_dreamed_as_in_a_first_frame(file, picture):
    dreamer = turbo_of(file, later=1)
    fresh = torch.zeros(60, 92)
    fresh[:, 60:] = 1
    changed = (dreamer(picture, (0, 0), later=True, fresh=fresh) - picture).abs().mean(0)
    plain = (dreamer(picture, (0, 0), later=True) - picture).abs().mean(0)
    assert changed[:, 60:].mean() / changed[:, :60].mean() > 1.5 * (
        plain[:, 60:].mean() / plain[:, :60].mean()
    )


def test_steps_of_ascent_come_after_it_where_they_are_asked_for(file, picture):
    settings = Settings().changed("turbo", dream=str(file), refine=2).changed("octaves", count=1)
    dreamer = dreamer_for(settings)
    gain = dreamer.gain(dreamer.network.preprocessing.to_input(turbo_of(file).still(picture)[None]))
    refined = dreamer.still(picture)
    assert dreamer.report.steps == dreamer.total_steps == 2
    assert dreamer.gain(dreamer.network.preprocessing.to_input(refined[None])) > gain


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--layer", "4d"], "learned the layers 4c, 3b"),
        (["--layer", "4c:7"], "by channels"),
        (["--layer", "4c=-1"], "no weights below 0"),
        (["--set", "objective.name=mean"], "learned the objective energy"),
        (["--of", "volcano"], "learned the objective energy"),
        (["--set", "turbo.refine=-1"], "turbo.refine"),
    ],
)
def test_a_dream_it_has_not_learned_is_refused(file, tmp_path, words, told):
    seed = Path(__file__).parents[1] / "samples" / "seed.jpg"
    result = call_cli("image", seed, "--dream", file, "--size", "64", *words, cwd=tmp_path)
    assert result.returncode == 2
    assert told in result.stderr
    assert result.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_files_that_are_none_are_refused_in_one_line(file, tmp_path):
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(file.read_bytes()[:2000])
    seed = Path(__file__).parents[1] / "samples" / "seed.jpg"
    for path, told in (
        (tmp_path / "none.safetensors", "no such file"),
        (cut, "damaged"),
        (EMBEDDED, "no turbo network"),
    ):
        result = call_cli("image", seed, "--dream", path, "--size", "64", cwd=tmp_path)
        assert (result.returncode, result.stderr.count("\n")) == (2, 1)
        assert told in result.stderr


def test_a_film_is_resumed_byte_for_byte(file, tmp_path):
    seed = Path(__file__).parents[1] / "samples" / "seed.jpg"
    asked = ["--dream", file, "--size", "64", "--octaves", "1", "-q"]
    whole = call_cli("zoom", seed, *asked, "--frames", "5", "-o", "whole.mp4", cwd=tmp_path)
    assert whole.returncode == 0, whole.stderr
    assert (
        call_cli("zoom", seed, *asked, "--frames", "2", "-o", "a.mp4", cwd=tmp_path).returncode == 0
    )
    job = json.loads((tmp_path / "a.mp4.dream" / "job.json").read_text())
    assert job["pictures"]["turbo.dream"] == files.read_turbo(file).sha256
    assert call_cli("resume", "a.mp4.dream", "--frames", "5", "-q", cwd=tmp_path).returncode == 0
    frames = [
        [path.read_bytes() for path in sorted((tmp_path / name).glob("frames/*.png"))]
        for name in ("whole.mp4.dream", "a.mp4.dream")
    ]
    assert len(frames[0]) == 5
    assert frames[0] == frames[1]


def test_losses_rise_where_they_should(picture):
    pictures = torch.stack([picture[:, :48, :48], picture[:, 12:, 44:]])
    pattern = torch.randn(pictures.shape, generator=torch.Generator().manual_seed(1))
    assert turned_away(pattern, 3 * pattern).item() == pytest.approx(0, abs=1e-5)
    assert turned_away(pattern, -pattern).item() == pytest.approx(2, abs=1e-5)
    assert turned_away(pattern, pattern.flip(3)).item() == pytest.approx(1, abs=0.1)
    lighter = torch.full_like(pictures, 0.05)
    assert tone(pictures, lighter) > 10 * tone(pictures, 0.01 * pattern)
    view = seen_apart(pictures, torch.Generator().manual_seed(2))
    assert view.shape[-1] == view.shape[-2] <= 48 * 1.15


def test_most_pictures_of_a_batch_are_the_networks_own(picture):
    generator = torch.Generator().manual_seed(0)
    pool = Pictures([(picture * 255).byte()], 30, 32, generator)
    assert len(pool.fed()) == 0
    pool.own[:], pool.ages[:] = 200, 1
    pool.own[:, 0] = 0
    for _ in range(4):
        places, pictures, reaches = pool.draw(15)
        fed = pool.ages[places] > 0
        assert torch.equal(pictures[:, 0].mean((1, 2)) < 0.01, fed)
        assert (reaches[fed] <= LATER[1]).all()
        pool.keep(places, pictures.index_fill(1, torch.tensor(0), 0))
    # A third of the places is renewed often, and a third seldom.
    young, old = (pool.ages[place::3].float().mean().item() for place in (0, 2))
    assert old > 1.2 * young


def test_what_a_network_has_spoiled_is_dreamed_by_its_teacher(picture):
    settings, recipe = Settings(), Recipe(batch=2, side=48, pool=4, lessons=400)
    lesson = Lesson.of(pocket(), settings, "default", [], recipe)
    photographs = [torch.full((3, 60, 92), 255, dtype=torch.uint8)]
    training = TurboTraining(lesson.dreamer(), lesson.net(), photographs, recipe)
    training.pictures.own[:], training.pictures.ages[:] = 7, 1
    for key in range(24):
        training.dreams.add(training.pictures, (Choice("4c"),), key)
    flat = training.dreams.kept["pictures"].flatten(1)
    spoiled = ((flat.float() - 7).abs() <= 1).all(1)
    assert 0.05 < spoiled.float().mean() < 0.6


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder in which a network was trained in one go, and in two."""
    folder = tmp_path_factory.mktemp("training")
    (folder / "photos").mkdir()
    generator = torch.Generator().manual_seed(4)
    for number in range(3):
        small = torch.rand(3, 6, 8, generator=generator)
        large = torch.nn.functional.interpolate(small[None], (72, 96), mode="bicubic")[0]
        write_picture(large.clamp(0, 1), folder / "photos" / f"{number}.png")
    preset = "[octaves]\ncount = 1\n[ascent]\niterations = 1\n"
    (folder / "quick.toml").write_text(preset)
    placed = '[objective]\nname = "energy"\nlayers = ["4b"]\n'
    (folder / "placed.toml").write_text(placed)
    recipe = ["--set", "pool=4", "--set", "lessons=8", "--side", "48", "--batch", "2"]
    asked = ["turbo", "quick.toml", "--images", "photos", *recipe, "--every", "2", "-q"]
    result = call_cli(*asked, "--layers", "3b", "--steps", "2", "-o", "a.safetensors", cwd=folder)
    assert result.returncode == 0, result.stderr
    return folder


def test_a_training_leaves_a_network_curves_and_a_sheet(trained, picture):
    place = trained / "a.safetensors.training"
    assert {"losses.csv", "losses.png", "checkpoint.pt"} <= {each.name for each in place.iterdir()}
    assert (place / "samples" / "step-000002.png").stat().st_size > 1000
    rows = (place / "losses.csv").read_text().splitlines()
    assert rows[0] == "step,gain,tone,closeness,steadiness"
    assert [row.split(",")[0] for row in rows[1:]] == ["1", "2"]
    read = files.read_turbo(trained / "a.safetensors")
    assert read.net.layers == ("4c", "3b")
    assert (trained / "a.safetensors").stat().st_size < 2_000_000
    assert turbo_of(trained / "a.safetensors").still(picture).shape == picture.shape


def test_a_network_is_trained_further(trained):
    asked = ["turbo", "quick.toml", "--images", "photos", "--further", "a.safetensors", "-q"]
    asked += ["--set", "pool=4", "--set", "lessons=8", "--side", "48", "--batch", "2"]
    asked += ["--steps", "1", "--set", "opening=0", "--set", "learning_rate=1e-9"]
    result = call_cli(*asked, "--layers", "4a,3b", "-o", "more.safetensors", cwd=trained)
    assert result.returncode == 0, result.stderr
    before, after = (files.read_turbo(trained / f"{name}.safetensors") for name in ("a", "more"))
    assert after.net.layers == ("4c", "4a", "3b")
    mine = after.net.decoder.state_dict()
    for name, value in before.net.decoder.state_dict().items():
        taken = mine[name][:, [0, 2, 3]] if name.endswith("condition.weight") else mine[name]
        assert torch.allclose(taken, value, atol=1e-3), name
    manifest = json.loads((trained / "more.safetensors.training/recipe.json").read_text())
    assert manifest["further_sha256"] == before.sha256


def flat(tree, prefix=""):
    """All tensors of a checkpoint by their places, numbers as tensors."""
    if isinstance(tree, dict | list | tuple):
        pairs = tree.items() if isinstance(tree, dict) else enumerate(tree)
        return {k: v for key, each in pairs for k, v in flat(each, f"{prefix}.{key}").items()}
    tree = list(tree.encode()) if isinstance(tree, str) else tree
    return {prefix: torch.as_tensor(0.0 if tree is None else tree)}


def test_a_training_that_is_resumed_is_the_same(picture, tmp_path):
    settings, recipe = Settings(), Recipe(steps=5, batch=2, side=48, pool=4, lessons=8)
    lesson = Lesson.of(pocket(), settings, "default", ["3b"], recipe)

    def training():
        photographs = [(picture * 255).byte()]
        return TurboTraining(lesson.dreamer(), lesson.net(), photographs, recipe)

    whole, parts = (Place(tmp_path / f"{name}.safetensors", 2) for name in ("whole", "parts"))
    for place in (whole, parts):
        place.folder.mkdir()
    list(run(training(), whole))
    list(islice(run(training(), parts), 3))  # stopped one step after its checkpoint
    list(run(training(), parts))
    tables = [(place.folder / "losses.csv").read_bytes() for place in (whole, parts)]
    assert tables[0] == tables[1]
    one, other = (flat(read_checkpoint(place.folder / "checkpoint.pt")) for place in (whole, parts))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_network_is_measured_beside_the_ascent(trained):
    asked = ["turbo", "quick.toml", "--images", "photos", "--check", "a.safetensors", "-q"]
    result = call_cli(*asked, cwd=trained)
    assert result.returncode == 0
    assert "a share of" in result.stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["default"], "needs --images"),
        (["default", "--images", "photos", "--side", "50"], "a multiple of 16"),
        (["default", "--images", "photos", "--batch", "500"], "at most the pool"),
        (["words", "--images", "photos", "--overwrite"], "its objective is words"),
        (["placed.toml", "--images", "photos"], "its objective is energy and more"),
        (["default", "--images", "photos", "--layers", "4c:3"], "whole layers"),
        (["default", "--images", "photos", "--further", "a.safetensors"], "add --layers 3b"),
        (["default", "--images", "photos", "--further", "no.safetensors"], "no such file"),
        (["default", "mine.safetensors", "--images", "photos"], "expected -o"),
        (["export"], "needs a FILE"),
    ],
)
def test_a_training_that_cannot_be_is_refused(trained, words, told):
    before = sorted(trained.iterdir())
    result = call_cli("turbo", *words, cwd=trained)
    assert (result.returncode, result.stderr.count("\n")) == (2, 1), result.stderr
    assert told in result.stderr
    assert sorted(trained.iterdir()) == before


def test_in_bfloat16_it_adds_the_same_to_its_rounding(picture):
    exact, rounded = (
        turbo_of("turbo", precision).turbo.added_to(picture[None], [Choice("4c")], 9.0) - picture
        for precision in ("fp32", "bf16")
    )
    assert not torch.equal(exact, rounded)
    assert (exact - rounded).norm() < 0.1 * exact.norm()


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("suffix", [".pt", ".onnx"])
def test_an_export_takes_pictures_of_any_size(file, tmp_path, suffix):
    if suffix == ".onnx":
        pytest.importorskip("onnx")
        pytest.importorskip("onnxruntime")
    result = call_cli("turbo", "export", file, "-o", f"mine{suffix}", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    again = call_cli("turbo", "export", file, "-o", f"mine{suffix}", cwd=tmp_path)
    assert (again.returncode, again.stderr.count("\n")) == (2, 1)
    if suffix == ".pt":
        loaded = torch.jit.load(str(tmp_path / "mine.pt"))
        picture = torch.rand(1, 3, 50, 90)
        dreamed = turbo_of(file).turbo.added_to(picture, [Choice("4c")], 4.0)
        assert torch.allclose(loaded(picture, torch.tensor([[4.0]])), dreamed, atol=2e-3)


def test_an_export_that_cannot_be_is_refused(file, tmp_path):
    result = call_cli("turbo", "export", file, "-o", "mine.txt", cwd=tmp_path)
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    assert ".onnx" in result.stderr


def test_the_network_in_the_package_dreams(picture):
    assert files.SHIPPED.stat().st_size < 2_000_000
    assert files.SHIPPED.with_suffix(".md").is_file()
    read = files.read_turbo(files.path_of("turbo"))
    assert (read.teacher, read.net.layers[0]) == ("pocket", "4c")
    dreamer = turbo_of("turbo")
    to_input = dreamer.network.preprocessing.to_input
    before, after = (
        dreamer.gain(to_input(each[None])).item() for each in (picture, dreamer.still(picture))
    )
    assert after > 1.5 * before


@pytest.mark.parametrize("size", [(1, 3, 96, 144), (2, 3, 50, 97), (1, 3, 64, 96)])
def test_compiled_parts_give_what_torch_gives(monkeypatch, size):
    if told := native.absence():
        pytest.skip(told)
    torch.manual_seed(3)
    net = TurboNet(("4c", "3b"), Widths(half=16, filters=32))
    net.decoder.initialised()
    net.requires_grad_(False)
    pictures = torch.rand(size)
    condition = torch.tensor([[0.3, 0.7, 2.0]]).expand(size[0], -1)
    shares = torch.linspace(0, 2, 512).expand(size[0], -1)
    found = net(pictures, condition, shares)
    asked = []
    monkeypatch.setattr(native, "serves", lambda *parts: asked.append(parts))
    expected = net(pictures, condition, shares)
    assert len(asked) == 3
    assert found.shape == expected.shape
    assert (found - expected).abs().max() < 1e-5 * expected.abs().max()
    changed = [found]
    for part in (net.decoder.leave, net.decoder.filters, net.decoder.enlarge):
        part.convolution.weight.mul_(1.5)
        monkeypatch.undo()
        changed.append(net(pictures, condition, shares))
        assert not torch.allclose(*changed[-2:])


def test_means_of_cells_are_widened_as_torch_does_it(monkeypatch):
    field = torch.randn(2, 3, 70, 101)
    found = sized(field)
    monkeypatch.setattr("dreamvid.networks.ways.usable", lambda: False)
    assert torch.allclose(found, sized(field), atol=1e-5)


def test_softening_is_a_gaussian_blur():
    picture = torch.randn(2, 3, 20, 31).to(memory_format=torch.channels_last)
    assert torch.allclose(softened(picture, 0.7), gaussian_blurred(picture, 0.7), atol=1e-6)
    tiny = picture[:, :, :3]
    assert torch.equal(softened(tiny, 2.0), gaussian_blurred(tiny, 2.0))
