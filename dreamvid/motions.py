"""Motions: how a frame's content moves from one frame to the next.

A motion maps places to places, backward: it takes points (2, H, W) in pixels of the new frame
and returns where in the frame before each of them was. Composing motions is therefore composing
functions, without resampling in between; `flow_of` turns the whole into one `Flow`. Rates are per
second of film and lengths are fractions of the frame, so neither the frame rate nor the size
changes what a motion looks like.
"""

import math
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import torch
from torch import Tensor

from dreamvid.frames import Clock, Flow, Size
from dreamvid.registry import Registry, Within, checked_options
from dreamvid.warp import grid

motions = Registry("motion")
Motion = Callable[[Tensor, Clock, Size], Tensor]
Place = Annotated[float, Within(-10, 11)]
Slide = Annotated[float, Within(-100, 100)]
Turn = Annotated[float, Within(-36000, 36000)]


def _middle(size: Size, centre: tuple[float, float], points: Tensor) -> Tensor:
    """A centre given as fractions of width and height, in pixels: (2, 1, 1)."""
    x, y = centre
    middle = torch.tensor([x * (size.width - 1), y * (size.height - 1)], device=points.device)
    return middle[:, None, None]


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
    rate: Annotated[float, Within(1e-3, 1e3)] = 1.25,
    centre: tuple[Place, Place] = (0.5, 0.5),
) -> Tensor:
    """Magnify `rate` times a second about `centre`; below 1 the picture shrinks."""
    middle = _middle(size, centre, points)
    return middle + (points - middle) * rate**-clock.step


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
    middle = _middle(size, centre, points)
    x, y = points - middle
    # Backward: where a clockwise turn brought this point from lies anticlockwise of it.
    angle = math.radians(rate * clock.step)
    cosine, sine = math.cos(angle), math.sin(angle)
    return middle + torch.stack([cosine * x + sine * y, cosine * y - sine * x])


@motions.register
def pan(points: Tensor, clock: Clock, size: Size, *, x: Slide = 0.1, y: Slide = 0.0) -> Tensor:
    """Move the content by `x` widths to the right and `y` heights down a second."""
    shift = torch.tensor([x * size.width, y * size.height], device=points.device) * clock.step
    return points - shift[:, None, None]


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
    middle = _middle(size, centre, points)
    # The flow exp(-tG) of the shearing velocity, so that two half steps make one whole step.
    generator = torch.tensor([[0.0, x], [y, 0.0]], dtype=torch.float64) * -clock.step
    matrix = torch.linalg.matrix_exp(generator).float().to(points.device)
    return middle + torch.einsum("ij,jhw->ihw", matrix, points - middle)


def composed(options: Mapping[str, Mapping[str, Any]]) -> Motion:
    """One motion out of several, by name with their options, applied in the order given."""
    parts = []
    for name, values in options.items():
        function = motions[name]
        parts.append((function, checked_options(function, values, f"motion.{name}")))

    def motion(points: Tensor, clock: Clock, size: Size) -> Tensor:
        # Backward maps undo the last motion first.
        for function, values in reversed(parts):
            points = function(points, clock, size, **values)
        return points

    return motion


def flow_of(motion: Motion, clock: Clock, size: Size, device: torch.device | str = "cpu") -> Flow:
    """The `Flow` by which a motion brings one frame to the next."""
    points = grid(size, device)
    return motion(points, clock, size) - points
