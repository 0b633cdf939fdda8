"""Plugins: one file adds one of everything, keeps all laws and makes a film; bad ones are named."""

import hashlib
import json
import shutil
import sys
from pathlib import Path

import laws
import pytest
from conftest import call_cli

import dreamvid
from dreamvid import media
from dreamvid.errors import ResumeError, SettingsError
from dreamvid.film.carries import carries
from dreamvid.frames import Size
from dreamvid.jobs.folder import Job
from dreamvid.jobs.resuming import resume
from dreamvid.media.encoders import encoders
from dreamvid.motion.motions import motions
from dreamvid.networks import network, networks, sketch
from dreamvid.objectives import objectives
from dreamvid.registry import Registry
from dreamvid.settings import plugin_loading, presets

pytestmark = pytest.mark.usefixtures("no_plugin_stays")

PACKAGE = Path(dreamvid.__file__).parent
WHOLE = '''
"""One of everything."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from dreamvid.plugins import (
    ClassLabel, Clock, Encoding, Frame, Network, Picture, PictureSide, Preprocessing, Situation,
    Size, Start, Within, carry, encoder, motion, network, objective, presets,
)

presets(Path(__file__).parent / "looks")


@motion
def drift(
    points: Tensor, clock: Clock, size: Size, *,
    speed: Annotated[float, Within(-10, 10, scheduled=True)] = 0.1,
) -> Tensor:
    """Move the content up, `speed` heights a second."""
    shift = torch.tensor([0.0, -speed * size.height * clock.step])
    return points - shift[:, None, None]


@objective
def likeness(
    activation: Tensor, reference: Tensor, *,
    model: Picture, longest: PictureSide = 64,
    strength: Annotated[float, Within(0, 10, scheduled=True)] = 1.0,
) -> Tensor:
    """Along the mean of what the layer sees in `model`."""
    along = reference.mean((2, 3), keepdim=True)
    return strength * (activation * along).mean((1, 2, 3))


@carry(independent=lambda options: options["kind"] == "plain")
def halves(situation: Situation, *, kind: Literal["plain", "mixed"] = "mixed") -> Start:
    """Half of each new frame over half of the last dream, or the frame alone."""
    frame = situation.moment.frame
    if kind == "mixed" and situation.previous is not None:
        return Start((frame + situation.previous) / 2, draw=situation.index)
    return Start(frame)


@encoder
def mk3d(*, crf: Annotated[int, Within(0, 51)] = 5) -> Encoding:
    """H.264 in Matroska."""
    video = ("-c:v", "libx264", "-crf", str(crf), "-pix_fmt", "yuv420p")
    return Encoding((*video, "-f", "matroska"), Size(2, 2))


class Small(Network):
    name = "small"
    layers = ("edges", "corners")
    favourite = "corners"
    smallest_side = 8
    preprocessing = Preprocessing(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))

    def __init__(self, width: int = 6) -> None:
        super().__init__()
        self.edges = nn.Conv2d(3, width, 3, stride=2, padding=1)
        self.corners = nn.Conv2d(width, width, 3, padding=1)

    def activations(self, inputs: Tensor) -> Iterator[tuple[str, Tensor]]:
        yield "edges", (x := self.edges(inputs).relu())
        yield "corners", self.corners(x).relu()


@network(sketch=Small)
def small(*, weights: Path | None = None, width: Annotated[int, Within(1, 99)] = 6) -> Small:
    """Two convolutions of random weights."""
    torch.manual_seed(width)
    return Small(width)
'''
LOOK = """about = "Softly, by a network of one's own."
[network]
name = "small"
options.small.width = 7
[octaves]
count = 2
[ascent]
iterations = 2
step_size = 3.0
"""
TINY = """from dreamvid.plugins import motion

@motion
def wobble(points, clock, size, *, rate: float = RATE):
    "Wobble."
    return points
"""


@pytest.fixture
def plugin(tmp_path):
    (tmp_path / "looks").mkdir()
    (tmp_path / "looks" / "soft.toml").write_text(LOOK)
    path = tmp_path / "mine.py"
    path.write_text(WHOLE)
    return path


@pytest.fixture
def seed(tmp_path, picture):
    media.write_picture(picture, tmp_path / "seed.png")
    return tmp_path / "seed.png"


def written(folder, text, name="bad.py"):
    (folder / name).write_text(text)
    return folder / name


def refused(path):
    """The one line that says why a plugin cannot be loaded; nothing of it stays."""
    before = plugin_loading._everything()
    with pytest.raises(SettingsError) as caught:
        plugin_loading.load([path])
    assert plugin_loading._everything() == before
    line = str(caught.value)
    assert "\n" not in line
    assert line.startswith(f"plugin {path}: ")
    return line


def test_what_a_plugin_adds_keeps_every_law(plugin, picture, tmp_path):
    before = {registry: set(registry.functions) for registry in Registry.all}
    plugin_loading.load([plugin])
    added = {each.kind: set(each.functions) - known for each, known in before.items()}
    assert {kind: names for kind, names in added.items() if names} == {
        "motion": {"drift"},
        "objective": {"likeness"},
        "carry": {"halves"},
        "encoder": {"mk3d"},
        "network": {"small"},
    }
    laws.still_at_the_start("drift")
    laws.as_fast_at_any_rate("drift")
    laws.rises("likeness", picture, tmp_path)
    laws.each_picture_has_its_own_gain("likeness", picture, tmp_path)
    for kind in ("plain", "mixed"):
        laws.carries_as_it_says("halves", picture, {"kind": kind})
    (tmp_path / "films").mkdir()
    laws.gives_back_its_frames("mk3d", tmp_path / "films", size=Size(33, 47), count=5, comment="é")
    net = network("small", precision="fp32", options={"small": {"width": 9}})
    assert net.edges.out_channels == 9
    assert sketch("small").edges.weight.is_meta
    laws.layers_alone_are_those_among_others(net)
    laws.the_gradient_reaches_the_picture(net)
    laws.the_smallest_picture_is_taken(net)
    laws.preprocessing_is_undone(net)
    assert "soft" in presets.names()
    laws.preset_dreams("soft", picture)
    for registry, name in (
        (motions, "drift"),
        (objectives, "likeness"),
        (carries, "halves"),
        (encoders, "mk3d"),
        (networks, "small"),
    ):
        assert registry.summary(name)


def test_a_film_with_all_that_a_plugin_adds(plugin, seed, tmp_path):
    """A motion, an objective, a preset, a network and an encoder; then the carry over the film."""
    package = {path: path.read_bytes() for path in PACKAGE.rglob("*.py")}
    common = [
        *("--plugin", plugin, "--preset", "soft", "--size", "64x48", "--quiet"),
        *("--set", "objective.name=likeness", "--set", "objective.model=seed.png"),
        *("--set", "objective.strength=0: (0.5), 2: (2)"),
    ]
    first = call_cli(
        *("zoom", seed, *common, "--frames", 3, "--motion", "drift", "-o", "first.mk3d"),
        *("--set", "motion.drift.speed=0.2 + t"),
        cwd=tmp_path,
    )
    assert (first.returncode, first.stderr) == (0, "")
    then = call_cli(
        *("video", "first.mk3d", *common, "--carry", "halves", "-o", "second.mk3d"), cwd=tmp_path
    )
    assert (then.returncode, then.stderr) == (0, "")
    assert media.probe(tmp_path / "second.mk3d").frames == 3
    told = json.loads((tmp_path / "second.mk3d.dream" / "job.json").read_text())
    digest = hashlib.sha256(plugin.read_bytes()).hexdigest()
    assert told["plugins"] == {str(plugin): digest}
    assert told["settings"]["plugins"] == [str(plugin)]
    assert told["settings"]["network"]["options"] == {"small": {"width": 7}}
    assert {path: path.read_bytes() for path in PACKAGE.rglob("*.py")} == package
    assert not (tmp_path / "__pycache__").exists()


def test_lists_show_what_a_plugin_adds(plugin):
    for kind, words in (
        ("motions", "drift"),
        ("presets", "soft"),
        ("networks", "width=6"),
        ("objectives", "strength*=1.0"),
    ):
        listed = call_cli("list", kind, "--plugin", plugin)
        assert listed.returncode == 0
        assert words in listed.stdout


def test_settings_files_name_plugins_beside_them(plugin, seed, tmp_path):
    (tmp_path / "far").mkdir()
    config = tmp_path / "film.toml"
    config.write_text('plugins = ["mine.py"]\n[motion.drift]\nspeed = 0.5\n[film]\nframes = 1\n')
    quick = ["--size", "64x48", "--octaves", 1, "--iterations", 1, "--quiet"]
    out = tmp_path / "far" / "film.apng"
    done = call_cli("zoom", seed, "--config", config, "-o", out, *quick, cwd=tmp_path / "far")
    assert (done.returncode, done.stderr) == (0, "")
    assert Job.open(tmp_path / "far" / "film.apng.dream").manifest.settings.plugins == (
        str(plugin),
    )
    # A preset may name its own, and be given by its path.
    plugin_loading._loaded.clear()
    made = dreamvid.zoom(
        seed,
        tmp_path / "by-preset.apng",
        preset=str(config),
        size="64x48",
        octaves=1,
        iterations=1,
    )
    assert media.probe(made).frames == 1


def test_a_job_loads_its_plugins_and_refuses_others(seed, tmp_path):
    path = written(tmp_path, TINY.replace("RATE", "0.5"), "mine.py")
    few = {"octaves": 1, "iterations": 1, "size": "64x48", "motion": "wobble", "frames": 1}
    out = tmp_path / "film.apng"
    dreamvid.zoom(seed, out, plugins=[path], **few)
    folder = tmp_path / "film.apng.dream"
    plugin_loading._forget(plugin_loading._loaded.pop(str(path)))
    assert "wobble" not in motions.names()
    resume(Job.open(folder), frames=2, overwrite=True)
    assert media.probe(out).frames == 2
    path.write_text(TINY.replace("RATE", "0.6"))
    with pytest.raises(ResumeError, match=r"mine\.py: not the plugin the job began with \(SHA"):
        resume(Job.open(folder), frames=3, overwrite=True)
    out.unlink()
    with pytest.raises(ResumeError, match="made with other plugins"):
        dreamvid.zoom(seed, out, plugins=[path], **few)
    path.unlink()
    with pytest.raises(ResumeError, match="it is not there"):
        resume(Job.open(folder), frames=3, overwrite=True)


def test_a_folder_of_pictures_records_its_plugins(picture, tmp_path):
    (tmp_path / "photos").mkdir()
    media.write_picture(picture, tmp_path / "photos" / "a.png")
    path = written(tmp_path, TINY.replace("RATE", "0.5"), "mine.py")
    few = {"octaves": 1, "iterations": 1, "plugins": [path]}
    for _ in range(2):
        made = dreamvid.image(tmp_path / "photos", **few)
    path.write_text(TINY.replace("RATE", "0.6"))
    with pytest.raises(ResumeError, match="other plugins"):
        dreamvid.image(tmp_path / "photos", **few)
    assert (made / "a.png").is_file()


def test_a_plugin_that_was_changed_is_loaded_again(tmp_path):
    path = written(tmp_path, TINY.replace("RATE", "0.5"))
    plugin_loading.load([path, path])
    plugin_loading.load([path])
    path.write_text(TINY.replace("RATE", "0.7").replace("wobble", "wave"))
    plugin_loading.load([path])
    assert "wobble" not in motions.names()
    assert motions.options("wave")["rate"].default == 0.7


def test_a_film_s_metadata_runs_nothing(seed, tmp_path):
    path = written(tmp_path, TINY.replace("RATE", "0.5"), "mine.py")
    few = {"octaves": 1, "iterations": 1, "size": "64x48", "frames": 1}
    made = dreamvid.zoom(seed, tmp_path / "film.apng", plugins=[path], **few)
    path.write_text("raise SystemExit('run')")
    again = dreamvid.zoom(seed, tmp_path / "again.apng", config=made, octaves=1, iterations=1)
    assert again.is_file()


def test_installed_plugins_are_found_by_their_entry_point(seed, tmp_path, monkeypatch):
    package = tmp_path / "site"
    (package / "wobbly-1.0.dist-info").mkdir(parents=True)
    (package / "wobbly-1.0.dist-info" / "METADATA").write_text("Name: wobbly\nVersion: 1.0\n")
    (package / "wobbly-1.0.dist-info" / "entry_points.txt").write_text(
        "[dreamvid.plugins]\nwobbly = wobbly_motions\n"
    )
    written(package, TINY.replace("RATE", "0.5"), "wobbly_motions.py")
    monkeypatch.syspath_prepend(str(package))
    monkeypatch.delitem(sys.modules, "wobbly_motions", raising=False)
    few = {"octaves": 1, "iterations": 1, "size": "64x48", "frames": 1}
    dreamvid.zoom(seed, tmp_path / "film.apng", motion="wobble", **few)
    manifest = Job.open(tmp_path / "film.apng.dream").manifest
    assert list(manifest.plugins) == ["installed plugin wobbly"]
    dreamvid.zoom(seed, tmp_path / "other.apng", motion="hold", **few)
    assert Job.open(tmp_path / "other.apng.dream").manifest.plugins == {}
    # Gone again, the job that needs it says so.
    shutil.rmtree(package / "wobbly-1.0.dist-info")
    plugin_loading._loaded.clear()
    with pytest.raises(ResumeError, match=r"plugin wobbly: .*it is not there"):
        resume(Job.open(tmp_path / "film.apng.dream"), frames=2)


HEAD = "from dreamvid.plugins import *\nfrom dreamvid import plugins\n"
BAD = {
    "raises": ("x = 1\nx / 0\n", "raises ZeroDivisionError in line 2: division by zero"),
    "leaves": ("raise SystemExit('bye')", "raises SystemExit in line 1: bye"),
    "slip": ("def f(:\n", "raises SyntaxError"),
    "many lines": ("raise ValueError('one\\ntwo')", "raises ValueError in line 1: one two"),
    "adds nothing": ("import math\n", "adds nothing"),
    "a name of ours": (
        HEAD + "@motion\ndef zoom(points, clock, size):\n    'Mine.'\n    return points\n",
        "motion zoom: there is a motion of that name already",
    ),
    "a name of torchvision's": (
        HEAD + "@network\ndef vgg16(*, weights: int | None = None):\n    'Mine.'\n",
        "network vgg16: there is a network of that name already",
    ),
    "half": (
        TINY.replace("RATE", "0.5") + "raise OSError('later')\n",
        "raises OSError in line 7: later",
    ),
    "misspelt": (
        HEAD + "@objective\ndef more(activations):\n    'More.'\n",
        "objective more: there is no 'activations' to look at; did you mean 'activation'?",
    ),
    "misspelt motion": (
        HEAD + "@motion\ndef sway(points, clok, size):\n    'Sway.'\n",
        "motion sway: its positional parameters are points, clok, size, expected points, clock, "
        "size; did you mean 'clock'?",
    ),
    "option before the star": (
        HEAD + "@carry\ndef over(situation, share: float = 0.5):\n    'Over.'\n",
        "expected situation; options come after a *",
    ),
    "missing option": (
        HEAD + "@objective\ndef like(activation, aligned):\n    'Like.'\n",
        "objective like: looks at 'aligned' but has no option that is a Picture",
    ),
    "two pictures": (
        HEAD + "@objective\ndef like(aligned, *, a: Picture, b: Picture):\n    'Like.'\n",
        "its options a and b are both its picture",
    ),
    "no weights": (
        HEAD + "@network\ndef deepest():\n    'Deep.'\n",
        "network deepest: takes no weights",
    ),
    "no type": (
        HEAD + "@encoder\ndef mpg(*, crf=3):\n    'MPEG.'\n",
        "encoder mpg: its option 'crf' has no type",
    ),
    "a strange type": (
        HEAD + "@flow\ndef mine(now, then, *, levels: list = ()):\n    'Mine.'\n",
        "flow method mine: its option 'levels' has a type that no setting can have, list",
    ),
    "a wrong default": (
        HEAD + "@motion\ndef sway(points, clock, size, *, rate: float = 'fast'):\n    'Sway.'\n",
        "motion sway: its default of 'rate': got 'fast', expected a number",
    ),
    "an unknown type": (
        HEAD + "@motion\ndef sway(points, clock, size, *, rate: 'Rate' = 1):\n    'Sway.'\n",
        "motion sway: an annotation cannot be read (name 'Rate' is not defined)",
    ),
    "a word of every term": (
        HEAD + "@objective\ndef more(activation, *, weight: float = 1.0):\n    'More.'\n",
        "its option 'weight' is a setting of every objective; rename it",
    ),
    "no docstring": (
        HEAD + "@motion\ndef sway(points, clock, size):\n    return points\n",
        "motion sway: has no description",
    ),
    "any options": (
        HEAD + "@motion\ndef sway(points, clock, size, **options):\n    'Sway.'\n",
        "motion sway: takes *options",
    ),
    "no function": (HEAD + "motion(3)\n", "motion 3: not a function"),
    "no presets": (HEAD + "plugins.presets('nowhere')\n", "nowhere: holds no .toml file"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_plugin_is_one_line(case, tmp_path):
    text, words = BAD[case]
    assert words in refused(written(tmp_path, text))


def test_a_plugin_that_is_not_there_and_a_preset_s_name_that_is_taken(tmp_path):
    assert "No such file" in refused(tmp_path / "nowhere.py")
    (tmp_path / "deep.toml").write_text("")
    path = written(tmp_path, HEAD + "plugins.presets('.')\n")
    assert "there is a preset of that name already" in refused(path)


def test_a_bad_plugin_on_the_command_line(seed, tmp_path):
    path = written(tmp_path, "raise KeyError('x')")
    for arguments in (("zoom", seed, "-o", tmp_path / "film.mp4"), ("list", "motions")):
        told = call_cli(*arguments, "--plugin", path)
        assert (told.returncode, told.stderr.count("\n")) == (2, 1)
        assert told.stderr.startswith(f"dreamvid: plugin {path}: raises KeyError in line 1")
    with pytest.raises(SettingsError, match=r"plugins: got 3, expected a list of files"):
        presets.settings_over("default", {"plugins": 3})


def test_options_of_networks_are_checked(plugin):
    plugin_loading.load([plugin])
    for options, words in (
        ({"pocket": {}}, "'pocket' is not dreamed"),
        ({"small": {"widht": 3}}, r"network\.options\.small\.widht: no such setting; did you mean"),
        ({"small": {"width": 0}}, r"network\.options\.small\.width: got 0"),
        ({"small": {"weights": "x"}}, r"give it as network\.weights"),
        ({"small": 3}, r"network\.options\.small: got 3, wanted a table"),
    ):
        with pytest.raises(SettingsError, match=words):
            network("small", options=options)
