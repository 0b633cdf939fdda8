"""The dreamer: one frame through all its octaves."""

import os
from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor

from dreamvid.ascent import Report, ascended
from dreamvid.errors import SettingsError
from dreamvid.frames import Frame, Key, Offsets, Size, checked, resized, size_of
from dreamvid.networks import network
from dreamvid.networks.base import Network
from dreamvid.networks.layers import Choice
from dreamvid.objectives import Goal
from dreamvid.octaves import climbed, for_each_octave, octave_sizes
from dreamvid.settings import Settings


class Dreamer:
    """A network with a taste: which layers to excite, and how.

    Calling it turns a frame into a dreamed frame; `report` then tells of that dream.
    """

    def __init__(self, network: Network, choices: Sequence[Choice], settings: Settings) -> None:
        self.network = network
        self.choices = tuple(choices)
        self.settings = settings
        self.report = Report()
        count = settings.octaves.count
        ascent = settings.ascent
        self._iterations = for_each_octave(ascent.iterations, count, "ascent.iterations")
        self._step_sizes = for_each_octave(ascent.step_size, count, "ascent.step_size")
        self._walk = [network.choices([selector]) for selector in settings.network.walk]
        each = for_each_octave(settings.octaves.layers or (), count, "octaves.layers")
        self._octave_choices = [network.choices(selectors) for selectors in each]
        self.goal = Goal(network, settings.objective)
        for some in (self.choices, *self._walk, *self._octave_choices):
            self.goal.check(some)
        parameter = next(network.parameters())
        self._dtype = torch.promote_types(parameter.dtype, torch.float32)
        ends = torch.tensor([0.0, 1.0], device=parameter.device, dtype=self._dtype)[
            :, None, None, None
        ].expand(2, 3, 1, 1)
        low, high = network.preprocessing.to_input(ends)
        self._bounds = (low[None], high[None])
        self._small: dict[tuple[int, Size], bool] = {}

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
            index: the frame's number, for layers that change from frame to frame.
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
        octaves, ascent = self.settings.octaves, self.settings.ascent
        few = ascent.later if later else None
        report = Report()

        def dream(passed: int, image: Tensor, octave: int) -> Tensor:
            hill = self.goal.hill(self.choices_at(octave, index), size_of(image))
            step: float | Tensor = self.step(octave, later)
            if later and fresh is not None:
                share = resized(fresh[None], size_of(image))[0].to(image.dtype)
                step = step + (self.step(octave) - step) * share
            return ascended(
                image,
                hill.gain,
                self._bounds,
                step,
                (*key, passed * octaves.count + octave),
                ascent,
                self._iterations[octave] if few is None else few,
                report,
                hill.masks,
            )

        inputs = self.network.preprocessing.to_input(frames.to(self._dtype))
        for passed in range(octaves.passes):
            inputs = climbed(inputs, partial(dream, passed), octaves)
        self.report = report
        pictures = self.network.preprocessing.to_pictures(inputs)
        return pictures.clamp(0, 1).float().contiguous()

    def choices_at(self, octave: int, frame: int) -> tuple[Choice, ...]:
        """The layers dreamed at an octave, 0 the smallest, of a frame."""
        if self._octave_choices:
            return self._octave_choices[octave]
        return self._walk[frame % len(self._walk)] if self._walk else self.choices

    def step(self, octave: int, later: bool = False) -> float:
        """The step size at an octave in the network's own units."""
        size = self.settings.ascent.later_step_size if later else None
        return (self._step_sizes[octave] if size is None else size) * (
            self.network.preprocessing.level
        )

    def gain(self, inputs: Tensor, offsets: Offsets = (0, 0)) -> Tensor:
        """The objective of each picture (N,), given in the network's own units."""
        return self.goal.hill(self.choices, size_of(inputs)).gain(inputs, offsets)

    def check(self, size: Size, seed: Size | None = None) -> None:
        """Raise `SettingsError` where the seed or the smallest octave is too small to dream."""
        least = self.network.smallest_side
        if seed and min(seed) < least:
            raise SettingsError(
                f"the seed is {seed}, and {self.network.name} needs "
                f"{least} pixels a side; use a larger picture"
            )
        sizes = octave_sizes(size, self.settings.octaves)
        for octave, each in enumerate(sizes):
            # Shallow layers of their own can be dreamed smaller than the whole network takes.
            if min(each) >= least or (self._octave_choices and self._dreams(octave, each)):
                continue
            raise SettingsError(
                f"octaves.count: octave {octave + 1} of {len(sizes)} of {size} "
                f"is {each}, and {self.network.name} needs {least} "
                "pixels a side; use fewer octaves or a larger size"
            )

    def _dreams(self, octave: int, size: Size) -> bool:
        """Whether an octave's own layers can be dreamed at that size."""
        key = (octave, size)
        if key not in self._small:
            flat = torch.zeros(1, 3, *size, device=self._bounds[0].device)
            try:
                self.goal.hill(self._octave_choices[octave], size).gain(flat, (0, 0))
                self._small[key] = True
            except (RuntimeError, ValueError):
                self._small[key] = False
        return self._small[key]


def dreamer_for(settings: Settings) -> Dreamer:
    """The dreamer that `settings` describe, on its device, its threads set."""
    torch.set_num_threads(settings.machine.threads or os.cpu_count() or 1)
    device = device_for(settings.machine.device)
    if device.type == "mps" and settings.machine.precision == "fp64":
        raise SettingsError("machine.precision: mps has no fp64; wanted auto, bf16 or fp32")
    net = network(
        settings.network.name,
        weights=settings.network.weights or (),
        device=device,
        precision=settings.machine.precision,
    )
    return Dreamer(net, net.choices(settings.network.layers), settings)


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
