"""The dreamer: one frame through all its octaves."""

import math
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from dreamvid.dream.ascent import Report, Step, Watch, ascended
from dreamvid.dream.cuda_graphs import Recorded, Recorder, cuda_graph
from dreamvid.dream.octaves import climbed, for_each_octave, octave_sizes
from dreamvid.dream.tiles import Gradient, Tiler, in_one_piece
from dreamvid.dream.timeline import Timeline
from dreamvid.errors import NetworkError, SettingsError
from dreamvid.frames import Frame, Key, Offsets, Size, checked, resized, size_of
from dreamvid.machine.devices import device_for, made_ready
from dreamvid.networks import network
from dreamvid.networks.base import Network
from dreamvid.networks.layers import Choice, ever
from dreamvid.objectives import Goal, Hill
from dreamvid.settings import Settings

TOGETHER = {"cpu": 16 * 224 * 224, "cuda": 64 * 224 * 224}
"""Pixels dreamed together: more gain no speed, measured on two cores."""
BYTES_TOGETHER = 2**13
"""Of a GPU's memory, for each of them: twice what most networks take."""
MOST_RECORDED = 64
"""Steps of so many picture sizes are kept recorded; each holds memory of its own."""


class Dreamer:
    """A network with a taste: which layers to excite, and how.

    Calling it turns a frame into a dreamed frame; `report` then tells of that dream. Where the
    settings' layers change in the course of a film, they are dreamed instead of `choices`.
    """

    def __init__(self, network: Network, choices: Sequence[Choice], settings: Settings) -> None:
        self.network = network
        self.choices = tuple(choices)
        self.settings = settings
        self.timeline = Timeline(settings)
        if not any(choice.weight for choice in choices):
            raise NetworkError(f"{network.name}: every layer's weight is 0, nothing to dream of")
        self.report = Report()
        self.watch: Watch | None = None
        """Told of every step, its pictures in the network's own units."""
        octaves = settings.octaves
        for_each_octave(settings.ascent.iterations, octaves.count, "ascent.iterations")
        for_each_octave(settings.ascent.step_size, octaves.count, "ascent.step_size")
        self._walk = [network.choices([selector]) for selector in settings.network.walk]
        each = octaves.layers and for_each_octave(octaves.layers, octaves.count, "octaves.layers")
        self._octave_choices = [network.choices(selectors) for selectors in each]
        self.goal = Goal(network, settings.objective, self.timeline.options)
        for some in (self.choices, *self._walk, *self._octave_choices):
            self.goal.check(some)
        self._tilers: dict[frozenset[str], Tiler] = {}
        self._recorder: Recorder | None = None
        self._recordings: dict[tuple[int, ...], Recorded] = {}
        parameter = next(network.parameters())
        self._dtype = torch.promote_types(parameter.dtype, torch.float32)
        if parameter.device.type == "cuda":
            self._recorder = cuda_graph
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
            index: its number in the film, for layers and settings that change in its course.
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
        octaves, ascent = now.octaves, now.ascent
        count = octaves.count
        iterations = self.iterations(index, later)
        report = Report(self.watch)

        def dream(passed: int, image: Tensor, octave: int) -> Tensor:
            report.begin(passed, octave, size_of(image))
            choices = self.choices_at(octave, index)
            hill = self.goal.hill(choices, size_of(image), index)
            step: float | Tensor = self.step(octave, index, later)
            if later and fresh is not None:
                share = resized(fresh[None], size_of(image))[0].to(image.dtype)
                step = step + (self.step(octave, index) - step) * share
            return ascended(
                image,
                hill.gain,
                self._bounds,
                step,
                (*key, passed * count + octave),
                ascent,
                iterations[octave],
                report,
                hill.masks,
                tiled=self._tiled(hill),
                recorded=partial(
                    self._recorded, hill, (octave, isinstance(step, Tensor), *image.shape)
                ),
            )

        inputs = self.network.preprocessing.to_input(frames.to(self._dtype))
        for passed in range(octaves.passes):
            inputs = climbed(inputs, partial(dream, passed), octaves)
        self.report = report
        pictures = self.network.preprocessing.to_pictures(inputs)
        return pictures.clamp(0, 1).float().contiguous()

    def still(self, picture: Frame) -> Frame:
        """A picture dreamed as the first frame of a film is, on the network's device."""
        return self(picture.to(self._bounds[0].device), (self.settings.film.seed, 0))

    @property
    def total_steps(self) -> int:
        """The steps of a still, in all its octaves and passes."""
        return sum(self.iterations()) * self.settings.octaves.passes

    def together(self, size: Size) -> int:
        """How many pictures of that size are best dreamed at once, where they are independent."""
        if self.timeline.changes or self._walk:
            return 1
        device = self._bounds[0].device
        pixels = TOGETHER.get(device.type, TOGETHER["cuda"])
        if device.type == "cuda":
            # Of all its memory, not what is free now: the same machine makes the same film.
            total = torch.cuda.get_device_properties(device).total_memory
            pixels = min(pixels, total // BYTES_TOGETHER)
        return max(1, pixels // math.prod(size))

    def iterations(self, index: int = 0, later: bool = False) -> list[int]:
        """The steps at each octave of a frame, in each pass; none where nothing is dreamed."""
        now = self.timeline.at(index)
        octaves, ascent = now.octaves, now.ascent
        found = for_each_octave(ascent.iterations, octaves.count, "ascent.iterations")
        if later and ascent.later is not None:
            found = [ascent.later] * octaves.count
        weights = [*octaves.weights, *[1.0] * octaves.count]
        return [
            steps if weights[octave] and self.choices_at(octave, index) else 0
            for octave, steps in enumerate(found)
        ]

    @property
    def layers(self) -> list[str]:
        """The layers chosen, where they do not change."""
        return [choice.layer for choice in self.choices]

    def choices_at(self, octave: int, index: int) -> tuple[Choice, ...]:
        """The layers dreamed at an octave, 0 the smallest, of a frame; those of no weight not."""
        choices = self.choices
        if self._octave_choices:
            choices = self._octave_choices[octave]
        elif self._walk:
            choices = self._walk[index % len(self._walk)]
        elif self.timeline.travels:
            choices = self.network.choices(self.timeline.at(index).network.layers)
        return tuple(choice for choice in choices if choice.weight)

    def _tiled(self, hill: Hill) -> Callable[[Tensor, Gradient], tuple[Tensor, Tensor]]:
        """What makes a hill's gradient in bounded memory, where it may be made in parts."""
        if not hill.local:
            return in_one_piece
        if hill.layers not in self._tilers:
            tile = self.settings.machine.tile
            self._tilers[hill.layers] = Tiler(self.network, list(hill.layers), tile)
        return self._tilers[hill.layers]

    def _recorded(self, hill: Hill, key: tuple[int, ...], step: Step) -> Step:
        """`step` as it was recorded for `key`; itself where it changes, or is made in tiles."""
        changes = self.timeline.changes or bool(self._walk) or not hill.rollable
        if self._recorder is None or changes:
            return step
        if hill.local and not self._tilers[hill.layers].takes_whole(Size(*key[-2:])):
            return step
        if key not in self._recordings:
            if len(self._recordings) >= MOST_RECORDED:
                self._recordings.clear()
            self._recordings[key] = Recorded(step, self._recorder)
        return self._recordings[key]

    def step(self, octave: int, index: int = 0, later: bool = False) -> float:
        """The step size at an octave of a frame, in the network's own units."""
        now = self.timeline.at(index)
        sizes = for_each_octave(now.ascent.step_size, now.octaves.count, "ascent.step_size")
        size = sizes[octave]
        if later and now.ascent.later_step_size is not None:
            size = now.ascent.later_step_size
        weight = now.octaves.weights[octave] if octave < len(now.octaves.weights) else 1.0
        return size * weight * self.network.preprocessing.level

    def gain(self, inputs: Tensor, offsets: Offsets = (0, 0), index: int = 0) -> Tensor:
        """The objective of each picture (N,), given in the network's own units, at a frame."""
        octave = self.settings.octaves.count - 1
        choices = self.choices_at(octave, index)
        if not choices:
            return inputs.new_zeros(len(inputs))
        return self.goal.hill(choices, size_of(inputs), index).gain(inputs, offsets)

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


def network_for(settings: Settings, *, keep_memory: bool = True) -> Network:
    """The network that `settings` name, on its device; see `made_ready`."""
    made_ready(settings.machine.threads, keep_memory=keep_memory)
    device = device_for(settings.machine.device)
    if device.type == "mps" and settings.machine.precision == "fp64":
        raise SettingsError("machine.precision: mps has no fp64; wanted auto, bf16 or fp32")
    return network(
        settings.network.name,
        weights=settings.network.weights or (),
        device=device,
        precision=settings.machine.precision,
        options=settings.network.options,
    )


def dreamer_for(
    settings: Settings, *, keep_memory: bool = True, net: Network | None = None
) -> Dreamer:
    """The dreamer that `settings` describe; `net` is their network, where it is there already."""
    net = net or network_for(settings, keep_memory=keep_memory)
    layers = [ever(text) for text in settings.network.layers]
    return Dreamer(net, net.choices(layers), settings)
