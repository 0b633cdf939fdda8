"""Convolutions of small pictures in C (direct.c), where this machine can compile it.

A library's convolution has a fixed cost for each call, which for a small picture is more than the
work. Here pictures of float32 are rows: a place each, (N·h·w, C), which may be channels of wider
ones.
"""

import ctypes
from collections.abc import Sequence
from enum import IntEnum
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from dreamvid.machine.native import NoLibrary, compiled

SOURCE = Path(__file__).with_name("direct.c")
FLAGS = ("-ffp-contract=fast",)
"""Products and sums in one instruction, which rounds once."""
MOST_PLACES = 1024
"""Of a result: what is larger, a library does as fast, measured."""
MOST_CHANNELS, MOST_TAPS = 4096, 64
"""As in direct.c."""


class After(IntEnum):
    """What is done with a sum, as in direct.c."""

    NOTHING = 0
    RELU = 1
    SILU = 2
    ADDED = 3


class Weights(NamedTuple):
    """A convolution's weights, as direct.c reads them."""

    values: Tensor
    """(panels, rows · columns · inputs, panel): of each panel of outputs one after the other."""
    shape: torch.Size
    """(outputs, inputs, rows, columns)."""
    padding: tuple[int, ...]
    """Above and to the left, and as much below and to the right."""


class _Layout(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_int32)
        for name in (
            *("count", "height", "width", "channels", "apart"),
            *("out_height", "out_width", "out_channels", "out_apart"),
            *("rows", "columns", "top", "left"),
        )
    ]


def serves(x: Tensor, weight: Tensor) -> bool:
    """Whether pictures (N, C, h, w) are best convolved here, by a weight (outputs, C, ...)."""
    return (
        x.dtype == torch.float32
        and x.device.type == "cpu"
        and 0 < x.numel() // x.shape[1] <= MOST_PLACES
        and x.shape[1] <= MOST_CHANNELS
        and weight[0, 0].numel() <= MOST_TAPS
        and absence() is None
    )


@cache
def absence() -> str | None:
    """Why there is nothing compiled; None where there is."""
    try:
        compiled(SOURCE, *FLAGS)
    except NoLibrary as error:
        return str(error)
    return None


def ordered(weight: Tensor, padding: tuple[int, ...]) -> Weights:
    """The weights (outputs, inputs, rows, columns) of a convolution of stride 1."""
    together = compiled(SOURCE, *FLAGS).panel()
    outputs = weight.shape[0]
    rows = weight.permute(2, 3, 1, 0).reshape(-1, outputs)
    rows = F.pad(rows, (0, -outputs % together))
    panels = rows.view(len(rows), -1, together).transpose(0, 1).contiguous()
    return Weights(panels, weight.shape, padding)


def convolved(x: Tensor, weights: Weights, bias: Tensor | None, after: After) -> Tensor:
    """Pictures (N, C, h, w) convolved; `after` is nothing or ReLU."""
    sides = (
        side + 2 * each - taps + 1
        for side, each, taps in zip(x.shape[2:], weights.padding, weights.shape[2:], strict=True)
    )
    shape = (len(x), weights.shape[0], *sides)
    out = torch.empty(shape, memory_format=torch.channels_last)
    convolve(rows_of(x), x.shape, weights, bias, rows_of(out), after)
    return out


def rows_of(x: Tensor) -> Tensor:
    """Pictures (N, C, h, w) as (N·h·w, C): a view where channels lie last in memory."""
    return x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])


def convolve(
    rows: Tensor,
    size: Sequence[int],
    weights: Weights,
    bias: Tensor | None,
    out: Tensor,
    after: After = After.NOTHING,
    active: Tensor | None = None,
) -> None:
    """Fill `out` with the convolution of `rows`, which are pictures of a size (N, C, h, w).

    With `SILU`, `out` is what comes before it and `active` what comes after it, in rows as far
    apart as those of `out`. With `ADDED`, the convolution is added to what `out` is.
    """
    apart = (rows.stride(0), out.stride(0))
    layout = _layout(tuple(size), tuple(weights.shape), weights.padding, apart)
    compiled(SOURCE, *FLAGS).convolve(
        ctypes.byref(layout),
        *(_place(each) for each in (rows, weights.values, bias, out, active)),
        int(after),
        torch.get_num_threads(),
    )


def silu_gradient(before: Tensor, above: Tensor) -> None:
    """Multiply `above` by the slope of SiLU at `before`; both are rows, equally far apart."""
    places, channels = before.shape
    compiled(SOURCE, *FLAGS).silu_gradient(
        _place(before),
        _place(above),
        ctypes.c_int64(places),
        channels,
        before.stride(0),
        torch.get_num_threads(),
    )


def _place(tensor: Tensor | None) -> ctypes.c_void_p:
    return ctypes.c_void_p(None if tensor is None else tensor.data_ptr())


@lru_cache(maxsize=1024)
def _layout(
    size: tuple[int, ...],
    shape: tuple[int, ...],
    padding: tuple[int, ...],
    apart: tuple[int, int],
) -> _Layout:
    count, channels, height, width = size
    outputs, _, rows, columns = shape
    top, left = padding
    sides = (height + 2 * top - rows + 1, width + 2 * left - columns + 1)
    before = (count, height, width, channels, apart[0])
    return _Layout(*before, *sides, outputs, apart[1], rows, columns, top, left)
