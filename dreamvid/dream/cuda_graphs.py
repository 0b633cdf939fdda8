"""Steps recorded once and replayed: on an NVIDIA GPU, an octave's for the price of one launch.

A CUDA graph replays the same kernels on the same memory. Whatever changes from frame to frame (the
picture, the steps' jitter, their size, the share of them that is done) is therefore copied into
memory of its own first. Where steps cannot be recorded, they are launched as they are.
"""

import math
from collections.abc import Callable, Hashable
from typing import Any, Protocol

import torch
from torch import Tensor

from dreamvid.dream.ascent import Climb, Numbers, Stepped
from dreamvid.dream.recorded_calls import RecordedCall
from dreamvid.machine.devices import is_memory
from dreamvid.machine.remarks import say_once

WARMING_CALLS = 1
AT_ONCE = 2
"""Steps that are recorded together: as many as a later frame has by default. To record ten takes
seconds, and saves a replay nothing that counts."""
SHARE_RECORDED = 0.25
"""Of a GPU's memory, what recorded steps may hold before they are dropped and made anew."""


class Recorder(Protocol):
    """Records a call without arguments, and returns a call that does the same again."""

    def __call__(self, call: Callable[[], None]) -> Callable[[], None]:
        """The call, recorded."""
        ...


class Recordings:
    """The recorded steps of one dreamer."""

    def __init__(self, record: Recorder, most: float = math.inf) -> None:
        """`record` makes them; together they hold about `most` bytes at the most."""
        self.record, self.most = record, most
        self._climbs: dict[Hashable, RecordedCall] = {}
        self._refused: set[Hashable] = set()

    def __call__(self, key: Hashable, whole: Climb, plain: Climb, parts: bool = False) -> Climb:
        """The climb that is recorded for `key`; `whole` is recorded at its first call.

        Climbs of the same key must do the same, and their pictures must have the same shapes. What
        cannot be recorded is done by `plain`. With `parts`, a few steps are recorded, and replayed
        until there were enough.
        """

        def climb(image: Tensor, numbers: Numbers) -> Stepped:
            told = [each if isinstance(each, Tensor) else torch.tensor(each) for each in numbers]
            counted = (key, len(numbers.done))
            found = self._found(
                counted, lambda image, *told: whole(image, Numbers(*told)), image, *told
            )
            return Stepped(*found(image, *told)) if found else plain(image, numbers)

        def in_parts(image: Tensor, numbers: Numbers) -> Stepped:
            every: list[Stepped] = []
            for start in range(0, len(numbers.done), AT_ONCE):
                few = slice(start, start + AT_ONCE)
                offsets, done = numbers.offsets[few], numbers.done[few]
                every.append(climb(image, Numbers(offsets, numbers.step_size, done)))
                image = every[-1].image
            gains, finite = (torch.cat(each) for each in list(zip(*every, strict=True))[1:])
            return Stepped(image, gains, finite)

        return in_parts if parts else climb

    def call(self, key: Hashable, function: Callable[..., Tensor], *tensors: Tensor) -> Tensor:
        """What a function gives for tensors, recorded for `key` at its first call.

        Functions of the same key must do the same, and their tensors must have the same shapes.
        """
        found = self._found(key, lambda *given: (function(*given),), *tensors)
        return found(*tensors)[0] if found else function(*tensors)

    def __len__(self) -> int:
        return len(self._climbs)

    @property
    def held(self) -> int:
        """About how many bytes they hold: what graphs share, and what each has for itself."""
        own = sum(climb.held for climb in self._climbs.values())
        return own + getattr(self.record, "held", 0)

    def forget(self) -> bool:
        """Drop all of them, and the memory that they hold; whether there were any."""
        there = bool(self._climbs)
        self._climbs.clear()
        forget = getattr(self.record, "forget", None)
        if forget:
            forget()
        return there

    def _found(
        self, key: Hashable, function: Callable[..., tuple[Tensor, ...]], *tensors: Tensor
    ) -> RecordedCall | None:
        """What is recorded for `key`, by `_recorded` where nothing is."""
        return self._climbs.get(key) or self._recorded(key, function, *tensors)

    def _recorded(
        self, key: Hashable, function: Callable[..., tuple[Tensor, ...]], *tensors: Tensor
    ) -> RecordedCall | None:
        """A function of tensors, recorded now; None where that cannot be done."""
        if key in self._refused:
            return None
        if self.held > self.most:
            self.forget()
        while True:
            try:
                self._climbs[key] = RecordedCall(function, self.record, *tensors)
                return self._climbs[key]
            except RuntimeError as error:
                short, reason = is_memory(error), str(error).partition("\n")[0]
            # Outside the handler, which would keep the failed step's tensors alive.
            if not (short and self.forget()):
                break
        self._refused.add(key)
        say_once(f"steps are not recorded as a CUDA graph, which would be faster ({reason})")
        return None


class CudaGraphs:
    """Records calls as CUDA graphs on one GPU; all of them work in the same memory.

    That is safe because what a call gives is copied before another one is replayed.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.held = 0
        """Bytes in the memory that they share."""
        self._pool: Any = None
        self._side: Any = None

    def __call__(self, call: Callable[[], None]) -> Callable[[], None]:
        """The call as a graph. Plain calls come first: libraries choose kernels in them."""
        with torch.cuda.device(self.device):
            # What one stream has freed, no other takes: all graphs are captured on one.
            side = self._side = self._side or torch.cuda.Stream()
            current = torch.cuda.current_stream()
            side.wait_stream(current)
            with torch.cuda.stream(side):
                for _ in range(WARMING_CALLS):
                    call()
            current.wait_stream(side)
            torch.cuda.empty_cache()
            before = torch.cuda.memory_reserved()
            self._pool = self._pool or torch.cuda.graph_pool_handle()
            graph = torch.cuda.CUDAGraph()
            # A capture that fails leaves its stream the current one. Other threads go on meanwhile
            # with their copies and memory, which the usual mode would take for mistakes.
            with (
                torch.cuda.stream(current),
                torch.cuda.graph(
                    graph, pool=self._pool, stream=side, capture_error_mode="thread_local"
                ),
            ):
                call()
            self.held += max(0, torch.cuda.memory_reserved() - before)
        return graph.replay

    def forget(self) -> None:
        """Begin anew, with nothing held; the graphs that were given must not be replayed again."""
        self._pool, self.held = None, 0
        torch.cuda.empty_cache()


def recordings_for(device: torch.device) -> Recordings | None:
    """What records the steps of a dreamer on `device`; None where steps cannot be recorded."""
    if device.type != "cuda":
        return None
    total = torch.cuda.get_device_properties(device).total_memory
    return Recordings(CudaGraphs(device), SHARE_RECORDED * total)


def plain_calls(call: Callable[[], None]) -> Callable[[], None]:
    """The call itself: a recorder where there are no CUDA graphs."""
    return call
