"""The terms of a goal: the section ``objective`` is one, ``objective.also.NAME`` is one more.

``[objective] name = "energy"`` and ``[objective.also.petals] name = "guide"``, each with its
`Term` (weight, layers, mask) and the options of its objective, are two objectives at once.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any

from dreamvid.errors import SettingsError
from dreamvid.objectives.registered import Role, objectives, options_of_role
from dreamvid.registry import Within, checked_options, checked_value, parameters
from dreamvid.schedules import Schedule, Span
from dreamvid.settings import FPS

ALSO = "also"
MASK = "mask"
Evolving = Callable[[int], dict[str, Any]]
"""From a frame's index to the options there."""
Follow = Callable[[Callable[..., Any], Mapping[str, Any], str], Evolving]
"""From an objective, its options as written and their place in the settings to its options at a
frame: what a `Timeline` does, which follows schedules."""


def steady(function: Callable[..., Any], options: Mapping[str, Any], where: str) -> Evolving:
    """The options of one who has no film: a schedule's value is that at its beginning."""
    plain = checked_options(function, options, where, _first)
    return lambda index: plain


@dataclass(frozen=True, kw_only=True)
class Term:
    """One objective of a dream."""

    name: str = "energy"
    weight: Annotated[float, Within(-1e9, 1e9)] = 1.0
    layers: tuple[str, ...] = ()
    """Selectors; none: those of the dream."""
    mask: Path | None = None
    """A picture, white where this objective works and black where it does not."""


def read_term(
    where: str, tree: Mapping[str, Any], follow: Follow = steady
) -> tuple[Term, Evolving]:
    """A term and the whole options of its objective; `where` names them in errors."""
    common = {each.name for each in fields(Term)}
    mine = {name: value for name, value in tree.items() if name in common}
    others = {name: value for name, value in tree.items() if name not in common}
    term = Term(**checked_options(Term, mine, where))
    function = objectives[term.name]
    checked_options(function, others, where)
    for name, parameter in parameters(function).items():
        if name not in others and parameter.default is inspect.Parameter.empty:
            raise SettingsError(
                f"{where}.{name}: {term.name} needs one; give it with --set {where}.{name}=..."
            )
        others.setdefault(name, parameter.default)
    return term, follow(function, others, where)


def _first(value: Any, where: str, bounds: Within, whole: bool) -> float:
    """A schedule's value at the beginning of a film of one frame."""
    first = Schedule(value, where).over(Span(1, FPS))[0].item()
    return checked_value(round(first) if whole else first, Annotated[float, bounds], where)


def terms(tree: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """The objectives in a section ``objective``, each with the path of its settings."""
    also = tree.get(ALSO, {})
    named: dict[str, Mapping[str, Any]] = {
        "objective": {name: value for name, value in tree.items() if name != ALSO}
    }
    for name, options in also.items() if isinstance(also, Mapping) else [("", also)]:
        where = f"objective.{ALSO}.{name}".rstrip(".")
        if not isinstance(options, Mapping):
            raise SettingsError(f"{where}: got {options!r}, expected a table of settings")
        named[where] = options
    return list(named.items())


def located(tree: Mapping[str, Any]) -> list[tuple[str, Path]]:
    """The pictures and masks that a section ``objective`` names, by their settings."""
    return [
        (f"{where}.{name}", Path(options[name]))
        for where, options in terms(tree)
        for name in _files(options)
        if isinstance(options.get(name), str | Path)
    ]


def _files(options: Mapping[str, Any]) -> list[str]:
    """Which settings of a term name pictures."""
    function = objectives[options.get("name", Term.name)]
    return [*options_of_role(function, Role.PICTURE), MASK]


def absolute(tree: Mapping[str, Any]) -> dict[str, Any]:
    """A section ``objective`` whose pictures are found from any folder."""
    return moved_pictures(tree, lambda _, path: path.absolute())


def moved_pictures(
    tree: Mapping[str, Any], move: Callable[[str, Path], Path], where: str = "objective"
) -> dict[str, Any]:
    """A section ``objective`` whose pictures are where `move` says, by their settings and paths."""
    result = dict(tree)
    for name in _files(tree):
        if isinstance(tree.get(name), str | Path):
            result[name] = str(move(f"{where}.{name}", Path(tree[name])))
    if isinstance(also := tree.get(ALSO), Mapping):
        result[ALSO] = {
            name: moved_pictures(each, move, f"{where}.{ALSO}.{name}")
            if isinstance(each, Mapping)
            else each
            for name, each in also.items()
        }
    return result
