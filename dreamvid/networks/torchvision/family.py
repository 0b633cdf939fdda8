"""Families: what is known of some of torchvision's networks beyond their graphs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from torch import nn


@dataclass(frozen=True)
class Family:
    """Networks of one design."""

    models: Mapping[str, str]
    """Their names, and what each is, in a line."""
    favourite: str | None = None
    """The layer, or another name of it, that is dreamed of when none is asked for."""
    aliases: Callable[[nn.Module, Sequence[str]], dict[str, str]] = lambda model, layers: {}
    """Other names of layers, from the model and the names of all."""


_families: list[Family] = []


def register(family: Family) -> None:
    """Make a family known; each does it in its own file."""
    _families.append(family)


def families() -> tuple[Family, ...]:
    """Every family that is known."""
    return tuple(_families)


def family_of(name: str) -> Family:
    """The family of a network; an empty one where nothing more is known of it."""
    return next((family for family in _families if name in family.models), Family({}))
