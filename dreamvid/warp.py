"""The one warp: bicubic, with a reflected border, on the frame's own device.

Bilinear sampling would blur a feedback loop, and a black border would grow into it.
"""

import torch
from torch.nn import functional as F

from dreamvid.frames import Flow, Frame, Size, size_of


def grid(size: Size, device: torch.device | str = "cpu") -> torch.Tensor:
    """The pixels' own places, (2, H, W): channel 0 is x, channel 1 is y."""
    rows = torch.arange(size.height, dtype=torch.float32, device=device)
    columns = torch.arange(size.width, dtype=torch.float32, device=device)
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    return torch.stack([x, y])


def warp(frame: Frame, flow: Flow) -> Frame:
    """``out[:, y, x] = frame[:, y + dy, x + dx]``, kept within [0, 1].

    Convention: a flow of +3 in dx everywhere moves the picture's content three pixels to the
    left.
    """
    height, width = size = size_of(frame)
    places = grid(size, frame.device) + flow
    span = torch.tensor([max(width - 1, 1), max(height - 1, 1)], device=frame.device)
    normal = places * (2 / span)[:, None, None] - 1
    return F.grid_sample(
        frame[None],
        normal.permute(1, 2, 0)[None],
        mode="bicubic",
        padding_mode="reflection",
        align_corners=True,
    )[0].clamp(0, 1)
