"""A draft: a film as it is being designed on the page, with the command line that makes it.

Its settings are texts, as ``--set`` takes them. So the page, the command line and the film's own
process read every value in the same way.
"""

import json
import re
import shlex
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from dreamvid.errors import SettingsError
from dreamvid.flags import Flag, flags_of
from dreamvid.settings import Settings, Tree, assigned, flagged, must_take_effect, presets
from dreamvid.settings.sections import PLUGINS
from dreamvid.studio.places import is_plain

COMMANDS = ("zoom", "video", "loop", "image")
MOST = 500
"""The most settings of a draft."""
LONGEST = 20_000
"""The most characters of a setting."""
_OUTSIDE = re.compile(r"(?:^|=)\s*(?:[/~\\]|[A-Za-z]:[\\/])|(?:^|[=/\\])\s*\.\.(?:[/\\]|\s*$)")
"""A text that would be a path out of the folder."""


@dataclass(frozen=True)
class Draft:
    """What is asked for. Every file is named as it lies in the studio's folder."""

    command: str = "zoom"
    source: str | None = None
    at: str | None = None
    out: str | None = None
    preset: str = "default"
    motion: tuple[str, ...] | None = None
    """The motions in their order; None: the preset's."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """The changed settings by their dotted names, as texts."""

    @classmethod
    def read(cls, tree: Any) -> Self:
        """A draft from JSON, or a `SettingsError` that says what cannot be."""
        must_have_keys(tree, cls.__dataclass_fields__, "draft")
        command = tree.get("command", "zoom")
        if command not in COMMANDS:
            raise SettingsError(f"command: got {command!r}, expected {', '.join(COMMANDS)}")
        texts = {name: _text_or_none(tree, name) for name in ("source", "at", "out")}
        for name in ("source", "out"):
            if texts[name] is not None and not is_plain(texts[name] or ""):
                raise SettingsError(f"{name}: expected the name of a file in the folder")
        motion = tree.get("motion")
        if motion is not None and not are_texts(motion):
            raise SettingsError("motion: expected a list of motions")
        return cls(
            command=command,
            preset=known_preset(tree.get("preset") or "default"),
            motion=None if motion is None else tuple(motion),
            settings=read_settings(tree.get("settings") or {}),
            **texts,
        )

    def tree(self) -> Tree:
        """The draft as JSON, which `read` takes back."""
        return json.loads(json.dumps(asdict(self)))

    def base(self) -> Settings:
        """The settings before any is changed: the preset's, and the motions."""
        return presets.settings_over(self.preset, {}, self._flags())

    def resolved(self) -> Settings:
        """All settings; `SettingsError` names the first that is wrong."""
        chosen = self.chosen()
        must_take_effect(self.command, chosen)
        return presets.settings_over(self.preset, {}, self._flags(), chosen)

    def chosen(self) -> Tree:
        """The changed settings as a tree."""
        return assigned([f"{name}={text}" for name, text in self.settings.items()])

    def _flags(self) -> Tree:
        if self.motion is None or self.command not in ("zoom", "loop"):
            return {}
        return flagged({"motion": list(self.motion)}, self.command)

    def words(self) -> list[str]:
        """The command line that makes it, given in the studio's folder."""
        words = ["dreamvid", self.command, *([self.source] if self.source else [])]
        if self.at:
            words += ["--at", self.at]
        if self.preset != flags_of(self.command)["preset"].default:
            words += ["--preset", self.preset]
        if self.motion and self._flags():
            words += ["--motion", ",".join(self.motion)]
        # Where two flags set the same, the first is the usual one.
        known = {flag.sets: (name, flag)
                 for name, flag in reversed(flags_of(self.command).items())}  # fmt: skip
        for name, text in self.settings.items():
            flag = known.get(name)
            words += (flag and _as_flag(*flag, text)) or ["--set", f"{name}={text}"]
        return [*words, *(["-o", self.out] if self.out else [])]

    def line(self) -> str:
        """The command line as it is typed."""
        return shlex.join(self.words())

    def toml(self) -> str:
        """What is set, as a file for ``--config``."""
        tree = self.chosen()
        if self._flags():
            options = tree.get("motion", {})
            tree["motion"] = {name: options.get(name, {}) for name in self.motion or ()}
        return "\n".join(_toml(tree))


def _text_or_none(tree: Mapping[str, Any], name: str) -> str | None:
    value = tree.get(name)
    if value is not None and not isinstance(value, str):
        raise SettingsError(f"{name}: got {value!r}, expected a text")
    return value or None


def must_have_keys(tree: Any, keys: Iterable[str], name: str) -> None:
    """Raise `SettingsError` for what is no JSON object, or has other keys than some of `keys`."""
    if not isinstance(tree, Mapping):
        raise SettingsError(f"{name}: got {type(tree).__name__}, expected an object")
    if unknown := set(tree) - set(keys):
        raise SettingsError(f"{name}: no key {str(min(unknown))[:80]!r}")


def are_texts(value: Any) -> bool:
    """Whether a value is a list of texts."""
    return isinstance(value, list | tuple) and all(isinstance(each, str) for each in value)


def known_preset(name: Any) -> str:
    """The name of a preset that is listed, or a `SettingsError`."""
    # A path would be read, and a preset may name code.
    if name not in presets.names():
        raise SettingsError(f"preset: no preset {str(name)[:80]!r}; choose one that is listed")
    return name


def read_settings(given: Any) -> dict[str, str]:
    """Settings as texts by their names; `SettingsError` for one that leads out of the folder."""
    if not isinstance(given, Mapping) or not are_texts(list(given.values())):
        raise SettingsError("settings: expected texts by the names of settings")
    if len(given) > MOST or any(len(text) > LONGEST for text in given.values()):
        raise SettingsError(f"settings: expected {MOST} at most, each of {LONGEST} characters")
    for name, text in given.items():
        if not re.fullmatch(r"[\w-]+(\.[\w-]+)+", name) or name.startswith(PLUGINS):
            raise SettingsError(f"{name[:80]}: no setting that can be changed here")
        for part in _texts_in(text):
            if _OUTSIDE.search(part):
                raise SettingsError(f"{name}: got {part[:80]!r}, expected a file in the folder")
    return dict(given)


def _texts_in(text: str) -> Iterator[str]:
    """The text, and every text in the value that it stands for."""
    yield text
    try:
        waiting = [tomllib.loads(f"value = {text}")["value"]]
    except (ValueError, RecursionError):
        return
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, Mapping):
            waiting += [*value, *value.values()]
        elif isinstance(value, list):
            waiting += value


def _as_flag(name: str, flag: Flag, text: str) -> list[str]:
    """The words of a flag that sets the same; none where the flag reads texts in another way."""
    spelling = flag.names[-1] if flag.names else f"--{name.replace('_', '-')}"
    if flag.chooses or not text:
        return []
    if flag.kind == "switch":
        return [spelling] if text == "true" else []
    if flag.kind == "list":
        parts = _listed(text)
        if not parts or any("," in part or part != part.strip() for part in parts):
            return []
        return [word for part in parts for word in (spelling, part)]
    if flag.kind not in ("text", "number", "file") or (flag.kind == "text" and '"' in text):
        return []
    return [f"{spelling}={text}"] if text.startswith("-") else [spelling, text]


def _listed(text: str) -> list[str]:
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except ValueError:
        return []
    return value if isinstance(value, list) and are_texts(value) else []


def _toml(tree: Tree, where: str = "") -> Iterator[str]:
    tables = {name: value for name, value in tree.items() if isinstance(value, Mapping)}
    plain = {name: value for name, value in tree.items() if name not in tables}
    if where and (plain or not tables):
        yield f"[{where}]"
    for name, value in plain.items():
        yield f"{name} = {json.dumps(value, ensure_ascii=False)}"
    for name, value in tables.items():
        yield from _toml(dict(value), f"{where}.{name}" if where else name)


def text_of(value: Any) -> str:
    """A value of a setting as the text that sets it; empty for none."""
    if value is None:
        return ""
    if isinstance(value, str | Path):
        return str(value)
    return json.dumps(value, ensure_ascii=False)


def flat(tree: Mapping[str, Any]) -> dict[str, str]:
    """All settings of a tree as texts, by their dotted names."""
    found: dict[str, str] = {}
    for section, values in tree.items():
        for key, value in values.items() if isinstance(values, Mapping) else ():
            if isinstance(value, Mapping):
                found |= {f"{section}.{key}.{name}": text_of(each) for name, each in value.items()}
            else:
                found[f"{section}.{key}"] = text_of(value)
    return found
