"""What a turbo network adds to the picture of an octave, in place of its steps of ascent."""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, partial
from pathlib import Path

import torch
from torch import Tensor

from dreamvid.dream.blur import softened
from dreamvid.dream.cuda_graphs import Recordings
from dreamvid.dream.plan import OctavePlan
from dreamvid.dream.turbo.files import NAME, TurboFile, path_of, read_turbo
from dreamvid.dream.turbo.net import STRIDE
from dreamvid.dream.turbo.travel import sized, travel
from dreamvid.errors import SettingsError
from dreamvid.frames import resized, size_of
from dreamvid.machine.devices import sent
from dreamvid.networks.base import Network
from dreamvid.networks.layers import Choice
from dreamvid.settings import Settings

TURBO = "turbo.dream"
"""The setting that names a turbo network."""
ASCENT = "ascent"
MARGIN = 128
"""Pixels around a tile that are computed and thrown away."""
LEAST = 1e-3
"""Levels; a shorter dream is none."""
SOFT = 0.7
"""Pixels by which what is added to a dream is softened; its finest lines would become ripples."""


class Turbo:
    """A turbo network beside the network whose dream it learned."""

    def __init__(self, file: TurboFile, network: Network, settings: Settings) -> None:
        """Raise `SettingsError` for a dream that the network has not learned."""
        self.net, self.sha256, self.network = file.net, file.sha256, network
        self.channels = file.channels
        """The layer of which single channels can be dreamed, or nothing."""
        self.tile = settings.machine.tile
        asked = {name: value for name, value in settings.objective.items() if name != "also"}
        if file.teacher != network.name:
            raise SettingsError(
                f"turbo.dream: this network learned {file.teacher}'s dream, got the network "
                f"{network.name}; leave out --network, or train one with `dreamvid turbo`"
            )
        if settings.objective.get("also") or asked != dict(file.objective):
            raise SettingsError(
                f"turbo.dream: this network learned the objective {file.objective.get('name')}, "
                f"got {settings.objective.get('name')} or more; leave it out, or dream by "
                "--dream ascent"
            )

    def check(self, groups: Iterable[Iterable[Choice]]) -> None:
        """Raise `SettingsError` for a layer that the network has not learned."""
        for choice in (choice for group in groups for choice in group):
            by_channels = choice.channels is not None
            if choice.layer not in self.net.layers or (
                by_channels and choice.layer != self.channels
            ):
                learned = f", and channels of {self.channels}" if self.channels else ", whole"
                raise SettingsError(
                    f"--layer: this turbo network learned the layers {', '.join(self.net.layers)}"
                    f"{learned}; got {choice.layer}{' by channels' if by_channels else ''}"
                )
            if choice.weight < 0:
                raise SettingsError(
                    f"--layer: a turbo network has no weights below 0, got {choice.weight}; dream "
                    "by --dream ascent"
                )

    def __call__(
        self,
        inputs: Tensor,
        plan: OctavePlan,
        fresh: Tensor | None,
        lift: Tensor | None,
        recordings: Recordings | None = None,
    ) -> Tensor:
        """Pictures (N, 3, H, W) in the network's own units with what the octave's steps would add.

        Args:
            inputs: where the dream starts.
            plan: of the octave.
            fresh: (H, W) from 0 to 1; where it is 1, as far as a first frame goes.
            lift: (H, W), how many times as far.
            recordings: where it is recorded; None: nowhere.
        """
        begins = fresh is not None and plan.first_steps > 0
        if not plan.choices or not (plan.steps or begins):
            return inputs
        level = self.network.preprocessing.level
        reach: float | Tensor = travel(plan.step_size / level, plan.steps)
        if fresh is not None:
            first = travel(plan.first_step_size / level, plan.first_steps)
            reach = (
                reach + (first - reach) * resized(fresh[None].to(inputs.device), size_of(inputs))[0]
            )
        if lift is not None:
            reach = reach * resized(lift[None], size_of(inputs))[0]
        soft = SOFT if plan.later else 0.0
        numbers = self._numbers(plan.choices, reach, inputs.device)
        if not numbers:
            return inputs
        function = partial(self._dreamed, soft)
        whole = not self.tile or max(size_of(inputs)) <= self.tile
        if recordings is None or not whole:
            return function(inputs, *numbers)
        key = (TURBO, soft, inputs.shape, inputs.dtype, numbers[-1].ndim)
        return recordings.call(key, function, inputs, *numbers)

    def added_to(
        self,
        pictures: Tensor,
        choices: Sequence[Choice],
        reach: float | Tensor,
        soft: float = 0.0,
    ) -> Tensor:
        """Pictures (N, 3, H, W), RGB in [0, 1], dreamed.

        Args:
            pictures: what is dreamed over.
            choices: layers and their weights.
            reach: how far, in 8-bit levels, root mean square: one number or one for each pixel.
                Below 0 it undoes.
            soft: deviation of the blur of what is added, in pixels.
        """
        return self._added(soft, pictures, *self._numbers(choices, reach, pictures.device))

    def _numbers(
        self, choices: Sequence[Choice], reach: float | Tensor, device: torch.device
    ) -> tuple[Tensor, ...]:
        """What a dream depends on besides its pictures, for `_added`; nothing where there is none.

        They are told to the device, and nothing waits for it.
        """
        if isinstance(reach, Tensor):
            far = reach.square().mean().sqrt()
            if device.type == "cpu" and far.item() < LEAST:
                return ()
            weights, shares = (sent(each, device) for each in self.net.told(choices))
            return weights, shares, far, reach / 255
        if abs(reach) < LEAST:
            return ()
        told = (*self.net.told(choices), torch.tensor([abs(reach), reach / 255]))
        weights, shares, numbers = sent(torch.cat(told), device).split([len(each) for each in told])
        return weights, shares, *numbers.unbind()

    @torch.no_grad()
    def _dreamed(self, soft: float, inputs: Tensor, *numbers: Tensor) -> Tensor:
        """Pictures in the network's own units, dreamed; it can be recorded."""
        preprocessing = self.network.preprocessing
        pictures = preprocessing.to_pictures(inputs).clamp_(0, 1).float()
        dreamed = self._added(soft, pictures, *numbers)
        return preprocessing.to_input(dreamed.to(inputs.dtype))

    @torch.no_grad()
    def _added(self, soft: float, pictures: Tensor, *numbers: Tensor) -> Tensor:
        """Pictures (N, 3, H, W), RGB in [0, 1], dreamed; as they are where there are no numbers.

        The numbers are what the network is `told`, how far, and how far as a share of white, for
        each pixel (H, W) or for all.
        """
        if not numbers:
            return pictures
        weights, shares, far, share = numbers
        far = far.clamp_min(LEAST).log2()
        condition = torch.cat([weights, far[None]])[None].expand(len(pictures), -1)
        shares = shares[None].expand(len(pictures), -1)
        field = in_tiles(pictures, self.tile, lambda part: self.net(part, condition, shares))
        field = softened(sized(field), soft)
        return torch.addcmul(pictures, share, field).clamp_(0, 1)


def in_tiles(pictures: Tensor, tile: int, field: Callable[[Tensor], Tensor]) -> Tensor:
    """What `field` makes of pictures (N, 3, H, W), in squares of `tile` pixels; 0: whole."""
    height, width = pictures.shape[-2:]
    if not tile or max(height, width) <= tile:
        return field(pictures)
    side = max(STRIDE, tile // STRIDE * STRIDE)
    result = torch.empty_like(pictures)
    for top in range(0, height, side):
        for left in range(0, width, side):
            up, before = max(0, top - MARGIN), max(0, left - MARGIN)
            # Both ends on the grid of the network, or at the picture's edge.
            part = pictures[..., up : top + side + MARGIN, before : left + side + MARGIN]
            done = field(part)[..., top - up :, left - before :]
            result[..., top : top + side, left : left + side] = done[..., :side, :side]
    return result


def turbo_for(
    settings: Settings, network: Network, groups: Iterable[Iterable[Choice]]
) -> Turbo | None:
    """What dreams all groups of layers in one pass, where `settings` ask for it."""
    if settings.turbo.dream == ASCENT:
        return None
    path = path_of(settings.turbo.dream)
    changed = path.stat().st_mtime_ns if path.is_file() else 0
    dtype = torch.bfloat16 if network.dtype == torch.bfloat16 else torch.float32
    turbo = Turbo(_read(path, changed, network.device, dtype), network, settings)
    turbo.check(groups)
    return turbo


@lru_cache(maxsize=4)
def _read(path: Path, changed: int, device: torch.device, dtype: torch.dtype) -> TurboFile:
    """A file read once for all dreamers: a live dream makes one at each level of its budget."""
    return read_turbo(path, device, dtype)


def moved_turbo(settings: Settings, move: Callable[[Path], Path]) -> Settings:
    """Settings whose turbo network is where `move` says, if it is a file of its own."""
    if settings.turbo.dream in (ASCENT, NAME):
        return settings
    return settings.changed("turbo", dream=str(move(Path(settings.turbo.dream))))


def absolute_turbo(settings: Settings) -> Settings:
    """Settings whose turbo network is found from any folder."""
    return moved_turbo(settings, Path.absolute)
