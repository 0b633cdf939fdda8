"""Recipes, the numbers of a training: named tuples whose annotations say what is allowed."""

import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from dreamvid.errors import SettingsError
from dreamvid.registry import checked_value, did_you_mean

Recipe = TypeVar("Recipe")


def filled(kind: type[Recipe], options: Mapping[str, Any]) -> Recipe:
    """The default recipe of a kind with `options` in it.

    Raises:
        SettingsError: An option is unknown, or its value not allowed.
    """
    fields = typing.get_type_hints(kind, include_extras=True)
    checked = {}
    for name, value in options.items():
        if name not in fields:
            raise SettingsError(
                f"recipe.{name}: no such setting{did_you_mean(name, fields)} "
                f"(recipe has {', '.join(fields)})"
            )
        checked[name] = checked_value(value, fields[name], f"recipe.{name}")
    return kind(**checked)
