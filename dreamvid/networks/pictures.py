"""What is done to pictures in C (pictures.c), where this machine can compile it.

Pictures are (N, 3, H, W), float32, on a processor.
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from dreamvid.frames import Offsets
from dreamvid.machine.native import call, compiled, lacking
from dreamvid.networks import ways

SOURCE = Path(__file__).with_name("pictures.c")
COLOURS = 3
TINY = 1e-20
"""What a gradient's mean is at least, as in `dream.shaping`."""


def serves(pictures: Tensor) -> bool:
    """Whether pictures can be given to the functions here."""
    return (
        ways.usable()
        and pictures.device.type == "cpu"
        and pictures.dtype == torch.float32
        and pictures.ndim == 4
        and pictures.shape[1] == COLOURS
        and pictures.numel() > 0
        and absence() is None
    )


@cache
def absence() -> str | None:
    """Why there is nothing compiled; None where there is."""
    return lacking(SOURCE)


def in_blocks(x: Tensor, around: Sequence[int], channels: int) -> Tensor:
    """Pictures (N, 3, H, W), padded by zeros, as blocks of 2x2 pixels (N, C, h, w).

    The four pixels of each channel come one after the other. There may be more channels than
    these twelve; they are zeros. `around` are the pads left, right, above and below.
    """
    return _Blocks.apply(x, tuple(around), channels)  # pyright: ignore[reportReturnType]


class _Blocks(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, around: tuple[int, ...], channels: int) -> Tensor:
        ctx.shape, ctx.around = x.shape, around
        left, right, above, below = around
        count, _, height, width = x.shape
        size = ((height + above + below) // 2, (width + left + right) // 2)
        out = x.new_empty(count, *size, channels).permute(0, 3, 1, 2)
        numbers = (count, height, width, *size, channels, above, left)
        call(compiled(SOURCE), "in_blocks", (x.contiguous(), out), *numbers)
        return out

    @staticmethod
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx, grad: Tensor
    ) -> tuple[Tensor, None, None]:
        left, _, above, _ = ctx.around
        if torch.is_grad_enabled():
            # A second derivative is wanted.
            _, channels, height, width = ctx.shape
            whole = F.pixel_shuffle(grad[:, : 4 * channels], 2)
            return whole[:, :, above : above + height, left : left + width], None, None
        count, _, height, width = ctx.shape
        out = grad.new_empty(ctx.shape)
        numbers = (count, height, width, *grad.shape[2:], grad.shape[1], above, left)
        blocks = grad.contiguous(memory_format=torch.channels_last)
        call(compiled(SOURCE), "out_of_blocks", (blocks, out), *numbers)
        return out, None, None


def moved(
    image: Tensor,
    gradient: Tensor,
    offsets: Offsets,
    step_size: float | Tensor,
    bounds: tuple[Tensor, Tensor] | None,
) -> tuple[Tensor, Tensor]:
    """Pictures after a step, and which of them had a finite gradient, (N,).

    Args:
        image: as it is seen.
        gradient: of the picture as it was rolled by `offsets`. It is divided by the mean of its
            sizes.
        offsets: down and to the right.
        step_size: one number, or one for each place (H, W).
        bounds: the lowest and highest value of each channel, (1, 3, 1, 1); None: there are none.
    """
    image, gradient = image.contiguous(), gradient.contiguous()
    count, _, height, width = image.shape
    sums = torch.empty(count, COLOURS * height, dtype=torch.float64)
    call(compiled(SOURCE), "sizes", (gradient, sums), sums.numel(), width)
    mean = (sums.sum(1) / image[0].numel() + TINY).float()
    steps = torch.as_tensor(step_size, dtype=torch.float32).contiguous()
    ends = [each.float().contiguous() for each in bounds] if bounds else [None, None]
    out = torch.empty_like(image)
    down, right = (
        int(offset) % side for offset, side in zip(offsets, (height, width), strict=True)
    )
    numbers = (count, height, width, down, right, int(steps.ndim > 0))
    tensors = (image, gradient, out, mean, steps, *ends)
    call(compiled(SOURCE), "moved", tensors, *numbers)
    return out, torch.isfinite(mean)
