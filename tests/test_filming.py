"""A camera over a film, and the depths that it travels through."""

import cv2
import numpy as np
import pytest
import torch
from conftest import call_cli
from test_camera import SIZE, box, write_exr

from dreamvid import media
from dreamvid.film.carries import Situation, Start
from dreamvid.film.filming import filmed, nearer, seen_by
from dreamvid.film.sources import Moment
from dreamvid.frames import Size, from_pixels, noise, photographic, to_pixels
from dreamvid.motion.camera import focal_length
from dreamvid.motion.depth_networks import depth_network
from dreamvid.motion.depths import film_surface
from dreamvid.motion.parallax import parallax
from dreamvid.motion.scenes import Scene

FRAMES = 6
REST = {"dolly": 0.0, "truck": 0.0, "pedestal": 0.0, "pan": 0.0, "tilt": 0.0, "roll": 0.0,
        "fov": 60.0}  # fmt: skip


def scene(surface=lambda size, index: box(size), fps=10, moves=True, **options):
    return Scene(surface, lambda index: {**REST, **options}, fps, 1.0, moves)


def texture(seed=4, size=SIZE):
    small = noise(Size(size.height // 2, size.width // 2), (seed,), exponent=1.2, contrast=0.25)
    return to_pixels(photographic(small, size))


def test_at_rest_a_film_is_what_it_was():
    frames = [texture(each) for each in range(3)]
    seen = list(filmed(lambda start: (each for each in frames[start:]), scene())(0))
    assert all(one is other for one, other in zip(frames, seen, strict=True))


def test_over_a_film_the_camera_goes_where_the_pinhole_formula_says():
    """A mark on the box and one on the wall, four frames of a truck to the right."""
    made, focus = scene(truck=0.5), focal_length(60.0, SIZE)
    pixels = np.full((*SIZE, 3), 90, np.uint8)
    for row, column in ((30, 50), (10, 20)):
        pixels[row - 1 : row + 2, column - 1 : column + 2] = 255
    seen = seen_by(made, pixels, 4)[..., 0].astype(float)
    for row, column, depth in ((30, 50, 1.0), (10, 20, 4.0)):
        expected = column - 0.2 / depth * focus
        part = (seen[row - 4 : row + 5] - 90).clip(0)
        part[:, np.abs(np.arange(SIZE.width) - expected) > 5] = 0
        at = (part.sum(0) * np.arange(SIZE.width)).sum() / part.sum()
        assert at == pytest.approx(expected, abs=0.3)


def test_what_the_box_hid_in_a_frame_is_filled_from_behind_it():
    made = scene(truck=0.5)
    pixels = np.zeros((*SIZE, 3), np.uint8)
    pixels[..., 1] = 200
    pixels[20:40, 40:60] = (250, 0, 0)
    seen = seen_by(made, pixels, 4)
    holes = made.own(4, SIZE)[1]
    holes[:, -20:] = False  # what came in from outside
    assert 80 < holes.sum() < 500
    assert (seen[holes][:, 1] > 150).mean() > 0.9


def test_bars_stay_and_near_things_dream_more():
    pixels = texture()
    part = (slice(10, 50), slice(None))
    surface = scene(lambda size, index: np.full(size, 2.0, np.float32), truck=0.5)
    _, after, *_ = filmed(lambda start: (pixels for _ in range(3)), surface, part)(0)
    assert np.array_equal(after[:10], pixels[:10])
    assert np.array_equal(after[50:], pixels[50:])
    assert not np.array_equal(after[10:50], pixels[10:50])
    frame = from_pixels(pixels)
    carry = nearer(lambda situation: Start(frame), scene(), "near")
    lift = carry(Situation(0, Moment(frame), None)).lift
    assert lift is not None
    assert lift[30, 50] > 3 * lift[5, 5]


def test_depths_of_a_film_are_read_frame_by_frame(tmp_path):
    """From pictures, distances in one unit, and a film; at half the rate every second one."""
    for index in range(4):
        write_exr(tmp_path / f"far.{index}.exr", box(SIZE) * (2 + index))
        cv2.imwrite(str(tmp_path / f"near.{index}.png"), np.full(SIZE, 60 * index, np.uint8))
    facts = {"rate": 5, "own": 10, "first": 0}
    surface = film_surface(tmp_path / "far.%d.exr", "far", 99.0, **facts)
    assert surface(SIZE, 0)[30, 50] == pytest.approx(1, rel=0.01)
    assert surface(SIZE, 1)[30, 50] == pytest.approx(2, rel=0.01)
    surface = film_surface(tmp_path / "near.%d.png", "near", 4.0, **{**facts, "first": 1})
    assert (1 / surface(SIZE, 0)).mean() == pytest.approx(0.25 + 0.75 * 120 / 255, abs=0.01)


def test_parallax_tells_the_nearness_of_what_a_camera_passes():
    """Turning and going at once, from an exact flow with noise; things nearer by any factor."""
    focus, size = 90.0, (60, 92)
    y, x = np.mgrid[:60, :92].astype(float)
    near = 1 / np.linspace(4, 1.5, 60)[:, None].repeat(92, 1)
    near[20:40, 40:60] = 1
    rays = np.stack([(x - 45.5) / focus, (y - 29.5) / focus])
    generator = np.random.default_rng(3)
    for way in ((0.05, 0.01, 0.0), (0.01, -0.02, 0.06), (-0.05, 0.0, 0.03)):
        turn = np.array([0.01, -0.02, 0.015])
        points = np.stack([rays[0] / near, rays[1] / near, 1 / near])
        moved = points + np.cross(turn, points, axisb=0, axisc=0) + np.array(way)[:, None, None]
        flow = focus * (moved[:2] / moved[2] - rays) + generator.normal(0, 0.05, (2, *size))
        found = parallax(flow, np.ones(size, np.float32), focus)
        factor = np.median(near[10:50] / found.nearness[10:50].clip(1e-6))
        sure = found.weight > 0.2 * found.weight.mean()
        miss = np.abs(factor * found.nearness - near)[sure]
        assert np.median(miss) < 0.06
        assert found.confidence > 0.8
    turned = points + np.cross(turn, points, axisb=0, axisc=0)
    flow = focus * (turned[:2] / turned[2] - rays) + generator.normal(0, 0.05, (2, *size))
    assert parallax(flow, np.ones(size, np.float32), focus).confidence < 0.2


@pytest.fixture(scope="module")
def shots(tmp_path_factory):
    """A film of a camera that goes right past a box before a wall, with its depths, and without."""
    folder, size = tmp_path_factory.mktemp("shots"), Size(120, 184)
    made, pixels = scene(lambda size, index: box(size), moves=False, truck=0.2), texture(4, size)
    for name in ("clip", "nears", "still"):
        (folder / name).mkdir()
    for index in range(FRAMES):
        seen = seen_by(made, pixels, index)
        media.write_picture(from_pixels(seen), folder / "clip" / f"{index}.png")
        media.write_picture(from_pixels(pixels), folder / "still" / f"{index}.png")
        near = (1 / made.view(index, size).depth - 0.25) / 0.75
        cv2.imwrite(str(folder / "nears" / f"{index}.png"), np.rint(near * 65535).astype(np.uint16))
    return folder


def test_the_depth_of_a_film_by_its_parallax(shots):
    done = call_cli("depth", "clip", "-o", "depths", "--fov", 60, cwd=shots)
    assert done.returncode == 0, done.stderr
    made = sorted((shots / "depths").iterdir())
    assert len(made) == FRAMES
    got = cv2.imread(str(made[-1]), cv2.IMREAD_UNCHANGED)
    assert got.dtype == np.uint16
    true = cv2.imread(str(shots / "nears" / f"{FRAMES - 1}.png"), cv2.IMREAD_UNCHANGED)
    front = true > 60000
    assert got[front].mean() > 2 * got[~front].mean()
    assert np.corrcoef(got.ravel(), true.ravel())[0, 1] > 0.85
    # What was stopped goes on to the same pictures.
    whole = [each.read_bytes() for each in made]
    made[3].unlink()
    made[5].unlink()
    done = call_cli("depth", "clip", "-o", "depths", cwd=shots)
    assert done.returncode == 0, done.stderr
    assert [each.read_bytes() for each in made] == whole


def test_a_film_that_stands_still_has_no_parallax(shots):
    done = call_cli("depth", "still", "-o", "none", cwd=shots)
    assert done.returncode == 2
    assert "hardly travels" in done.stderr
    assert done.stderr.strip().count("\n") == 0
    assert not (shots / "none").exists()


class Brightness(torch.nn.Module):
    """A "depth network" for which light things are near."""

    def forward(self, picture):
        return 100 * picture.mean(1) + 40


def network(path):
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.trace(Brightness(), torch.rand(1, 3, 28, 42)), str(path))


def test_a_network_in_onnx_sees_a_picture_at_its_own_size(tmp_path):
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    make = onnx.helper
    node = make.make_node("ReduceMean", ["picture"], ["depth"], axes=[1], keepdims=0)
    taken, given = (
        make.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
        for name, shape in (("picture", [1, 3, 28, 42]), ("depth", [1, 28, 42]))
    )
    graph = make.make_graph([node], "light", [taken], [given])
    opset = [make.make_operatorsetid("", 13)]
    onnx.save(make.make_model(graph, opset_imports=opset, ir_version=8), tmp_path / "light.onnx")
    picture = torch.linspace(0, 1, 92).expand(3, 60, 92).contiguous()
    seen = depth_network(tmp_path / "light.onnx")(picture)
    assert seen.shape == (60, 92)
    assert (np.diff(seen[30, 2:-2]) > 0).all()


def test_the_depth_of_a_picture_and_of_a_film_by_a_network(shots):
    network(shots / "light.pt")
    picture = torch.linspace(0, 1, 92).expand(3, 60, 92).contiguous()
    media.write_picture(picture, shots / "ramp.png")
    for more, first in (((), 0.0), (("--distances", "--overwrite"), 1.0)):
        done = call_cli("depth", "ramp.png", "--model", "light.pt", "-o", "ramp-depth.png", *more,
                        cwd=shots)  # fmt: skip
        assert done.returncode == 0, done.stderr
        got = media.read_picture(shots / "ramp-depth.png")[0, 30]
        assert got[2] == pytest.approx(first, abs=0.1)
        assert got[-3] == pytest.approx(1 - first, abs=0.1)
    done = call_cli("depth", "clip", "--model", "light.pt", "-o", "by-net", cwd=shots)
    assert done.returncode == 0, done.stderr
    assert len(list((shots / "by-net").iterdir())) == FRAMES


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["ramp.png"], "give a depth network with --model"),
        (["clip", "--model", "nowhere.onnx"], "nowhere.onnx is not there"),
        (["clip", "--model", "light.txt"], "expected one of .onnx"),
        (["clip", "--model", "broken.pt"], "cannot be read as a network"),
        (["clip", "--fov", "170"], "--fov: got 170"),
        (["clip", "-o", "clip"], "is the input itself"),
    ],
)
def test_bad_depth_networks_are_one_line(words, said, shots):
    media.write_picture(torch.rand(3, 60, 92), shots / "ramp.png")
    for name in ("light.txt", "broken.pt"):
        (shots / name).write_text("no network, only words")
    out = () if "-o" in words else ("-o", "bad.png" if "ramp" in words[0] else "bad")
    done = call_cli("depth", *words, *out, cwd=shots)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert done.stderr.strip().count("\n") == 0


DREAM = (
    "--size",
    "92x60",
    "--octaves",
    "1",
    "--iterations",
    "1",
    "--set",
    "ascent.later=1",
    "--fps",
    "10",
)
CAMERA = ("--motion", "camera", "--set", "motion.camera.dolly=0", "--set",
          "motion.camera.truck=sin(2*pi*t/0.6)")  # fmt: skip


@pytest.mark.parametrize(
    "more", [("--mask", "nears"), ("--carry", "none", "--set", "motion.camera.dreams=near")]
)
def test_a_film_over_a_film_through_its_depths_resumes_to_the_same_bytes(more, shots):
    depth = ("--set", "motion.camera.depth=nears")
    name = f"over{len(more)}.mp4"
    done = call_cli("video", "clip", *CAMERA, *depth, *DREAM, *more, "-o", name, cwd=shots)
    assert done.returncode == 0, done.stderr
    frames = shots / f"{name}.dream" / "frames"
    whole = [path.read_bytes() for path in sorted(frames.iterdir())]
    assert len(whole) == FRAMES
    for index in range(3, FRAMES):
        (frames / f"00000{index}.png").unlink()
    (shots / name).unlink()
    done = call_cli("resume", f"{name}.dream", cwd=shots)
    assert done.returncode == 0, done.stderr
    assert whole == [path.read_bytes() for path in sorted(frames.iterdir())]
    done = call_cli("encode", f"{name}.dream", "--fps", 20, "-o", f"more{len(more)}.mp4", cwd=shots)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("assignments", "words"),
    [
        (["motion.camera.depth=plain"], "did you mean 'plane'"),
        (["motion.camera.depth=few"], "tells of 2 frames, and 6 are needed"),
        (["motion.camera.depth=tall.png"], "of the film's shape"),
        (["motion.camera.depth=nears", "motion.spin.rate=2"], "spin.rate|has no place"),
    ],
)
def test_bad_cameras_over_a_film_are_one_line(assignments, words, shots):
    (shots / "few").mkdir(exist_ok=True)
    for index in range(2):
        media.write_picture(torch.rand(3, 60, 92), shots / "few" / f"{index}.png")
    media.write_picture(torch.rand(3, 92, 60), shots / "tall.png")
    sets = [word for each in assignments for word in ("--set", each)]
    done = call_cli("video", "clip", *CAMERA, *sets, *DREAM, "-o", "bad.mp4", cwd=shots)
    assert done.returncode == 2, done.stderr
    assert any(each in done.stderr for each in words.split("|"))
    assert done.stderr.strip().count("\n") == 0
    assert not (shots / "bad.mp4.dream").exists()


def test_a_motion_of_stills_over_a_film_is_refused(shots):
    done = call_cli("video", "clip", "--motion", "zoom", *DREAM, "-o", "bad.mp4", cwd=shots)
    assert done.returncode == 2
    assert "motion.zoom: changes nothing in video" in done.stderr


def test_a_speed_over_a_film_wants_a_camera(shots):
    done = call_cli("video", "clip", "--speed", 2, *DREAM, "-o", "bad.mp4", cwd=shots)
    assert done.returncode == 2
    assert "film.speed: changes nothing over a film without a camera" in done.stderr
    assert not (shots / "bad.mp4").exists()
