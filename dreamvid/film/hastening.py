"""What moves fast against the rest of a film's frame: its dream is renewed by larger steps.

Steps are normalised by the gradient of the whole frame, and what has been dreamed on for long has
the most of it. A fast thing never has: it is lost now and then, and begins anew.
"""

import torch
from torch import Tensor

from dreamvid.frames import Flow

SLOW, FAST = 4.0, 8.0
"""Pixels a frame at which the steps begin to grow, and at which they are largest."""
LIFT = 2.0
"""How much larger those are."""
SPARSE = 4
"""On a GPU every so manieth row and column says what all of the frame does: it sorts slowly."""


def hastened(flow: Flow) -> Tensor | None:
    """How many times as large the steps of a frame are, (H, W); None: all as usual.

    What all of the frame does, as the camera moves, is not fast.
    """
    apart = 1 if flow.device.type == "cpu" else SPARSE
    rest = flow[:, ::apart, ::apart].flatten(1).median(1).values[:, None, None]
    speed = (flow - rest).square().sum(0).sqrt()
    share = ((speed - SLOW) / (FAST - SLOW)).clamp(0, 1)
    # To look at what is on a GPU, the processor would have to wait for it.
    if flow.device.type == "cpu" and not torch.any(share):
        return None
    return 1 + LIFT * share
