"""Motions: how a frame's content moves from one frame to the next.

A motion maps places to places, backward: it takes points (2, H, W) in pixels of the new frame
and returns where in the frame before each of them was. Composing motions is therefore composing
functions, without resampling in between; `flow_of` turns the whole into one `Flow`. Rates are per
second of film and lengths are fractions of the frame, so neither the frame rate nor the size
changes what a motion looks like: each is the flow of a velocity, exact for any step, so that two
half steps are one whole step. What is added to the points is computed for itself, and is nothing
at all where nothing moves.
"""

import math
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import numpy as np
import torch
from torch import Tensor

from dreamvid.errors import SettingsError
from dreamvid.frames import Clock, Flow, Size, constant
from dreamvid.motion.warp import grid
from dreamvid.registry import Registry, Within, checked_options
from dreamvid.schedules import random

motions = Registry("motion", positional=("points", "clock", "size"))
Motion = Callable[[Tensor, Clock, Size], Tensor]
Place = Annotated[float, Within(-10, 11, scheduled=True)]
Slide = Annotated[float, Within(-100, 100, scheduled=True, rate="adds")]
Turn = Annotated[float, Within(-36000, 36000, scheduled=True, rate="adds")]
Growth = Annotated[
    float,
    Within(
        1e-3,
        1e3,
        scheduled=True,
        rate="multiplies",
        note="1.25 grows by a quarter a second, and below 1 the film zooms out",
    ),
]
Length = Annotated[float, Within(0.01, 10, scheduled=True)]
NEWTON = 12
SWINGS = (1.0, 0.618, 0.382)
"""How often each part of a `shake` swings, beside its rate."""
FAINTEST = 0.05
"""How small a `tilt` makes its far side in one step, at the least."""


def _middle(size: Size, centre: tuple[float, float], points: Tensor) -> Tensor:
    """A centre given as fractions of width and height, in pixels: (2, 1, 1)."""
    x, y = centre
    return constant((x * (size.width - 1), y * (size.height - 1)), points.device)[:, None, None]


def _turned(points: Tensor, middle: Tensor, degrees: Tensor | float) -> Tensor:
    """`points` turned anticlockwise as seen about `middle`."""
    x, y = points - middle
    turn = degrees % 360
    angle = torch.deg2rad(turn if isinstance(turn, Tensor) else constant((turn,), points.device))
    sine, less = torch.sin(angle), -2 * torch.sin(angle / 2) ** 2
    return points + torch.stack([less * x + sine * y, less * y - sine * x])


@motions.register
def hold(points: Tensor, clock: Clock, size: Size) -> Tensor:
    """Stay."""
    return points


@motions.register
def zoom(
    points: Tensor,
    clock: Clock,
    size: Size,
    *,
    rate: Growth = 1.25,
    centre: tuple[Place, Place] = (0.5, 0.5),
) -> Tensor:
    """Magnify `rate` times a second about `centre`; below 1 the picture shrinks."""
    middle = _middle(size, centre, points)
    return points + (points - middle) * math.expm1(-clock.step * math.log(rate))


@motions.register
def spin(
    points: Tensor,
    clock: Clock,
    size: Size,
    *,
    rate: Turn = 12.0,
    centre: tuple[Place, Place] = (0.5, 0.5),
) -> Tensor:
    """Turn `rate` degrees a second about `centre`, clockwise as seen."""
    # Backward: where a clockwise turn brought this point from lies anticlockwise of it.
    return _turned(points, _middle(size, centre, points), rate * clock.step)


@motions.register
def pan(points: Tensor, clock: Clock, size: Size, *, x: Slide = 0.1, y: Slide = 0.0) -> Tensor:
    """Move the content by `x` widths to the right and `y` heights down a second."""
    shift = constant((x * size.width, y * size.height), points.device)
    return points - shift[:, None, None] * clock.step


@motions.register
def shear(
    points: Tensor,
    clock: Clock,
    size: Size,
    *,
    x: Slide = 0.1,
    y: Slide = 0.0,
    centre: tuple[Place, Place] = (0.5, 0.5),
) -> Tensor:
    """Slide rows by `x` of their height and columns by `y` of their width a second."""
    # The flow exp(-tG) of the shearing velocity.
    generator = torch.tensor([[0.0, x], [y, 0.0]], dtype=torch.float64) * -clock.step
    change = (
        (torch.linalg.matrix_exp(generator) - torch.eye(2))
        .float()
        .to(points.device, non_blocking=True)
    )
    return points + torch.einsum("ij,jhw->ihw", change, points - _middle(size, centre, points))


@motions.register
def tilt(
    points: Tensor,
    clock: Clock,
    size: Size,
    *,
    x: Annotated[float, Within(-180, 180, scheduled=True)] = 10.0,
    y: Annotated[float, Within(-180, 180, scheduled=True)] = 0.0,
    centre: tuple[Place, Place] = (0.5, 0.5),
) -> Tensor:
    """Turn the right side `x` and the upper side `y` degrees a second away, in perspective.

    The eye is as far from the picture as its longer side is long.
    """
    offset = points - _middle(size, centre, points)
    away = torch.tensor([x, -y], dtype=torch.float64).deg2rad() * clock.step / max(size)
    # The flow of v = -(a·p) p, a projective map: forward p / (1 + a·p), backward p / (1 - a·p).
    part = torch.einsum("i,ihw->hw", away.float().to(points.device, non_blocking=True), offset)
    return points + offset * part / (1 - part).clamp_min(FAINTEST)


@motions.register
def swirl(
    points: Tensor,
    clock: Clock,
    size: Size,
    *,
    rate: Turn = 45.0,
    radius: Length = 0.4,
    centre: tuple[Place, Place] = (0.5, 0.5),
) -> Tensor:
    """Stir: turn `rate` degrees a second, clockwise, at `centre` and ever less away from it.

    `radius`, in shorter sides, is where the turning has fallen to 1/e.
    """
    middle = _middle(size, centre, points)
    distance = (points - middle) / (radius * min(size))
    falling = torch.exp(-distance.pow(2).sum(0))
    return _turned(points, middle, falling * (rate * clock.step))


@motions.register
def ripple(
    points: Tensor,
    clock: Clock,
    size: Size,
    *,
    rate: Annotated[float, Within(-100, 100)] = 0.5,
    depth: Annotated[float, Within(-0.8, 0.8, scheduled=True)] = 0.4,
    length: Length = 0.3,
    centre: tuple[Place, Place] = (0.5, 0.5),
) -> Tensor:
    """Waves, `rate` a second, run outward from `centre`; below 0 they run inward.

    `length` is from crest to crest in shorter sides, and `depth` how strongly the picture is
    squeezed between them. The picture sways about its place and goes nowhere.
    """
    offset = points - _middle(size, centre, points)
    wave = length * min(size) / math.tau
    now = torch.linalg.vector_norm(offset, dim=0) / wave
    before, after = (math.tau * (rate * each % 1) for each in (clock.time - clock.step, clock.time))

    def height(rest: Tensor, phase: float) -> Tensor:
        # Calm at the very centre, where outward has no direction.
        return depth * -torch.expm1(-(rest**2)) * torch.sin(rest - phase)

    # Where what is seen now is when at rest: rest + height(rest) = now, by Newton's method.
    rest = now
    for _ in range(NEWTON):
        calm = torch.exp(-(rest**2))
        sine, cosine = torch.sin(rest - after), torch.cos(rest - after)
        slope = 1 + depth * (2 * rest * calm * sine + (1 - calm) * cosine)
        rest = rest - (rest + height(rest, after) - now) / slope
    moved = height(rest, before) - height(rest, after)
    return points + offset * (moved / now.clamp_min(1e-9))


@motions.register
def shake(
    points: Tensor,
    clock: Clock,
    size: Size,
    *,
    strength: Annotated[float, Within(0, 1, scheduled=True)] = 0.02,
    rate: Annotated[float, Within(0.01, 100)] = 0.8,
    seed: Annotated[int, Within(0, 2**63 - 1)] = 0,
) -> Tensor:
    """Sway like a camera in the hand, up to `strength` longer sides, about `rate` times a second.

    The way depends on `seed`, which is the film's where none is given. It comes back to its middle
    again and again.
    """
    way = [_swayed(clock.time * rate, seed, axis) for axis in (0, 1)]
    before = [_swayed((clock.time - clock.step) * rate, seed, axis) for axis in (0, 1)]
    moved = [strength * max(size) * (now - then) for now, then in zip(way, before, strict=True)]
    return points - constant((moved[0], moved[1]), points.device)[:, None, None]


def _swayed(turns: float, seed: int, axis: int) -> float:
    """Where something that sways is, -1 to 1: three swings that never come together again."""
    phases = random(seed, np.arange(3) + 3 * axis)
    return float(np.sin(math.tau * (turns * np.array(SWINGS) + phases)).mean())


@motions.register
def spiral(
    points: Tensor,
    clock: Clock,
    size: Size,
    *,
    rate: Growth = 1.3,
    turn: Turn = 30.0,
    centre: tuple[Place, Place] = (0.4, 0.55),
    drain: tuple[Place, Place] = (0.85, 0.3),
) -> Tensor:
    """Well up at `centre`, `rate` times a second and turning, and go down the `drain`.

    `turn` is in degrees a second, clockwise about `centre` and against it about the drain. A
    Möbius transformation: what is small stays in shape. With the drain far outside it is the
    log-polar spiral about `centre`.
    """
    if centre == drain:
        return points
    begin, end = (_middle(size, place, points) for place in (centre, drain))
    # In w = (z - begin) / (z - end), the whole motion is a factor.
    to_begin, to_end = (torch.complex(*(points - place)) for place in (begin, end))
    grown, turned = -clock.step * math.log(rate), -math.radians(turn) * clock.step
    less = complex(
        math.expm1(grown) * math.cos(turned) - 2 * math.sin(turned / 2) ** 2,
        math.exp(grown) * math.sin(turned),
    )
    moved = less * to_begin * to_end / (to_end - to_begin - less * to_begin)
    # The one point that comes from infinity may be a pixel.
    return points + torch.view_as_real(moved).movedim(-1, 0).nan_to_num(0, 0, 0)


@motions.register
def kaleidoscope(
    points: Tensor,
    clock: Clock,
    size: Size,
    *,
    rate: Annotated[float, Within(0, 36000)] = 180.0,
    sectors: Annotated[int, Within(1, 64)] = 6,
    angle: Annotated[float, Within(-360, 360, scheduled=True)] = 0.0,
    centre: tuple[Place, Place] = (0.5, 0.5),
) -> Tensor:
    """Mirror a wedge of the picture around `centre`, 2 x `sectors` times.

    The mirrors open like a fan, `rate` degrees a second to both sides from the film's start; the
    wedge's middle looks to the right, turned clockwise by `angle`. Mirroring again changes
    nothing, so that it does not matter how often it is done.
    """
    middle = _middle(size, centre, points)
    x, y = points - middle
    wedge = math.pi / sectors
    start = math.radians(angle)
    # From the wedge's middle, -π to π.
    bearing = torch.remainder(torch.atan2(y, x) - start + math.pi, math.tau) - math.pi
    folded = torch.remainder(bearing + wedge / 2, 2 * wedge)
    folded = torch.where(folded > wedge, 2 * wedge - folded, folded) - wedge / 2
    opened = wedge / 2 + math.radians(rate) * max(clock.time, 0.0)
    inside = (bearing.abs() > wedge / 2) & (bearing.abs() <= opened)
    radius, folded = torch.hypot(x, y), folded + start
    mirrored = middle + radius * torch.stack([torch.cos(folded), torch.sin(folded)])
    return torch.where(inside, mirrored, points)


def composed(options: Mapping[str, Mapping[str, Any]]) -> Motion:
    """One motion out of several, by name with their options, applied in the order given."""
    parts = []
    for name, values in options.items():
        function = motions[name]
        parts.append((function, checked_options(function, values, f"motion.{name}")))

    def motion(points: Tensor, clock: Clock, size: Size) -> Tensor:
        # Backward maps undo the last motion first.
        for function, values in reversed(parts):
            # A copy, for a motion that changes what it is given would seem to move nothing.
            moved = function(points.clone(), clock, size, **values)
            if not isinstance(moved, Tensor) or moved.shape != points.shape:
                got = tuple(moved.shape) if isinstance(moved, Tensor) else type(moved).__name__
                raise SettingsError(
                    f"motion {function.__name__}: gave {got}, expected points {tuple(points.shape)}"
                )
            points = moved
        return points

    return motion


def flow_of(motion: Motion, clock: Clock, size: Size, device: torch.device | str = "cpu") -> Flow:
    """The `Flow` by which a motion brings one frame to the next."""
    points = grid(size, device)
    return motion(points, clock, size) - points
