"""A goal: several objectives at once, each with its layers, weight, mask and picture."""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dreamvid import media
from dreamvid.errors import NetworkError, SettingsError
from dreamvid.frames import Offsets, Size, photographic, size_of
from dreamvid.networks.base import Network
from dreamvid.networks.layers import Choice
from dreamvid.objectives.guides import guide_at, guide_hash
from dreamvid.objectives.registered import (
    OF_LAYERS,
    OF_PICTURES,
    Role,
    is_local,
    is_rollable,
    objectives,
    options_of_role,
)
from dreamvid.objectives.seeing import Held, picked, rolled_back
from dreamvid.objectives.terms import (
    Evolving,
    Follow,
    Term,
    located,
    read_term,
    steady,
    terms,
)
from dreamvid.objectives.worded import meant
from dreamvid.registry import did_you_mean, parameters
from dreamvid.schedules import Music, Span
from dreamvid.settings import FPS

BEGUN = "begun: "
"""Before the name of a layer: as it was when the dream began."""
STAY = 2.0
"""Seconds that each picture of a folder stays, where an objective does not say."""


@dataclass
class Hill:
    """What one ascent climbs: from pictures and their roll to gains, one row for each mask.

    A third argument is what the pictures were when the dream began, where that `looks_back`.
    """

    gain: Callable[..., Tensor]
    masks: Tensor | None
    layers: frozenset[str]
    """All that it looks at."""
    local: bool
    """Whether a part of a picture can be asked by itself, wherever in the picture it lies."""
    rollable: bool
    """Whether it can be asked without knowing the roll as numbers."""
    looks_back: bool = False
    """Whether it sees what the pictures were when the dream began."""


@dataclass(frozen=True)
class _Part:
    """A term, its options checked, and what it needs at hand."""

    where: str
    term: Term
    options: Evolving
    choices: tuple[Choice, ...] | None
    needs: tuple[str, ...]
    """The names of the objective's positional parameters."""
    picture: str | None
    """The option that is a picture to look at."""
    side: str | None
    """The option that says at what longer side `reference` is."""
    stay: float
    """Seconds that each picture of a folder stays."""

    @property
    def layered(self) -> bool:
        """Whether it is asked of one layer after the other."""
        return not OF_LAYERS.isdisjoint(self.needs)


class Goal:
    """What a network shall dream of: the terms of a section ``objective``.

    Pictures are read once, when it is made; what the network sees in them is computed once for
    each size.
    """

    def __init__(
        self,
        network: Network,
        tree: Mapping[str, Any],
        follow: Follow = steady,
        rate: Fraction = FPS,
        music: Music | None = None,
    ) -> None:
        """`follow` gives the options of an objective at each frame, where they have schedules.

        `rate` and `music` are the film's, for pictures and words that change in its course.
        """
        self.network = network
        self._follow = follow
        self._film = Span(1, rate, 0, music)
        self.moves = False
        """Whether what is looked at changes in the course of the film: a picture, or words."""
        self._parts = [self._part(where, options) for where, options in terms(tree)]
        paths = located(tree)
        stays = {f"{each.where}.{each.picture}": each.stay for each in self._parts}
        self._masks = {
            path: media.read_picture(path) for where, path in paths if where not in stays
        }
        guides = {
            where: guide_at(path, rate, stays[where]) for where, path in paths if where in stays
        }
        self._guides = {where: guide for where, (guide, _) in guides.items()}
        self.moves |= any(moves for _, moves in guides.values())
        self.pictures = {where: guide_hash(path) for where, path in paths}
        """The SHA-256 of every picture and mask, by its setting."""
        self._seen: dict[Any, tuple[int, dict[str, Tensor]]] = {}
        for part in self._parts:
            self._check_channels(part.choices or ())

    def check(self, choices: Sequence[Choice]) -> None:
        """Raise an error for layers that the objectives cannot be asked of."""
        self._check_channels(choices)
        if any(part.options(0) for part in self._parts):
            side = max(64, self.network.smallest_side)
            flat = torch.zeros(1, 3, side, side, device=self.network.device)
            self.hill(choices, size_of(flat)).gain(flat, (0, 0))

    def hill(self, choices: Sequence[Choice | Held], size: Size, index: int = 0) -> Hill:
        """The gain at one size of the frame `index`.

        It is that of `choices` where an objective has no layers of its own.
        """
        groups: dict[Path | None, list[_Part]] = {}
        for part in self._parts:
            groups.setdefault(part.term.mask, []).append(part)
        wanted = frozenset(layer for part in self._parts for layer in self._layers(part, choices))
        needs = {need for part in self._parts for need in part.needs}
        traits = is_local(needs), is_rollable(needs), "begun" in needs
        half = self.network.dtype == torch.float16

        def gain(inputs: Tensor, offsets: Offsets, begun: Tensor | None = None) -> Tensor:
            found = self.network(inputs, wanted)
            if "begun" in needs:
                with torch.no_grad():
                    before = self.network(inputs.detach() if begun is None else begun, wanted)
                found |= {BEGUN + layer: seen for layer, seen in before.items()}
            if half:
                # What an objective squares or adds up would be too large for it.
                found = {name: each.float() for name, each in found.items()}
            rows = [
                torch.stack(
                    [self._gain(part, choices, inputs, found, offsets, index) for part in parts]
                ).sum(0)
                for parts in groups.values()
            ]
            return torch.stack(rows) if any(groups) else rows[0]

        if not any(groups):
            return Hill(gain, None, wanted, *traits)
        masks = torch.stack([self._mask(parts[0], size) for parts in groups.values()])
        return Hill(gain, masks, wanted, *traits)

    def _gain(
        self,
        part: _Part,
        choices: Sequence[Choice | Held],
        inputs: Tensor,
        found: Mapping[str, Tensor],
        offsets: Offsets,
        index: int,
    ) -> Tensor:
        function, options = objectives[part.term.name], part.options(index)

        def given(need: str, choice: Choice | Held | None) -> Tensor:
            if need == "image":
                return inputs
            if need == "scores" or choice is None:
                return found[self.network.head or ""].float()
            if need in OF_PICTURES:
                seen = self._looked_at(part, need, size_of(inputs), choices, index)
                return picked(seen[choice.layer], choice)
            layer = BEGUN + choice.layer if need == "begun" else choice.layer
            activation = picked(found[layer], choice)
            if need == "placed":
                activation = rolled_back(activation, offsets, size_of(inputs))
            return activation

        if not part.layered:
            seen = [given(need, None) for need in part.needs]
            return part.term.weight * function(*seen, **options)
        gains = [
            choice.weight * function(*[given(need, choice) for need in part.needs], **options)
            for choice in part.choices or choices
        ]
        return part.term.weight * torch.stack(gains).sum(0)

    def _looked_at(
        self,
        part: _Part,
        need: str,
        size: Size,
        choices: Sequence[Choice | Held],
        index: int,
    ) -> dict[str, Tensor]:
        """What the network sees in a term's picture, as it is at a frame."""
        layers = frozenset(self._layers(part, choices)) - {self.network.head or ""}
        number, frame = self._guides[f"{part.where}.{part.picture}"](index)
        options = part.options(index)
        if need == "reference":
            size = size_of(frame)
            if side := options[part.side] if part.side else 0:
                scale = side / max(size)
                size = Size(*(max(self.network.smallest_side, round(s * scale)) for s in size))
        key = (part.where, size, layers)
        if key not in self._seen or self._seen[key][0] != number:
            picture = photographic(frame, size)[None].to(self.network.device)
            with torch.no_grad():
                inputs = self.network.preprocessing.to_input(picture)
                self._seen[key] = number, self.network(inputs, layers)
        return self._seen[key][1]

    def _layers(self, part: _Part, choices: Sequence[Choice | Held]) -> list[str]:
        """The layers that a term looks at."""
        layers = [choice.layer for choice in part.choices or choices] if part.layered else []
        return [*layers, self.network.head or ""] if "scores" in part.needs else layers

    def _mask(self, part: _Part, size: Size) -> Tensor:
        """The mask (1, H, W) of a part; everywhere where it has none."""
        if part.term.mask is None:
            return torch.ones(1, *size, device=self.network.device)
        frame = photographic(self._masks[part.term.mask], size)
        return frame.mean(0, keepdim=True).to(self.network.device)

    def _part(self, where: str, tree: Mapping[str, Any]) -> _Part:
        term, options = read_term(where, tree, self._follow)
        function = objectives[term.name]
        known = parameters(function)
        needs = tuple(n for n in inspect.signature(function).parameters if n not in known)
        if "scores" in needs and self.network.head is None:
            raise NetworkError(
                f"{self.network.name}: these weights have no class head, which the objective "
                f"{term.name} raises; use weights that have one"
            )
        for name in options_of_role(function, Role.LABEL):
            label = self._class(options(0)[name], f"{where}.{name}")
            options = _replaced(options, name, lambda index, label=label: label)
        for name in options_of_role(function, Role.WORDS):
            text = options(0)[name]
            at, changes = meant(text, self.network, self._film, f"{where}.{name}")
            options = _replaced(options, name, at)
            self.moves |= changes
        picture, side, stay = (
            next(iter(options_of_role(function, role)), None)
            for role in (Role.PICTURE, Role.SIDE, Role.STAY)
        )
        seconds = options(0)[stay] if stay else STAY
        choices = self.network.choices(term.layers) if term.layers else None
        return _Part(where, term, options, choices, needs, picture, side, seconds)

    def _class(self, label: int | str, where: str) -> int:
        """The number of a class of the network's head."""
        net = self.network
        if net.head is None:
            raise NetworkError(f"{where}: {net.name}'s weights have no class head; use others")
        known = {name.lower(): number for number, name in enumerate(net.classes)}
        if isinstance(label, str) and label.lower() in known:
            return known[label.lower()]
        if isinstance(label, str):
            near = did_you_mean(label, net.classes)
            raise SettingsError(f"{where}: {net.name} knows no class {label!r}{near}")
        side = max(224, net.smallest_side)
        flat = torch.zeros(1, 3, side, side, device=net.device)
        count = net(flat, [net.head])[net.head].shape[1]
        if not 0 <= label < count:
            raise SettingsError(
                f"{where}: got {label}, expected a class of {net.name}, 0 to {count - 1}"
            )
        return label

    def _check_channels(self, choices: Iterable[Choice]) -> None:
        """Raise `NetworkError` for a channel that its layer does not have."""
        asked = [choice for choice in choices if choice.channels]
        if not asked:
            return
        side = max(64, self.network.smallest_side)
        flat = torch.zeros(1, 3, side, side, device=self.network.device)
        found = self.network(flat, {choice.layer for choice in asked})
        for choice in asked:
            count = found[choice.layer].shape[1]
            if choice.channels and max(choice.channels) >= count:
                raise NetworkError(
                    f"{self.network.name}: no channel {max(choice.channels)} in {choice.layer}; "
                    f"its channels are 0 to {count - 1}"
                )


def _replaced(options: Evolving, name: str, value: Callable[[int], Any]) -> Evolving:
    """`options` with other values for one of them."""
    return lambda index: {**options(index), name: value(index)}
