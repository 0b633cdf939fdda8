"""The dreamer: one frame through all its octaves."""

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor

from dreamvid.ascent import Report, Step, ascended
from dreamvid.errors import NetworkError, SettingsError
from dreamvid.frames import Frame, Key, Size, checked, resized, size_of
from dreamvid.machine import device_for, made_ready
from dreamvid.networks import network
from dreamvid.networks.base import Network
from dreamvid.networks.layers import Choice, chosen
from dreamvid.objectives import gain_of
from dreamvid.octaves import climbed, octave_sizes
from dreamvid.recording import Recorded, Recorder, cuda_graph
from dreamvid.settings import Settings
from dreamvid.tiles import Tiler


class Dreamer:
    """A network with a taste: which layers to excite, and how.

    Calling it turns a frame into a dreamed frame; `report` then tells of that dream.
    """

    def __init__(self, network: Network, choices: Sequence[Choice], settings: Settings) -> None:
        self.network = network
        self.choices = tuple(choices)
        self.layers = [choice.layer for choice in choices]
        self.settings = settings
        self.report = Report()
        self._tiler = Tiler(network, self.layers, settings.machine.tile)
        self._recorder: Recorder | None = None
        self._recordings: dict[tuple[int, ...], Recorded] = {}
        self._check_channels(choices)
        self._gain = gain_of(choices, settings.objective)
        parameter = next(network.parameters())
        self._dtype = torch.promote_types(parameter.dtype, torch.float32)
        if parameter.device.type == "cuda":
            self._recorder = cuda_graph
        ends = torch.tensor([0.0, 1.0], device=parameter.device, dtype=self._dtype)[
            :, None, None, None
        ].expand(2, 3, 1, 1)
        low, high = network.preprocessing.to_input(ends)
        self._bounds = (low[None], high[None])

    def __call__(
        self, frame: Frame, key: Key, later: bool = False, fresh: Tensor | None = None
    ) -> Frame:
        """`frame` dreamed.

        Args:
            frame: where the dream starts.
            key: decides its jitter.
            later: whether it starts from a dream.
            fresh: (H, W), how much of it has no dream yet all the same, from 0 to 1; there its
                steps are as long as a first frame's.
        """
        return self.batch(checked(frame)[None], key, later, fresh)[0]

    def batch(
        self, frames: Tensor, key: Key, later: bool = False, fresh: Tensor | None = None
    ) -> Tensor:
        """Frames (N, 3, H, W) of one size dreamed together, with the same jitter."""
        self.check(size_of(frames))
        ascent = self.settings.ascent
        iterations, step = ascent.iterations, ascent.step_size
        if later and ascent.later is not None:
            iterations = ascent.later
        if later and ascent.later_step_size is not None:
            step = ascent.later_step_size
        level = self.network.preprocessing.level
        report = Report()

        def dream(image: Tensor, octave: int) -> Tensor:
            stride: float | Tensor = step * level
            if later and fresh is not None:
                share = resized(fresh[None], size_of(image))[0].to(image.dtype)
                stride = level * (step + (ascent.step_size - step) * share)
            return ascended(
                image,
                self.gain,
                self._bounds,
                stride,
                (*key, octave),
                ascent,
                iterations,
                report,
                tiled=self._tiler,
                recorded=partial(
                    self._recorded, (octave, isinstance(stride, Tensor), *image.shape)
                ),
            )

        inputs = self.network.preprocessing.to_input(frames.to(self._dtype))
        dreamed = self.network.preprocessing.to_pictures(
            climbed(inputs, dream, self.settings.octaves)
        )
        self.report = report
        return dreamed.clamp(0, 1).float().contiguous()

    def _recorded(self, key: tuple[int, ...], step: Step) -> Step:
        """`step` as it was recorded for `key`; itself where nothing is recorded or in tiles."""
        if self._recorder is None or not self._tiler.takes_whole(Size(*key[-2:])):
            return step
        if key not in self._recordings:
            self._recordings[key] = Recorded(step, self._recorder)
        return self._recordings[key]

    def gain(self, inputs: Tensor) -> Tensor:
        """The objective of each picture (N,), given in the network's own units."""
        return self._gain(self.network(inputs, self.layers))

    def _check_channels(self, choices: Sequence[Choice]) -> None:
        """Raise `NetworkError` for a channel that its layer does not have."""
        picked = [choice for choice in choices if choice.channels]
        if not picked:
            return
        side = max(64, self.network.smallest_side)
        flat = torch.zeros(1, 3, side, side, device=next(self.network.parameters()).device)
        found = self.network(flat, [choice.layer for choice in picked])
        for choice in picked:
            count = found[choice.layer].shape[1]
            if choice.channels and max(choice.channels) >= count:
                raise NetworkError(
                    f"{self.network.name}: no channel {max(choice.channels)} in {choice.layer}; "
                    f"its channels are 0 to {count - 1}"
                )

    def check(self, size: Size, seed: Size | None = None) -> None:
        """Raise `SettingsError` where the seed or the smallest octave is too small to dream."""
        if seed and min(seed) < self.network.smallest_side:
            raise SettingsError(
                f"the seed is {seed}, and {self.network.name} needs "
                f"{self.network.smallest_side} pixels a side; use a larger picture"
            )
        smallest = octave_sizes(size, self.settings.octaves)[0]
        if min(smallest) < self.network.smallest_side:
            raise SettingsError(
                f"octaves.count: the smallest of {self.settings.octaves.count} octaves of {size} "
                f"is {smallest}, and {self.network.name} needs {self.network.smallest_side} "
                "pixels a side; use fewer octaves or a larger size"
            )


def dreamer_for(settings: Settings, *, keep_memory: bool = True) -> Dreamer:
    """The dreamer that `settings` describe, on its device; see `made_ready`."""
    made_ready(settings.machine.threads, keep_memory=keep_memory)
    device = device_for(settings.machine.device)
    if device.type == "mps" and settings.machine.precision == "fp64":
        raise SettingsError("machine.precision: mps has no fp64; wanted auto, bf16 or fp32")
    net = network(
        settings.network.name,
        weights=settings.network.weights,
        device=device,
        precision=settings.machine.precision,
    )
    layers = settings.network.layers or (net.favourite,)
    return Dreamer(net, chosen(net.layers, layers, net.name), settings)
