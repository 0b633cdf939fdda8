"""What one worker lacks is a line that names the unit; all else is made, and that by others."""

import shutil

import pytest
from conftest import call_cli
from test_farm import FAST, planned

from dreamvid import media
from dreamvid.frames import Size, noise
from dreamvid.networks import network
from dreamvid.settings import plugin_loading

PLUGIN = """
from dreamvid.plugins import motion


@motion
def sidle(points, clock, size, *, rate: float = 1.0):
    "Goes to the side."
    return points + rate * clock.step
"""
SWEEP = """
command = "zoom"
seed = "seed.png"
frames = 2
iterations = 1
octaves = 1
set = ["machine.threads=1"]
[[list]]
strength = 1
[[list]]
strength = 2
{option} = "{value}"
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lacking")
    media.write_picture(noise(Size(40, 56), (5, 1)), folder / "seed.png")
    (folder / "sidle.py").write_text(PLUGIN)
    weights = network("pocket").weights_path
    assert weights is not None
    shutil.copy(weights, folder / f"mine{weights.suffix}")
    return folder


@pytest.mark.parametrize(
    ("option", "file", "words"),
    [
        ("plugin", "sidle.py", "not the plugin the job began with (it is not there); put it back"),
        ("weights", "mine", "mine.safetensors: no such file"),
    ],
)
def test_a_file_that_one_worker_lacks(place, tmp_path, no_plugin_stays, option, file, words):
    path = next(place.glob(f"{file}*"))
    text = SWEEP.format(option=option, value=path.name)
    (place / "sweep.toml").write_text(
        text + ('"motion.sidle.rate" = 1\n' if option == "plugin" else "")
    )
    planned(place, "sweep", "sweep.toml", "-o", option)
    for loaded in [plugin_loading._loaded.pop(each) for each in list(plugin_loading._loaded)]:
        plugin_loading._forget(loaded)  # as in the process of another worker
    path.rename(tmp_path / path.name)
    told = call_cli("work", option, "-q", cwd=place)
    (tmp_path / path.name).rename(path)
    assert (told.returncode, len(told.stderr.splitlines())) == (2, 1), told.stderr
    assert "setting-0002: " in told.stderr
    assert words in told.stderr
    results = {path.name for path in (place / option / "results").iterdir()}
    assert results == {"seed-zoom-0001.mp4"}
    # It was no failure of the unit: a worker that has all makes it without --retry.
    assert call_cli("work", option, "-q", cwd=place).returncode == 0
    assert len(list((place / option / "results").iterdir())) == 3


def test_a_worker_that_can_begin_nothing_gives_up(place):
    seeds = [f"{number}.png" for number in range(5)]
    for number, name in enumerate(seeds):
        media.write_picture(noise(Size(40, 56), (6, number)), place / name)
    planned(place, "zoom", *seeds, "--frames", 2, *FAST, "-o", "many")
    for name in seeds:
        (place / name).unlink()
    told = call_cli("work", "many", "-q", cwd=place)
    assert (told.returncode, len(told.stderr.splitlines())) == (2, 1), told.stderr
    assert "put the input back, or share its folder with this machine" in told.stderr
    assert "zoom-000" in told.stderr
    taken = {path.name.partition(".")[0] for path in (place / "many/claims").glob("*/*.1")}
    assert len(taken) == 3


def test_a_folder_that_is_not_shared_is_one_line(place):
    told = call_cli("work", "elsewhere", "-q", cwd=place)
    assert (told.returncode, len(told.stderr.splitlines())) == (2, 1)
    assert "see that this machine shares the folder" in told.stderr
