"""Steps recorded once and replayed: on an NVIDIA GPU, a whole step for the price of one launch.

A CUDA graph replays the same kernels on the same memory. Whatever changes from step to step (the
picture, its jitter, the step size, the share of steps done) is therefore copied into memory of its
own first.
"""

from collections.abc import Callable, Hashable
from typing import Protocol

import torch
from torch import Tensor

from dreamvid.dream.ascent import Number, Step, Stepped
from dreamvid.frames import Offsets

WARMING_CALLS = 3
MOST_RECORDED = 64
"""The largest number of recorded steps that are kept; each holds memory of its own."""


class Recorder(Protocol):
    """Records a call without arguments, and returns a call that does the same again."""

    def __call__(self, call: Callable[[], None]) -> Callable[[], None]:
        """The call, recorded."""
        ...


class Recordings:
    """The recorded steps of one dreamer."""

    def __init__(self, record: Recorder) -> None:
        self.record = record
        self._steps: dict[Hashable, Recorded] = {}

    def __call__(self, key: Hashable, step: Step) -> Step:
        """The step that is recorded for `key`; `step` is recorded if there is none yet.

        Steps of the same key must do the same, and their arguments must have the same shapes.
        """
        if key not in self._steps:
            if len(self._steps) >= MOST_RECORDED:
                self._steps.clear()
            self._steps[key] = Recorded(step, self.record)
        return self._steps[key]


class Recorded:
    """A step for pictures of one size, recorded at its first call."""

    def __init__(self, step: Step, record: Recorder) -> None:
        self.step, self.record = step, record
        self._replay: Callable[[], None] | None = None

    def __call__(self, image: Tensor, offsets: Offsets, step_size: Number, done: Number) -> Stepped:
        """What the step gives, in tensors that later calls leave alone."""
        if self._replay is None:
            self._image = image.clone()
            self._offsets = torch.zeros(2, dtype=torch.int64, device=image.device)
            self._step_size = image.new_empty(
                step_size.shape if isinstance(step_size, Tensor) else ()
            )
            self._done = image.new_zeros(())
            self._results: tuple[Tensor, ...] = ()
            self._replay = self.record(self._call)
        self._image.copy_(image)
        # From pinned memory nothing waits for the copy.
        pinned = image.device.type == "cuda"
        self._offsets.copy_(torch.tensor(offsets, pin_memory=pinned), non_blocking=True)
        for kept, new in ((self._step_size, step_size), (self._done, done)):
            if isinstance(new, Tensor):
                kept.copy_(new)
            else:
                kept.fill_(new)
        self._replay()
        return Stepped(*(result.clone() for result in self._results))

    def _call(self) -> None:
        self._results = self.step(self._image, self._offsets, self._step_size, self._done)


def cuda_graph(call: Callable[[], None]) -> Callable[[], None]:
    """The call as a CUDA graph. A few plain calls come first: libraries choose kernels in them."""
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
    """The call itself: a recorder where there are no CUDA graphs."""
    return call
