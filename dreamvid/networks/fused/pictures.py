"""What a step does to pictures as they are seen, (N, 3, H, W) in float32: it rolls and moves them.

And a picture's 2x2 blocks, as a first convolution takes them.
"""

# Triton compiles what its own annotations do not describe.
# pyright: reportGeneralTypeIssues=false, reportArgumentType=false, reportCallIssue=false
# pyright: reportOperatorIssue=false

import torch
import triton
import triton.language as tl
from torch import Tensor

from dreamvid.networks.fused.places import BLOCK

TINY = tl.constexpr(1e-20)
SUMS = 256
"""Sums that a picture's gradient is first added up to."""
CHANNELS = 16
"""Of a block: it has 12, tensor cores take multiples of eight, and 16 best."""


@triton.jit
def _rolled(x_ptr, out_ptr, offsets_ptr, n, H, W, BACK: tl.constexpr, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = at < n
    down = tl.load(offsets_ptr).to(tl.int32)
    right = tl.load(offsets_ptr + 1).to(tl.int32)
    if not BACK:
        down, right = -down, -right
    # What is left of a division may be below 0.
    h = ((at // W) % H + down % H + H) % H
    w = (at % W + right % W + W) % W
    x = tl.load(x_ptr + (at // W // H * H + h) * W + w, mask=mask)
    tl.store(out_ptr + at, x, mask=mask)


@triton.jit
def _sums(g_ptr, sums_ptr, n, ROUNDS, BLOCK: tl.constexpr):
    part, picture = tl.program_id(0), tl.program_id(1)
    total = tl.zeros((BLOCK,), tl.float32)
    for number in range(ROUNDS):
        at = (part * ROUNDS + number) * BLOCK + tl.arange(0, BLOCK)
        total += tl.abs(tl.load(g_ptr + picture * n + at, mask=at < n, other=0.0))
    tl.store(sums_ptr + picture * tl.num_programs(0) + part, tl.sum(total))


@triton.jit
def _moved(
    x_ptr, g_ptr, out_ptr, finite_ptr, sums_ptr, offsets_ptr, size_ptr, low_ptr, high_ptr, n, H, W,
    MAP: tl.constexpr, CLAMP: tl.constexpr, SUMS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    picture = tl.program_id(1)
    total = tl.sum(tl.load(sums_ptr + picture * SUMS + tl.arange(0, SUMS)))
    # Infinity less itself is no number, nor is what is none.
    finite = total - total == 0
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = at < n
    place, c = at % (H * W), at // (H * W)
    down = tl.load(offsets_ptr).to(tl.int32) % H + H
    right = tl.load(offsets_ptr + 1).to(tl.int32) % W + W
    h, w = (place // W + down) % H, (place % W + right) % W
    x = tl.load(x_ptr + picture * n + at, mask=mask, other=0.0)
    g = tl.load(g_ptr + picture * n + (c * H + h) * W + w, mask=mask, other=0.0)
    size = tl.load(size_ptr + place, mask=mask, other=0.0) if MAP else tl.load(size_ptr)
    out = x + size * (g / (total / n + TINY))
    if CLAMP:
        out = tl.minimum(tl.maximum(out, tl.load(low_ptr + c)), tl.load(high_ptr + c))
    tl.store(out_ptr + picture * n + at, tl.where(finite, out, x), mask=mask)
    tl.store(finite_ptr + picture, finite.to(tl.uint8))


@triton.jit
def _blocks(x_ptr, out_ptr, n, H, W, ROWS, COLUMNS, TOP, LEFT, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = at < n
    channel, place = at % 16, at // 16
    w = place % COLUMNS * 2 - LEFT + channel % 2
    h = (place // COLUMNS) % ROWS * 2 - TOP + channel // 2 % 2
    picture, c = place // COLUMNS // ROWS, channel // 4
    ok = mask & (c < 3) & (h >= 0) & (h < H) & (w >= 0) & (w < W)
    x = tl.load(x_ptr + ((picture * 3 + c) * H + h) * W + w, mask=ok, other=0.0)
    tl.store(out_ptr + at, x.to(out_ptr.dtype.element_ty), mask=mask)


@triton.jit
def _blocks_back(g_ptr, out_ptr, n, H, W, ROWS, COLUMNS, TOP, LEFT, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = at < n
    w = at % W + LEFT
    h = (at // W) % H + TOP
    c = (at // W // H) % 3
    place = (at // W // H // 3 * ROWS + h // 2) * COLUMNS + w // 2
    channel = c * 4 + h % 2 * 2 + w % 2
    g = tl.load(g_ptr + place * 16 + channel, mask=mask, other=0.0)
    tl.store(out_ptr + at, g.to(tl.float32), mask=mask)


KERNELS = {
    "_rolled": (_rolled, ("fp32", "fp32", "i64", *["i32"] * 3), {"BACK": True}),
    "_sums": (_sums, ("fp32", "fp32", "i32", "i32"), {}),
    "_moved": (
        _moved,
        (*["fp32"] * 3, "u8", "fp32", "i64", *["fp32"] * 3, *["i32"] * 3),
        {"MAP": True, "CLAMP": True, "SUMS": SUMS},
    ),
    "_blocks": (_blocks, ("fp32", "x", *["i32"] * 7), {}),
    "_blocks_back": (_blocks_back, ("x", "fp32", *["i32"] * 7), {}),
}
"""As `places.KERNELS`."""


def rolled(image: Tensor, offsets: Tensor, *, back: bool = False) -> Tensor:
    """As `ascent.rolled`, by offsets (2,) that lie on the device."""
    image = image.contiguous()
    out = torch.empty_like(image)
    sides = image.shape[-2:]
    grid = (triton.cdiv(image.numel(), BLOCK),)
    _rolled[grid](image, out, offsets, image.numel(), *sides, back, BLOCK)
    return out


def moved(
    image: Tensor,
    gradient: Tensor,
    offsets: Tensor,
    step_size: Tensor,
    bounds: tuple[Tensor, Tensor] | None,
) -> tuple[Tensor, Tensor]:
    """Pictures after a step, and which of them had a finite gradient, (N,).

    Args:
        image: (N, 3, H, W), as it is seen.
        gradient: (N, 3, H, W), of the picture as it was rolled by `offsets`. It is divided by the
            mean of its absolute values.
        offsets: (2,).
        step_size: one number, or one for each place (H, W).
        bounds: the lowest and highest value of each channel, (1, 3, 1, 1); None: there are none.
    """
    image, gradient = image.contiguous(), gradient.contiguous()
    count, values, (height, width) = len(image), image[0].numel(), image.shape[-2:]
    sums = image.new_empty(count, SUMS)
    rounds = triton.cdiv(values, SUMS * BLOCK)
    _sums[(SUMS, count)](gradient, sums, values, rounds, BLOCK)
    out, finite = torch.empty_like(image), sums.new_empty(count, dtype=torch.uint8)
    ends = bounds or (sums, sums)
    grid = (triton.cdiv(values, BLOCK), count)
    _moved[grid](
        image, gradient, out, finite, sums, offsets, step_size.contiguous(), *ends, values, height,
        width, step_size.ndim > 0, bounds is not None, SUMS, BLOCK,
    )  # fmt: skip
    return out, finite.bool()


def blocks(image: Tensor, around: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """The 2x2 blocks of a picture that is padded `around`: left, right, above, below.

    (N, 3, H, W) to (N, 16, h, w), channels last; the last four channels are 0.
    """
    image = image.contiguous()
    height, width = image.shape[-2:]
    left, right, top, bottom = around
    rows, columns = (height + top + bottom) // 2, (width + left + right) // 2
    out = torch.empty(
        (len(image), CHANNELS, rows, columns),
        dtype=dtype,
        device=image.device,
        memory_format=torch.channels_last,
    )
    grid = (triton.cdiv(out.numel(), BLOCK),)
    _blocks[grid](image, out, out.numel(), height, width, rows, columns, top, left, BLOCK)
    return out


def blocks_back(gradient: Tensor, around: tuple[int, ...], like: torch.Size) -> Tensor:
    """The gradient of the picture (N, 3, H, W) in float32, from that of its `blocks`."""
    out = torch.empty(like, dtype=torch.float32, device=gradient.device)
    sides, (left, _, top, _) = gradient.shape[-2:], around
    grid = (triton.cdiv(out.numel(), BLOCK),)
    _blocks_back[grid](gradient, out, out.numel(), *like[-2:], *sides, top, left, BLOCK)
    return out
