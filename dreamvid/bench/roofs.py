"""What a machine could do at best: its rates, and the work of a step held against them.

An operation takes at least its arithmetic at the rate of a large matrix product, and at least its
numbers at the rate of a large copy; the longer of the two is its roof (the roofline model:
Williams, Waterman, Patterson 2009).
"""

import copy
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from dreamvid.bench import plain
from dreamvid.bench.timing import seconds_of
from dreamvid.dream.dreamer import Dreamer
from dreamvid.frames import Size

MATRIX_SIDE = {"cpu": 4096, "cuda": 8192, "mps": 4096}
COPIED_NUMBERS = 2**26
"""Far more than any cache holds."""


class Work(NamedTuple):
    """What an operation has to do at least."""

    operations: int
    """Of floating point."""
    numbers: int
    """Read and written."""


def work_of_a_step(dreamer: Dreamer, size: Size) -> list[Work]:
    """Each convolution and each pool of a step, forward and back to its input.

    They are taken from the plain definition where there is one, so that no way of computing the
    same thing counts for more. What lies between them can be done along with them. Nothing is
    computed.
    """
    twin = copy.deepcopy(dreamer.network).to("meta")
    x = torch.empty(1, 3, *size, device="meta", requires_grad=True)
    with _Noting() as noted:
        blobs = plain.forward_of(twin)(x)
        if not all(layer in blobs for layer in dreamer.layers):
            blobs = twin(x, dreamer.layers)
        torch.stack([blobs[layer].sum() for layer in dreamer.layers]).sum().backward()
    return noted.works


class _Noting(TorchDispatchMode):
    """Notes the work of gradients, twice: forward takes as much.

    What lies past the layers of a dream has no gradient, and is not needed.
    """

    def __init__(self) -> None:
        super().__init__()
        self.works: list[Work] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        packet = func.overloadpacket
        if packet is torch.ops.aten.convolution_backward:
            above, below, weight = args[:3]
            operations = 2 * above.numel() * weight[0].numel()
            self.works += 2 * [Work(operations, _numbers(above, below, weight))]
        elif packet is torch.ops.aten.max_pool2d_with_indices_backward:
            self.works += 2 * [Work(0, _numbers(*args[:2]))]
        return result


def _numbers(*tensors: Tensor) -> int:
    return sum(tensor.numel() for tensor in tensors)


def matrix_rate(device: torch.device, dtype: torch.dtype, repeats: int) -> float:
    """Operations a second of a large matrix product."""
    side = MATRIX_SIDE[device.type]
    left, right = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    return 2 * side**3 / seconds_of(lambda: left @ right, device, repeats)


def copy_rate(device: torch.device, dtype: torch.dtype, repeats: int) -> float:
    """Numbers of a type that a large copy reads and writes in a second."""
    source = torch.zeros(COPIED_NUMBERS, dtype=dtype, device=device)
    target = torch.zeros_like(source)
    return 2 * COPIED_NUMBERS / seconds_of(lambda: target.copy_(source), device, repeats)


def seconds_at_best(works: Sequence[Work], matrix_rate: float, copy_rate: float) -> float:
    """The least time for some work, each operation under the nearer of its two roofs."""
    return math.fsum(max(work.operations / matrix_rate, work.numbers / copy_rate) for work in works)
