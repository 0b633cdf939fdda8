"""The examples do what they say; the notebook is executed."""

import importlib.util
import json
import warnings
from pathlib import Path

import pytest
import torch
from conftest import call_cli

from dreamvid import media
from dreamvid.frames import Size, noise, photographic
from dreamvid.media.film_writing import encode_film

EXAMPLES = Path(__file__).parents[1] / "examples"
SMALL = ("--size", "64x48", "--octaves", 1, "--iterations", 1)

pytestmark = pytest.mark.usefixtures("no_plugin_stays")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("examples")
    seed = media.read_picture(EXAMPLES.parent / "samples" / "seed.jpg")
    media.write_picture(photographic(seed, Size(48, 64)), folder / "seed.jpg")
    still = (noise(Size(48, 64), (5,)).roll(index, 2) for index in range(3))
    encode_film(still, folder / "clip.mp4", 8, options={"preset": "ultrafast"})
    return folder


@pytest.mark.parametrize(
    "words",
    [
        ("image", "seed.jpg", "--plugin", "own_network.py", "--network", "ripples"),
        ("image", "seed.jpg", "--plugin", "own_objective.py", "--set", "objective.name=peaks"),
        ("zoom", "seed.jpg", "--plugin", "own_motion.py", "--motion", "wander", "--frames", 3),
        ("video", "clip.mp4", "--plugin", "own_motion.py", "--carry", "ghost", "--frames", 3),
    ],
    ids=lambda words: " ".join(map(str, words[3:6])),
)
def test_plugins_are_taken_by_the_commands(words, place):
    words = [EXAMPLES / each if str(each).startswith("own_") else each for each in words]
    done = call_cli(*words, *SMALL, cwd=place)
    assert done.returncode == 0, done.stderr


def imported(name):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_peaks_are_raised_more_the_higher_the_power():
    peaks = imported("own_objective").peaks
    calm = torch.ones(1, 2, 4, 6)
    steep = torch.zeros(1, 2, 4, 6)
    steep[0, 0, 1, 2] = 48.0  # the same mean
    assert float(peaks(steep, power=1.0)) == pytest.approx(1)
    assert float(peaks(calm, power=8.0)) == pytest.approx(1)
    assert peaks(steep, power=8.0) > peaks(steep, power=2.0) > 1.1


def test_a_film_follows_its_song(place, monkeypatch):
    monkeypatch.chdir(place)
    module = imported("music_film")
    film = module.main("seed.jpg", "song.mp4", 2.0, fps=4, size="64x48", octaves=1, iterations=1)
    assert len(list(media.frames_of(film))) == 8


def test_a_sweep_has_a_cell_for_each(place, monkeypatch):
    monkeypatch.chdir(place)
    sheet = imported("sweep").main("seed.jpg", "sweep.png", 64, octaves=1, iterations=1)
    assert sheet.size == (3 * 64, 4 * 48)


def test_the_notebook_runs(place):
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    notebook = nbformat.read(EXAMPLES / "deepdream.ipynb", as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells), "its results are not committed"
    for cell in notebook.cells:
        small = cell.source.replace("SIZE = 224", "SIZE = 64").replace("frames=16", "frames=2")
        cell.source = small.replace("iterations=16", "iterations=2").replace(
            "2.0, fps=8", "1.0, fps=4"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        client = nbclient.NotebookClient(
            notebook, timeout=120, resources={"metadata": {"path": str(EXAMPLES)}}
        )
        client.execute()
    shown = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    kinds = {kind for output in shown for kind in output.get("data", {})}
    assert {"image/png", "text/html"} <= kinds
    assert "<video controls" in json.dumps(shown)
    assert "<progress" in json.dumps(shown)
    assert not any(output["output_type"] == "error" for output in shown)
