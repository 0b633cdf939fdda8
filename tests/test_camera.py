"""A camera that travels: its laws, its scenes, and what it uncovers."""

import math
import struct

import cv2
import numpy as np
import pytest
import torch
from conftest import call_cli

from dreamvid import media
from dreamvid.errors import SettingsError
from dreamvid.film.travelling import Travelling
from dreamvid.frames import Clock, Size
from dreamvid.motion.camera import focal_length
from dreamvid.motion.depths import layered, read_depth
from dreamvid.motion.motions import composed, flow_of
from dreamvid.motion.scenes import Scene
from dreamvid.motion.warp import grid

SIZE = Size(60, 92)
REST = {"dolly": 0.0, "truck": 0.0, "pedestal": 0.0, "pan": 0.0, "tilt": 0.0, "roll": 0.0,
        "fov": 60.0}  # fmt: skip
NEAR = (slice(20, 40), slice(40, 60))


def box(size):
    """A box 1 away before a wall 4 away."""
    depth = np.full(SIZE, 4.0, np.float32)
    depth[NEAR] = 1
    return depth if size == SIZE else cv2.resize(depth, (size.width, size.height), interpolation=0)


def scene(surface=box, fps=10, **options):
    return Scene(lambda size, index: surface(size), lambda index: {**REST, **options}, fps)


def traced(made, index, count, points=None):
    points = grid(SIZE) if points is None else points
    for place in range(index, index - count, -1):
        points = made.motion(points, place, SIZE)
    return points


def test_a_dolly_on_a_plane_is_the_motion_zoom():
    clock = Clock(1.0, 1 / 30)
    zoomed = flow_of(composed({"zoom": {"rate": 1.25}}), clock, SIZE)
    dollied = flow_of(composed({"camera": {"dolly": math.log(1.25)}}), clock, SIZE)
    assert zoomed.abs().max() > 0.3
    torch.testing.assert_close(dollied, zoomed, atol=1e-4, rtol=0)


def test_a_dolly_towards_a_flat_scene_is_a_zoom_too():
    made = scene(lambda size: np.full(size, 2.0, np.float32), dolly=0.3)
    # After frame 3 it is 2 - 0.09 away.
    rate = ((2 - 0.06) / (2 - 0.09)) ** 10
    wanted = composed({"zoom": {"rate": rate}})(grid(SIZE), Clock(0.3, 0.1), SIZE)
    torch.testing.assert_close(made.motion(grid(SIZE), 3, SIZE), wanted, atol=0.05, rtol=0)


@pytest.mark.parametrize("depth", ["plane", "tunnel", "floor"])
@pytest.mark.parametrize("fps", [24, 60])
def test_the_frame_rate_changes_no_way(depth, fps):
    import laws

    options = {"depth": depth, "dolly": 0.3, "truck": 0.1, "pan": 7.0, "tilt": -4.0, "roll": 9.0}
    laws.as_fast_at_any_rate("camera", options, fps)


def test_the_frame_rate_changes_no_way_through_a_scene():
    options = {"dolly": 0.3, "truck": 0.2, "pan": 5.0, "roll": 4.0}
    slow, fast = (scene(layers, fps, **options) for fps in (10, 40))
    points = grid(SIZE)[:, 25:35, 30:50]
    torch.testing.assert_close(
        traced(slow, 10, 10, points), traced(fast, 40, 40, points), atol=0.1, rtol=0
    )


def layers(size):
    return layered(size, 3, 4.0) * 0 + np.linspace(4, 1.5, size.height, dtype=np.float32)[:, None]


@pytest.mark.parametrize("surface", [box, layers])
def test_at_rest_nothing_moves(surface):
    made = scene(surface)
    assert torch.equal(made.motion(grid(SIZE), 5, SIZE), grid(SIZE))
    assert not made.uncovered(5, 1, SIZE).any()


def test_convention_each_way_goes_where_its_name_says():
    """Where what is at the middle, 1 away, is seen after a step: back from where it was."""
    focus = focal_length(60.0, SIZE)
    shifts = {
        "truck": (0.1, (-0.1 * focus, 0)),
        "pedestal": (0.1, (0, 0.1 * focus)),
        "pan": (2.0, (-math.tan(math.radians(2)) * focus, 0)),
        "tilt": (2.0, (0, math.tan(math.radians(2)) * focus)),
    }
    middle = torch.tensor([45.5, 29.5]).view(2, 1, 1)
    for name, (amount, shift) in shifts.items():
        flat = scene(lambda size: np.ones(size, np.float32), fps=1, **{name: amount})
        seen = middle + torch.tensor(shift).view(2, 1, 1)
        torch.testing.assert_close(flat.motion(seen, 1, SIZE), middle, atol=0.02, rtol=0)
        quick = composed({"camera": {"dolly": 0.0, name: amount}})(seen, Clock(1.0, 1.0), SIZE)
        torch.testing.assert_close(quick, middle, atol=0.02, rtol=0)
    # Rolled clockwise, what was right of the middle is above it.
    turned = composed({"camera": {"dolly": 0.0, "roll": 90.0}})
    above = middle + torch.tensor([0.0, -10.0]).view(2, 1, 1)
    came = turned(above, Clock(1.0, 1.0), SIZE)
    torch.testing.assert_close(came - middle, torch.tensor([10.0, 0]).view(2, 1, 1), atol=1e-2,
                               rtol=0)  # fmt: skip


def test_a_point_goes_the_way_of_the_pinhole_formula():
    """Of the box and of the wall, through ten frames of a curved way."""
    options = {"truck": 0.2, "dolly": 0.3, "pan": 6.0}
    made, focus = scene(**options), focal_length(60.0, SIZE)
    for x, y, depth in ((50.0, 30.0, 1.0), (20.0, 12.0, 4.0)):
        point = np.array([(x - 45.5) / focus * depth, (y - 29.5) / focus * depth, depth, 1])
        u, v, z = (np.linalg.inv(made.place(10)) @ point)[:3]
        seen = torch.tensor([u / z * focus + 45.5, v / z * focus + 29.5]).view(2, 1, 1).float()
        came = traced(made, 10, 10, seen).flatten()
        torch.testing.assert_close(came, torch.tensor([x, y]), atol=0.05, rtol=0)
    angle, radius = math.radians(6), math.hypot(0.2, 0.3) / math.radians(6)
    went = made.place(10)[:3, 3]
    assert math.hypot(went[0], went[2]) == pytest.approx(2 * radius * math.sin(angle / 2), rel=1e-6)


def test_holes_are_beside_what_is_in_front_on_the_side_it_leaves():
    """The box goes left, so the wall right of it is uncovered, as far as the parallax."""
    made, focus = scene(truck=0.5), focal_length(60.0, SIZE)
    new = made.uncovered(4, 4, SIZE)
    left = 60 - 0.2 * focus
    rows, columns = np.nonzero(new)
    assert abs(columns.min() - left) <= 3
    assert abs(columns.max() - (60 - 0.2 * focus / 4)) <= 4
    assert rows.min() >= 17
    assert rows.max() <= 42
    # With its rim, two pixels wide.
    width = 0.2 * focus * 3 / 4
    assert new.sum() == pytest.approx(24 * (width + 3), rel=0.15)
    assert made.view(4, SIZE).depth[30, int(left) + 4] == pytest.approx(4, rel=0.02)


def test_what_enters_is_as_deep_as_what_it_mirrors():
    """A ground whose rows are each as far away throughout, seen from farther right."""
    made = scene(layers, truck=0.5)
    depth = made.view(6, SIZE).depth
    assert made.own(6, SIZE)[0][0, :, -1].min() > SIZE.width
    assert np.abs(depth[:, -2] - depth[:, 40]).max() < 0.06


def test_what_is_put_into_holes_lies_behind_and_is_not_drawn_out():
    made = scene(truck=0.5)
    came, fresh = Travelling(made, 4, "everywhere").filled(traced(made, 4, 4), 4)
    holes = made.uncovered(4, 4, SIZE)
    assert fresh is not None
    assert fresh[torch.from_numpy(holes)].mean() > 0.7
    x, y = came.numpy()[:, holes]
    inside = (x > 40.5) & (x < 58.5) & (y > 20.5) & (y < 38.5)
    assert inside.mean() < 0.05
    # Neighbours come from neighbours, not all from one place.
    assert np.ptp(x) > 5


def test_near_things_dream_more_where_that_is_asked():
    made = scene(truck=0.1)
    near, far = (Travelling(made, 1, each).lift(0, SIZE, torch.device("cpu")) for each in
                 ("near", "far"))  # fmt: skip
    assert near[30, 50] > 3 * near[5, 5]
    assert far[5, 5] > 3 * far[30, 50]
    assert Travelling(made, 1, "everywhere").lift(0, SIZE, torch.device("cpu")) is None


def test_white_is_near_or_far(tmp_path):
    values = np.tile(np.linspace(0, 65535, 92).astype(np.uint16), (60, 1))
    cv2.imwrite(str(tmp_path / "depth.png"), values)
    near, far = (read_depth(tmp_path / "depth.png", SIZE, white, 5.0) for white in ("near", "far"))
    assert near[0, -1] == pytest.approx(1, abs=0.02)
    assert near[0, 0] == pytest.approx(5, rel=0.1)
    assert far[0, -1] == pytest.approx(5, abs=0.1)
    assert far[30, 46] == pytest.approx(3, rel=0.03)
    assert near[30, 46] < 2


def test_exr_holds_distances_in_any_unit(tmp_path):
    write_exr(tmp_path / "depth.exr", box(SIZE) * 120)
    depth = read_depth(tmp_path / "depth.exr", SIZE, "far", 9.0)
    assert depth[30, 50] == pytest.approx(1, rel=0.01)
    assert depth[5, 5] == pytest.approx(4, rel=0.01)


def write_exr(path, values):
    """One channel of 32-bit numbers, not compressed: what exr_bytes never writes."""
    height, width = values.shape
    window = struct.pack("<4i", 0, 0, width - 1, height - 1)
    channel = b"Y\0" + struct.pack("<i4xii", 2, 1, 1) + b"\0"
    header = struct.pack("<II", 20000630, 2)
    for name, kind, value in (
        (b"channels", b"chlist", channel),
        (b"compression", b"compression", b"\0"),
        (b"dataWindow", b"box2i", window),
        (b"displayWindow", b"box2i", window),
        (b"lineOrder", b"lineOrder", b"\0"),
        (b"pixelAspectRatio", b"float", struct.pack("<f", 1)),
        (b"screenWindowCenter", b"v2f", struct.pack("<ff", 0, 0)),
        (b"screenWindowWidth", b"float", struct.pack("<f", 1)),
    ):
        header += name + b"\0" + kind + b"\0" + struct.pack("<i", len(value)) + value
    header += b"\0"
    lines = [
        struct.pack("<ii", row, 4 * width) + values[row].astype("<f4").tobytes()
        for row in range(height)
    ]
    first = len(header) + 8 * height
    offsets = [struct.pack("<Q", first + row * len(lines[0])) for row in range(height)]
    path.write_bytes(header + b"".join(offsets) + b"".join(lines))


@pytest.fixture(scope="module")
def travelled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("travelled")
    from dreamvid.frames import noise

    media.write_picture(noise(SIZE, (3,)), folder / "seed.png")
    depth = (1 / box(SIZE) - 0.25) / 0.75
    cv2.imwrite(str(folder / "depth.png"), np.rint(depth * 255).astype(np.uint8))
    return folder


ASKED = ("--motion", "camera", "--set", "motion.camera.truck=1.5", "--size", "92x60", "--octaves",
         "1", "--iterations", "2", "--fps", "10")  # fmt: skip


MORE = [
    (),
    ("--cadence", "2", "--mask", "seed.png"),
    ("--layer", "conv1", "--set", "machine.tile=48", "--space", "fourier"),
]


@pytest.mark.parametrize("more", MORE)
def test_a_film_through_a_scene_resumes_to_the_same_bytes(travelled, more):
    name = f"film{len(more)}.mp4"
    asked = ("--set", "motion.camera.depth=depth.png", *ASKED, "-o", name, "--frames", "5", *more)
    done = call_cli("zoom", "seed.png", *asked, cwd=travelled)
    assert done.returncode == 0, done.stderr
    frames = travelled / f"{name}.dream" / "frames"
    whole = [path.read_bytes() for path in sorted(frames.iterdir())]
    for index in (3, 4):
        (frames / f"00000{index}.png").unlink()
    (travelled / name).unlink()
    done = call_cli("resume", f"{name}.dream", cwd=travelled)
    assert done.returncode == 0, done.stderr
    assert whole == [path.read_bytes() for path in sorted(frames.iterdir())]


def test_a_loop_through_layers(travelled):
    way = "motion.camera.truck=sin(2*pi*t/0.6)"
    asked = ("--set", "motion.camera.depth=layers", *ASKED, "--set", way, "--frames", "6")
    done = call_cli("loop", *asked, "--set", "loop.turns=2", "-o", "loop.webp", cwd=travelled)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("assignments", "words"),
    [
        (["motion.camera.depth=plain"], "did you mean 'plane'"),
        (["motion.camera.depth=tall.png"], "of the seed's shape"),
        (["motion.camera.depth=negative.exr", "motion.camera.white=far"], "a depth of -"),
        (["motion.camera.depth=depth.png", "motion.spin.rate=2"], "spin has no place"),
        (["motion.camera.dreams=near"], "which needs a scene"),
        (["motion.camera.depth=notes.txt"], "not a picture"),
    ],
)
def test_bad_depths_are_one_line(assignments, words, travelled):
    media.write_picture(torch.rand(3, 92, 60), travelled / "tall.png")
    write_exr(travelled / "negative.exr", np.full((60, 92), -0.5, np.float32))
    (travelled / "notes.txt").write_text("no picture, only words")
    sets = [word for each in assignments for word in ("--set", each)]
    done = call_cli("zoom", "seed.png", *ASKED, *sets, "-o", "bad.mp4", cwd=travelled)
    assert done.returncode == 2, done.stderr
    assert words in done.stderr
    assert done.stderr.strip().count("\n") == 0
    assert not (travelled / "bad.mp4.dream").exists()


def test_a_scene_has_no_frames_for_one_who_has_none():
    with pytest.raises(SettingsError, match="is a scene"):
        composed({"camera": {"depth": "layers"}})(grid(SIZE), Clock(1.0, 0.1), SIZE)
