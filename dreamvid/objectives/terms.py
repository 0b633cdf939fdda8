"""The terms of a goal: the section ``objective`` is one, ``objective.also.NAME`` is one more.

``[objective] name = "energy"`` and ``[objective.also.petals] name = "guide"``, each with its
`Term` (weight, layers, mask) and the options of its objective, are two objectives at once.
"""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any

from dreamvid.errors import SettingsError
from dreamvid.objectives.gains import objectives
from dreamvid.registry import Within, checked_options, parameters

ALSO = "also"
PICTURES = ("picture", "mask")


@dataclass(frozen=True, kw_only=True)
class Term:
    """One objective of a dream."""

    name: str = "energy"
    weight: Annotated[float, Within(-1e9, 1e9)] = 1.0
    layers: tuple[str, ...] = ()
    """Selectors; none: those of the dream."""
    mask: Path | None = None
    """A picture, white where this objective works and black where it does not."""


def read_term(where: str, tree: Mapping[str, Any]) -> tuple[Term, dict[str, Any]]:
    """A term and the whole options of its objective; `where` names them in errors."""
    common = {each.name for each in fields(Term)}
    mine = {name: value for name, value in tree.items() if name in common}
    others = {name: value for name, value in tree.items() if name not in common}
    term = Term(**checked_options(Term, mine, where))
    function = objectives[term.name]
    options = checked_options(function, others, where)
    for name, parameter in parameters(function).items():
        if name not in options and parameter.default is inspect.Parameter.empty:
            raise SettingsError(
                f"{where}.{name}: {term.name} needs one; give it with --set {where}.{name}=..."
            )
        options.setdefault(name, parameter.default)
    return term, options


def terms(tree: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """The objectives in a section ``objective``, each with the path of its settings."""
    also = tree.get(ALSO, {})
    named: dict[str, Mapping[str, Any]] = {
        "objective": {name: value for name, value in tree.items() if name != ALSO}
    }
    for name, options in also.items() if isinstance(also, Mapping) else [("", also)]:
        where = f"objective.{ALSO}.{name}".rstrip(".")
        if not isinstance(options, Mapping):
            raise SettingsError(f"{where}: got {options!r}, wanted a table of settings")
        named[where] = options
    return list(named.items())


def located(tree: Mapping[str, Any]) -> list[tuple[str, Path]]:
    """The pictures and masks that a section ``objective`` names, by their settings."""
    return [
        (f"{where}.{name}", Path(options[name]))
        for where, options in terms(tree)
        for name in PICTURES
        if isinstance(options.get(name), str | Path)
    ]


def absolute(tree: Mapping[str, Any]) -> dict[str, Any]:
    """A section ``objective`` whose pictures are found from any folder."""
    result = dict(tree)
    for name in PICTURES:
        if isinstance(tree.get(name), str | Path):
            result[name] = str(Path(tree[name]).absolute())
    if isinstance(also := tree.get(ALSO), Mapping):
        result[ALSO] = {
            name: absolute(each) if isinstance(each, Mapping) else each
            for name, each in also.items()
        }
    return result
