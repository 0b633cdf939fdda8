"""Settings as texts: the flags of the command line, and ``--set``."""

import tomllib
from collections.abc import Mapping, Sequence
from datetime import date, time
from os import PathLike
from pathlib import Path
from typing import Any

from dreamvid.errors import SettingsError
from dreamvid.registry import did_you_mean
from dreamvid.settings.sections import PLUGINS, Tree

FLAGS = {
    "frames": "film.frames",
    "fps": "film.fps",
    "size": "film.size",
    "depth": "film.depth",
    "seed": "film.seed",
    "cadence": "film.cadence",
    "anchor": "film.anchor",
    "network": "network.name",
    "weights": "network.weights",
    "layer": "network.layers",
    "octaves": "octaves.count",
    "iterations": "ascent.iterations",
    "motion": "motion",
    "start": "video.start",
    "end": "video.end",
    "strict": "video.strict",
    "mask": "video.mask",
    "keep_color": "video.keep_color",
    "carry": "carry.name",
    "flow": "flow.name",
    "device": "machine.device",
    "precision": "machine.precision",
    "min_free": "machine.min_free",
    "plugins": PLUGINS,
}
"""The flags that are settings, by their long names."""


def flagged(flags: Mapping[str, Any]) -> Tree:
    """The tree that flags make; those that are None were not given."""
    tree: Tree = {}
    for name, value in flags.items():
        if name not in FLAGS:
            raise SettingsError(f"no setting {name!r}{did_you_mean(name, FLAGS)}")
        if value is None:
            continue
        section, _, key = FLAGS[name].partition(".")
        if name == "motion" and isinstance(value, str):
            value = [part.strip() for part in value.split(",") if part.strip()] or ["hold"]
        if name == "layer" and isinstance(value, str):
            value = [value]
        if name == "weights":
            value = [str(each) for each in ([value] if isinstance(value, str | Path) else value)]
        if name == PLUGINS:
            each = [value] if isinstance(value, str | PathLike) else value
            value = [str(Path(path).absolute()) for path in each]
        if name == "mask":
            value = str(value)
        if key:
            tree.setdefault(section, {})[key] = value
        else:
            tree[section] = value
    return tree


TEXTS = (
    *("size", "weights", "network", "layer", "motion", "device", "precision"),
    *("start", "end", "mask", "carry", "flow", "min_free"),
)


def valued(name: str, text: Any) -> Any:
    """A flag's text as a value: TOML where the setting is no text itself."""
    return text if name in TEXTS or not isinstance(text, str) else _toml_value(text)


def assigned(assignments: Sequence[str]) -> Tree:
    """The tree that ``--set section.key=value`` texts make; values are TOML, or else bare text."""
    tree: Tree = {}
    for text in assignments:
        path, equals, value = text.partition("=")
        keys = [key.strip() for key in path.split(".")]
        if not equals or len(keys) < 2 or not all(keys):
            raise SettingsError(f"--set: got {text!r}, wanted section.key=value")
        branch = tree
        for key in keys[:-1]:
            branch = branch.setdefault(key, {})
            if not isinstance(branch, dict):
                raise SettingsError(f"--set: {text!r} is at odds with an assignment before it")
        branch[keys[-1]] = _toml_value(value.strip())
    return tree


def _toml_value(text: str) -> Any:
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        return text
    # No setting is a date or a time of day, but a film's time looks like one.
    return text if isinstance(value, date | time) else value
