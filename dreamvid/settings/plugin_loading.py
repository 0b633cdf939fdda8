"""Plugins: files that add motions, presets and more from outside; see `dreamvid.plugins`.

A plugin is Python, so loading it runs it. It is named by its path, or it comes with an installed
package that has an entry point in the group ``dreamvid.plugins``. It is taken whole or not at all.
"""

import importlib.metadata
import json
import re
import sys
import traceback
import types
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from dreamvid.errors import DreamvidError, SettingsError, Stopped, in_one_line
from dreamvid.machine.hashing import file_hash
from dreamvid.registry import Registry
from dreamvid.settings import preset_folders

GROUP = "dreamvid.plugins"
"""The entry points of installed plugins."""
INSTALLED = "installed plugin "
"""How the names of those begin in a job's record."""
PRESETS = "preset folder"


@dataclass(frozen=True)
class Plugin:
    """A plugin that is loaded."""

    name: str
    """The absolute path of its file; of an installed one, what it is called."""
    sha256: str
    added: frozenset[tuple[str, str]]
    """The kind and the name of each thing it has added."""


_loaded: dict[str, Plugin] = {}
_loading: list[Path] = []
"""The file that is being loaded, at its end."""


def load(paths: Iterable[str | Path]) -> None:
    """Load plugins by their files, each once; one whose file has changed is loaded again.

    Raises:
        SettingsError: One is not there, raises an error, adds nothing or takes a name that is
            taken. Nothing of it stays.
    """
    for path in map(Path, paths):
        path = path.absolute()
        try:
            content = path.read_bytes()
        except OSError as error:
            raise SettingsError(
                f"plugin {path}: {error.strerror}; expected a Python file that registers something"
            ) from None
        digest = sha256(content).hexdigest()
        known = _loaded.get(str(path))
        if known is None or known.sha256 != digest:
            _taken_whole(str(path), path, digest, lambda p=path, c=content: _run(p, c))


def load_installed() -> None:
    """Load the plugins of installed packages, each once; errors as of `load`."""
    for point in importlib.metadata.entry_points(group=GROUP):
        name = f"{INSTALLED}{point.name}"
        if name in _loaded:
            continue
        imported = point.module in sys.modules
        _taken_whole(name, None, "", point.load, empty=imported)
        file = getattr(sys.modules[point.module], "__file__", None)
        digest = file_hash(Path(file)) if file else ""
        _loaded[name] = Plugin(name, digest, _loaded[name].added)


def recorded(chosen: Iterable[str], told: Mapping[str, Any], out: Path) -> dict[str, str]:
    """The SHA-256 of each plugin that a film is made with, by its name.

    Those that were `chosen` by their files, and installed ones that have added a name that the
    settings (`told`) or the film's suffix mention.
    """
    words = set(re.findall(r"\w+", json.dumps(told))) | {out.suffix[1:].lower()}
    return {
        plugin.name: plugin.sha256
        for plugin in _loaded.values()
        if plugin.name in chosen
        or (plugin.name.startswith(INSTALLED) and words & {name for _, name in plugin.added})
    }


def current_hash(name: str) -> str | None:
    """The SHA-256 that a recorded plugin has now; None where it is not there."""
    if name.startswith(INSTALLED):
        load_installed()
        return _loaded[name].sha256 if name in _loaded else None
    try:
        return file_hash(Path(name))
    except OSError:
        return None


def add_presets(folder: str | Path) -> None:
    """Find presets in `folder` too; a relative one lies beside the plugin that is being loaded."""
    base = _loading[-1].parent if _loading else Path()
    preset_folders.add((base / folder).absolute())


def paths_in(tree: Mapping[str, Any], where: str) -> list[str]:
    """The plugins that a tree of settings names; checked to be a list of files."""
    paths = tree.get("plugins", [])
    if not isinstance(paths, list | tuple) or not all(isinstance(path, str) for path in paths):
        raise SettingsError(f"{where}: got {paths!r}, expected a list of files")
    return list(paths)


def _taken_whole(
    name: str, path: Path | None, digest: str, run: Callable[[], Any], empty: bool = False
) -> None:
    """Load a plugin, or leave everything as it was and say in one line what is wrong with it."""
    functions = {each: (dict(each.functions), dict(each.facts)) for each in Registry.all}
    before = list(preset_folders.added)
    try:
        _forget(_loaded.get(name))
        kept = _everything()
        _loading.extend([path] if path else [])
        run()
        added = frozenset(key for key, each in _everything().items() if kept.get(key) is not each)
        if not added and not empty:
            raise SettingsError(
                "adds nothing; register something with a decorator of dreamvid.plugins"
            )
    # Whatever a stranger's code may raise, SystemExit too; a stop by the user is none of it.
    except BaseException as error:
        for registry, (known, facts) in functions.items():
            registry.functions, registry.facts = known, facts
        preset_folders.added[:] = before
        if isinstance(error, KeyboardInterrupt | Stopped):
            raise
        raise SettingsError(_told(name, error)) from error
    finally:
        if path:
            _loading.remove(path)
    _loaded[name] = Plugin(name, digest, added)


def _everything() -> dict[tuple[str, str], object]:
    """All that plugins can add, by its kind and its name."""
    found: dict[tuple[str, str], object] = {
        (each.kind, name): function
        for each in Registry.all
        for name, function in each.functions.items()
    }
    return found | {(PRESETS, str(folder)): folder for folder in preset_folders.added}


def _forget(plugin: Plugin | None) -> None:
    """Take out what an earlier version of a plugin has added."""
    for kind, name in plugin.added if plugin else ():
        for registry in Registry.all:
            if registry.kind == kind:
                registry.functions.pop(name, None)
        if kind == PRESETS:
            preset_folders.added.remove(Path(name))


def _run(path: Path, content: bytes) -> None:
    """Run a plugin's file as a module of its own, without leaving compiled files beside it."""
    unique = sha256(str(path).encode(errors="surrogateescape")).hexdigest()[:12]
    module = types.ModuleType(f"dreamvid_plugin_{unique}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module
    exec(compile(content, str(path), "exec"), module.__dict__)


def _told(name: str, error: BaseException) -> str:
    """What is wrong with a plugin, in one line."""
    text = in_one_line(error)
    if isinstance(error, DreamvidError):
        return f"plugin {name}: {text.removeprefix(f'{name}: ')}"
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename == name
    ]
    place = f" in line {lines[-1]}" if lines else ""
    return f"plugin {name}: raises {type(error).__name__}{place}{f': {text}' if text else ''}"
