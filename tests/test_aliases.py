"""pocket under the presets of other networks: its teacher's names are its own."""

import pytest
from conftest import call_cli

from dreamvid import media
from dreamvid.dream.dreamer import dreamer_for
from dreamvid.jobs.films import settings_for
from dreamvid.networks import sketch
from dreamvid.networks.pocket import STAGES, Pocket

ONE = ("--octaves", 1, "--iterations", 1, "--size", "64x48", "-q")


def test_the_teachers_names_are_aliases():
    pocket = sketch("pocket")
    assert set(pocket.aliases.values()) == set(pocket.layers)
    teacher = sketch("googlenet")
    known = [name for name in pocket.aliases if name in teacher.layers]
    assert {pocket.aliases[name] for name in known} == set(pocket.layers)
    assert [each.layer for each in pocket.choices(["inception_4c/output=0.5", "mixed3b"])] == [
        "4c",
        "3b",
    ]
    both = sketch("pocket,googlenet").choices(["pocket/mixed4a", "googlenet/pool2/3x3_s2"])
    assert both[0].layer == "pocket/4a"


def test_a_student_of_fewer_stages_has_fewer_aliases():
    assert set(Pocket(STAGES[:3]).aliases.values()) == {"conv1", "conv2", "3a"}


@pytest.mark.parametrize("preset", ["google-2015", "google-guide", "tf-inception5h-50"])
def test_presets_of_relatives_are_taken(preset):
    flags = {"network": {"name": "pocket"}, "objective": {"name": "energy"}}
    settings = settings_for(preset, flags=flags)
    assert dreamer_for(settings).layers == ["3b" if "guide" in preset else "4c"]


def test_a_preset_of_another_network_says_which_layer_to_give(picture, tmp_path):
    media.write_picture(picture, tmp_path / "seed.png")
    told = call_cli("image", "seed.png", "--preset", "google-2015", "--network", "pocket", *ONE,
                    cwd=tmp_path)  # fmt: skip
    assert told.returncode == 0, told.stderr
    for preset in ("gordic-2019", "layers", "genekogan-laplacian"):
        told = call_cli("image", "seed.png", "--preset", preset, "--network", "pocket", *ONE,
                        "-o", "other.png", cwd=tmp_path)  # fmt: skip
        assert told.returncode == 2
        assert "--layer 4c" in told.stderr, told.stderr
