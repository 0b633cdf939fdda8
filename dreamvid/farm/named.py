"""The files that a unit names by their absolute paths, wherever in its manifest they stand."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dreamvid.jobs.image_folders import STATE


def manifest_of(folder: Path) -> dict[str, Any]:
    """What the folder of a unit says of how it is made."""
    file = folder / "job.json"
    return json.loads((file if file.exists() else folder / STATE / "settings.json").read_text())


def files_named(manifest: Mapping[str, Any], plan: Path) -> set[str]:
    """The files outside a plan that a manifest names, and its input, which may be a sequence."""
    source = manifest.get("source", {}).get("path")
    inside = str(plan) + "/"
    return {
        path
        for path in paths_in(manifest)
        if not path.startswith(inside) and (path == source or Path(path).is_file())
    }


def paths_in(tree: Any) -> Iterator[str]:
    """The absolute paths among the texts of a tree, alone or as NAME=PATH."""
    if isinstance(tree, Mapping):
        for key, value in tree.items():
            yield from paths_in(key)
            yield from paths_in(value)
    elif isinstance(tree, list | tuple):
        for each in tree:
            yield from paths_in(each)
    elif isinstance(tree, str) and Path(_path(tree)).is_absolute():
        yield _path(tree)


def replaced(tree: Any, places: Mapping[str, str]) -> Any:
    """A tree whose paths are those that `places` has for them."""
    if isinstance(tree, Mapping):
        return {replaced(key, places): replaced(value, places) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [replaced(each, places) for each in tree]
    if isinstance(tree, str) and (path := _path(tree)) in places:
        return tree.removesuffix(path) + places[path]
    return tree


def _path(text: str) -> str:
    name, sign, path = text.partition("=")
    return path if sign and name.isidentifier() else text
