"""The dreamer: one frame through all its octaves."""

import math
from collections.abc import Hashable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial

import torch
from torch import Tensor

from dreamvid.dream import catching_up
from dreamvid.dream.ascent import Ascent, Climb, gain_and_gradients, gain_scale
from dreamvid.dream.changing import Changing
from dreamvid.dream.cuda_graphs import recordings_for
from dreamvid.dream.octaves import climbed, octave_sizes
from dreamvid.dream.opening import network_for
from dreamvid.dream.plan import FramePlan, Plan
from dreamvid.dream.report import Report, Watch
from dreamvid.dream.spaces import photographs_of, space_for
from dreamvid.dream.spaces.climbing import SpaceAscent
from dreamvid.dream.tiles import Tiler, in_one_piece
from dreamvid.dream.turbo.adding import TURBO, turbo_for
from dreamvid.errors import SettingsError
from dreamvid.frames import Frame, Key, Offsets, Size, checked, resized, size_of
from dreamvid.machine.devices import is_memory, pixels_together
from dreamvid.machine.remarks import say_once
from dreamvid.machine.threads import worth
from dreamvid.networks.base import Network
from dreamvid.networks.layers import Choice, ever
from dreamvid.objectives import Goal, Hill
from dreamvid.objectives.seeing import Held
from dreamvid.settings import Settings


class Dreamer:
    """A network, the layers to excite, and how: a frame goes in and a dreamed frame comes out.

    After each call, `report` is about that dream. The layers are `choices` unless the settings
    have others, see `Plan`.
    """

    def __init__(self, network: Network, choices: Sequence[Choice], settings: Settings) -> None:
        self.network = network
        self.choices = tuple(choices)
        self.settings = settings
        self.plan = Plan(network, choices, settings)
        options = self.plan.timeline.options
        self.goal = Goal(network, settings.objective, options, settings.film.rate, settings.music)
        self.turbo = turbo_for(settings, network, self.plan.everything)
        for each in self.plan.everything:
            self.goal.check(each)
        self.space = space_for(settings)
        """Makes the space that the dream climbs in; None: it climbs in pixels."""
        self.report = Report()
        self.watch: Watch | None = None
        """Called after every step, with pictures in the network's own units."""
        self._device = network.device
        self._dtype = torch.promote_types(network.dtype, torch.float32)
        ends = torch.tensor([0.0, 1.0], device=self._device, dtype=self._dtype)
        low, high = network.preprocessing.to_input(ends[:, None, None, None].expand(2, 3, 1, 1))
        self._bounds = (low[None], high[None])
        self._tilers: dict[frozenset[str], Tiler] = {}
        self._recordings = recordings_for(self._device)
        self._changing = Changing(self._device, self._dtype)
        self._small: dict[tuple[int, Size], bool] = {}

    def __call__(
        self,
        frame: Frame,
        key: Key,
        later: bool = False,
        fresh: Tensor | None = None,
        index: int = 0,
        lift: Tensor | None = None,
    ) -> Frame:
        """`frame` dreamed.

        Args:
            frame: where the dream starts.
            key: the jitter depends on it.
            later: whether `frame` is a dream already.
            fresh: (H, W) from 0 to 1. Where it is 1, `frame` is no dream after all, and its steps
                are as large as those of a first frame. Best on the processor, where it is read.
            index: its number in the film, for layers and settings that change in its course.
            lift: (H, W), how many times as large the steps are.
        """
        return self.batch(checked(frame)[None], key, later, fresh, index, lift)[0]

    def batch(
        self,
        frames: Tensor,
        key: Key,
        later: bool = False,
        fresh: Tensor | None = None,
        index: int = 0,
        lift: Tensor | None = None,
    ) -> Tensor:
        """Frames (N, 3, H, W) of one size dreamed together, with the same jitter."""
        self.check(size_of(frames))
        dream = partial(self._batch, frames, key, later, fresh, index, lift)
        try:
            return dream()
        except RuntimeError as error:
            if not is_memory(error) or not self._spared():
                raise
        # Outside the handler, which would keep the failed dream's tensors alive.
        self._recordings = None
        say_once("there is too little memory to record steps, which would be faster")
        return dream()

    def _batch(
        self,
        frames: Tensor,
        key: Key,
        later: bool,
        fresh: Tensor | None,
        index: int,
        lift: Tensor | None,
    ) -> Tensor:
        plan = self.plan.at(index, later)
        report = Report(self.watch)
        # Turbo looks at nothing, and does not wait for it.
        new = catching_up.freshness(fresh, self._device, not self.turbo) if later else None

        def dream(passed: int, image: Tensor, octave: int) -> Tensor:
            report.begin(passed, octave, size_of(image))
            here = plan.octaves[octave]
            place = (*key, passed * plan.settings.count + octave)
            if self.turbo:
                with self._threads_worth(image):
                    image = self.turbo(image, here, new and new.there, lift, self._recordings)
                if not here.climbed:
                    return image
            step_size = catching_up.step_size_of(here, new and new.there, image, lift)
            varied, first = isinstance(step_size, Tensor), not (later or passed or octave)
            ascent = self._ascent(plan, octave, image, varied, begun, first)
            with self._threads_worth(image):
                if new is not None and not self.turbo:
                    image = self._caught_up(plan, octave, image, begun, new, place, report)
                return ascent(image, step_size, here.climbed, place, report)

        inputs = begun = self.network.preprocessing.to_input(frames.to(self._dtype))
        for passed in range(plan.settings.passes):
            inputs = climbed(inputs, partial(dream, passed), plan.settings)
        self.report = report
        pictures = self.network.preprocessing.to_pictures(inputs)
        return pictures.clamp(0, 1).float().contiguous()

    def still(self, picture: Frame) -> Frame:
        """A picture dreamed as the first frame of a film is, on the network's device."""
        return self(picture.to(self._device), (self.settings.film.seed, 0))

    def gain(self, inputs: Tensor, offsets: Offsets = (0, 0), index: int = 0) -> Tensor:
        """The objective's gain (N,) for pictures in the network's own units, as at a frame."""
        choices = self.plan.at(index).octaves[-1].choices
        if not choices:
            return inputs.new_zeros(len(inputs))
        return self.goal.hill(choices, size_of(inputs), index).gain(inputs, offsets)

    @property
    def files(self) -> dict[str, str]:
        """SHA-256 of the files that the dream looks at, by the settings that name them."""
        seen = {**self.goal.pictures, **photographs_of(self.settings.space)}
        return {**seen, **({TURBO: self.turbo.sha256} if self.turbo else {})}

    @property
    def layers(self) -> list[str]:
        """The names of the layers in `choices`."""
        return [choice.layer for choice in self.choices]

    @property
    def total_steps(self) -> int:
        """The steps of a still, in all its octaves and passes."""
        return self.plan.at().steps

    def together(self, size: Size) -> int:
        """How many pictures of that size are best dreamed at once, where they are independent."""
        if self.plan.changes or self.goal.moves:
            return 1
        return max(1, pixels_together(self._device) // math.prod(size))

    def check(self, size: Size, seed: Size | None = None) -> None:
        """Raise `SettingsError` if the seed or the smallest octave is too small to dream."""
        needs = f"{self.network.name} needs {self.network.smallest_side} pixels a side"
        if seed and min(seed) < self.network.smallest_side:
            raise SettingsError(f"the seed is {seed}, and {needs}; use a larger picture")
        sizes, small = octave_sizes(size, self.settings.octaves), self.too_small(size)
        if len(small) == len(sizes):
            raise SettingsError(f"film.size: got {size}, and {needs}; use a larger size")
        if small:
            raise SettingsError(
                f"octaves.count: octave {small[0] + 1} of {len(sizes)} of {size} is "
                f"{sizes[small[0]]}, and {needs}; use fewer octaves or a larger size"
            )

    def too_small(self, size: Size) -> list[int]:
        """The octaves of a picture of that size that are too small to dream; 0 is the smallest."""
        least = self.network.smallest_side
        # An octave's own layers may be shallow, and take smaller pictures than the network.
        return [
            octave
            for octave, each in enumerate(octave_sizes(size, self.settings.octaves))
            if min(each) < least and not (self.plan.by_octave and self._dreams(octave, each))
        ]

    def _dreams(self, octave: int, size: Size) -> bool:
        """Whether an octave's own layers can be dreamed at that size."""
        key = (octave, size)
        if key not in self._small:
            flat = torch.zeros(1, 3, *size, device=self._device)
            try:
                self.goal.hill(self.plan.by_octave[octave], size).gain(flat, (0, 0))
                self._small[key] = True
            except (RuntimeError, ValueError):
                self._small[key] = False
        return self._small[key]

    def _caught_up(
        self,
        plan: FramePlan,
        octave: int,
        image: Tensor,
        begun: Tensor,
        fresh: catching_up.Fresh,
        key: Key,
        report: Report,
    ) -> Tensor:
        """`image` after the steps that a first frame has more, where it is fresh."""
        here = plan.octaves[octave]
        more = here.first_steps - here.steps
        if more <= 0:
            return image
        hill = self.goal.hill(here.choices, size_of(image), plan.index)

        def climb(part: Tensor, box: catching_up.Box, need: Tensor, number: int) -> Tensor:
            base = resized(begun, size_of(image))[:, :, box.rows, box.columns]
            ascent = self._ascent(plan, octave, part, True, base)
            return ascent(part, here.first_step_size * need, more, (*key, number, more), report)

        # A GPU takes as long to be asked for a part as for a picture whose steps are recorded.
        whole = hill.masks is not None or not hill.local or self._recordings is not None
        return catching_up.caught_up(image, fresh, self.network.smallest_side, whole, climb)

    def _threads_worth(self, image: Tensor) -> AbstractContextManager[None]:
        """The threads for an octave; those that the user asked for are taken everywhere."""
        if self._device.type != "cpu" or self.settings.machine.threads:
            return nullcontext()
        return worth(len(image) * image.shape[-2] * image.shape[-1])

    def _ascent(
        self,
        plan: FramePlan,
        octave: int,
        image: Tensor,
        varied: bool,
        begun: Tensor,
        first: bool = False,
    ) -> Ascent | SpaceAscent:
        """The ascent for pictures like `image`, once `begun`; `varied` steps have many sizes."""
        choices: Sequence[Choice | Held] = plan.octaves[octave].choices
        if self._recordings is not None and self.plan.timeline.travels:
            choices = self._changing(plan.octaves[octave].choices)
        hill = self.goal.hill(choices, size_of(image), plan.index)
        before = resized(begun, size_of(image)) if hill.looks_back else None
        in_parts = self.tiler(hill) if hill.local else in_one_piece
        if self.space:
            units = self.network.preprocessing
            return SpaceAscent(self.space, hill, plan.ascent, units, first, in_parts, before)
        return Ascent(
            hill.gain,
            plan.ascent,
            self._bounds,
            masks=hill.masks,
            in_parts=in_parts,
            recorded=partial(self._recorded, hill, image, (tuple(choices), varied)),
            scale=gain_scale(self.network.dtype, size_of(image)),
            begun=before,
        )

    def tiler(self, hill: Hill) -> Tiler:
        """What asks for the gradients of what the hill looks at, tile by tile if it must."""
        if hill.layers not in self._tilers:
            tile = self.settings.machine.tile
            layers = list(hill.layers)
            self._tilers[hill.layers] = Tiler(self.network, layers, tile, self._spared)
        return self._tilers[hill.layers]

    def _spared(self) -> bool:
        """Give back the memory of recorded steps; whether there were any."""
        return self._recordings is not None and self._recordings.forget()

    def _recorded(
        self,
        hill: Hill,
        image: Tensor,
        key: tuple[Hashable, ...],
        whole: Climb,
        plain: Climb,
        parts: bool,
    ) -> Climb:
        """The climb recorded for `key`, pictures like `image`; `plain` if it changes or is tiled.

        That is decided at a size's first step, so that a resumed film takes the same steps.
        """
        changes = self.plan.remakes_steps or self.goal.moves or hill.looks_back
        if self._recordings is None or changes or not hill.rollable:
            return plain
        gradient = partial(gain_and_gradients, gain_of=hill.gain)
        if hill.local and not self.tiler(hill).takes_whole(image, gradient):
            return plain
        return self._recordings((*key, *image.shape), whole, plain, parts)


def dreamer_for(
    settings: Settings, *, keep_memory: bool = True, net: Network | None = None
) -> Dreamer:
    """The dreamer that `settings` describe; `net` is their network, where it is there already."""
    net = net or network_for(settings, keep_memory=keep_memory)
    layers = [ever(text) for text in settings.network.layers]
    return Dreamer(net, net.choices(layers), settings)
