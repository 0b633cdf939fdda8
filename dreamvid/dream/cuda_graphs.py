"""Steps recorded once and replayed: on an NVIDIA GPU, a whole step for the price of one launch.

A CUDA graph replays the same kernels on the same memory, so whatever changes from step to step
(the picture, its jitter, the step size, how far the ascent has come) is copied into memory of its
own first.
"""

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from dreamvid.dream.ascent import Number, Offsets, Step

WARMING_CALLS = 3


class Recorder(Protocol):
    """Records a call without arguments; what it gives back does the same again."""

    def __call__(self, call: Callable[[], None]) -> Callable[[], None]:
        """The call, recorded."""
        ...


class Recorded:
    """A step of one picture size, recorded at its first call."""

    def __init__(self, step: Step, record: Recorder) -> None:
        self.step, self.record = step, record
        self._replay: Callable[[], None] | None = None

    def __call__(
        self, image: Tensor, offsets: Offsets, step: Number, done: Number
    ) -> tuple[Tensor, Tensor, Tensor]:
        """What the step gives, in tensors of its own."""
        if self._replay is None:
            self._image = image.clone()
            self._offsets = torch.zeros(2, dtype=torch.int64, device=image.device)
            self._size = image.new_empty(step.shape if isinstance(step, Tensor) else ())
            self._done = image.new_zeros(())
            self._results: tuple[Tensor, ...] = ()
            self._replay = self.record(self._call)
        self._image.copy_(image)
        # From pinned memory nothing waits for the copy.
        pinned = image.device.type == "cuda"
        self._offsets.copy_(torch.tensor(offsets, pin_memory=pinned), non_blocking=True)
        for kept, new in ((self._size, step), (self._done, done)):
            if isinstance(new, Tensor):
                kept.copy_(new)
            else:
                kept.fill_(new)
        self._replay()
        image, gain, finite = (result.clone() for result in self._results)
        return image, gain, finite

    def _call(self) -> None:
        self._results = self.step(self._image, self._offsets, self._size, self._done)


def cuda_graph(call: Callable[[], None]) -> Callable[[], None]:
    """The call as a CUDA graph, after calls that let libraries choose their kernels."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(WARMING_CALLS):
            call()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        call()
    return graph.replay


def plain_calls(call: Callable[[], None]) -> Callable[[], None]:
    """The call itself: a recorder for where there are no graphs."""
    return call
