"""What lies between two convolutions: a bias and an activation, or their way back.

One launch does it for up to four results at once. They may be parts of larger ones, so nothing is
cut apart or put together in a pass of its own.
"""

# Triton compiles what its own annotations do not describe.
# pyright: reportGeneralTypeIssues=false, reportArgumentType=false

from collections.abc import Sequence
from typing import Any, NamedTuple

import triton
import triton.language as tl
from torch import Tensor

from dreamvid.networks.fused.places import BLOCK, dense

RELU, SILU, RELU_BACK, SILU_BACK = range(4)
MOST_PIECES = 4


@triton.jit
def _piece(
    at,
    n,
    source_ptr,
    source_row,
    also_ptr,
    also_row,
    gate_ptr,
    gate_row,
    bias_ptr,
    out_ptr,
    out_row,
    width,
    KIND: tl.constexpr,
    ALSO: tl.constexpr,
):
    mask = at < n * width
    row = at // width
    c = at % width
    v = tl.load(source_ptr + row * source_row + c, mask=mask, other=0.0).to(tl.float32)
    if ALSO:
        v += tl.load(also_ptr + row * also_row + c, mask=mask, other=0.0).to(tl.float32)
    if KIND < 2:
        v += tl.load(bias_ptr + c, mask=mask, other=0.0).to(tl.float32)
        # What is no number stays so.
        v = tl.where(v <= 0, 0.0, v) if KIND == 0 else v * tl.sigmoid(v)
    else:
        gate = tl.load(gate_ptr + row * gate_row + c, mask=mask, other=0.0).to(tl.float32)
        if KIND == 2:
            v = tl.where(gate <= 0, 0.0, v)
        else:
            gate += tl.load(bias_ptr + c, mask=mask, other=0.0).to(tl.float32)
            share = tl.sigmoid(gate)
            v *= share * (1 + gate * (1 - share))
    tl.store(out_ptr + row * out_row + c, v.to(out_ptr.dtype.element_ty), mask=mask)


@triton.jit
def _pieces(
    n,
    s0, sr0, a0, ar0, g0, gr0, b0, o0, or0, w0,
    s1, sr1, a1, ar1, g1, gr1, b1, o1, or1, w1,
    s2, sr2, a2, ar2, g2, gr2, b2, o2, or2, w2,
    s3, sr3, a3, ar3, g3, gr3, b3, o3, or3, w3,
    KIND: tl.constexpr,
    ALSO: tl.constexpr,
    BLOCK: tl.constexpr,
):  # fmt: skip
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    piece = tl.program_id(1)
    if piece == 0:
        _piece(at, n, s0, sr0, a0, ar0, g0, gr0, b0, o0, or0, w0, KIND, ALSO)
    elif piece == 1:
        _piece(at, n, s1, sr1, a1, ar1, g1, gr1, b1, o1, or1, w1, KIND, ALSO)
    elif piece == 2:
        _piece(at, n, s2, sr2, a2, ar2, g2, gr2, b2, o2, or2, w2, KIND, ALSO)
    else:
        _piece(at, n, s3, sr3, a3, ar3, g3, gr3, b3, o3, or3, w3, KIND, ALSO)


_PIECE = ("x", "i32", "x", "i32", "x", "i32", "x", "x", "i32", "i32")
KERNELS = {
    name: (_pieces, ("i32", *_PIECE * MOST_PIECES), {"KIND": kind, "ALSO": also})
    for name, kind, also in (
        ("_pieces forward", SILU, False),
        ("_pieces back", SILU_BACK, True),
        ("_pieces clipped", RELU, False),
        ("_pieces clipped back", RELU_BACK, False),
    )
}
"""As `places.KERNELS`."""


class Piece(NamedTuple):
    """What a pass does for one result: all of them (N, C, h, w), of the same N, h and w."""

    source: Tensor
    out: Tensor
    bias: Tensor | None = None
    """(C,), added to what is activated."""
    gate: Tensor | None = None
    """On the way back: what came out of a ReLU, or what went into a SiLU before its bias."""
    also: Tensor | None = None
    """What is added to the source first."""


def passed(kind: int, pieces: Sequence[Piece]) -> None:
    """Take pieces through the activation `kind`, or back through it; all in one launch."""
    numbers: list[Any] = []
    also = pieces[0].also is not None
    for piece in pieces:
        for each in (piece.source, piece.also, piece.gate):
            there = piece.source if each is None else each
            numbers += [there, _row(there)]
        bias = piece.source if piece.bias is None else piece.bias
        numbers += [bias, piece.out, _row(piece.out), piece.source.shape[1]]
    numbers += numbers[-10:] * (MOST_PIECES - len(pieces))
    source = pieces[0].source
    count = source.shape[0] * source.shape[2] * source.shape[3]
    widest = max(piece.source.shape[1] for piece in pieces)
    launched: Any = _pieces[(triton.cdiv(count * widest, BLOCK), len(pieces))]
    launched(count, *numbers, kind, also, BLOCK)


def _row(x: Tensor) -> int:
    """The step in memory from one place to the next."""
    return x.stride(3) if x.shape[3] > 1 else x.stride(2) if x.shape[2] > 1 else x.stride(0)


def rowed(x: Tensor) -> Tensor:
    """`x` as it is where its places follow one another in memory, its channels last."""
    step, (_, _, height, width) = _row(x), x.shape
    there = x.stride() == (step * width * height, 1, step * width, step)
    return x if there else dense(x)
