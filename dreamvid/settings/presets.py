"""Presets: small TOML files of settings with their reasons, shipped in `presets/`."""

from pathlib import Path

from dreamvid.errors import SettingsError
from dreamvid.registry import did_you_mean
from dreamvid.settings import Settings, Tree, laid_over, read_tree, settled

ABOUT = "about"
"""The key of a preset that holds a line for ``dreamvid list presets``."""
BASE = "base"
"""The key of a preset that names another one, of which it is a small diff."""


def folder() -> Path:
    """Where the presets lie: inside the installed package, or beside it in a checkout."""
    here = Path(__file__).parents[1]
    return next(
        (place for place in (here / "presets", here.parent / "presets") if place.is_dir()),
        here / "presets",
    )


def names() -> list[str]:
    """The presets that come with dreamvid, `default` first."""
    found = sorted(path.stem for path in folder().glob("*.toml"))
    return sorted(found, key=lambda name: name != "default")


def load(name: str) -> Tree:
    """The settings of a preset, by name or by the path of a ``.toml`` file."""
    return _laid((name,))


def _laid(names: tuple[str, ...]) -> Tree:
    """The settings of the last of `names`; each is the base of the one before it."""
    tree = _read(names[-1])
    tree.pop(ABOUT, None)
    base = tree.pop(BASE, None)
    if base is None:
        return tree
    if not isinstance(base, str) or base in names:
        wanted = "got itself again" if base in names else f"got {base!r}"
        raise SettingsError(f"{names[-1]}: {BASE}: {wanted}, wanted another preset's name")
    return laid_over(_laid((*names, base)), tree)


def settings_over(
    preset: str, chosen: Tree, flags: Tree | None = None, assigned: Tree | None = None
) -> Settings:
    """Settings laid over each other: defaults < preset < chosen in a file < flags < assignments."""
    tree = load(preset)
    if "motion" in chosen:
        # A file's motions are all of its motion, not more of the preset's.
        tree.pop("motion", None)
    for layer in (chosen, flags or {}, assigned or {}):
        tree = laid_over(tree, layer)
    return settled(tree)


def about(name: str) -> str:
    """One line that says what a preset is for."""
    return str(_read(name).get(ABOUT, ""))


def _read(name: str) -> Tree:
    path = Path(name) if name.endswith(".toml") else folder() / f"{name}.toml"
    if not name.endswith(".toml") and name not in names():
        raise SettingsError(
            f"no preset {name!r}{did_you_mean(name, names())} (presets: {', '.join(names())})"
        )
    return read_file(path)


def read_file(path: Path) -> Tree:
    """The settings in a TOML or JSON file, or a `SettingsError` in one line."""
    try:
        with path.open("rb") as stream:
            return read_tree(stream.read(2_000_000).decode("utf-8"), str(path))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise SettingsError(f"{path}: {reason}; wanted a TOML file of settings") from None
