"""Files of settings read back: TOML, a job's folder, or a film that dreamvid made."""

import json
import tomllib
from pathlib import Path

from dreamvid import media
from dreamvid.errors import DreamvidError, MediaError, SettingsError
from dreamvid.jobs.folder import Job
from dreamvid.settings import Tree, presets
from dreamvid.settings.sections import PLUGINS


def read_config(path: Path | None, sized: bool = False) -> Tree:
    """The settings in a TOML or JSON file, in a job's folder or in a film that dreamvid made.

    Of a job and a film, those that make the dream: not how and where it was encoded, and its size
    only if `sized`.
    """
    if path is None:
        return {}
    if path.suffix.lower() in (".toml", ".json", ".txt", "") and not path.is_dir():
        tree = presets.read_file(path)
        tree.pop(presets.ABOUT, None)
        return tree
    try:
        if path.is_dir():
            tree = Job.open(path).manifest.settings.tree()
        else:
            tree = json.loads(media.read_metadata(path)["comment"])["settings"]
            # A film may come from anybody, and a plugin is code that would be run.
            tree.pop(PLUGINS, None)
        tree = {name: values if name == PLUGINS else dict(values) for name, values in tree.items()}
    except (MediaError, ValueError, KeyError, TypeError, AttributeError):
        raise SettingsError(
            f"{path}: holds no dreamvid settings; expected a TOML file, a job folder or a film"
        ) from None
    tree.pop("encode", None)
    tree.pop("machine", None)
    if not sized:
        tree.get("film", {}).pop("size", None)
    return tree


def read_toml(path: Path, of: str) -> Tree:
    """What a TOML file holds, which is one `of` something; a `SettingsError` where it is none."""
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise SettingsError(f"{path}: no such file; expected a TOML file of {of}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{path}: not UTF-8 text; expected a TOML file of {of}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise SettingsError(f"{path}: not a TOML file of {of}: {error}") from None


def tells_settings(path: Path) -> bool:
    """Whether a film or a job folder holds dreamvid's settings."""
    try:
        return bool(read_config(path))
    except DreamvidError:
        return False
