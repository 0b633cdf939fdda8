"""The dreamer: one frame through all its octaves."""

import os
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from dreamvid.ascent import Report, ascended
from dreamvid.errors import NetworkError, SettingsError
from dreamvid.frames import Frame, Key, Size, checked, resized, size_of
from dreamvid.networks import network
from dreamvid.networks.base import Network
from dreamvid.networks.layers import Choice, chosen, ever
from dreamvid.objectives import gain_of
from dreamvid.octaves import climbed, octave_sizes
from dreamvid.settings import Settings
from dreamvid.timeline import Timeline


class Dreamer:
    """A network with a taste: which layers to excite, and how.

    Calling it turns a frame into a dreamed frame; `report` then tells of that dream. Where the
    settings' layers change in the course of a film, they are dreamed instead of `choices`.
    """

    def __init__(self, network: Network, choices: Sequence[Choice], settings: Settings) -> None:
        self.network = network
        self.choices = choices
        self.settings = settings
        self.timeline = Timeline(settings)
        if not any(choice.weight for choice in choices):
            raise NetworkError(f"{network.name}: every layer's weight is 0, nothing to dream of")
        self.report = Report()
        self._check_channels(choices)
        parameter = next(network.parameters())
        self._dtype = torch.promote_types(parameter.dtype, torch.float32)
        ends = torch.tensor([0.0, 1.0], device=parameter.device, dtype=self._dtype)[
            :, None, None, None
        ].expand(2, 3, 1, 1)
        low, high = network.preprocessing.to_input(ends)
        self._bounds = (low[None], high[None])

    def __call__(
        self,
        frame: Frame,
        key: Key,
        later: bool = False,
        fresh: Tensor | None = None,
        index: int = 0,
    ) -> Frame:
        """`frame` dreamed.

        Args:
            frame: where the dream starts.
            key: decides its jitter.
            later: whether it starts from a dream.
            fresh: (H, W), how much of it has no dream yet all the same, from 0 to 1; there its
                steps are as long as a first frame's.
            index: its number in the film, for settings that follow a schedule.
        """
        return self.batch(checked(frame)[None], key, later, fresh, index)[0]

    def batch(
        self,
        frames: Tensor,
        key: Key,
        later: bool = False,
        fresh: Tensor | None = None,
        index: int = 0,
    ) -> Tensor:
        """Frames (N, 3, H, W) of one size dreamed together, with the same jitter."""
        self.check(size_of(frames))
        now = self.timeline.at(index)
        ascent = now.ascent
        iterations, step = ascent.iterations, ascent.step_size
        if later and ascent.later is not None:
            iterations = ascent.later
        if later and ascent.later_step_size is not None:
            step = ascent.later_step_size
        gain = self._gain(now)
        weights = [*now.octaves.weights, *[1.0] * now.octaves.count]
        level = self.network.preprocessing.level
        report = Report()

        def dream(image: Tensor, octave: int) -> Tensor:
            stride: float | Tensor = step * level
            if later and fresh is not None:
                share = resized(fresh[None], size_of(image))[0].to(image.dtype)
                stride = level * (step + (ascent.step_size - step) * share)
            return ascended(
                image,
                gain or _nothing,
                self._bounds,
                stride * weights[octave],
                (*key, octave),
                ascent,
                iterations if gain and weights[octave] else 0,
                report,
            )

        inputs = self.network.preprocessing.to_input(frames.to(self._dtype))
        dreamed = self.network.preprocessing.to_pictures(
            climbed(inputs, dream, self.settings.octaves)
        )
        self.report = report
        return dreamed.clamp(0, 1).float().contiguous()

    def gain(self, inputs: Tensor, index: int = 0) -> Tensor:
        """The objective of each picture (N,), given in the network's own units, at a frame."""
        return (self._gain(self.timeline.at(index)) or _nothing)(inputs)

    def _gain(self, now: Settings) -> Callable[[Tensor], Tensor] | None:
        """The objective by the settings of a frame; None where no layer has any weight."""
        choices = self.choices
        if self.timeline.travels:
            choices = chosen(self.network.layers, now.network.layers, self.network.name)
        choices = [choice for choice in choices if choice.weight]
        weigh, layers = gain_of(choices, now.objective), {choice.layer for choice in choices}
        return (lambda inputs: weigh(self.network(inputs, layers))) if choices else None

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


def _nothing(inputs: Tensor) -> Tensor:
    """The gain of dreaming of nothing, for pictures (N, 3, H, W)."""
    return inputs.new_zeros(len(inputs))


def dreamer_for(settings: Settings) -> Dreamer:
    """The dreamer that `settings` describe, on its device, its threads set."""
    torch.set_num_threads(settings.machine.threads or os.cpu_count() or 1)
    device = device_for(settings.machine.device)
    if device.type == "mps" and settings.machine.precision == "fp64":
        raise SettingsError("machine.precision: mps has no fp64; wanted auto, bf16 or fp32")
    net = network(
        settings.network.name,
        weights=settings.network.weights,
        device=device,
        precision=settings.machine.precision,
    )
    layers = [ever(text) for text in settings.network.layers or (net.favourite,)]
    return Dreamer(net, chosen(net.layers, layers, net.name), settings)


def device_for(name: str) -> torch.device:
    """The device of that name; ``auto`` takes an NVIDIA GPU where there is one."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        if name.partition(":")[0] not in ("cpu", "cuda", "mps"):
            raise RuntimeError("no such device")
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).partition("\n")[0]
        raise SettingsError(
            f"machine.device: {name!r} cannot be used here ({reason}); "
            "wanted auto, cpu, cuda, cuda:N or mps"
        ) from None
    return device
