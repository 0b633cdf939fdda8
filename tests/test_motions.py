import math
from fractions import Fraction

import laws
import pytest
import torch

from dreamvid.errors import SettingsError
from dreamvid.film.carries import Situation, by_motion
from dreamvid.film.sources import Moment
from dreamvid.frames import Clock, Size
from dreamvid.motion.motions import composed, flow_of, motions
from dreamvid.motion.warp import grid, warp

SIZE = Size(60, 92)
STILL = {
    "hold": {},
    "zoom": {"rate": 1.0},
    "spin": {"rate": 0.0},
    "pan": {"x": 0.0, "y": 0.0},
    "shear": {"x": 0.0, "y": 0.0},
    "tilt": {"x": 0.0, "y": 0.0},
    "swirl": {"rate": 0.0},
    "shake": {"strength": 0.0},
    "ripple": {"rate": 0.0},
    "spiral": {"rate": 1.0, "turn": 0.0},
    "kaleidoscope": {"rate": 0.0},
}
MOVING = {
    "hold": {},
    "zoom": {"rate": 1.7, "centre": [0.3, 0.6]},
    "spin": {"rate": 50.0, "centre": [0.3, 0.6]},
    "pan": {"x": 0.2, "y": -0.1},
    "shear": {"x": 0.3, "y": 0.2},
    "tilt": {"x": 12.0, "y": -9.0, "centre": [0.3, 0.6]},
    "swirl": {"rate": 120.0, "radius": 0.5, "centre": [0.3, 0.6]},
    "shake": {"strength": 0.1, "rate": 0.7, "seed": 3},
    "ripple": {"rate": 0.7, "depth": -0.8, "centre": [0.3, 0.6]},
    "spiral": {"rate": 1.7, "turn": 50.0, "centre": [0.3, 0.6], "drain": [1.2, 0.1]},
    "kaleidoscope": {"rate": 60.0, "angle": 20.0, "centre": [0.3, 0.6]},
}
CENTRED = [name for name in MOVING if "centre" in MOVING[name]]


def disc(x, y):
    """A white disc around (x, y) on black."""
    px, py = grid(SIZE)
    return torch.clamp(4 - ((px - x) ** 2 + (py - y) ** 2).sqrt(), 0, 1).expand(3, -1, -1)


def middle_of(frame):
    px, py = grid(SIZE)
    weight = frame[0] / frame[0].sum()
    return (px * weight).sum().item(), (py * weight).sum().item()


def moved(name, options, x, y, seconds=1.0):
    flow = flow_of(composed({name: options}), Clock(0.0, seconds), SIZE)
    return middle_of(warp(disc(x, y), flow))


@pytest.mark.parametrize("name", motions.names())
def test_where_no_time_passes_nothing_moves(name):
    laws.still_at_the_start(name, MOVING.get(name))


@pytest.mark.parametrize("name", STILL)
def test_at_rest_nothing_moves(name, picture):
    flow = flow_of(composed({name: STILL[name]}), Clock(1.0, 1 / 30), SIZE)
    assert flow.abs().max() <= 1e-6
    torch.testing.assert_close(warp(picture, flow), picture, atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", motions.names())
@pytest.mark.parametrize("fps", [24, 60])
def test_the_frame_rate_changes_no_speed(name, fps):
    laws.as_fast_at_any_rate(name, MOVING.get(name), fps)


@pytest.mark.parametrize("name", [name for name in MOVING if name != "kaleidoscope"])
def test_motions_that_have_no_mirrors_neither_fold_nor_tear(name):
    """A frame's step maps neighbours to neighbours, in the same order."""
    size = Size(240, 368)
    x, y = composed({name: MOVING[name]})(grid(size), Clock(1.0, 1 / 24), size)
    right, down = (torch.stack([x, y]).diff(dim=axis)[:, :239, :367] for axis in (2, 1))
    area = right[0] * down[1] - right[1] * down[0]
    assert area.min() > 0.7
    assert area.max() < 1.4


@pytest.mark.parametrize("name", CENTRED)
def test_the_centre_stays(name):
    place = torch.tensor([0.3 * 91, 0.6 * 59]).view(2, 1, 1)
    moved = composed({name: MOVING[name]})(place.clone(), Clock(1.0, 0.5), SIZE)
    torch.testing.assert_close(moved, place, atol=1e-3, rtol=0)


@pytest.mark.parametrize("name", [name for name in MOVING if name != "hold"])
def test_motions_move(name):
    flow = flow_of(composed({name: MOVING[name]}), Clock(1.0, 1 / 30), SIZE)
    assert flow.abs().max() > 0.05


def test_convention_pan_moves_content_right_and_down():
    assert moved("pan", {"x": 0.25, "y": 0.1}, 50, 20) == pytest.approx((73, 26), abs=0.05)


def test_convention_zoom_moves_content_away_from_the_centre():
    x, y = moved("zoom", {"rate": 2.0, "centre": [0.0, 0.0]}, 20, 10)
    assert (x, y) == pytest.approx((40, 20), abs=0.3)


def test_convention_the_centre_is_given_x_first():
    still = (0.75 * 91, 0.25 * 59)
    x, y = moved("zoom", {"rate": 1.5, "centre": [0.75, 0.25]}, *still)
    assert (x, y) == pytest.approx(still, abs=0.1)


def test_convention_spin_is_clockwise_as_seen():
    # A quarter turn takes what lies right of the centre below it.
    x, y = moved("spin", {"rate": 90.0}, 45.5 + 15, 29.5)
    assert (x, y) == pytest.approx((45.5, 29.5 + 15), abs=0.2)


def test_convention_shear_slides_lower_rows_right():
    x, y = moved("shear", {"x": 0.5, "y": 0.0}, 45.5, 29.5 + 10)
    assert (x, y) == pytest.approx((50.5, 39.5), abs=0.2)
    x, y = moved("shear", {"x": 0.0, "y": 0.5}, 45.5 + 10, 29.5)
    assert (x, y) == pytest.approx((55.5, 34.5), abs=0.2)


def test_convention_tilt_turns_the_right_and_the_upper_side_away():
    # The eye is 92 pixels away; turned by an angle a, what is d off comes in to d / (1 + a d / 92).
    x, y = moved("tilt", {"x": 30.0, "y": 0.0}, 45.5 + 20, 29.5)
    assert (x, y) == pytest.approx((45.5 + 20 / (1 + math.radians(30) * 20 / 92), 29.5), abs=0.1)
    x, y = moved("tilt", {"x": 0.0, "y": 30.0}, 45.5, 29.5 - 12)
    assert (x, y) == pytest.approx((45.5, 29.5 - 12 / (1 + math.radians(30) * 12 / 92)), abs=0.1)
    assert moved("tilt", {"x": 30.0, "y": 0.0}, 45.5 - 20, 29.5)[0] < 45.5 - 21


def test_convention_swirl_is_clockwise_and_fades():
    x, y = moved("swirl", {"rate": 90.0, "radius": 10.0}, 45.5 + 15, 29.5)
    assert (x, y) == pytest.approx((45.5, 29.5 + 15), abs=0.2)
    # At the radius, 24 pixels, a 1/e of 90 degrees.
    x, y = moved("swirl", {"rate": 90.0}, 45.5 + 24, 29.5)
    turned = math.radians(90 / math.e)
    expected = (45.5 + 24 * math.cos(turned), 29.5 + 24 * math.sin(turned))
    assert (x, y) == pytest.approx(expected, abs=0.3)


def test_convention_ripples_run_outward_and_come_back():
    """What the waves do to one row, to the right of the centre, half a wave is 30 pixels."""
    size, options = Size(200, 300), {"rate": 1.0, "depth": 0.4, "length": 0.3, "centre": [0.0, 0.5]}
    row = grid(size)[:, 99:101]

    def pushed(time):
        """How far what rests there is pushed out between the film's start and `time`."""
        flow = composed({"ripple": options})(row, Clock(time, time), size) - row
        return -flow[0, 0, 100:260]

    crests = [pushed(time).diff().abs() for time in (0.1, 0.2)]
    assert pushed(1.0).abs().max() < 1e-3
    assert min(crest.max() for crest in crests) > 0.02

    # From the flow of a short while on, the pattern moves a tenth of a wave, 6 pixels, outward.
    def speed(time):
        return composed({"ripple": options})(row, Clock(time, 1e-3), size)[0, 0] - row[0, 0]

    first, later = speed(0.4)[90:240], speed(0.5)
    shifts = {shift: (later[90 + shift : 240 + shift] - first).abs().max() for shift in (-6, 0, 6)}
    assert min(shifts, key=shifts.__getitem__) == 6


def test_convention_a_spiral_wells_up_clockwise_and_drains():
    options = {"rate": 2.0, "turn": 90.0, "centre": [0.5, 0.5], "drain": [10.0, 0.5]}
    # With the drain far away, a zoom and a turn: right of the centre to below it, twice as far.
    x, y = moved("spiral", options, 45.5 + 8, 29.5)
    assert (x, y) == pytest.approx((45.5, 29.5 + 16), abs=0.7)
    options = {"rate": 2.0, "turn": 0.0, "centre": [0.0, 0.5], "drain": [1.0, 0.5]}
    # Half way between both, the ratio of the distances doubles.
    x, y = moved("spiral", options, 45.5, 29.5)
    assert (x, y) == pytest.approx((91 * 2 / 3, 29.5), abs=0.3)


def test_a_spiral_whose_ends_meet_stays():
    options = {"rate": 2.0, "centre": [0.3, 0.6], "drain": [0.3, 0.6]}
    assert torch.equal(composed({"spiral": options})(grid(SIZE), Clock(0, 1), SIZE), grid(SIZE))


def test_a_kaleidoscope_mirrors_its_wedge():
    """Six wedges and their mirror images around a centre; the one to the right is real."""
    size = Size(121, 121)
    motion = composed({"kaleidoscope": {"rate": 180.0, "sectors": 6}})
    places = motion(grid(size), Clock(1.0, 1 / 30), size)
    again = motion(places, Clock(1.0, 1 / 30), size)
    torch.testing.assert_close(again, places, atol=1e-3, rtol=0)
    torch.testing.assert_close(places.flip(1, 2), places, atol=1e-3, rtol=0)
    assert torch.equal(places[:, 60, 60:], grid(size)[:, 60, 60:])
    x, y = places - 60
    bearing = torch.rad2deg(torch.atan2(y, x))[torch.hypot(x, y) > 1]
    assert bearing.min() >= -15.01
    assert bearing.max() <= 15.01
    # Across the mirror at 15 degrees, 25 is 5.
    x, y = (60 + 40 * torch.tensor([f(math.radians(25))]) for f in (math.cos, math.sin))
    seen = motion(torch.stack([x, y])[:, None], Clock(1.0, 1 / 30), size).flatten() - 60
    turned = math.radians(5)
    assert seen.tolist() == pytest.approx([40 * math.cos(turned), 40 * math.sin(turned)], abs=1e-3)


def test_mirrors_open_like_a_fan():
    size = Size(121, 121)
    motion = composed({"kaleidoscope": {"rate": 30.0, "sectors": 6, "angle": 90.0}})
    moved = flow_of(motion, Clock(1.0, 1 / 30), size).abs().amax(0) > 1e-3
    x, y = grid(size) - 60
    away = (torch.rad2deg(torch.atan2(y, x)) - 90 + 180).remainder(360) - 180
    far = torch.hypot(x, y) > 5
    # The wedge looks down; a second later the mirrors reach from 15 to 45 degrees.
    assert moved[far & (away.abs() > 16) & (away.abs() < 44)].all()
    assert not moved[far & ((away.abs() < 14) | (away.abs() > 46))].any()


def test_convention_a_flow_points_to_where_content_was():
    flow = torch.zeros(2, *SIZE)
    flow[0] = 3
    x, y = middle_of(warp(disc(40, 30), flow))
    assert (x, y) == pytest.approx((37, 30), abs=1e-3)


def test_a_composition_is_its_parts_in_order():
    clock = Clock(0.0, 1.0)
    both = composed({"pan": {"x": 0.2, "y": 0.0}, "spin": {"rate": 90.0}})
    points = both(grid(SIZE), clock, SIZE)
    pan, spin = (composed({n: o}) for n, o in (("pan", {"x": 0.2, "y": 0}), ("spin", {"rate": 90})))
    expected = pan(spin(grid(SIZE), clock, SIZE), clock, SIZE)
    torch.testing.assert_close(points, expected)
    # Panned first, a point right of the centre ends up further below it.
    assert middle_of(warp(disc(45.5, 29.5), flow_of(both, clock, SIZE))) == pytest.approx(
        (45.5, 29.5 + 0.2 * 92), abs=0.3
    )


def test_the_border_is_reflected():
    frame = torch.zeros(3, *SIZE)
    frame[:, :, :5] = 1
    flow = torch.zeros(2, *SIZE)
    flow[0] = -8
    shifted = warp(frame, flow)
    # Column 8 shows column 0, and column 0 shows its mirror image, column 8.
    assert shifted[:, :, 4:13].min() > 0.999
    assert shifted[:, :, :3].max() < 0.001


@pytest.mark.parametrize("threads", [2, 3, 7])
def test_warping_does_not_depend_on_how_many_cores_share_it(picture, threads):
    torch.manual_seed(2)
    picture = picture[:, :51]
    flow = 5 * torch.randn(2, *picture.shape[-2:])
    alone = warp(picture, flow)
    torch.set_num_threads(threads)
    torch.testing.assert_close(warp(picture, flow), alone, rtol=0, atol=1e-6)


def test_warping_is_bicubic():
    """Half a pixel of bicubic shift keeps a fine grating that bilinear would flatten."""
    columns = torch.arange(92.0)
    grating = (0.5 + 0.4 * torch.sin(columns * math.pi * 0.6)).expand(3, 60, 92).contiguous()
    flow = torch.zeros(2, *SIZE)
    flow[0] = 0.5
    exact = 0.5 + 0.4 * torch.sin((columns + 0.5) * math.pi * 0.6)
    error = (warp(grating, flow)[0, 30, 5:-5] - exact[5:-5]).abs().max()
    assert error < 0.12


@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.5, 0.8])
def test_warping_amplifies_no_frequency(fraction):
    """What is resampled hundreds of times must not ring; torch's own bicubic gains 3 % a time."""
    flow = torch.full((2, 64, 96), fraction)
    for cycles in range(1, 33):
        wave = torch.cos(torch.arange(96.0) * 2 * math.pi * cycles / 64).expand(3, 64, 96)
        shifted = warp(0.5 + 0.4 * wave, flow)[:, :, 8:72] - 0.5
        strength = torch.fft.rfft(shifted[0, 30])[cycles].abs() / 32
        assert strength <= 0.4 * (1 + 1e-5) * (2 if cycles == 32 else 1), cycles


def test_a_third_of_a_pixel_is_that_of_catmull_and_rom():
    line = torch.zeros(3, 12, 21)
    line[:, :, 10] = 1
    flow = torch.zeros(2, 12, 21)
    flow[0] = -1 / 3
    t = 2 / 3
    weights = [
        0.5 * (-t + 2 * t**2 - t**3),
        0.5 * (2 - 5 * t**2 + 3 * t**3),
        0.5 * (t + 4 * t**2 - 3 * t**3),
        0.5 * (-(t**2) + t**3),
    ]
    expected = torch.tensor(weights[::-1]).clamp(0, 1)
    torch.testing.assert_close(warp(line, flow)[0, 5, 9:13], expected, atol=1e-5, rtol=0)


def test_the_first_frame_is_the_source(picture):
    carry = by_motion(composed({"zoom": {"rate": 2.0}}), Fraction(30))
    assert carry(Situation(0, Moment(picture), None)).frame is picture
    later = carry(Situation(1, Moment(picture, picture), picture))
    assert not torch.equal(later.frame, picture)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"zom": {}}, "did you mean 'zoom'"),
        ({"zoom": {"rate": 0}}, r"motion\.zoom\.rate"),
        ({"zoom": {"rate": -1}}, r"motion\.zoom\.rate"),
        ({"zoom": {"rate": float("nan")}}, "finite"),
        ({"zoom": {"center": [0.5, 0.5]}}, "did you mean 'centre'"),
        ({"pan": {"x": "left"}}, "a number"),
    ],
)
def test_bad_motions(options, words):
    with pytest.raises(SettingsError, match=words):
        composed(options)


def test_a_motion_that_changes_its_points_still_moves(monkeypatch):
    def sly(points, clock, size):
        points[0] -= 3
        return points

    monkeypatch.setitem(motions.functions, "sly", sly)
    flow = flow_of(composed({"sly": {}}), Clock(1.0, 1.0), Size(4, 6))
    assert flow[0].eq(-3).all()
    monkeypatch.setitem(motions.functions, "sly", lambda points, clock, size: None)
    with pytest.raises(SettingsError, match="gave NoneType, expected points"):
        flow_of(composed({"sly": {}}), Clock(1.0, 1.0), Size(4, 6))
