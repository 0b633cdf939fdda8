"""A plugin with a motion and a carry.

::

    dreamvid zoom seed.jpg --plugin examples/own_motion.py --motion wander
    dreamvid video clip.mp4 --plugin examples/own_motion.py --carry ghost
"""

import math
from typing import Annotated

import torch
from torch import Tensor

from dreamvid.plugins import Clock, Situation, Size, Start, Within, carry, motion


@motion
def wander(
    points: Tensor,
    clock: Clock,
    size: Size,
    *,
    radius: Annotated[float, Within(0, 1)] = 0.1,
    seconds: Annotated[float, Within(0.1, 1000)] = 4.0,
) -> Tensor:
    """Go round in a circle of `radius` widths, once in so many `seconds`."""

    def place(time: float) -> Tensor:
        angle = 2 * math.pi * time / seconds
        return radius * size.width * torch.tensor([math.cos(angle), math.sin(angle)])

    # By the difference of two places, not by a speed times the step: so it comes back exactly.
    moved = place(clock.time) - place(clock.time - clock.step)
    return points - moved.to(points)[:, None, None]


@carry
def ghost(situation: Situation, *, share: Annotated[float, Within(0, 1)] = 0.6) -> Start:
    """Begin with `share` of the last dream over the new frame, wherever things went."""
    frame = situation.moment.frame
    if situation.previous is None:
        return Start(frame)
    return Start(torch.lerp(frame, situation.previous, share), later=True, draw=situation.index)
