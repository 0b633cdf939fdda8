"""The nodes for ComfyUI, in a stand-in that runs them as ComfyUI does: in inference mode."""

import importlib.util
import inspect
import json
import re
import sys
import tomllib
import types
from fractions import Fraction
from pathlib import Path

import pytest
import torch
from PIL import Image

from dreamvid import media
from dreamvid.frames import Size, noise
from dreamvid.media.film_writing import encode_film

HERE = Path(__file__).parents[1] / "integrations" / "comfyui"
KINDS = {"INT": int, "FLOAT": float, "STRING": str, "BOOLEAN": bool}


@pytest.fixture(scope="module")
def comfy(tmp_path_factory):
    """The nodes, imported beside a `folder_paths` as ComfyUI has it."""
    root = tmp_path_factory.mktemp("comfy")
    for name in ("input", "output", "models/dreamvid"):
        (root / name).mkdir(parents=True)
    paths = types.ModuleType("folder_paths")
    known = {}
    paths.models_dir = str(root / "models")
    paths.get_input_directory = lambda: str(root / "input")
    paths.get_output_directory = lambda: str(root / "output")
    paths.add_model_folder_path = lambda name, path: known.setdefault(name, []).append(path)
    paths.get_folder_paths = lambda name: known[name]
    sys.modules["folder_paths"] = paths
    spec = importlib.util.spec_from_file_location(
        "dreamvid_nodes", HERE / "__init__.py", submodule_search_locations=[str(HERE)]
    )
    package = importlib.util.module_from_spec(spec)
    sys.modules["dreamvid_nodes"] = package
    spec.loader.exec_module(package)
    yield package, root
    for name in ("folder_paths", "dreamvid_nodes", "dreamvid_nodes.nodes"):
        sys.modules.pop(name, None)


def ran(package, name, **inputs):
    """What a node returns. ComfyUI fills in defaults, and calls in inference mode."""
    node = package.NODE_CLASS_MAPPINGS[name]
    wanted = node.INPUT_TYPES()
    filled = {
        key: options[0]["default"]
        for key, (_, *options) in wanted["required"].items()
        if options and "default" in options[0]
    }
    with torch.inference_mode():
        found = getattr(node(), node.FUNCTION)(**{**filled, **inputs})
    assert isinstance(found, tuple)
    assert len(found) == len(node.RETURN_TYPES) == len(node.RETURN_NAMES)
    return found


def batch(count=2):
    """An IMAGE as another node would give it: born in inference mode."""
    with torch.inference_mode():
        return torch.stack(
            [noise(Size(48, 64), (number,)).movedim(0, 2) for number in range(count)]
        )


def test_every_node_has_the_shape_that_comfyui_reads(comfy):
    package, _ = comfy
    assert len(package.NODE_CLASS_MAPPINGS) == 5
    assert package.NODE_CLASS_MAPPINGS.keys() == package.NODE_DISPLAY_NAME_MAPPINGS.keys()
    wires = {kind for node in package.NODE_CLASS_MAPPINGS.values() for kind in node.RETURN_TYPES}
    for node in package.NODE_CLASS_MAPPINGS.values():
        inputs = node.INPUT_TYPES()
        assert set(inputs) <= {"required", "optional"}
        taken = inspect.signature(inspect.unwrap(getattr(node, node.FUNCTION))).parameters
        code = getattr(node, node.FUNCTION)
        inner = code.__closure__[0].cell_contents if code.__closure__ else code
        taken = inspect.signature(inner).parameters
        named = {key for part in inputs.values() for key in part}
        assert named == set(taken) - {"self"}
        for part in inputs.values():
            for kind, *options in part.values():
                assert isinstance(kind, list) or kind in {*KINDS, *wires, "IMAGE", "MASK"}
                default = options[0].get("default") if options else None
                if isinstance(kind, list):
                    assert default in kind
                elif kind in KINDS:
                    assert isinstance(default, KINDS[kind])
        assert node.CATEGORY == "dreamvid"
        assert node.__doc__


def test_a_batch_is_dreamed_with_a_network_settings_and_a_mask(comfy):
    package, _ = comfy
    (network,) = ran(package, "DreamvidNetwork", layers="3a, 3b=0.5")
    lines = "octaves.scale = 1.3\n\nascent.step_size=3"
    (settings,) = ran(package, "DreamvidSettings", preset="gentle", settings=lines)
    image = batch()
    with torch.inference_mode():
        mask = torch.zeros(1, 48, 64)
        mask[:, :, 32:] = 1
    (dream,) = ran(
        package,
        "DreamvidDream",
        image=image,
        iterations=1,
        octaves=1,
        network=network,
        settings=settings,
        mask=mask,
    )
    assert (dream.shape, dream.dtype) == (image.shape, torch.float32)
    assert 0 <= dream.min() < dream.max() <= 1
    change = (dream - image).abs().mean((0, 1, 3))
    assert change[:24].max() < 1e-6 < change[40:].min()


def test_another_seed_is_another_dream_and_words_are_dreamed(comfy):
    package, _ = comfy
    (network,) = ran(package, "DreamvidNetwork", of="castle")
    few = {"image": batch(1), "iterations": 1, "octaves": 1, "network": network}
    first, again, other = (ran(package, "DreamvidDream", seed=seed, **few)[0] for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_films_are_made_by_path_and_measured(comfy):
    package, root = comfy
    (settings,) = ran(
        package,
        "DreamvidSettings",
        preset="video",
        settings="octaves.count=1\nascent.iterations=1\nascent.later=1",
    )
    still = (noise(Size(48, 64), (5,)).roll(index, 2) for index in range(3))
    encode_film(still, root / "input" / "clip.mp4", Fraction(8), options={"preset": "ultrafast"})
    film, frames = ran(
        package, "DreamvidFilm", source="clip.mp4", out="over.mp4", settings=settings, look=2
    )
    assert Path(film) == root / "output" / "over.mp4"
    assert frames.shape == (2, 48, 64, 3)
    said, error = ran(package, "DreamvidMeasure", source="clip.mp4", dream=film)
    assert json.loads(said)["warping_error"] == error > 0


def test_an_image_and_a_picture_become_zooms(comfy):
    package, root = comfy
    (settings,) = ran(package, "DreamvidSettings", settings="octaves.count=1\nascent.iterations=1")
    few = {"length": 2, "size": "64x48", "settings": settings}
    film, _ = ran(package, "DreamvidFilm", image=batch(1), out="fall.mp4", motion="spin", **few)
    assert Path(film).exists()
    media.write_picture(noise(Size(48, 64), (3,)), root / "input" / "a.png")
    film, frames = ran(package, "DreamvidFilm", source="a.png", out="b.gif", look=9, **few)
    assert frames.shape == (2, 48, 64, 3)


def test_the_registry_is_told_what_it_wants_and_nothing_is_pinned():
    """By https://docs.comfy.org/registry/specifications; what only a publisher knows is empty."""
    told = tomllib.loads((HERE / "pyproject.toml").read_text("utf-8"))
    project, comfy = told["project"], told["tool"]["comfy"]
    assert project["dependencies"] == ["dreamvid"]
    assert re.fullmatch(r"[a-z](?:[-_.]?[a-z0-9])*", project["name"])
    assert len(project["name"]) < 100
    assert "comfyui" not in project["name"].lower()
    assert re.fullmatch(r"\d+\.\d+\.\d+", project["version"])
    assert project["license"].keys() in ({"text"}, {"file"})
    assert project["description"]
    assert project["requires-python"] == ">=3.11"
    assert "Operating System :: OS Independent" in project["classifiers"]
    assert comfy["DisplayName"]
    assert (comfy["PublisherId"], comfy["Icon"], project["urls"]["Repository"]) == ("", "", "")
    with Image.open(HERE / "icon.png") as icon:
        assert icon.width <= 800
        assert icon.height <= 400
