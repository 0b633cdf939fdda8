import pytest
import torch
from conftest import run_cli, shared
from tiny import Tiny

import dreamvid.studies.explain
from dreamvid import media
from dreamvid.dream.dreamer import Dreamer
from dreamvid.frames import Size, covered
from dreamvid.settings import settled
from dreamvid.studies.explain import explain, overlaid

SMALL = {"octaves": {"count": 2}, "ascent": {"iterations": 2}, "machine": {"threads": 1}}


@pytest.fixture
def seed(tmp_path, picture):
    path = tmp_path / "seed.png"
    media.write_picture(covered(picture, Size(64, 96)), path)
    return path


def test_figures_of_a_network_that_can_be_calculated(seed, tmp_path, monkeypatch):
    """Classes, layers and channels are what the network gives for both pictures."""
    net = Tiny().eval().requires_grad_(False)
    net.class_count = 3
    choices = net.choices(["b:1,4"])

    def tiny(settings):
        return Dreamer(net, choices, settings)

    monkeypatch.setattr(dreamvid.studies.explain, "dreamer_for", tiny)
    dream = tmp_path / "dream.png"
    media.write_picture(media.read_picture(seed).flip(2), dream)
    told = explain(seed, tmp_path / "x.png", settled(SMALL), dream=dream)
    pictures = [media.read_picture(path)[None] for path in (seed, dream)]
    was, now = (net(net.preprocessing.to_input(each), net.layers) for each in pictures)
    heads = [
        net(net.preprocessing.to_input(covered(each[0], Size(224, 224))[None]), ["scores"])
        for each in pictures
    ]
    scores = [each["scores"].softmax(1)[0] for each in heads]
    assert {pair.name for pair in told.classes} == {"cat", "volcano", "teapot"}
    for pair in told.classes:
        number = net.classes.index(pair.name)
        assert pair.before == pytest.approx(scores[0][number].item())
        assert pair.after == pytest.approx(scores[1][number].item())
    (chosen,) = told.chosen
    assert chosen.name == "b:1,4"
    assert chosen.before == pytest.approx(was["b"][:, [1, 4]].mean().item(), abs=1e-6)
    assert chosen.after == pytest.approx(now["b"][:, [1, 4]].mean().item(), abs=1e-6)
    assert {pair.name for pair in told.channels["b:1,4"]} == {"1", "4"}
    for pair in told.channels["b:1,4"]:
        assert pair.after == pytest.approx(now["b"][0, int(pair.name)].mean().item(), abs=1e-6)
    for pair in told.layers:
        assert pair.before == pytest.approx(was[pair.name].square().mean().sqrt().item())
    assert [pair.rise for pair in told.layers] == sorted(
        (pair.rise for pair in told.layers), reverse=True
    )


def test_heat_lies_where_it_is():
    frame = torch.full((3, 20, 32), 0.5)
    heat = torch.zeros(20, 32)
    heat[:5, 8:] = 1
    over = overlaid(frame, heat)
    assert over[0, :5, 8:].min() > over[0, 5:].max() + 0.3
    assert torch.equal(over[:, 0, 8], over[:, 4, 31])


def test_the_command(seed, tmp_path):
    out = tmp_path / "x.png"
    told = run_cli(
        "explain", seed, "-o", out, "--layer", "4a", "--layer", "4c:1", "--octaves", 2,
        "--iterations", 3, "--set", "machine.threads=1", "--quiet",
    )  # fmt: skip
    assert (told.returncode, told.stderr) == (0, "")
    lines = told.stdout.splitlines()
    assert lines[-1] == str(out)
    start = next(number for number, line in enumerate(lines) if line.startswith("chosen layer"))
    for line, layer in zip(lines[start + 1 : start + 3], ["4a", "4c:1"], strict=True):
        name, before, after = line.split()
        assert name == layer
        assert float(after) > float(before)
    assert any(line.startswith("channel of 4a") for line in lines)
    drawing = media.read_picture(out)
    assert drawing.shape[1] > 3 * 64
    assert drawing.shape[2] > 2 * 96
    again = run_cli("explain", seed, "-o", out)
    assert again.returncode == 2
    assert "--overwrite" in again.stderr


@pytest.mark.weights
@pytest.mark.parametrize(
    ("picture", "name", "least"), [("lion", "lion", 0.99), ("taj_mahal", "mosque", 0.9)]
)
def test_googlenet_tells_what_it_sees(picture, name, least, googlenet_weights, tmp_path):
    tree = {"network": {"name": "googlenet", "weights": [str(googlenet_weights)]}}
    tree |= {**SMALL, "film": {"size": 224}, "machine": {"threads": 1, "precision": "fp32"}}
    told = explain(shared(f"media/{picture}.jpg"), tmp_path / "x.png", settled(tree))
    top = max(told.classes, key=lambda pair: pair.before)
    assert top.name == name
    assert top.before > least
    assert told.chosen[0].name == "inception_4c/output"
    assert told.chosen[0].rise > 1
