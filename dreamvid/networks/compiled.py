"""Convolutions in C, where this machine can compile it: small ones, and those by square kernels.

A library's convolution has a fixed cost for each call, which for a small picture is more than the
work (direct.c). By kernels of 3x3 to 5x5 a fraction of the products is enough (winograd.c). Here
channels lie last in memory, and may be some of wider pictures. Arithmetic is in float32.
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

from dreamvid.machine.native import call, compiled, lacking

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
MOST_PLACES = {torch.float32: 1024, torch.bfloat16: 512}
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
    """Nothing, and another picture is filled with what comes after a SiLU."""
    ADDED_THROUGH_SILU = 3
    """It is added to what is there, and multiplied by the slope of a SiLU at another picture."""


class Weights(NamedTuple):
    """A convolution's weights, as the C code reads them."""

    source: Path
    """The code that they are for."""
    values: Tensor
    """(panels, taps or points, inputs / step, panel, step): a panel of outputs after the other."""
    bias: Tensor | None
    """(outputs,), with zeros up to a whole panel."""
    shape: torch.Size
    """(outputs, inputs, rows, columns)."""
    padding: tuple[int, ...]
    """Above and to the left, and as much below and to the right."""


class _Prepared(NamedTuple):
    """All of a convolution but its pictures and weights."""

    library: ctypes.CDLL
    layout: Tensor
    """As in vectors.h."""
    room: int
    """Numbers that each thread needs room for."""


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
    multiplied = not narrow or (_multiplies_pairs() and inputs % 2 == 0)
    return DIRECT if multiplied and places <= MOST_PLACES[weight.dtype] else None


@cache
def absence() -> str | None:
    """Why there is nothing compiled; None where there is."""
    return lacking(DIRECT, *FLAGS) or lacking(WINOGRAD, *FLAGS, "-DTAPS=3")


@cache
def _multiplies_pairs() -> bool:
    """Whether what is compiled multiplies bfloat16 itself, which is twice as fast as float32."""
    supported = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)()
    return supported and lacking(DIRECT, *FLAGS, *TYPES[torch.bfloat16, torch.bfloat16]) is None


def _multiplies_tiles() -> bool:
    """Whether the processor has AMX, which is eight times as fast in bfloat16 as in float32."""
    return getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)()


def ordered(weight: Tensor, bias: Tensor | None, padding: tuple[int, ...], source: Path) -> Weights:
    """The weights (outputs, inputs, rows, columns) of a convolution of stride 1, for some code."""
    library = _library(source, weight.shape, (weight.dtype, weight.dtype))
    together, step = library.panel(), library.step()
    outputs, inputs = weight.shape[:2]
    taken = _at_points(weight).float() if source is WINOGRAD else weight
    rows = taken.permute(2, 3, 1, 0).reshape(-1, inputs, outputs)
    rows = F.pad(rows, (0, -outputs % together))
    parts = rows.view(len(rows), inputs // step, step, -1, together)
    panels = parts.permute(3, 0, 1, 4, 2).contiguous()
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
    shape = _result(x.shape, weights.shape, weights.padding)
    out = torch.empty(shape, dtype=dtype or x.dtype, memory_format=torch.channels_last)
    convolve(x, weights, out, after, active)
    return out


def _result(
    size: Sequence[int], shape: Sequence[int], padding: Sequence[int]
) -> tuple[int, int, int, int]:
    """The size of what a convolution makes of pictures of a size (N, C, h, w)."""
    count, _, height, width = size
    outputs, _, rows, columns = shape
    top, left = padding
    return count, outputs, height + 2 * top - rows + 1, width + 2 * left - columns + 1


def places_of(x: Tensor) -> int:
    """How many places pictures (N, C, h, w) have, all together."""
    return x.numel() // x.shape[1]


def laid(x: Tensor) -> tuple[Tensor, int]:
    """Pictures (N, C, h, w) whose channels lie last in memory, and how far apart places lie there.

    That is x itself, also where it is some channels of wider pictures, or else a copy.
    """
    _, channels, height, width = x.shape
    strides = x.stride()
    apart = strides[3]
    if apart >= channels and strides == (height * width * apart, 1, width * apart, apart):
        return x, apart
    return x.contiguous(memory_format=torch.channels_last), channels


def apart_of(x: Tensor) -> int:
    """The same of pictures of which there can be no copy: their channels do lie last."""
    there, apart = laid(x)
    assert there.data_ptr() == x.data_ptr(), f"{tuple(x.shape)}, {x.stride()}: channels not last"
    return apart


def beside(x: Tensor, channels: int) -> Tensor:
    """Empty pictures of the size of x, and of so many channels, which lie last in memory."""
    count, _, height, width = x.shape
    return x.new_empty(count, height, width, channels).permute(0, 3, 1, 2)


def convolve(
    x: Tensor,
    weights: Weights,
    out: Tensor,
    after: After = After.NOTHING,
    active: Tensor | None = None,
) -> None:
    """Fill `out` with the convolution of pictures; all of them are (N, C, h, w).

    What is made of it, and whether `active` is read or filled, `after` says.
    """
    x, apart = laid(x)
    aparts = (apart, apart_of(out), 0 if active is None else apart_of(active))
    types, threads = (x.dtype, out.dtype), torch.get_num_threads()
    prepared = _prepared(weights.source, x.shape, weights.shape, weights.padding, aparts, types)
    room = torch.empty(threads * prepared.room) if prepared.room else None
    tensors = (prepared.layout, x, weights.values, weights.bias, out, active, room)
    call(prepared.library, "convolve", tensors, int(after))


@lru_cache(maxsize=4096)
def _prepared(
    source: Path,
    size: Sequence[int],
    shape: Sequence[int],
    padding: tuple[int, ...],
    aparts: tuple[int, int, int],
    types: tuple[torch.dtype, torch.dtype],
) -> _Prepared:
    """What is needed for pictures of a size (N, C, h, w) and weights of a shape."""
    count, channels, height, width = size
    _, outputs, *sides = _result(size, shape, padding)
    before = (count, height, width, channels, aparts[0])
    numbers = (*before, *sides, outputs, *aparts[1:], *shape[2:], *padding)
    layout = torch.tensor(numbers, dtype=torch.int32)
    library = _library(source, shape, types)
    room = 0 if source is DIRECT else library.room(ctypes.c_void_p(layout.data_ptr()))
    return _Prepared(library, layout, room)


def _library(
    source: Path, shape: Sequence[int], types: tuple[torch.dtype, torch.dtype]
) -> ctypes.CDLL:
    """What is compiled for weights of a shape, and for pictures and what is made of them."""
    side = () if source is DIRECT else (f"-DTAPS={shape[-1]}",)
    return compiled(source, *FLAGS, *side, *TYPES[types])
