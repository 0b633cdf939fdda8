"""Trees of settings laid over each other, checked once, and compared."""

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

from dreamvid.errors import SettingsError
from dreamvid.registry import checked_options, checked_value, did_you_mean
from dreamvid.settings.renamed import renamed
from dreamvid.settings.sections import (
    NAMED_SECTIONS,
    OPEN_SECTIONS,
    PLUGINS,
    SECTIONS,
    UNPAINTED,
    Settings,
    Tree,
)

REPLACED = {"octaves": ("count", "smallest"), "ascent": ("later_factor", "later_step_size")}
"""By section, a setting and another way to say it, which it replaces where that lies below."""


def laid_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> Tree:
    """Two trees as one, `above` winning.

    Plugins add up. A list of motions keeps only those, in that order. Another carry, flow method or
    objective takes over no option of the one before. A number of octaves replaces the size of the
    smallest one, which is another way to say it, and so on; see `REPLACED`. Old names of settings
    become their new names.
    """
    return _laid_over(renamed(below), renamed(above))


def _laid_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> Tree:
    result = dict(below)
    for name, value in above.items():
        old = result.get(name, {})
        if name in NAMED_SECTIONS and isinstance(value, Mapping) and isinstance(old, Mapping):
            usual = NAMED_SECTIONS[name]
            if value.get("name", old.get("name", usual)) != old.get("name", usual):
                old = {}
        if name in REPLACED and isinstance(value, Mapping) and isinstance(old, Mapping):
            new, other = REPLACED[name]
            gone = new in value and other not in value
            old = {key: each for key, each in old.items() if not (gone and key == other)}
        if name == PLUGINS and isinstance(value, list | tuple):
            before = old if isinstance(old, list | tuple) else ()
            result[name] = [*before, *(each for each in value if each not in before)]
        elif name == "motion" and isinstance(value, Sequence) and not isinstance(value, str):
            result[name] = {str(motion): old.get(str(motion), {}) for motion in value}
        elif isinstance(value, Mapping) and isinstance(old, Mapping):
            result[name] = _laid_over(old, value)
        else:
            result[name] = value
    return result


def settled(tree: Mapping[str, Any]) -> Settings:
    """A tree as `Settings`; `SettingsError` names the first value that is not allowed."""
    sections: Tree = {}
    for name, values in renamed(tree).items():
        if name == PLUGINS:
            sections[name] = checked_value(values, tuple[str, ...], name)
            continue
        if name not in SECTIONS and name not in OPEN_SECTIONS:
            known = [*SECTIONS, *OPEN_SECTIONS, PLUGINS]
            raise SettingsError(
                f"{name}: no such section{did_you_mean(name, known)} ({', '.join(known)})"
            )
        if not isinstance(values, Mapping):
            raise SettingsError(f"{name}: got {values!r}, expected a table of settings")
        if name in SECTIONS:
            options = checked_options(SECTIONS[name], values, name)
            sections[name] = SECTIONS[name](**options)
        else:
            sections[name] = dict(values)
    for name, options in sections.get("motion", {}).items():
        if not isinstance(options, Mapping):
            raise SettingsError(f"motion.{name}: got {options!r}, expected a table of options")
    for name, usual in NAMED_SECTIONS.items():
        if name in sections:
            sections[name].setdefault("name", usual)
    return Settings(**sections)


def read_tree(text: str, where: str) -> Tree:
    """A tree from TOML or JSON text; `where` names it in the error."""
    if len(text) > 1_000_000:
        raise SettingsError(
            f"{where}: too long for settings ({len(text)} characters, 1000000 at most)"
        )
    try:
        tree = json.loads(text) if text.lstrip().startswith("{") else tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"{where}: not TOML or JSON settings: {error}") from None
    return tree


def changes(before: Settings, after: Settings) -> list[str]:
    """The differences, in words, between settings that change a frame's pixels."""
    old, new = painted(before), painted(after)
    return [
        f"{name} {old.get(name)!r} -> {new.get(name)!r}"
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]


def painted(settings: Settings) -> dict[str, Any]:
    """The settings that change a frame's pixels, by their dotted names."""

    def flat(prefix: str, value: Any) -> dict[str, Any]:
        if isinstance(value, dict):
            return {
                k: v
                for key, each in value.items()
                for k, v in flat(f"{prefix}.{key}", each).items()
            }
        return {prefix: value}

    tree = settings.tree()
    # The order of motions matters, and a flat dict would lose it.
    everything: dict[str, Any] = {"motion": list(tree["motion"])}
    for name, value in tree.items():
        everything |= flat(name, value)
    found = {
        name: value
        for name, value in everything.items()
        if not any(name == key or name.startswith(key + ".") for key in UNPAINTED)
    }
    if any(re.search(r"\bframes\b", json.dumps(value)) for value in found.values()):
        found["film.frames (which a schedule depends on)"] = settings.film.length
    return found
