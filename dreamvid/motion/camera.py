"""A camera that travels through a depth, as a motion.

Lengths are in distances of the nearest thing, which is 1 away. The axes of the camera: x to the
right, y down, z forward. It goes forward (dolly), right (truck) and up (pedestal), and turns right
(pan), up (tilt) and clockwise (roll), along its own axes as they are at every moment.

A plane, a tunnel and a floor stay before the camera however far it goes: what it passes is behind
it, and more of the same comes. For them the camera is the flow of a velocity, as every motion is.
A depth from a file, and layers, are a scene that it really travels through, see `scenes`.
"""

import math
from typing import Annotated, Any, Literal

import torch
from torch import Tensor

from dreamvid.errors import SettingsError
from dreamvid.frames import Clock, Size
from dreamvid.motion.motions import Turn, motions
from dreamvid.registry import Within

Way = Annotated[float, Within(-100, 100, scheduled=True, rate="adds")]
VIEWS = ("plane", "tunnel", "floor")
"""Depths that stay before the camera."""
FINE = 24
"""Steps of the integration for each unit of what the camera does."""
MOST_STEPS = 512


def focal_length(fov: float, size: Size) -> float:
    """The distance of the picture's plane in pixels, of a view of `fov` degrees across."""
    return size.width / 2 / math.tan(math.radians(fov) / 2)


def twist(options: dict[str, Any]) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """The velocity of a camera, and its angular velocity in radians, a second each, on its axes."""
    along = (options["truck"], -options["pedestal"], options["dolly"])
    around = (options["tilt"], options["pan"], options["roll"])
    return along, (math.radians(around[0]), math.radians(around[1]), math.radians(around[2]))


@motions.register
def camera(
    points: Tensor,
    clock: Clock,
    size: Size,
    *,
    dolly: Way = 0.2,
    truck: Way = 0.0,
    pedestal: Way = 0.0,
    pan: Turn = 0.0,
    tilt: Turn = 0.0,
    roll: Turn = 0.0,
    fov: Annotated[float, Within(5, 150, scheduled=True)] = 60.0,
    depth: str = "plane",
    white: Literal["near", "far"] = "near",
    far: Annotated[float, Within(1.01, 1000)] = 4.0,
    layers: Annotated[int, Within(2, 16)] = 4,
    dreams: Literal["everywhere", "near", "far"] = "everywhere",
) -> Tensor:
    """Travel: forward (`dolly`), right (`truck`), up (`pedestal`); turn by `pan`, `tilt`, `roll`.

    Lengths a second are in distances of the nearest thing, turns in degrees a second; `fov` is how
    many degrees the view is wide. `depth` is plane, tunnel, floor, layers, or a picture of the
    seed's shape that is `white` where things are near or far; the farthest is `far` away. Of a
    scene, `dreams` says whether what is near or far is dreamed more strongly.
    """
    if depth not in VIEWS:
        raise SettingsError(
            f"motion.camera.depth: {depth} is a scene, which only a film can be taken of; here "
            f"{', '.join(VIEWS)} are known"
        )
    speed, turning = twist(
        {"truck": truck, "pedestal": pedestal, "dolly": dolly, "tilt": tilt, "pan": pan,
         "roll": roll}
    )  # fmt: skip
    if not any((*speed, *turning)):
        return points
    focus = focal_length(fov, size)
    middle = points.new_tensor([(size.width - 1) / 2, (size.height - 1) / 2])[:, None, None]
    rays = (points - middle) / focus
    amount = clock.step * (max(map(abs, speed)) * 4 + sum(map(abs, turning)) * 4)
    count = min(MOST_STEPS, max(1, math.ceil(abs(amount) * FINE)))
    step = -clock.step / count
    start = rays
    for _ in range(count):
        rays = _later(rays, step, depth, speed, turning)
    return points + focus * (rays - start)


def _later(
    rays: Tensor,
    step: float,
    depth: str,
    speed: tuple[float, float, float],
    turning: tuple[float, float, float],
) -> Tensor:
    """Rays (2, H, W) after a time, by Runge and Kutta's method of the fourth order."""

    def velocity(at: Tensor) -> Tensor:
        return _velocity(at, nearness_of(at, depth), speed, turning)

    first = velocity(rays)
    second = velocity(rays + step / 2 * first)
    third = velocity(rays + step / 2 * second)
    last = velocity(rays + step * third)
    return rays + step / 6 * (first + 2 * second + 2 * third + last)


def nearness_of(rays: Tensor, depth: str) -> Tensor:
    """One divided by the distance ahead of what each ray (2, H, W) meets, (H, W).

    The plane is 1 away; the tunnel's wall and the floor are 1 from the camera, and above the floor
    is nothing.
    """
    x, y = rays
    if depth == "tunnel":
        return torch.hypot(x, y)
    return y.clamp_min(0) if depth == "floor" else torch.ones_like(x)


def _velocity(
    rays: Tensor,
    near: Tensor,
    speed: tuple[float, float, float],
    turning: tuple[float, float, float],
) -> Tensor:
    """How fast what rays meet moves across the view, seen from the moving camera."""
    x, y = rays
    (right, down, ahead), (nod, sway, rolling) = speed, turning
    across = -right * near - sway + rolling * y
    downward = -down * near - rolling * x + nod
    away = -ahead * near - nod * y + sway * x
    return torch.stack([across - x * away, downward - y * away])
