"""The axes of a sheet: what can differ from row to row and from column to column."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from dreamvid.dream.dreamer import network_for
from dreamvid.dream.octaves import octave_sizes
from dreamvid.errors import NetworkError, SettingsError
from dreamvid.frames import Frame, photographic, size_of
from dreamvid.jobs import films
from dreamvid.jobs.music import follows_music
from dreamvid.jobs.progress import Progress
from dreamvid.networks import networks as known_networks
from dreamvid.networks.base import Network
from dreamvid.networks.layers import Choice
from dreamvid.registry import Registry
from dreamvid.settings import Settings, Tree, laid_over
from dreamvid.settings import presets as shipped

SPREAD = 8
"""How many layers of a network are shown where none are chosen."""
ALL = "all"
axes = Registry("sheet axis", positional=("subject", "text"))
"""Functions from the subject of a sheet and an axis' values, as text, to the axis' entries."""


@dataclass(frozen=True)
class Entry:
    """One row, or one column: its label, and what it changes."""

    label: str
    tree: Tree = field(default_factory=dict)
    preset: str | None = None
    flags: Tree = field(default_factory=dict)
    """What it changes as a flag does."""
    step: int | None = None
    """The number of steps after which the dream is shown; None shows its end."""


@dataclass(frozen=True)
class Asked:
    """What a sheet is of: the settings all cells share, and what differs from cell to cell."""

    preset: str = "default"
    config: Path | None = None
    flags: Tree = field(default_factory=dict)
    """As `settings.flagged` gives them."""
    assigned: Tree = field(default_factory=dict)
    across: Mapping[str, str] = field(default_factory=dict)
    """The values of one or two of `axes`, comma-separated, by the axis' name."""

    def settings(self, *entries: Entry) -> Settings:
        """The settings of the cell where `entries` meet."""
        preset, flags, above = self.preset, self.flags, self.assigned
        for entry in entries:
            preset = entry.preset or preset
            flags = laid_over(flags, entry.flags)
            above = laid_over(above, entry.tree)
        settings = films.settings_for(preset, self.config, flags, above)
        weights = settings.network.weights or ()
        mine = own_weights([weights] if isinstance(weights, str) else weights, settings)
        return settings.changed("network", weights=mine)


def own_weights(weights: Sequence[str], settings: Settings) -> tuple[str, ...]:
    """The weights files, of those written NAME=FILE, that belong to the networks of a cell."""
    mine = {name.strip() for name in settings.network.name.split(",")}
    known = set(known_networks.names())

    def others(text: str) -> bool:
        name, equals, _ = str(text).partition("=")
        return bool(equals) and name in known - mine

    return tuple(text for text in weights if not others(text))


class Subject:
    """What a sheet shows: what was asked for, the picture, and the network that was used last."""

    def __init__(self, asked: Asked, picture: Frame, progress: Progress) -> None:
        self.asked, self.picture, self.progress = asked, picture, progress
        self._net: tuple[Any, Network] | None = None

    def network(self, settings: Settings) -> Network:
        """The network of these settings, loaded unless it is at hand."""
        key = (settings.network.name, settings.network.weights, settings.machine)
        if self._net is None or self._net[0] != key:
            self._net = None
            self._net = key, network_for(settings)
        return self._net[1]


@axes.register
def layers(subject: Subject, text: str) -> list[Entry]:
    """Every layer that the selectors name; without selectors, layers from the whole network."""
    settings = subject.asked.settings()
    net = subject.network(settings)
    selectors = settings.network.layers
    if selectors:
        found = net.choices(selectors)
    else:
        names = [layer for layer in net.layers if layer != net.head]
        if len(names) > SPREAD:
            last = len(names) - 1
            names = [names[round(n * last / (SPREAD - 1))] for n in range(SPREAD)]
        found = [Choice(name) for name in names]
    entries = []
    for choice in found:
        label = choice.place + (f"={choice.weight:g}" if choice.weight != 1 else "")
        # A walk, or layers of the octaves' own, would be used instead of the layer.
        tree: Tree = {"network": {"layers": [f"{choice.place}={choice.weight!r}"], "walk": []}}
        entries.append(Entry(label, {**tree, "octaves": {"layers": []}}))
    return entries


@axes.register
def channels(subject: Subject, text: str) -> list[Entry]:
    """The channels of one layer that see anything in the picture; the others are reported."""
    settings = subject.asked.settings()
    net = subject.network(settings)
    choices = net.choices(settings.network.layers)
    if len(choices) != 1 or choices[0].channels:
        raise SettingsError("--channels: needs one layer; choose it with --layer NAME")
    layer = choices[0].layer
    strength = torch.zeros(0)
    with torch.no_grad():
        for size in octave_sizes(size_of(subject.picture), settings.octaves):
            picture = photographic(subject.picture, size)[None].to(net.device)
            seen = net(net.preprocessing.to_input(picture), [layer])[layer].float().cpu()
            peaks = seen.flatten(2).abs().amax((0, 2)) if seen.ndim > 2 else seen.abs().amax(0)
            strength = torch.maximum(strength, peaks) if len(strength) else peaks
    wanted = channels_in(text, len(strength))
    live = [number for number in wanted if strength[number] > 0]
    if dead := sorted(set(wanted) - set(live)):
        subject.progress.say(
            f"{layer}: {len(dead)} of {len(wanted)} channels are dead here, silent in the picture "
            f"at every octave: {', '.join(map(str, dead))}"
        )
    if not live:
        raise NetworkError(f"{layer}: no channel of {text} sees anything in this picture")
    tree: Tree = {"octaves": {"layers": []}}
    return [
        Entry(f"{layer}:{n}", {**tree, "network": {"layers": [f"{layer}:{n}"], "walk": []}})
        for n in live
    ]


def channels_in(text: str, count: int) -> list[int]:
    """The channels that ``0:64`` (the last one left out), ``3,7`` or ``all`` name."""
    found: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,6})?\s*(:)?\s*(\d{1,6})?\s*", part)
        if part.strip() == ALL:
            found += range(count)
        elif match and match[2]:
            found += range(int(match[1] or 0), min(count, int(match[3] or count)))
        elif match and match[1] and not match[3]:
            found.append(int(match[1]))
        else:
            raise SettingsError(f"--channels: got {text!r}, expected FROM:TO, numbers or {ALL}")
    if not found or max(found) >= count:
        raise SettingsError(f"--channels: got {text!r}, the layer's channels are 0 to {count - 1}")
    return list(dict.fromkeys(found))


@axes.register
def iterations(subject: Subject, text: str) -> list[Entry]:
    """Dreams with these numbers of iterations at each octave."""
    return [
        Entry(f"{number} iterations", {"ascent": {"iterations": number}})
        for number in _numbers(text, "iterations")
    ]


@axes.register
def octaves(subject: Subject, text: str) -> list[Entry]:
    """Dreams with these numbers of octaves."""
    return [
        Entry(f"{number} octaves", {"octaves": {"count": number}})
        for number in _numbers(text, "octaves")
    ]


@axes.register
def steps(subject: Subject, text: str) -> list[Entry]:
    """One dream after these numbers of steps, counted over all its octaves."""
    return [Entry(f"step {number}", step=number) for number in _numbers(text, "steps")]


@axes.register
def presets(subject: Subject, text: str) -> list[Entry]:
    """One dream by each preset."""
    names = _words(text)
    if text.strip() == ALL:
        # A still has no music to follow.
        names = [
            name for name in shipped.names() if not follows_music(shipped.settings_over(name, {}))
        ]
    for name in names:
        shipped.load(name)
    return [Entry(Path(name).name.removesuffix(".toml"), preset=name) for name in names]


@axes.register
def of(subject: Subject, text: str) -> list[Entry]:
    """One dream of each word, by the preset for words unless another is chosen."""
    if not (found := _words(text)):
        raise SettingsError(f"--of: got {text!r}, expected comma-separated words")
    return [Entry(word, flags={"objective": {"name": "words", "of": word}}) for word in found]


@axes.register
def networks(subject: Subject, text: str) -> list[Entry]:
    """One dream by each network, of its own favourite layer unless a layer is chosen."""
    return [Entry(name, {"network": {"name": name}}) for name in _words(text)]


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _numbers(text: str, name: str) -> list[int]:
    words = _words(text)
    if not words or not all(re.fullmatch(r"\d{1,6}", word) for word in words):
        raise SettingsError(f"--{name}: got {text!r}, expected comma-separated whole numbers")
    return [int(word) for word in words]
