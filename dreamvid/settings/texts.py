"""Settings as texts: the flags of the command line, and ``--set``."""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, time
from pathlib import Path
from typing import Any

from dreamvid.errors import SettingsError
from dreamvid.flags import COMMAND_LINE, FLAGS, Flag, flags_of
from dreamvid.registry import did_you_mean, parameters
from dreamvid.settings.sections import PLUGINS, SECTIONS, Tree
from dreamvid.sizes import Duration

_KEY = re.compile(r"\s*(\d+(\.\d*)?|\.\d+)\s*[sb]?\s*:")
_CHANNELS = re.compile(r"\s*\d+\s*(\.\.\s*\d+\s*)?(=.*)?")


def flagged(given: Mapping[str, Any], command: str = "") -> Tree:
    """The tree of settings that flags make, by name; those that are None were not given.

    Texts are read as on the command line. With `command`, only its flags are known.

    Raises:
        SettingsError: a name is no flag's, or a list is empty.
    """
    flags = flags_of(command) if command else FLAGS
    tree: Tree = {}
    for name, value in given.items():
        if name not in flags or not flags[name].sets:
            where = f"{command}: no keyword" if command else "no setting"
            known = [each for each in flags if each not in COMMAND_LINE]
            raise SettingsError(f"{where} {name!r}{did_you_mean(name, known)}")
        if value is None:
            continue
        section, _, key = flags[name].sets.partition(".")
        if key in tree.get(section, {}):
            raise SettingsError(
                f"--{name}: sets {flags[name].sets}, as another flag does; leave one out"
            )
        value = _read(name, flags[name], value)
        if flags[name].chooses:
            tree.setdefault(section, {})["name"] = flags[name].chooses
        if key:
            tree.setdefault(section, {})[key] = value
        else:
            tree[section] = value
    if is_worded(tree) and "layers" in tree.get("network", {}):
        raise SettingsError(
            "--of: words are dreamed by the network's class head, not by its layers; leave out "
            "--layer, or --of"
        )
    return tree


def is_worded(tree: Mapping[str, Any]) -> bool:
    """Whether a tree that flags made asks for words."""
    return bool(tree.get("objective", {}).get("of"))


def _read(name: str, flag: Flag, value: Any) -> Any:
    """A flag's value as its setting takes it."""
    if flag.kind == "number" and isinstance(value, str):
        return _toml_value(value)
    if flag.kind == "file":
        return str(value)
    if flag.kind == "seconds":
        text = str(value).strip()
        if isinstance(value, bool) or Duration.from_text(f"{text.removesuffix('s')}s") is None:
            raise SettingsError(f"--{name}: got {value!r}, expected seconds such as 10 or 2.5")
        return f"{text.removesuffix('s')}s"
    if name == PLUGINS:
        paths = [value] if isinstance(value, str | Path) else value
        return [str(Path(path).absolute()) for path in paths]
    if flag.kind != "list" or isinstance(value, Mapping):
        return value
    texts = [str(each) for each in ([value] if isinstance(value, str | Path) else value)]
    split = {"layer": _layers, "weights": _named, "audio": _named}.get(
        name, lambda text: text.split(",")
    )
    parts = [part.strip() for text in texts for part in split(text) if part.strip()]
    if texts and not parts:
        raise SettingsError(
            f"--{name}: got {','.join(texts)!r}, expected comma-separated values, or no --{name}"
        )
    return ",".join(parts) if name == "network" else parts


def _layers(text: str) -> list[str]:
    """Selectors between commas; the commas of channels, walks and schedules part none.

    ``3b,4c:3,7=0.5,4d=0: (1), 5s: (0)`` holds three.
    """
    found: list[str] = []
    for part in _outside_brackets(text):
        before, equals, weight = found[-1].partition("=") if found else ("", "", "")
        keys = ":" in weight and _KEY.match(part)
        channels = ":" in before and not equals and _CHANNELS.fullmatch(part)
        if keys or channels:
            found[-1] += f",{part}"
        else:
            found.append(part)
    return found


def _outside_brackets(text: str) -> Iterator[str]:
    """The parts of a text between the commas that stand in no brackets."""
    depth = begin = 0
    for match in re.finditer(r"[()\[\],]", text):
        depth += {"(": 1, "[": 1, ",": 0}.get(match[0], -1)
        if match[0] == "," and depth <= 0:
            yield text[begin : match.start()]
            begin = match.end()
    yield text[begin:]


def _named(text: str) -> list[str]:
    """Files between commas: of several networks, NAME=FILE each. A file's name may hold commas."""
    return re.split(r",(?=\s*\w+=)", text)


def valued(name: str, text: Any) -> Any:
    """A flag's text as a value: TOML where the setting is no text itself."""
    return _read(name, FLAGS[name], text)


def assigned(assignments: Sequence[str]) -> Tree:
    """The tree that ``--set section.key=value`` texts make; values are TOML, or else bare text."""
    tree: Tree = {}
    for text in assignments:
        path, equals, value = text.partition("=")
        keys = [key.strip() for key in path.split(".")]
        if not equals or len(keys) < 2 or not all(keys):
            known = [
                f"{name}.{keys[0]}"
                for name, schema in SECTIONS.items()
                if keys[0] in parameters(schema)
            ]
            hint = f"; did you mean {' or '.join(known)}?" if equals and known else ""
            raise SettingsError(f"--set: got {text!r}, expected section.key=value{hint}")
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
