"""Where presets lie: in the folder that comes with dreamvid, and in those of plugins."""

from pathlib import Path

from dreamvid.errors import SettingsError

added: list[Path] = []
"""The folders of presets that plugins have added."""


def folder() -> Path:
    """Where our own presets lie: inside the installed package, or beside it in a checkout."""
    here = Path(__file__).parents[1]
    return next(
        (place for place in (here / "presets", here.parent / "presets") if place.is_dir()),
        here / "presets",
    )


def files() -> dict[str, Path]:
    """The file of each preset, by its name."""
    places = (folder(), *added)
    return {path.stem: path for place in places for path in sorted(place.glob("*.toml"))}


def add(path: Path) -> None:
    """Find presets in a folder too.

    Raises:
        SettingsError: It holds none, or one whose name is taken.
    """
    found = sorted(path.glob("*.toml"))
    if not found:
        raise SettingsError(
            f"preset folder {path}: holds no .toml file; expected a folder of presets"
        )
    known = {} if path in added else files()
    for each in found:
        if each.stem in known:
            raise SettingsError(f"{each}: there is a preset of that name already; choose another")
    if path not in added:
        added.append(path)
