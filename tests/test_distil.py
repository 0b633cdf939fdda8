"""Distillation: the formulas, a tiny teacher's student, and everything that can go wrong."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from torch import nn
from torch.nn import functional as F

from dreamvid import media
from dreamvid.dream.dreamer import Dreamer
from dreamvid.errors import DreamvidError
from dreamvid.frames import Size, noise, quantised
from dreamvid.jobs.progress import Silence
from dreamvid.networks import network
from dreamvid.networks.base import Network, Preprocessing
from dreamvid.networks.googlenet import GoogLeNet
from dreamvid.networks.layers import Choice
from dreamvid.networks.pocket import STAGES, Pocket
from dreamvid.settings import OctaveSettings, Settings
from dreamvid.training import distil
from dreamvid.training.distil.checkpoints import read_checkpoint
from dreamvid.training.distil.folder import training_folder
from dreamvid.training.distil.student import (
    GOOGLENET_LAYERS,
    check_size,
    stages_for,
    teacher_layers,
)

MEAN, STD = (0.5, 0.45, 0.4), (0.2, 0.25, 0.3)
SMALL = {"steps": 12, "batch": 4, "side": 40, "pool": 16, "learning_rate": 1e-2}


class Tiny(Network):
    """A teacher of three layers with strides 4, 4 and 8."""

    name = "tiny"
    preprocessing = Preprocessing(mean=MEAN, std=STD)
    favourite = "b/out"
    layers = ("early", "a/out", "b/out", "c/out")

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(5)
        shapes = ((8, 3, 3, 3), (12, 8, 3, 3), (16, 12, 3, 3))
        self.filters = nn.ParameterList(
            torch.randn(shape, generator=generator) / (9 * shape[1]) ** 0.5 for shape in shapes
        )

    def activations(self, inputs):
        x = F.relu(F.conv2d(inputs, self.filters[0], stride=2, padding=1))
        yield "early", x
        yield "a/out", (x := F.max_pool2d(x, 2))
        yield "b/out", (x := F.relu(F.conv2d(x, self.filters[1], padding=1)))
        yield "c/out", F.relu(F.conv2d(F.max_pool2d(x, 2), self.filters[2], padding=1))


class Backwards(Tiny):
    """`Tiny` as a network that takes its channels in the other order."""

    preprocessing = Preprocessing("BGR", mean=MEAN[::-1], std=STD[::-1])

    def __init__(self) -> None:
        super().__init__()
        self.filters[0] = self.filters[0].data.flip(1)


def tiny(*, weights: Path | None = None) -> Tiny:
    """A teacher of three layers."""
    return Tiny()


CLI = (
    "from test_distil import tiny; from dreamvid.networks import networks; "
    "networks.register(tiny); from dreamvid.cli import main; main()"
)
FLAGS = ("--steps", 12, "--batch", 4, "--side", 40, "--set", "pool=16", "--every", 3)
LAYERS = ("--layers", "a/out,b/out,c/out")


def started(*arguments, limit: int | None = None) -> "subprocess.Popen[str]":
    """`dreamvid distil tiny ARGUMENTS`, perhaps where no file can be larger than `limit`."""
    code = CLI
    if limit:
        code = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({limit},) * 2); {code}"
    return subprocess.Popen(
        [sys.executable, "-c", code, "distil", *map(str, arguments), "--device", "cpu"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent), "OMP_NUM_THREADS": "1"},
    )


def finished(process: "subprocess.Popen[str]") -> tuple[int, str]:
    _, errors = process.communicate(timeout=300)
    return process.returncode, errors


@pytest.fixture
def teacher():
    return Tiny().eval().requires_grad_(False)


@pytest.fixture
def images(tmp_path):
    """Twelve pictures, one of them in a subfolder; the eleventh is held out."""
    folder = tmp_path / "images"
    (folder / "sub").mkdir(parents=True)
    for index in range(12):
        place = folder / "sub" if index == 11 else folder
        picture = noise(Size(60, 72), (index,), contrast=0.2)
        media.write_picture(picture, place / f"{index:02}.png")
    return folder


def made(teacher, images, out, options=None, **others):
    recipe = distil.recipe_of({**SMALL, **(options or {})})
    options = {"layers": "a/out,b/out,c/out", "every": 3, "recipe": recipe, **others}
    return distil.make(teacher, images, out, **options)


class Told(Silence):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.lines = []

    def say(self, text):
        self.lines.append(text)


# The formulas.


def test_smoothed_is_a_gaussian_of_each_channel():
    spike = torch.zeros(2, 3, 21, 25)
    spike[1, 2, 9, 11] = 2.0
    found = distil.smoothed(spike, 2.0)
    rows = torch.exp(-((torch.arange(21) - 9.0) ** 2) / 8) * ((torch.arange(21) - 9).abs() <= 6)
    columns = torch.exp(-((torch.arange(25) - 11.0) ** 2) / 8) * (
        (torch.arange(25) - 11).abs() <= 6
    )
    expected = 2 * torch.outer(rows / rows.sum(), columns / columns.sum())
    torch.testing.assert_close(found[1, 2], expected)
    assert found.sum().item() == pytest.approx(2.0, rel=1e-5)
    assert not found[0].any()
    assert not found[1, :2].any()
    assert distil.smoothed(spike, 0.0) is spike


def test_cosine_is_of_each_picture():
    first, second = torch.randn(2, 4, 3, 5, 7, generator=torch.Generator().manual_seed(1))
    found = distil.cosine(first, second)
    for index in range(4):
        a, b = first[index].flatten().double(), second[index].flatten().double()
        assert found[index].item() == pytest.approx((a @ b / (a @ a * (b @ b)).sqrt()).item(), 1e-5)
    torch.testing.assert_close(distil.cosine(first, -3 * first), -torch.ones(4))


def test_phases(teacher):
    recipe = distil.Recipe(100, 2, 32, alone=0.2, handover=0.1, direction=0.5, pool=4)
    pictures = [torch.zeros(3, 40, 40, dtype=torch.uint8)]
    stages = stages_for(teacher, ("a/out", "b/out"))
    distillation = distil.Distillation(
        teacher, ("a/out", "b/out"), Pocket(stages), pictures, recipe
    )
    for step, own, direction in (
        (0, 0, 0),
        (20, 0, 0),
        (25, 0.5, 0),
        (30, 1, 0),
        (35, 1, 0.25),
        (40, 1, 0.5),
        (99, 1, 0.5),
    ):
        distillation.step = step
        assert distillation.phase() == pytest.approx((own, direction))


def test_the_order_of_a_teachers_channels_does_not_matter():
    """What is learned, and where pictures drift, is the same from RGB and from BGR."""
    ends = []
    for kind in (Tiny, Backwards):
        taught = kind().eval().requires_grad_(False)
        layers = ("a/out", "b/out", "c/out")
        recipe = distil.recipe_of({**SMALL, "steps": 5, "alone": 0.0, "handover": 0.0})
        pictures = [(noise(Size(60, 72), (i,)) * 255).byte() for i in range(3)]
        student = Pocket(stages_for(taught, layers))
        distillation = distil.Distillation(taught, layers, student, pictures, recipe)
        losses = [distillation.advance() for _ in range(5)]
        assert "direction" in losses[-1]
        ends.append((losses, distillation.pool.pictures))
    for first, second in zip(ends[0][0], ends[1][0], strict=True):
        assert first == pytest.approx(second, rel=1e-3)
    assert (ends[0][1] - ends[1][1]).abs().mean() < 1e-4


# Fidelity.


def test_a_student_that_is_its_teacher_is_faithful(teacher):
    pictures = [noise(Size(90, 70), (index,)) for index in range(2)]
    found = distil.fidelity(teacher, teacher, pictures, ("b/out", "b/out"), side=96)
    assert found.pictures == 2
    assert found.rise_by_teacher > 1.2
    assert (found.share, found.mean_share) == (1.0, 1.0)
    assert found.cosine == pytest.approx(1.0, abs=1e-6)
    assert found.cosine_dreamed == pytest.approx(1.0, abs=1e-6)


def test_fidelity_is_the_plain_quotient(teacher):
    """Against one picture at a time through a dreamer, and the definition written out."""
    other = Tiny().eval().requires_grad_(False)
    other.filters[0] = nn.Parameter(-other.filters[0].data, requires_grad=False)
    pictures = [noise(Size(96, 96), (index,)) for index in range(2)]
    found = distil.fidelity(teacher, other, pictures, ("b/out", "a/out"), side=96)

    def seen(picture):
        inputs = teacher.preprocessing.to_input(picture[None])
        return teacher(inputs, ["b/out"])["b/out"].square().mean().item() / 2

    settings = Settings(octaves=OctaveSettings(count=4, scale=1.4))
    ours = Dreamer(other, [Choice("a/out")], settings)
    theirs = Dreamer(teacher, [Choice("b/out")], settings)
    before = [seen(picture) for picture in pictures]
    student = [seen(ours(picture, (0, 0))) for picture in pictures]
    itself = [seen(theirs(picture, (0, 0))) for picture in pictures]
    assert found.rise_by_student == pytest.approx(sum(student) / sum(before), rel=1e-4)
    assert found.rise_by_teacher == pytest.approx(sum(itself) / sum(before), rel=1e-4)
    assert found.share == pytest.approx(sum(student) / sum(itself), rel=1e-4)
    ratios = [after / start for after, start in zip(student, before, strict=True)]
    assert found.mean_rise_by_student == pytest.approx(sum(ratios) / 2, rel=1e-4)
    assert found.share < 1
    assert found.cosine < 0.9


# The students' shapes.


def test_googlenets_student_is_the_package_s():
    with torch.device("meta"):
        googlenet = GoogLeNet()
    assert teacher_layers(googlenet, None) == GOOGLENET_LAYERS
    assert stages_for(googlenet, GOOGLENET_LAYERS) == STAGES
    check_size(STAGES)


def test_stages_follow_the_teachers_strides(teacher):
    stages = stages_for(teacher, ("a/out", "b/out", "c/out"))
    assert [tuple(stage) for stage in stages] == [
        ("a_out", 8, 0, 0, False, False),
        ("b_out", 12, 48, 1, False, False),
        ("c_out", 16, 64, 1, True, False),
    ]
    assert teacher_layers(teacher, "c/out, ?/out") == ("a/out", "b/out", "c/out")


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        (None, "--layers"),
        ("a/out", "got 1 layers"),
        ("a/out,d/out", "no layer 'd/out'"),
        ("a/out:3,b/out", "whole layer"),
        ("early,a/out", "stride 2, expected 4; begin with one of a/out, b/out"),
    ],
)
def test_layers_that_cannot_be_learned(teacher, images, tmp_path, layers, words):
    with pytest.raises(DreamvidError, match=words) as caught:
        made(teacher, images, tmp_path / "s.safetensors", layers=layers)
    assert "\n" not in str(caught.value)
    assert not training_folder(tmp_path / "s.safetensors").exists()


# The whole way.


def test_a_student_learns_and_dreams(teacher, images, tmp_path):
    (images / "notes.txt").write_text("not a picture")
    media.write_picture(torch.zeros(3, 17, 60), images / "00small.png")
    out, told = tmp_path / "student.safetensors", Told()
    found = made(teacher, images, out, {"steps": 40}, every=20, progress=told)
    assert found.pictures == 1
    assert "1 of 13 files cannot be read" in told.lines[1]
    assert "1 have sides under 20 pixels" in told.lines[1]
    assert "notes.txt" in told.lines[1]

    folder = training_folder(out)
    losses = distil_losses(folder)
    assert len(losses) == 40
    assert sum(losses[-5:]) < 0.7 * sum(losses[:5])
    assert (folder / "losses.png").stat().st_size > 5000
    assert media.read_picture(folder / "samples/step-000040.png").shape == (3, 480, 320)
    with safe_open(out, "pt") as opened:
        about = opened.metadata()
        kinds = {key: opened.get_tensor(key).dtype for key in opened.keys()}  # noqa: SIM118
    assert (about["network"], about["teacher"], about["steps"]) == ("pocket", "tiny", "40")
    assert json.loads(about["layers"]) == ["a/out", "b/out", "c/out"]
    assert json.loads(about["recipe"])["steps"] == 40
    assert kinds.pop("units") == torch.float32
    assert set(kinds.values()) == {torch.float16}
    assert (folder / "latest.safetensors").read_bytes() == out.read_bytes()

    student = network("pocket", weights=out, precision="fp32")
    start = noise(Size(64, 80), (1,))
    dreamed = Dreamer(student, [Choice("b_out")], Settings(octaves=OctaveSettings(count=2)))(
        start, (0, 0)
    )
    assert (quantised(dreamed) - start).abs().mean() > 0.01
    assert distil.check(out, teacher, images) == found


def distil_losses(folder):
    rows = (folder / "losses.csv").read_text().splitlines()
    assert rows[0] == "step,a_out,b_out,c_out,direction"
    return [sum(map(float, row.split(",")[1:4])) for row in rows[1:]]


def test_a_killed_run_goes_on_to_the_same_file(teacher, images, tmp_path):
    whole, broken = tmp_path / "whole.safetensors", tmp_path / "broken.safetensors"
    common = ("--images", images, *LAYERS, *FLAGS)
    killed = started("tiny", *common, "-o", broken)
    checkpoint = training_folder(broken) / "checkpoint.pt"
    end = time.monotonic() + 120
    while not checkpoint.exists() and time.monotonic() < end:
        time.sleep(0.005)
    killed.kill()
    killed.communicate()
    assert not broken.exists()
    assert 3 <= read_checkpoint(checkpoint)["step"] < 12
    # The other door, with what the command line would do: the file is the same.
    cpu = torch.device("cpu")
    taught = teacher.to(memory_format=torch.channels_last)
    halved = distil.in_bfloat16("auto", cpu)
    made(taught, images, whole, {"learning_rate": 2e-3}, bfloat16=halved)

    with pytest.raises(DreamvidError, match="exists already; go on with --resume"):
        made(teacher, images, broken)
    with pytest.raises(DreamvidError, match=r"recipe.fresh 2 -> 1.*start anew") as caught:
        made(teacher, images, broken, {"learning_rate": 2e-3, "fresh": 1}, resume=True)
    assert "recipe.pool" not in str(caught.value)

    status, errors = finished(started("tiny", *common, "-o", broken, "--resume"))
    assert status == 0, errors
    assert "steps are there already" in errors
    assert broken.read_bytes() == whole.read_bytes()
    tables = [training_folder(path) / "losses.csv" for path in (whole, broken)]
    assert tables[0].read_text() == tables[1].read_text()


def test_a_full_disk_leaves_the_last_checkpoint(images, tmp_path):
    out = tmp_path / "s.safetensors"
    common = ("tiny", "--images", images, *LAYERS, *FLAGS, "-o", out)
    running = started(*common)
    checkpoint = training_folder(out) / "checkpoint.pt"
    while not checkpoint.exists() and running.poll() is None:
        time.sleep(0.005)
    running.send_signal(signal.SIGTERM)
    status, errors = finished(running)
    assert status == 143
    assert errors.splitlines()[-1] == "dreamvid: stopped; go on with the same command with --resume"
    before = read_checkpoint(checkpoint)["step"]
    status, errors = finished(started(*common, "--resume", limit=50_000))
    assert status == 74, errors
    assert "checkpoint.pt" in errors.splitlines()[-1]
    assert read_checkpoint(checkpoint)["step"] == before
    assert not list(training_folder(out).glob(".*"))


def test_bad_input_is_refused_before_anything_is_made(teacher, images, tmp_path):
    empty, out = tmp_path / "empty", tmp_path / "s.safetensors"
    empty.mkdir()
    (tmp_path / "there.safetensors").write_bytes(b"")
    (tmp_path / "words").mkdir()
    (tmp_path / "words/a.txt").write_text("words")
    for arguments, words in (
        ((teacher, empty, out), "holds no pictures"),
        ((teacher, tmp_path / "nowhere", out), "no such folder"),
        ((teacher, tmp_path / "words", out), "1 of 1 files cannot be read"),
        ((teacher, images, tmp_path / "s.pt"), "written as .safetensors"),
        ((teacher, images, tmp_path / "there.safetensors"), "exists already"),
    ):
        with pytest.raises(DreamvidError, match=words) as caught:
            made(*arguments)
        assert "\n" not in str(caught.value)
        assert not training_folder(arguments[2]).exists()
    with pytest.raises(DreamvidError, match="no training to resume"):
        made(teacher, images, out, resume=True)
    training_folder(out).mkdir()
    (training_folder(out) / "thesis.doc").touch()
    with pytest.raises(DreamvidError, match="not a training folder"):
        made(teacher, images, out, overwrite=True)


def test_recipes():
    assert distil.recipe_of({}) == distil.Recipe()
    found = distil.recipe_of(distil.recipe_assigned(["pool=50", "learning_rate=1"]))
    assert found == distil.Recipe(pool=50, learning_rate=1.0)
    for texts, words in (
        (["pol=5"], "did you mean 'pool'"),
        (["pool"], "expected name=value"),
        (["alone=2"], "expected 0 to 1"),
        (["pool=8"], "batch at most pool"),
        (["steps=1.5"], "expected a whole number"),
    ):
        with pytest.raises(DreamvidError, match=words):
            distil.recipe_of(distil.recipe_assigned(texts))


def test_a_teacher_without_weights_is_one_line(tmp_path):
    status, errors = finished(started("googlenet", "--images", tmp_path))
    assert (status, errors.count("\n")) == (2, 1)
    assert "no weights" in errors


def test_an_unfaithful_checkpoint_is_one_line(tmp_path):
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(b"PK\3\4 torn")
    with pytest.raises(DreamvidError, match="damaged, or no checkpoint"):
        read_checkpoint(path)
