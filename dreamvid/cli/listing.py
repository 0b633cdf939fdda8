"""What there is to choose from, as tables for a person."""

import inspect
import sys
import typing
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from dreamvid.dream.spaces import spaces
from dreamvid.errors import SettingsError
from dreamvid.film.carries import carries
from dreamvid.machine.streams import lasting
from dreamvid.media import encoders
from dreamvid.motion.motions import motions
from dreamvid.motion.optical_flow import flows
from dreamvid.networks import Network, network, networks, published, sketch, words
from dreamvid.objectives import objectives
from dreamvid.registry import Registry, Within, did_you_mean, parameters
from dreamvid.settings import SECTIONS, presets
from dreamvid.settings.docs import sayings

REGISTRIES: dict[str, Registry] = {
    "networks": networks,
    "objectives": objectives,
    "spaces": spaces,
    "motions": motions,
    "carries": carries,
    "flows": flows,
    "encoders": encoders.encoders,
}


CAPTION = '* a number, or a schedule: "0: (1.0), 2s: (1.3) smooth", "1.2 + 0.1*sin(t)"'


MOST_NAMED = 12
"""How many classes of a word are named."""


def print_list(kind: str, name: str | None, weights: Sequence[str]) -> None:
    """Print one list to standard output; `name` is the network whose layers are asked for."""
    kinds = [*REGISTRIES, "layers", "presets", "settings", "words"]
    if kind not in kinds:
        raise SettingsError(f"no list {kind!r}{did_you_mean(kind, kinds)} ({', '.join(kinds)})")
    if name and kind != "layers":
        raise SettingsError(f"list {kind}: got {name!r} too; only `list layers` takes a network")
    table = Table(box=None, pad_edge=False)
    if kind == "layers":
        name = name or "pocket"
        _add_layers(table, network(name, weights=weights) if weights else sketch(name))
    elif kind == "settings":
        for column in ("setting", "default", "does"):
            table.add_column(column)
        for name in setting_names():
            shown, said = told_setting(name)
            table.add_row(name, shown, said)
    elif kind == "words":
        _add_words(table)
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
    _console(soft_wrap=kind in ("layers", "words")).print(table)


def print_weights(name: str | None = None) -> None:
    """Print a line for each network that has published weights, those that are here first.

    With `name`, all that is known of that network's files.
    """
    console = _console(soft_wrap=True)
    if name is None:
        entries = {entry.network: entry for entry in sorted(published.table(), key=_is_here)}
        for entry in sorted(entries.values(), key=lambda entry: -_is_here(entry)):
            here = "here    " if entry.path else "not here"
            console.print(f"{here}  {entry.network}: {entry.source.licence}", markup=False)
        return
    entries = list(published.table(name))
    if not entries:
        console.print(f"{name}: inside the package", markup=False)
    for entry in entries:
        here = f"here, {entry.path}" if entry.path else "not here"
        console.print(f"{entry.network}: {here}\n  {entry.source.url}", markup=False)
        console.print(f"  {entry.source.licence}; {entry.known}", markup=False)


def _is_here(entry: published.Entry) -> bool:
    return entry.path is not None


def setting_names() -> list[str]:
    """Every setting of a section that has a schema, dotted."""
    return [
        f"{section}.{key}" for section, schema in SECTIONS.items() for key in parameters(schema)
    ]


def told_setting(name: str) -> tuple[str, str]:
    """A setting's default with its range or choices, and what is said of it."""
    section, _, key = name.partition(".")
    parameter = parameters(SECTIONS[section])[key]
    choices = [
        str(choice)
        for part in (parameter.annotation, *typing.get_args(parameter.annotation))
        if typing.get_origin(part) is typing.Literal
        for choice in typing.get_args(part)
    ]
    shown = options_of({key: parameter}).partition("=")[2]
    return shown + (f" ({', '.join(choices)})" if choices else ""), sayings(SECTIONS[section])[key]


def print_shown(kind: str, name: str) -> None:
    """Print all that is to know of one preset, motion, setting or word."""
    console = _console(soft_wrap=True)
    if kind == "preset":
        console.print(f"{name}: {presets.about(name)}", markup=False)
        for section, values in presets.load(name).items():
            for key, value in values.items() if isinstance(values, Mapping) else ():
                console.print(f"  {section}.{key} = {value!r}", markup=False)
    elif kind == "motion":
        console.print(f"{name}: {inspect.getdoc(motions[name])}", markup=False)
        console.print(f"  options: {options_of(motions.options(name))}", markup=False)
        for preset in presets.names():
            if options := presets.load(preset).get("motion", {}).get(name):
                console.print(f"  the preset {preset} runs {options}", markup=False)
    elif kind == "setting":
        if name not in setting_names():
            raise SettingsError(
                f"no setting {name!r}{did_you_mean(name, setting_names())} (see `dreamvid list "
                "settings`)"
            )
        shown, said = told_setting(name)
        console.print(f"{name} = {shown}\n  {said}", markup=False)
    elif kind == "word":
        meaning = words.meaning(name, where="show")
        numbers = ", ".join(map(str, list(meaning)[:MOST_NAMED]))
        console.print(f"{name}: {_meant(meaning)}\n  classes {numbers}", markup=False)
    else:
        kinds = ("preset", "motion", "setting", "word")
        raise SettingsError(
            f"show: no kind {kind!r}{did_you_mean(kind, kinds)} ({', '.join(kinds)})"
        )


def _add_words(table: Table) -> None:
    """A row for each group of classes and for each class, with its other words."""
    table.add_column("word")
    table.add_column("also")
    table.add_column("means")
    for (first, *others), meaning in sorted(words.groups().items()):
        table.add_row(first, ", ".join(others), _meant(meaning))
    for first, *others in sorted(words.synonyms(), key=lambda each: each[0].casefold()):
        table.add_row(first, ", ".join(others), "")


def _meant(meaning: words.Meaning) -> str:
    """The names of the classes that a word means, with their weights, a few of many."""
    names = [
        words.names()[number] + (f"={weight:g}" if weight != 1 else "")
        for number, weight in meaning.items()
    ]
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


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
