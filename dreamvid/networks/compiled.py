"""Convolutions in C, where this machine can compile it: small ones, and those by square kernels.

A library's convolution has a fixed cost for each call, which for a small picture is more than the
work (direct.c). By kernels of 3x3 to 5x5 a fraction of the products is enough (winograd.c). Here
pictures are rows: a place each, (N·h·w, C), which may be channels of wider ones. Arithmetic is in
float32.
"""

import ctypes
import math
from collections.abc import Sequence
from enum import IntEnum
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from dreamvid.machine.native import compiled, lacking

DIRECT = Path(__file__).with_name("direct.c")
WINOGRAD = Path(__file__).with_name("winograd.c")
FLAGS = ("-ffp-contract=fast",)
"""Products and sums in one instruction, which rounds once."""
TYPES = {
    (torch.float32, torch.float32): (),
    (torch.bfloat16, torch.bfloat16): ("-DBFLOAT16",),
    (torch.float32, torch.bfloat16): ("-DROUNDED",),
}
"""Of pictures and of what is made of them, and how the C code is told."""
SIDES = {
    (torch.float32, torch.float32): (3, 5),
    (torch.bfloat16, torch.bfloat16): (3,),
    (torch.float32, torch.bfloat16): (3, 4, 5),
}
"""Of the kernels that winograd.c takes. Equal places of a picture give results that are equal to
rounding alone, so in float32 no first convolution, of 4x4, is among them: a pool chooses the first
of equals. In bfloat16 a library is as fast for large kernels."""
MOST_PLACES = 1024
"""Of a result of a direct convolution: what is larger, a library does as fast, measured."""
LEAST_CHANNELS = 16
"""On both sides of a kernel: with fewer, bringing tiles there and back is most of the work."""
LEAST_PLACES = 512
"""Of a result: weights at points are four times as many, which for fewer come from memory longer
than they save work, measured."""
MOST_CHANNELS, MOST_TAPS = 4096, 64
"""As in direct.c."""
POINTS = (0.0, 0.625, -0.625, 1.5, -1.5)
"""Where polynomials are multiplied in each direction, and at infinity, as in winograd.c."""


class After(IntEnum):
    """What is done with a sum, as in vectors.h."""

    NOTHING = 0
    RELU = 1
    SILU = 2
    ADDED = 3


class Weights(NamedTuple):
    """A convolution's weights, as the C code reads them."""

    source: Path
    """The code that they are for."""
    values: Tensor
    """(panels, taps or points, inputs, panel): of each panel of outputs one after the other."""
    bias: Tensor | None
    """(outputs,), with zeros up to a whole panel."""
    shape: torch.Size
    """(outputs, inputs, rows, columns)."""
    padding: tuple[int, ...]
    """Above and to the left, and as much below and to the right."""


class _Layout(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_int32)
        for name in (
            *("count", "height", "width", "channels", "apart"),
            *("out_height", "out_width", "out_channels", "out_apart", "active_apart"),
            *("rows", "columns", "top", "left"),
        )
    ]


def code_for(weight: Tensor, places: int, made: torch.dtype | None = None) -> Path | None:
    """The code that is best for a weight (outputs, inputs, rows, columns) and so many places.

    `made` is the type of the result, by default the weight's own. None: a library is as fast, or
    nothing is compiled for such numbers.
    """
    outputs, inputs, *kernel = weight.shape
    sides = SIDES.get((weight.dtype, made or weight.dtype))
    narrow = weight.dtype == torch.bfloat16
    if sides is None or weight.device.type != "cpu" or absence() is not None or not places:
        return None
    if inputs > MOST_CHANNELS or math.prod(kernel) > MOST_TAPS or (narrow and _multiplies_tiles()):
        return None
    taken = kernel[0] == kernel[1] in sides and min(outputs, inputs) >= LEAST_CHANNELS
    if taken and places >= LEAST_PLACES:
        return WINOGRAD
    return DIRECT if places <= MOST_PLACES and not narrow else None


@cache
def absence() -> str | None:
    """Why there is nothing compiled; None where there is."""
    return lacking(DIRECT, *FLAGS) or lacking(WINOGRAD, *FLAGS, "-DTAPS=3")


def _multiplies_tiles() -> bool:
    """Whether the processor has AMX, which is eight times as fast in bfloat16 as in float32."""
    return getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)()


def ordered(weight: Tensor, bias: Tensor | None, padding: tuple[int, ...], source: Path) -> Weights:
    """The weights (outputs, inputs, rows, columns) of a convolution of stride 1, for some code."""
    taken = (_at_points(weight) if source is WINOGRAD else weight).float()
    together = _library(source, weight.shape, (torch.float32, torch.float32)).panel()
    outputs, inputs = weight.shape[:2]
    rows = taken.permute(2, 3, 1, 0).reshape(-1, inputs, outputs)
    rows = F.pad(rows, (0, -outputs % together))
    panels = rows.view(*rows.shape[:2], -1, together).permute(2, 0, 1, 3).contiguous()
    offset = None if bias is None else F.pad(bias.float(), (0, -outputs % together))
    return Weights(source, panels, offset, weight.shape, padding)


def _at_points(weight: Tensor) -> Tensor:
    """Weights (outputs, inputs, side, side) at all points, (outputs, inputs, 6, 6).

    Each is divided by what the other points make of it, so that a product is brought back by sums
    of powers of the points alone (Lavin and Gray 2016).
    """
    points = torch.tensor(POINTS, dtype=torch.float64)
    apart = points[:, None] - points + torch.eye(len(points))
    side = weight.shape[-1]
    powers = points[:, None] ** torch.arange(side) / apart.prod(1, keepdim=True)
    taken = torch.cat([powers, torch.eye(side)[-1:]])
    return torch.einsum("ir,ocrs,js->ocij", taken, weight.double(), taken)


def convolved(
    x: Tensor,
    weights: Weights,
    after: After,
    dtype: torch.dtype | None = None,
    active: Tensor | None = None,
) -> Tensor:
    """Pictures (N, C, h, w) convolved, and rounded to `dtype`, by default that of the pictures.

    With `SILU` that is what comes before it, and `active` is filled with what comes after it.
    """
    sides = (
        side + 2 * each - taps + 1
        for side, each, taps in zip(x.shape[2:], weights.padding, weights.shape[2:], strict=True)
    )
    shape = (len(x), weights.shape[0], *sides)
    out = torch.empty(shape, dtype=dtype or x.dtype, memory_format=torch.channels_last)
    after_it = None if active is None else rows_to(active)
    convolve(rows_of(x), x.shape, weights, rows_to(out), after, after_it)
    return out


def places_of(x: Tensor) -> int:
    """How many places pictures (N, C, h, w) have, all together."""
    return x.numel() // x.shape[1]


def rows_of(x: Tensor) -> Tensor:
    """Pictures (N, C, h, w) as rows (N·h·w, C): a view where channels lie last in memory.

    Those may be some channels of wider pictures.
    """
    rows = x.permute(0, 2, 3, 1).flatten(0, 2)
    # Of one picture, torch takes columns for rows where channels lie first.
    lie = rows.stride(1) == 1 and (len(rows) == 1 or rows.stride(0) >= x.shape[1])
    return rows if lie else rows.contiguous()


def rows_to(x: Tensor) -> Tensor:
    """The rows of pictures that are written to: their channels lie last in memory."""
    rows = rows_of(x)
    assert rows.data_ptr() == x.data_ptr(), f"{tuple(x.shape)}, {x.stride()} are no rows"
    return rows


def beside(x: Tensor, channels: int) -> Tensor:
    """Empty pictures of the size of x, and of so many channels, which lie last in memory."""
    count, _, height, width = x.shape
    return x.new_empty(count, height, width, channels).permute(0, 3, 1, 2)


def convolve(
    rows: Tensor,
    size: Sequence[int],
    weights: Weights,
    out: Tensor,
    after: After = After.NOTHING,
    active: Tensor | None = None,
) -> None:
    """Fill `out` with the convolution of `rows`, which are pictures of a size (N, C, h, w).

    With `SILU`, `out` is what comes before it and `active` what comes after it. With `ADDED`, the
    convolution is added to what `out` is.
    """
    apart = (rows.stride(0), out.stride(0), 0 if active is None else active.stride(0))
    layout = _layout(tuple(size), tuple(weights.shape), weights.padding, apart)
    library = _library(weights.source, weights.shape, (rows.dtype, out.dtype))
    threads = torch.get_num_threads()
    room = () if weights.source is DIRECT else (_room(library, layout, threads),)
    library.convolve(
        ctypes.byref(layout),
        *(address(each) for each in (rows, weights.values, weights.bias, out, active)),
        int(after),
        *map(address, room),
        threads,
    )


def _library(
    source: Path, shape: Sequence[int], types: tuple[torch.dtype, torch.dtype]
) -> ctypes.CDLL:
    """What is compiled for weights of a shape, and for pictures and what is made of them."""
    side = () if source is DIRECT else (f"-DTAPS={shape[-1]}",)
    return compiled(source, *FLAGS, *side, *TYPES[types])


def _room(library: ctypes.CDLL, layout: _Layout, threads: int) -> Tensor:
    """What threads write their tiles to."""
    library.room.restype = ctypes.c_int64
    return torch.empty(threads * library.room(ctypes.byref(layout)))


def address(tensor: Tensor | None) -> ctypes.c_void_p:
    """Where a tensor's numbers lie; of none, nowhere."""
    return ctypes.c_void_p(None if tensor is None else tensor.data_ptr())


@lru_cache(maxsize=1024)
def _layout(
    size: tuple[int, ...],
    shape: tuple[int, ...],
    padding: tuple[int, ...],
    apart: tuple[int, int, int],
) -> _Layout:
    count, channels, height, width = size
    outputs, _, rows, columns = shape
    top, left = padding
    sides = (height + 2 * top - rows + 1, width + 2 * left - columns + 1)
    before = (count, height, width, channels, apart[0])
    return _Layout(*before, *sides, outputs, *apart[1:], rows, columns, top, left)
