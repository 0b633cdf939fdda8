import csv
import json
import math
import os
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import run_cli
from PIL import Image, ImageDraw
from safetensors import safe_open
from safetensors.torch import load_file

from dreamvid import media
from dreamvid.cli.progress import Bar
from dreamvid.errors import DreamvidError, ResumeError
from dreamvid.jobs import films
from dreamvid.media.locking import locked
from dreamvid.networks import network
from dreamvid.settings import settled
from dreamvid.training import train

KINDS = ("circle", "cross", "ring", "square", "star", "triangle")
ACCURACY = Fraction(95, 100)


def outline(kind, turn):
    """The corners of a shape of radius 1."""
    if kind == "cross":
        arm = [(1, 0.3), (0.3, 0.3), (0.3, 1), (-0.3, 1)]
        corners = [(x, y) for x, y in arm[:3]]
        for _ in range(3):
            corners += [(-y, x) for x, y in corners[-3:]]
    else:
        count, radii = {"square": (4, [1]), "triangle": (3, [1]), "star": (10, [1, 0.4])}[kind]
        corners = [
            (
                radii[number % len(radii)] * math.cos(2 * math.pi * number / count),
                radii[number % len(radii)] * math.sin(2 * math.pi * number / count),
            )
            for number in range(count)
        ]
    cosine, sine = math.cos(turn), math.sin(turn)
    return [(cosine * x - sine * y, sine * x + cosine * y) for x, y in corners]


def drawn_shape(kind, rng):
    """A shape of random colour, size, place and turn on noisy paper of a random colour."""
    width, height = (int(side) for side in rng.integers(60, 76, 2))
    paper = ink = rng.integers(0, 256, 3)
    while np.abs(paper - ink).sum() < 200:
        ink = rng.integers(0, 256, 3)
    picture = Image.new("RGB", (width, height), tuple(paper.tolist()))
    pen, colour = ImageDraw.Draw(picture), tuple(ink.tolist())
    size = rng.uniform(16, 26)
    x, y = (side / 2 + rng.uniform(-1, 1) * (30 - size) for side in (width, height))
    if kind in ("circle", "ring"):
        pen.ellipse((x - size, y - size, x + size, y + size), fill=colour)
        if kind == "ring":
            hole = 0.55 * size
            pen.ellipse((x - hole, y - hole, x + hole, y + hole), fill=tuple(paper.tolist()))
    else:
        corners = outline(kind, rng.uniform(0, 2 * math.pi))
        pen.polygon([(x + size * a, y + size * b) for a, b in corners], fill=colour)
    noisy = np.asarray(picture, float) + rng.normal(0, rng.uniform(2, 15), (height, width, 3))
    return Image.fromarray(noisy.clip(0, 255).astype(np.uint8))


def draw_folder(folder, count, kinds=KINDS):
    rng = np.random.default_rng(5)
    for kind in kinds:
        (folder / kind).mkdir(parents=True)
        for number in range(count):
            drawn_shape(kind, rng).save(folder / kind / f"{number:02}.png")
    return folder


@pytest.fixture(scope="session")
def shapes(tmp_path_factory):
    """Six kinds of shapes, sixty pictures each."""
    return draw_folder(tmp_path_factory.mktemp("shapes") / "shapes", 60)


@pytest.fixture(scope="session")
def few(tmp_path_factory):
    """Two kinds of shapes, four pictures each."""
    return draw_folder(tmp_path_factory.mktemp("few") / "few", 4, KINDS[:2])


@pytest.fixture(scope="session")
def trained_pocket(shapes, tmp_path_factory):
    """A pocket network that was trained from scratch, with fewer epochs than by default."""
    out = tmp_path_factory.mktemp("pocket") / "shapes.safetensors"
    began = time.process_time()
    train.train(shapes, out, epochs=22, progress=Bar(quiet=False))
    print(f"pocket from scratch: {time.process_time() - began:.1f} s of CPU time")
    return out


@pytest.fixture(scope="session")
def trained_resnet(few, tmp_path_factory):
    out = tmp_path_factory.mktemp("resnet") / "few.safetensors"
    options = {"network": "resnet50", "side": 32, "epochs": 1, "batch": 2, "optimiser": "sgd"}
    return train.train(few, out, **options)


def metadata(path):
    with safe_open(path, "pt") as opened:
        return opened.metadata()


def dreams(weights, name, layers, picture, folder):
    """How far a dream with those weights moves a picture."""
    seed = folder / "seed.png"
    media.write_picture(picture, seed)
    settings = settled(
        {
            "network": {"name": name, "weights": str(weights), "layers": layers},
            "octaves": {"count": 2},
            "ascent": {"iterations": 2},
            "machine": {"threads": 1, "device": "cpu"},
        }
    )
    out = films.image(seed, folder / "dream.png", settings, overwrite=True)
    return (media.read_picture(out) - media.read_picture(seed)).abs().mean().item()


def test_pocket_learns_shapes_from_scratch(trained_pocket):
    about = metadata(trained_pocket)
    print(f"held-out accuracy {about['accuracy']}")
    assert json.loads(about["classes"]) == list(KINDS)
    assert (about["network"], json.loads(about["side"])) == ("pocket", 64)
    assert json.loads(about["accuracy"]) >= ACCURACY
    place = Path(f"{trained_pocket}.training")
    rows = list(csv.DictReader((place / "accuracy.csv").read_text().splitlines()))
    best = max(float(row["held_out_accuracy"]) for row in rows)
    # The file's accuracy is its own, folded and in half precision, not the table's.
    assert best == pytest.approx(json.loads(about["accuracy"]), abs=0.03)
    assert media.read_picture(place / "accuracy.png").shape == (3, 400, 700)


def test_a_trained_pocket_is_balanced_and_dreams(trained_pocket, shapes, picture, tmp_path):
    loaded = network("pocket", weights=trained_pocket, precision="fp32")
    assert loaded.layers == (*network("pocket").layers, "head")
    assert loaded.head == "head"
    views = train.Views(64)
    inputs = torch.stack([views.plain(path) for path in sorted(shapes.rglob("*.png"))[::9]])
    found = loaded(loaded.preprocessing.to_input(inputs), loaded.layers[:-1])
    sizes = [activation.pow(2).mean().sqrt().item() for activation in found.values()]
    assert 0.7 < min(sizes) <= max(sizes) < 1.4, sizes
    assert dreams(trained_pocket, "pocket", ["4c", "3b"], picture, tmp_path) > 0.01


def test_a_trained_resnet_dreams_of_every_relu_and_bottleneck(trained_resnet, picture, tmp_path):
    loaded = network("resnet50", weights=trained_resnet)
    blocks = [f"layer{n + 1}.{k}" for n, count in enumerate((3, 4, 6, 3)) for k in range(count)]
    wanted = ["relu", *(f"{block}.relu{use}" for block in blocks for use in ("", "_1", "_2"))]
    assert set(wanted) <= set(loaded.layers)
    assert loaded(torch.zeros(2, 3, 32, 32), ["fc"])["fc"].shape == (2, 2)
    for layer in ("layer2.0.relu_1", "layer3.1.relu_2"):
        assert dreams(trained_resnet, "resnet50", [layer], picture, tmp_path) > 0.005


@pytest.mark.parametrize("name", ["vgg11", "vgg16", "vgg19", "resnet101", "resnet152"])
def test_an_epoch_of_large_networks(name, few):
    """Without checkpoints, which for these take gigabytes."""
    recipe = train.Recipe(network=name, side=32, epochs=1, batch=3, optimiser="sgd")
    pictures = train.dataset(few, side=32, held_out=0.25)
    training = train.Training(pictures, recipe, torch.device("cpu"))
    row = training.advance()
    assert training.finished
    assert math.isfinite(row.loss)
    assert row.held_out_accuracy in (0, 0.5, 1)


def test_a_trained_vgg_loads_with_every_relu(few, tmp_path):
    out = tmp_path / "few.safetensors"
    options = {"network": "vgg11", "side": 32, "epochs": 1, "batch": 4, "optimiser": "sgd"}
    train.train(few, out, **options)
    loaded = network("vgg11", weights=out)
    relus = [layer for layer in loaded.layers if layer.startswith("features.")]
    for number in (1, 4, 7, 9, 12, 14, 17, 19):
        assert f"features.{number}" in relus
    assert loaded(torch.zeros(1, 3, 32, 32), ["classifier.6"])["classifier.6"].shape == (1, 2)
    assert metadata(out)["network"] == "vgg11"


def test_it_goes_on_from_weights(trained_pocket, trained_resnet, few, tmp_path):
    """The layers start as they are in the file; the head is new."""
    for name, weights in (("pocket", trained_pocket), ("resnet50", trained_resnet)):
        recipe = train.Recipe(network=name, weights=weights, side=32)
        training = train.Training(train.dataset(few, side=32), recipe, torch.device("cpu"))
        held, _ = training.tensors(training.module.state_dict())
        with safe_open(weights, "pt") as opened:
            first = next(iter(opened.keys()))
            head = "head.weight" if name == "pocket" else "fc.weight"
            assert torch.equal(held[first], opened.get_tensor(first))
            assert not torch.equal(held[head][0], opened.get_tensor(head)[0])
            if name == "pocket":
                assert torch.equal(held["units"], opened.get_tensor("units"))
    out = train.train(few, tmp_path / "own.safetensors", pretrained=True, epochs=1, batch=4)
    assert network("pocket", weights=out).layers[:-1] == network("pocket").layers


def test_views_and_splits_depend_on_their_keys_alone(shapes):
    views, path = train.Views(40), shapes / "star" / "00.png"
    assert torch.equal(views.varied(path, (1, 2, 3)), train.Views(40).varied(path, (1, 2, 3)))
    assert not torch.equal(views.varied(path, (1, 2, 3)), views.varied(path, (1, 2, 4)))
    once, twice = (train.dataset(shapes, side=40, seed=3) for _ in range(2))
    other = train.dataset(shapes, side=40, seed=4)
    assert once[:3] == twice[:3] != other[:3]
    counts = np.bincount([example.label for example in once.held_out])
    assert counts.tolist() == [12] * 6
    assert not set(once.held_out) & set(once.training)


def test_killed_and_resumed_equals_unbroken(few, tmp_path):
    options = ["--side", "32", "--batch", "2", "--epochs", "12", "--seed", "3"]
    whole, broken = tmp_path / "whole.safetensors", tmp_path / "broken.safetensors"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    made = run_cli("train", few, "-o", whole, *options, env=environment)
    assert made.returncode == 0, made.stderr
    assert made.stdout == f"{whole}\n"
    command = [sys.executable, "-m", "dreamvid", "train", str(few), "-o", str(broken), *options]
    table = Path(f"{broken}.training/accuracy.csv")
    for stop in (signal.SIGKILL, signal.SIGINT):
        before = table.stat().st_mtime_ns if table.exists() else 0
        run = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
        while run.poll() is None and not (table.exists() and table.stat().st_mtime_ns > before):
            time.sleep(0.005)
        run.send_signal(stop)
        said = run.communicate()[1]
        assert run.returncode == (-9 if stop == signal.SIGKILL else 130), said
        assert not broken.exists()
        command = [*command[:7], "--resume"]
    assert f"go on with `dreamvid train {few} -o {broken} --resume`" in said
    gone_on = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert gone_on.returncode == 0, gone_on.stderr
    assert " 0 of 12 epochs are done" not in gone_on.stderr
    assert broken.read_bytes() == whole.read_bytes()
    assert metadata(broken) == metadata(whole)
    mine, theirs = load_file(broken), load_file(whole)
    assert mine.keys() == theirs.keys()
    assert all(torch.equal(mine[name], theirs[name]) for name in mine)
    assert table.read_bytes() == Path(f"{whole}.training/accuracy.csv").read_bytes()


def test_unreadable_files_are_counted_and_left_out(few, tmp_path):
    folder = tmp_path / "in"
    draw_folder(folder, 3, KINDS[:2])
    (folder / "cross" / "notes.txt").write_text("no picture")
    (folder / "circle" / "torn.png").write_bytes((folder / "circle/00.png").read_bytes()[:500])
    (folder / "circle" / ".hidden").write_text("not looked at")
    out = tmp_path / "out.safetensors"
    made = run_cli("train", folder, "-o", out, "--side", 32, "--epochs", 1, "--batch", 2)
    assert made.returncode == 0, made.stderr
    assert "2 files cannot be read, left out: torn.png, notes.txt" in made.stderr
    assert "4 pictures to train on, 2 held out" in made.stderr


@pytest.fixture
def bad_folders(few, tmp_path):
    """Folders that cannot be trained on, and one that can."""
    folder = tmp_path / "in"
    draw_folder(folder / "good", 3, KINDS[:2])
    draw_folder(folder / "one class", 3, KINDS[:1])
    draw_folder(folder / "scarce", 2, KINDS[:2])
    (folder / "scarce" / "cross" / "00.png").write_text("no picture")
    (folder / "empty").mkdir()
    (folder / "flat").mkdir()
    drawn_shape("star", np.random.default_rng(1)).save(folder / "flat" / "star.png")
    (folder / "file").write_text("no folder")
    (folder / "there.safetensors").write_bytes(b"older")
    (folder / "begun.safetensors.training").mkdir()
    (folder / "begun.safetensors.training" / "training.json").write_text("{}")
    return folder


BAD = {
    "missing": (["missing"], "no such folder"),
    "a file": (["file"], "is a file"),
    "no pictures": (["empty"], "no pictures"),
    "no classes": (["flat"], "no pictures in class folders"),
    "one class": (["one class"], "only one class (circle)"),
    "too few": (["scarce"], "1 of 2 files are pictures"),
    "existing": (["good", "-o", "there.safetensors"], "--overwrite"),
    "begun": (["good", "-o", "begun.safetensors"], "--resume"),
    "damaged": (["good", "-o", "begun.safetensors", "--resume"], "cannot be read"),
    "suffix": (["good", "-o", "weights.pth"], "expected .safetensors"),
    "no folder": (["good", "-o", "nowhere/out.safetensors"], "nowhere"),
    "network": (["good", "--network", "resnet5"], "did you mean one of resnet50"),
    "untrainable": (["good", "--network", "googlenet"], "torchvision"),
    "weights": (["good", "--weights", "missing.safetensors"], "no such file"),
    "two starts": (["good", "--weights", "there.safetensors", "--pretrained"], "one of them"),
    "side": (["good", "--side", "20"], "train.side"),
    "epochs": (["good", "--epochs", "0"], "train.epochs"),
    "batch": (["good", "--batch", "many"], "train.batch"),
    "optimiser": (["good", "--optimiser", "adamm"], "did you mean 'adam'"),
    "rate": (["good", "--learning-rate", "nan"], "train.learning_rate"),
    "share": (["good", "--held-out", "1"], "train.held_out"),
    "device": (["good", "--device", "gpu9"], "machine.device"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_and_leaves_nothing(case, bad_folders, capsys, monkeypatch):
    """In this process: a new one for each case would import torch each time."""
    from dreamvid import cli

    arguments, words = BAD[case]
    monkeypatch.chdir(bad_folders)
    monkeypatch.setattr(sys, "argv", ["dreamvid", "train", *arguments])
    before = sorted(bad_folders.rglob("*"))
    with pytest.raises(SystemExit) as left:
        cli.main()
    said = capsys.readouterr()
    assert left.value.code == 2
    assert said.out == ""
    assert len(said.err.splitlines()) == 1, said.err
    assert words in said.err
    assert sorted(bad_folders.rglob("*")) == before


def test_a_full_disk_is_said_in_one_line(few, tmp_path):
    import resource

    out = tmp_path / "out.safetensors"
    options = ["--side", 32, "--epochs", 1, "--batch", 2, "--quiet"]

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))

    result = run_cli("train", few, "-o", out, *options, preexec_fn=limit)
    assert result.returncode == 74, result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["out.safetensors.training"]


def test_resuming_holds_on_to_the_recipe_and_the_pictures(tmp_path):
    folder = draw_folder(tmp_path / "in", 3, KINDS[:2])
    out = tmp_path / "out.safetensors"
    options = {"side": 32, "batch": 2, "epochs": 1}
    train.train(folder, out, **options)
    out.unlink()
    with pytest.raises(ResumeError, match="epochs 1 -> 2"):
        train.train(folder, out, resume=True, epochs=2)
    with pytest.raises(ResumeError, match="--resume to go on"):
        train.train(folder, out, **options)
    (folder / "cross" / "02.png").unlink()
    with pytest.raises(ResumeError, match="other pictures"):
        train.train(folder, out, resume=True)
    with locked(Path(f"{out}.training")), pytest.raises(DreamvidError) as held:
        train.train(folder, out, overwrite=True, **options)
    assert held.value.exit_status == 75


def test_patience_stops_early(few):
    recipe = train.Recipe(side=32, epochs=50, batch=2, patience=2, learning_rate=1e-9)
    training = train.Training(train.dataset(few, side=32), recipe, torch.device("cpu"))
    row = train.Row(1, 0.1, 1.0, 0.5, 1.0, 0.5)
    training.rows = [row, row._replace(epoch=2, held_out_loss=0.9)]
    assert not training.finished
    training.rows += [row._replace(epoch=3), row._replace(epoch=4)]
    assert training.best.epoch == 2
    assert training.finished


def test_weights_of_a_torchvision_network_need_no_file_to_be_trained():
    """From scratch means just that: nothing is looked for in the hub cache."""
    module, preprocessing = train.school(train.Recipe(network="squeezenet1_1"), 3, fresh=True)
    assert module.eval()(torch.zeros(1, 3, 64, 64)).shape == (1, 3)
    assert preprocessing.mean == (0.485, 0.456, 0.406)
