"""Contact sheets of dreams: what changes down the rows and across the columns, in one picture.

What is shared is done once: a network is loaded once for all of its cells, cells of the very same
settings are dreamed once, and the columns of ``steps`` are stages of a single dream.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from dreamvid import media
from dreamvid.dream.dreamer import dreamer_for, network_for
from dreamvid.dream.octaves import octave_sizes
from dreamvid.errors import DreamvidError, NetworkError, SettingsError
from dreamvid.frames import Frame, covered, photographic, size_of
from dreamvid.jobs import films
from dreamvid.jobs.progress import Progress, Silence
from dreamvid.jobs.provenance import described
from dreamvid.media import encoders
from dreamvid.networks import networks as known_networks
from dreamvid.networks.base import Network
from dreamvid.networks.layers import Choice
from dreamvid.registry import Registry
from dreamvid.settings import CELL_SIDE, Settings, Tree, laid_over
from dreamvid.settings import presets as shipped
from dreamvid.sizes import parsed_size
from dreamvid.studies.contact import Cell, Row, contact_sheet

SPREAD = 8
"""So many layers are shown of a network where none are asked for."""
ALL = "all"


@dataclass(frozen=True)
class Entry:
    """One row, or one column: its label, and what it changes."""

    label: str
    tree: Tree = field(default_factory=dict)
    preset: str | None = None
    step: int | None = None
    """The stage of the dream that is shown; None: its end."""


@dataclass(frozen=True)
class Asked:
    """What a sheet is of: the settings all cells share, and what differs from cell to cell."""

    preset: str = "default"
    config: Path | None = None
    flags: Tree = field(default_factory=dict)
    """As `settings.flagged` gives them."""
    assigned: Tree = field(default_factory=dict)
    across: Mapping[str, str] = field(default_factory=dict)
    """Values parted by commas for one or two of `axes`, by its name."""

    def settings(self, *entries: Entry) -> Settings:
        """The settings of the cell where `entries` meet."""
        preset, above = self.preset, self.assigned
        for entry in entries:
            preset = entry.preset or preset
            above = laid_over(above, entry.tree)
        settings = films.settings_for(preset, self.config, self.flags, above)
        weights = settings.network.weights or ()
        mine = own_weights([weights] if isinstance(weights, str) else weights, settings)
        return settings.changed("network", weights=mine)


axes = Registry("axis of a sheet", positional=("work", "text"))
"""Functions from an axis' values, what was asked for and the picture to its entries."""
ACROSS = ("iterations", "octaves", "steps")
"""The axes that are columns where there is another one."""


def sheet(
    seed: Path,
    out: Path,
    asked: Asked,
    *,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Dream one picture in many ways, side by side in one labelled picture; where it is.

    What cannot be dreamed among presets and networks, say for want of weights, is named and left
    out.

    Raises:
        DreamvidError: something is wrong with all of it, or with what is no preset or network.
    """
    encoders.check_picture(out, overwrite)
    progress = progress or Silence()
    picture = media.read_picture(seed)
    common = asked.settings() if "presets" not in asked.across else None
    asked_size = common.film.size if common else asked.flags.get("film", {}).get("size")
    size = parsed_size(str(asked_size or CELL_SIDE), size_of(picture))
    work = _Work(asked, covered(picture, size), progress)
    down, across = work.entries()
    progress.begin(0, len(down) * (len(across) if across[0].step is None else 1))
    rows = work.dreamed(down, across)
    if len(across) > 1:
        table = [Row(cells, entry.label) for entry, cells in rows]
        headings = [entry.label for entry in across]
    else:
        plain = [(entry.label, cells[0]) for entry, cells in rows]
        table, headings = wrapped([("the picture", Cell(work.picture)), *plain]), []
    frame = contact_sheet(table, headings, f"{seed.name}, {size}")
    words = described("sheet", common) if common else "dreamvid sheet"
    media.write_picture(frame, out, 8, {"comment": words})
    return out


def wrapped(cells: Sequence[tuple[str, Cell]]) -> list[Row]:
    """Labelled cells in rows that make about a square."""
    columns = math.ceil(math.sqrt(len(cells)))
    labelled = [Cell(cell.picture, label) for label, cell in cells]
    return [Row(labelled[start : start + columns]) for start in range(0, len(cells), columns)]


class _Work:
    """The making of one sheet; holds the network that was used last."""

    def __init__(self, asked: Asked, picture: Frame, progress: Progress) -> None:
        self.asked, self.picture, self.progress = asked, picture, progress
        self.done = 0
        self._net: tuple[Any, Network] | None = None
        self._made: dict[str, Frame] = {}

    def entries(self) -> tuple[list[Entry], list[Entry]]:
        """What the rows and the columns are."""
        given = dict(self.asked.across)
        columns = [name for name in given if name in ACROSS]
        rows = [name for name in given if name not in ACROSS]
        if len(rows) > 1 or len(columns) > 1:
            raise SettingsError(
                f"sheet: got {' and '.join(rows if len(rows) > 1 else columns)}, wanted one of "
                f"them; {', '.join(ACROSS)} are columns, everything else is rows"
            )
        row = rows[0] if rows else "layers"
        down = axes[row](self, given.get(row, ""))
        across = axes[columns[0]](self, given[columns[0]]) if columns else [Entry("")]
        return down, across

    def dreamed(
        self, down: Sequence[Entry], across: Sequence[Entry]
    ) -> list[tuple[Entry, list[Cell]]]:
        """The cells of every row that could be dreamed."""
        rows: dict[int, list[Cell]] = {}
        failures: list[DreamvidError] = []
        for number, entry in self._by_network(down):
            try:
                rows[number] = self._row(entry, across)
            except DreamvidError as error:
                if not (entry.preset or "name" in entry.tree.get("network", {})):
                    raise
                failures.append(error)
                self.progress.say(f"{entry.label}: left out: {error}")
        if not rows:
            raise failures[0]
        return [(down[number], rows[number]) for number in sorted(rows)]

    def _by_network(self, down: Sequence[Entry]) -> list[tuple[int, Entry]]:
        """The rows, those of one network after each other."""

        def key(numbered: tuple[int, Entry]) -> str:
            try:
                settings = self.asked.settings(numbered[1])
            except DreamvidError:
                return ""
            return f"{settings.network.name} {settings.machine.precision}"

        return sorted(enumerate(down), key=key)

    def _row(self, entry: Entry, across: Sequence[Entry]) -> list[Cell]:
        if across[0].step is not None:
            cells = self._stages(entry, [each.step or 0 for each in across])
            self._tell()
            return cells
        cells = []
        for column in across:
            settings = self.asked.settings(entry, column)
            key = str(settings.tree())
            if key not in self._made:
                dreamer = dreamer_for(settings, net=self.network(settings))
                dreamer.check(size_of(self.picture), seed=size_of(self.picture))
                self._made[key] = dreamer.still(self.picture).cpu()
            cells.append(Cell(self._made[key]))
            self._tell()
        return cells

    def _stages(self, entry: Entry, steps: Sequence[int]) -> list[Cell]:
        """One dream after so many of its steps, each with the objective there."""
        settings = self.asked.settings(entry)
        dreamer = dreamer_for(settings, net=self.network(settings))
        size = size_of(self.picture)
        dreamer.check(size, seed=size)
        total = dreamer.total_steps
        if max(steps) > total:
            raise SettingsError(
                f"--steps: got {max(steps)}, the dream has {total} steps in all; "
                "use more --iterations or --octaves"
            )
        stages: dict[int, Frame] = {0: self.picture}

        def watch(step: int, images: torch.Tensor) -> None:
            if step in steps:
                seen = dreamer.network.preprocessing.to_pictures(images)[0].clamp(0, 1)
                stages[step] = photographic(seen.float().cpu(), size)

        dreamer.watch = watch
        stages[total] = dreamer.still(self.picture).cpu()
        noted = dreamer.report.noted()
        told = [f"{noted[step].gain:.4g}" if step < len(noted) else "the dream" for step in steps]
        return [Cell(stages[step], text) for step, text in zip(steps, told, strict=True)]

    def network(self, settings: Settings) -> Network:
        """The network of these settings, loaded unless it is at hand."""
        key = (settings.network.name, settings.network.weights, settings.machine)
        if self._net is None or self._net[0] != key:
            self._net = None
            self._net = key, network_for(settings)
        return self._net[1]

    def _tell(self) -> None:
        self.progress.frame(self.done, {})
        self.done += 1


@axes.register
def layers(work: _Work, text: str) -> list[Entry]:
    """Every layer that the selectors name; some from all over the network where there are none."""
    settings = work.asked.settings()
    net = work.network(settings)
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
        # A walk or the layers of octaves would win over the layer.
        tree: Tree = {"network": {"layers": [f"{choice.place}={choice.weight!r}"], "walk": []}}
        entries.append(Entry(label, {**tree, "octaves": {"layers": []}}))
    return entries


@axes.register
def channels(work: _Work, text: str) -> list[Entry]:
    """The channels of one layer that see anything in the picture; the others are named."""
    settings = work.asked.settings()
    net = work.network(settings)
    choices = net.choices(settings.network.layers)
    if len(choices) != 1 or choices[0].channels:
        raise SettingsError("--channels: wants one layer; choose it with --layer NAME")
    layer = choices[0].layer
    strength = torch.zeros(0)
    with torch.no_grad():
        for size in octave_sizes(size_of(work.picture), settings.octaves):
            picture = photographic(work.picture, size)[None].to(net.device)
            seen = net(net.preprocessing.to_input(picture), [layer])[layer].float().cpu()
            peaks = seen.flatten(2).abs().amax((0, 2)) if seen.ndim > 2 else seen.abs().amax(0)
            strength = torch.maximum(strength, peaks) if len(strength) else peaks
    wanted = channels_in(text, len(strength))
    live = [number for number in wanted if strength[number] > 0]
    if dead := sorted(set(wanted) - set(live)):
        work.progress.say(
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
            raise SettingsError(f"--channels: got {text!r}, wanted FROM:TO, numbers or {ALL}")
    if not found or max(found) >= count:
        raise SettingsError(f"--channels: got {text!r}, the layer's channels are 0 to {count - 1}")
    return list(dict.fromkeys(found))


@axes.register
def iterations(work: _Work, text: str) -> list[Entry]:
    """Dreams of so many iterations at each octave."""
    return [
        Entry(f"{number} iterations", {"ascent": {"iterations": number}})
        for number in _numbers(text, "iterations")
    ]


@axes.register
def octaves(work: _Work, text: str) -> list[Entry]:
    """Dreams of so many octaves."""
    return [
        Entry(f"{number} octaves", {"octaves": {"count": number}})
        for number in _numbers(text, "octaves")
    ]


@axes.register
def steps(work: _Work, text: str) -> list[Entry]:
    """One dream after so many steps, counted over all its octaves."""
    return [Entry(f"step {number}", step=number) for number in _numbers(text, "steps")]


@axes.register
def presets(work: _Work, text: str) -> list[Entry]:
    """One dream by each preset."""
    names = shipped.names() if text.strip() == ALL else _words(text)
    for name in names:
        shipped.load(name)
    return [Entry(Path(name).name.removesuffix(".toml"), preset=name) for name in names]


@axes.register
def networks(work: _Work, text: str) -> list[Entry]:
    """One dream by each network, of its own favourite layer unless one is asked for."""
    return [Entry(name, {"network": {"name": name}}) for name in _words(text)]


def own_weights(weights: Sequence[str], settings: Settings) -> tuple[str, ...]:
    """Those of several networks' files, NAME=FILE, that belong to the networks of a cell."""
    mine = {name.strip() for name in settings.network.name.split(",")}
    known = set(known_networks.names())

    def others(text: str) -> bool:
        name, equals, _ = str(text).partition("=")
        return bool(equals) and name in known - mine

    return tuple(text for text in weights if not others(text))


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _numbers(text: str, name: str) -> list[int]:
    words = _words(text)
    if not words or not all(re.fullmatch(r"\d{1,6}", word) for word in words):
        raise SettingsError(f"--{name}: got {text!r}, wanted whole numbers parted by commas")
    return [int(word) for word in words]
