"""Ways of our own in place of torch's: whether a network may take them, and on a GPU which."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

MOST_FUSED = 2**31
"""Values of a tensor from which on a fused kernel could no longer number them."""
MOST_CHANNELS = 4
"""How many times as large what a block makes may be as what it is given."""


_fused: Any = None
_used = True


def use(wanted: bool) -> None:
    """Whether ways of our own are taken from now on."""
    global _used
    _used = wanted


@contextmanager
def plain() -> Iterator[None]:
    """Torch's own ways meanwhile: what is no number reaches what sees it, and no more."""
    before = _used
    use(False)
    try:
        yield
    finally:
        use(before)


def usable() -> bool:
    """Whether ways of our own may be taken: they are not forbidden, and nothing is traced.

    What is traced is for another program, which knows torch's operations alone.
    """
    traced = torch._C._get_tracing_state() is not None or torch.compiler.is_compiling()
    return _used and not traced


def fuse(kernels: Any) -> None:
    """Have tensors on an NVIDIA GPU go through `kernels`, see `fused`; None: as everywhere."""
    global _fused
    _fused = kernels


def fused() -> Any:
    """The kernels that are chosen, or None."""
    return _fused


def kernels_for(x: Tensor) -> Any:
    """The fused kernels where they take a tensor, or None.

    Only dreams choose them: training needs gradients that they do not make.
    """
    if _fused is None or x.device.type != "cuda" or x.numel() >= MOST_FUSED or not usable():
        return None
    return None if x.dtype == torch.float64 else _fused


def blocks_for(x: Tensor, *convolutions: Any) -> Any:
    """The fused kernels where they take pictures x through these convolutions, or None."""
    kernels = kernels_for(x)
    if kernels is None:
        return None
    alike = x.ndim == 4 and x.dtype == convolutions[0].weight.dtype
    small = MOST_CHANNELS * x.numel() < MOST_FUSED
    return kernels if alike and small and all(map(kernels.takes, convolutions)) else None
