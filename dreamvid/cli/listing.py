"""What there is to choose from, as tables for a person."""

import inspect
import sys
import typing
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from dreamvid.errors import SettingsError
from dreamvid.film.carries import carries
from dreamvid.machine.streams import lasting
from dreamvid.media import encoders
from dreamvid.motion.motions import motions
from dreamvid.motion.optical_flow import flows
from dreamvid.networks import Network, network, networks, published, sketch
from dreamvid.objectives import objectives
from dreamvid.registry import Registry, Within, did_you_mean, parameters
from dreamvid.settings import SECTIONS, presets

REGISTRIES: dict[str, Registry] = {
    "networks": networks,
    "objectives": objectives,
    "motions": motions,
    "carries": carries,
    "flows": flows,
    "encoders": encoders.encoders,
}


CAPTION = '* a number, or a schedule: "0: (1.0), 2s: (1.3) smooth", "1.2 + 0.1*sin(t)"'


def print_list(kind: str, name: str | None, weights: Sequence[str]) -> None:
    """Print one list to standard output; `name` is the network whose layers are asked for."""
    kinds = [*REGISTRIES, "layers", "presets", "settings"]
    if kind not in kinds:
        raise SettingsError(f"no list {kind!r}{did_you_mean(kind, kinds)} ({', '.join(kinds)})")
    if name and kind != "layers":
        raise SettingsError(f"list {kind}: got {name!r} too; only `list layers` takes a network")
    table = Table(box=None, pad_edge=False)
    if kind == "layers":
        name = name or "pocket"
        _add_layers(table, network(name, weights=weights) if weights else sketch(name))
    elif kind == "settings":
        table.add_column("section")
        table.add_column("settings")
        for section, schema in SECTIONS.items():
            table.add_row(section, options_of(parameters(schema)))
    elif kind == "presets":
        table.add_column("preset")
        table.add_column("for")
        for preset in presets.names():
            table.add_row(preset, presets.about(preset))
    else:
        registry = REGISTRIES[kind]
        table.add_column(registry.kind)
        table.add_column("does")
        table.add_column("options")
        for entry in registry.names():
            table.add_row(entry, registry.summary(entry), options_of(registry.options(entry)))
    if kind in ("settings", "motions", "objectives", "carries"):
        table.caption, table.caption_justify = CAPTION, "left"
    _console(soft_wrap=kind == "layers").print(table)


def print_weights() -> None:
    """Print every published weights file: whose it is, what is known of it and what is here."""
    console = _console(soft_wrap=True)
    for entry in published.table():
        here = f"here, {entry.path}" if entry.path else "not here"
        console.print(f"{entry.network}: {here}\n  {entry.source.url}", markup=False)
        console.print(f"  {entry.source.licence}; {entry.known}", markup=False)


def _add_layers(table: Table, net: Network) -> None:
    """A row for each layer: its number where it has one, its name and its other names."""
    numbers = net.numbers()
    others: dict[str, list[str]] = {}
    for other, layer in net.aliases.items():
        others.setdefault(layer, []).append(other)
    table.add_column("number", justify="right")
    table.add_column("layer")
    if others:
        table.add_column("also called")
    for layer in net.layers:
        mark = "  (favourite)" if layer == net.favourite else ""
        cells = [str(numbers.get(layer, "")), layer + mark]
        table.add_row(*cells, *([", ".join(others.get(layer, []))] if others else []))


def _console(*, soft_wrap: bool = False) -> Console:
    """Standard output."""
    return Console(file=lasting(sys.stdout), highlight=False, soft_wrap=soft_wrap)


def options_of(options: Mapping[str, inspect.Parameter]) -> str:
    """Options with their defaults and ranges, in one line."""
    texts = []
    for name, parameter in options.items():
        if parameter.default is inspect.Parameter.empty:
            texts.append(name)
            continue
        bounds = _bounds(parameter.annotation)
        mark = "*" if any(each.scheduled for each in bounds) else ""
        # A list's default says enough; its numbers' ranges would be taken for the list's.
        whole = typing.get_origin(parameter.annotation) is not tuple
        texts.append(
            f"{name}{mark}={parameter.default}" + (f" ({bounds[0]})" if bounds and whole else "")
        )
    return ", ".join(texts)


def _bounds(annotation: Any) -> list[Within]:
    """The ranges of the numbers in an option's type."""
    if isinstance(annotation, Within):
        return [annotation]
    return [bounds for part in typing.get_args(annotation) for bounds in _bounds(part)]


def print_measures(means: Mapping[str, float | None], titles: Mapping[str, str]) -> None:
    """Print the mean of each measure to standard output; those of no frame are left out."""
    table = Table(box=None, pad_edge=False)
    table.add_column("measure")
    table.add_column("mean", justify="right")
    for name, title in titles.items():
        if (mean := means[name]) is not None:
            table.add_row(title, f"{mean:.3g}")
    _console().print(table)


def print_explanation(sections: Sequence[tuple[str, str, Sequence[Any]]]) -> None:
    """Print what a network sees before and after a dream, a table for each kind of thing."""
    console = _console()
    for kind, unit, pairs in sections:
        table = Table(box=None, pad_edge=False)
        table.add_column(kind)
        table.add_column(f"{unit} before", justify="right")
        table.add_column("after", justify="right")
        for pair in pairs:
            table.add_row(pair.name, f"{pair.before:.4g}", f"{pair.after:.4g}")
        console.print(table)
        console.print()
