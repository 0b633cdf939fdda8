"""Local responses and pools: what `operations` does in a dozen passes, in one each way."""

# Triton compiles what its own annotations do not describe.
# pyright: reportGeneralTypeIssues=false, reportArgumentType=false, reportAssignmentType=false

import os
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd.function import once_differentiable

BLOCK = 2**16 if os.environ.get("TRITON_INTERPRET") else 1024
"""Values for each program; the interpreter has a fixed cost for each."""
TILE = 64
"""Channels for each program: enough for its threads to read 16 bytes at a time."""


@triton.jit
def _power(s):
    """s^-0.75."""
    root = tl.rsqrt(s)
    return root * tl.sqrt(root)


@triton.jit
def _tile(C, PLACES: tl.constexpr, TILE: tl.constexpr):
    """The places (P, 1) and channels (1, T) of this program."""
    at = tl.program_id(0) * PLACES + tl.arange(0, PLACES)
    c = tl.program_id(1) * TILE + tl.arange(0, TILE)
    return at[:, None], c[None, :]


@triton.jit
def _response(
    x_ptr, out_ptr, s_ptr, alpha_ptr, n, C,
    HALF: tl.constexpr, PLACES: tl.constexpr, TILE: tl.constexpr,
):  # fmt: skip
    place, c = _tile(C, PLACES, TILE)
    mask = (place < n) & (c < C)
    at = place * C + c
    total = tl.zeros((PLACES, TILE), tl.float32)
    for d in tl.static_range(-HALF, HALF + 1):
        ok = mask & (c + d >= 0) & (c + d < C)
        near = tl.load(x_ptr + at + d, mask=ok, other=0.0).to(tl.float32)
        total += near * near
    s = 1.0 + tl.load(alpha_ptr) * total
    x = tl.load(x_ptr + at, mask=mask, other=0.0).to(tl.float32)
    tl.store(s_ptr + at, s.to(s_ptr.dtype.element_ty), mask=mask)
    tl.store(out_ptr + at, (x * _power(s)).to(out_ptr.dtype.element_ty), mask=mask)


@triton.jit
def _response_back(
    x_ptr, y_ptr, s_ptr, g_ptr, out_ptr, alpha_ptr, n, C,
    HALF: tl.constexpr, PLACES: tl.constexpr, TILE: tl.constexpr,
):  # fmt: skip
    place, c = _tile(C, PLACES, TILE)
    mask = (place < n) & (c < C)
    at = place * C + c
    total = tl.zeros((PLACES, TILE), tl.float32)
    for d in tl.static_range(-HALF, HALF + 1):
        ok = mask & (c + d >= 0) & (c + d < C)
        # y, the response, is x s^-0.75 already.
        y = tl.load(y_ptr + at + d, mask=ok, other=0.0).to(tl.float32)
        s = tl.load(s_ptr + at + d, mask=ok, other=1.0).to(tl.float32)
        g = tl.load(g_ptr + at + d, mask=ok, other=0.0).to(tl.float32)
        total += g * y / s
    x = tl.load(x_ptr + at, mask=mask, other=0.0).to(tl.float32)
    s = tl.load(s_ptr + at, mask=mask, other=1.0).to(tl.float32)
    g = tl.load(g_ptr + at, mask=mask, other=0.0).to(tl.float32)
    out = g * _power(s) - 1.5 * tl.load(alpha_ptr) * x * total
    tl.store(out_ptr + at, out.to(out_ptr.dtype.element_ty), mask=mask)


@triton.jit
def _pool(
    x_ptr, out_ptr, tap_ptr, n, C, H, W, OH, OW,
    STRIDE: tl.constexpr, PAD: tl.constexpr, PLACES: tl.constexpr, TILE: tl.constexpr,
):  # fmt: skip
    place, c = _tile(C, PLACES, TILE)
    mask = (place < n) & (c < C)
    ow = place % OW
    oh = (place // OW) % OH
    b = place // OW // OH
    best = tl.full((PLACES, TILE), float("-inf"), tl.float32)
    tap = tl.zeros((PLACES, TILE), tl.int32)
    # Backwards, so that of equals the first is what remains; what is no number remains so.
    for back in tl.static_range(9):
        h = oh * STRIDE - PAD + (8 - back) // 3
        w = ow * STRIDE - PAD + (8 - back) % 3
        ok = mask & (h >= 0) & (h < H) & (w >= 0) & (w < W)
        x = tl.load(x_ptr + ((b * H + h) * W + w) * C + c, mask=ok, other=float("-inf"))
        best = tl.maximum(best, x.to(tl.float32), propagate_nan=tl.PropagateNan.ALL)
        tap = tl.where(x.to(tl.float32) == best, 8 - back, tap)
    at = place * C + c
    tl.store(out_ptr + at, best.to(out_ptr.dtype.element_ty), mask=mask)
    tl.store(tap_ptr + at, tap.to(tl.uint8), mask=mask)


@triton.jit
def _pool_back(
    g_ptr, tap_ptr, out_ptr, n, C, H, W, OH, OW,
    STRIDE: tl.constexpr, PAD: tl.constexpr, ADD: tl.constexpr,
    PLACES: tl.constexpr, TILE: tl.constexpr,
):  # fmt: skip
    place, c = _tile(C, PLACES, TILE)
    mask = (place < n) & (c < C)
    w = place % W + PAD
    h = (place // W) % H + PAD
    b = place // W // H
    total = tl.zeros((PLACES, TILE), tl.float32)
    # Each place lies in as many windows as these, along both axes.
    SEEN: tl.constexpr = 3 if STRIDE == 1 else 2
    for k in tl.static_range(SEEN * SEEN):
        oh = h // STRIDE - k // SEEN
        ow = w // STRIDE - k % SEEN
        down = h - oh * STRIDE
        right = w - ow * STRIDE
        ok = mask & (oh >= 0) & (ow >= 0) & (oh < OH) & (ow < OW) & (down < 3) & (right < 3)
        there = ((b * OH + oh) * OW + ow) * C + c
        tap = tl.load(tap_ptr + there, mask=ok, other=255)
        g = tl.load(g_ptr + there, mask=ok, other=0.0).to(tl.float32)
        total += tl.where(tap == down * 3 + right, g, 0.0)
    at = place * C + c
    if ADD:
        total += tl.load(out_ptr + at, mask=mask, other=0.0).to(tl.float32)
    tl.store(out_ptr + at, total.to(out_ptr.dtype.element_ty), mask=mask)


KERNELS = {
    "_response": (_response, ("x", "x", "x", "fp32", "i32", "i32"), {"HALF": 2}),
    "_response_back": (_response_back, (*["x"] * 5, "fp32", "i32", "i32"), {"HALF": 2}),
    "_pool": (_pool, ("x", "x", "u8", *["i32"] * 6), {"STRIDE": 2, "PAD": 0}),
    "_pool_back": (
        _pool_back,
        ("x", "u8", "x", *["i32"] * 6),
        {"STRIDE": 1, "PAD": 1, "ADD": True},
    ),
}
"""Every kernel, the types of its arguments ("x" is that of the activations) and its constants."""


def local_response(x: Tensor, size: int, alpha: float | Tensor) -> Tensor:
    """As `operations.local_response`."""
    if not isinstance(alpha, Tensor):
        alpha = torch.full((), alpha, device=x.device)
    share = (alpha.float() / size).reshape(1)
    return _Response.apply(x, share, size // 2)  # pyright: ignore[reportReturnType]


def pooled(x: Tensor, stride: int) -> Tensor:
    """As `operations.pooled`."""
    return _Pool.apply(x, stride)  # pyright: ignore[reportReturnType]


def dense(x: Tensor) -> Tensor:
    """`x` (N, C, h, w) with its channels last in memory."""
    return x.contiguous(memory_format=torch.channels_last)


def empty(like: Tensor, shape: Any, dtype: torch.dtype | None = None) -> Tensor:
    """Memory for a tensor of that shape, with its channels last."""
    return torch.empty(
        shape,
        dtype=dtype or like.dtype,
        device=like.device,
        memory_format=torch.channels_last,
    )


def tiles(places: int, channels: int, tile: int = TILE) -> tuple[tuple[int, int], int, int]:
    """The programs along places and channels, and how many of both each takes."""
    tile = min(tile, triton.next_power_of_2(channels))
    each = BLOCK // tile
    return (triton.cdiv(places, each), triton.cdiv(channels, tile)), each, tile


def _launched(kernel: Any, like: Tensor, *arguments: Any) -> None:
    """Run a kernel at all places and channels of a tensor; its last arguments say which."""
    grid, *each = tiles(like.numel() // like.shape[1], like.shape[1])
    kernel[grid](*arguments, *each)


def _places(x: Tensor) -> int:
    return x.numel() // x.shape[1]


class _Response(torch.autograd.Function):
    """Caffe's cross-channel normalisation."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, alpha: Tensor, half: int) -> Tensor:
        x = dense(x)
        out, s = empty(x, x.shape), empty(x, x.shape)
        _launched(_response, x, x, out, s, alpha, _places(x), x.shape[1], half)
        ctx.save_for_backward(x, out, s, alpha)
        ctx.half = half
        return out

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, grad: Tensor
    ) -> tuple[Tensor, None, None]:
        x, y, s, alpha = ctx.saved_tensors
        grad, out = dense(grad), empty(x, x.shape)
        sizes = (_places(x), x.shape[1])
        _launched(_response_back, x, x, y, s, grad, out, alpha, *sizes, ctx.half)
        return out, None, None


def pool(x: Tensor, stride: int) -> tuple[Tensor, Tensor]:
    """The maxima of 3x3 places of a dense x, and which of the nine each is."""
    batch, channels, height, width = x.shape
    rows, columns = (side if stride == 1 else -(-(side - 3) // 2) + 1 for side in (height, width))
    out = empty(x, (batch, channels, rows, columns))
    tap = empty(out, out.shape, torch.uint8)
    sides = (channels, height, width, rows, columns)
    _launched(_pool, out, x, out, tap, _places(out), *sides, stride, 2 - stride)
    return out, tap


def pool_back(grad: Tensor, tap: Tensor, out: Tensor, stride: int, *, add: bool = False) -> None:
    """Give a dense gradient back to where the maxima were, `out`; or `add` it to what is there."""
    _, channels, height, width = out.shape
    sides = (channels, height, width, *grad.shape[2:])
    _launched(_pool_back, out, grad, tap, out, _places(out), *sides, stride, 2 - stride, add)


class _Pool(torch.autograd.Function):
    """Max pooling by 3x3, which keeps one byte for the place of each maximum."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, stride: int) -> Tensor:
        x = dense(x)
        out, tap = pool(x, stride)
        ctx.save_for_backward(tap)
        ctx.shape, ctx.stride = x.shape, stride
        return out

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, grad: Tensor
    ) -> tuple[Tensor, None]:
        (tap,) = ctx.saved_tensors
        out = empty(grad, ctx.shape)
        pool_back(dense(grad), tap, out, ctx.stride)
        return out, None
