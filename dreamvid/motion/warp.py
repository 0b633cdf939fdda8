"""The one warp: bicubic, with a reflected border, on the frame's own device.

Bilinear sampling would blur a feedback loop, and a black border would grow into it. The cubic is
Catmull and Rom's (a = -1/2), which amplifies no frequency; the sharper one that torch and OpenCV
sample with (a = -3/4) has a gain of up to 1.03, and a hundred frames of feedback turn that into
ringing twenty times its size.
"""

import torch
from torch.nn import functional as F

from dreamvid.frames import Flow, Frame, Size, constant, size_of

WITHOUT_BICUBIC = ("mps",)
"""Devices for which torch has no such kernel; the processor does it for them."""


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
    return moved(frame, flow).clamp(0, 1)


def moved(image: torch.Tensor, flow: Flow) -> torch.Tensor:
    """`warp` for any (C, H, W), such as the difference of two frames: nothing is clamped."""
    places = grid(size_of(image), image.device) + flow
    # The cubic kernel is linear in a: two thirds of a = -3/4, which grid_sample has, and one
    # third of a = 0, which is linear sampling at a smoothed fraction of a pixel.
    whole = places.floor()
    part = places - whole
    eased = whole + part * part * (3 - 2 * part)
    cubic = sampled(image, places, "bicubic")
    return torch.lerp(cubic, sampled(image, eased, "bilinear"), 1 / 3)


def sampled(image: torch.Tensor, places: torch.Tensor, mode: str) -> torch.Tensor:
    """`image` (C, H, W) at `places` (2, H, W) in pixels, by torch's own kernel of that name."""
    if mode == "bicubic" and image.device.type in WITHOUT_BICUBIC:
        return sampled(image.cpu(), places.cpu(), mode).to(image.device)
    height, width = size_of(image)
    unit = constant((2 / max(width - 1, 1), 2 / max(height - 1, 1)), image.device)
    normal = places * unit[:, None, None] - 1
    rows, columns = size_of(places)
    # Torch gives each picture of a batch to one core, so each core gets a share of the places.
    cores = torch.get_num_threads() if image.device.type == "cpu" else 1
    shares = max(count for count in range(1, cores + 1) if rows * columns % count == 0)
    found = F.grid_sample(
        image.expand(shares, *image.shape),
        normal.permute(1, 2, 0).reshape(shares, 1, -1, 2),
        mode=mode,
        padding_mode="reflection",
        align_corners=True,
    )
    return found.transpose(0, 1).reshape(-1, rows, columns)
