"""Timing, and the state in which plain PyTorch is timed."""

import contextlib
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch

from dreamvid.machine import devices
from dreamvid.networks import ways


@contextlib.contextmanager
def as_torch_is() -> Iterator[None]:
    """What plain PyTorch does by itself on a GPU, which a dreamer has changed for the process."""
    cudnn: Any = torch.backends.cudnn
    fused = ways.fused()
    before = cudnn.allow_tf32, cudnn.deterministic
    ways.fuse(None)
    cudnn.allow_tf32, cudnn.deterministic = True, False
    try:
        yield
    finally:
        cudnn.allow_tf32, cudnn.deterministic = before
        ways.fuse(fused)


def seconds_of(
    call: Callable[[], object], device: torch.device, repeats: int, warm: bool = True
) -> float:
    """The median time of `call`; two calls come first that do not count, where `warm`."""
    for _ in range(2 * warm):
        call()
    return statistics.median(once(call, device) for _ in range(repeats))


def once(call: Callable[[], object], device: torch.device) -> float:
    """The seconds that one call takes."""
    devices.synchronised(device)
    began = time.perf_counter()
    call()
    devices.synchronised(device)
    return time.perf_counter() - began
