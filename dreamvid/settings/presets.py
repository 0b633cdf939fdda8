"""Presets: small TOML files of settings with their reasons, shipped in `presets/`."""

from pathlib import Path

from dreamvid.errors import SettingsError
from dreamvid.registry import did_you_mean
from dreamvid.settings import Settings, Tree, laid_over, plugin_loading, read_tree, settled
from dreamvid.settings.preset_folders import files
from dreamvid.settings.sections import PLUGINS
from dreamvid.settings.texts import is_worded

ABOUT = "about"
"""The key of a preset that holds a line for ``dreamvid list presets``."""
WORDS = "words"
"""The preset for dreams of words: laid over those that commands start from, where words are asked
for by a flag and no other preset is chosen."""
USUAL = ("default", "video")
BASE = "base"
"""The key of a preset that names another one, of which it is a small diff."""


def names() -> list[str]:
    """The presets that come with dreamvid or with plugins, `default` first."""
    return sorted(files(), key=lambda name: (name != "default", name))


def load(name: str) -> Tree:
    """The settings of a preset, by name or by the path of a ``.toml`` file."""
    return _laid((name,))


def _laid(names: tuple[str, ...]) -> Tree:
    """The settings of the last of `names`; each is the base of the one before it."""
    tree = _read(names[-1])
    tree.pop(ABOUT, None)
    # The preset that this one is laid over may come with its own plugins.
    plugin_loading.load(plugin_loading.paths_in(tree, f"{names[-1]}: {PLUGINS}"))
    base = tree.pop(BASE, None)
    if base is None:
        return tree
    if not isinstance(base, str) or base in names:
        got = "got itself again" if base in names else f"got {base!r}"
        raise SettingsError(f"{names[-1]}: {BASE}: {got}, expected another preset's name")
    return laid_over(_laid((*names, base)), tree)


def settings_over(
    preset: str, chosen: Tree, flags: Tree | None = None, assigned: Tree | None = None
) -> Settings:
    """Settings laid over each other: defaults < preset < chosen in a file < flags < assignments.

    Where a flag asks for words or for a space, the preset for it is laid over the usual ones.
    """
    plugin_loading.load_installed()
    for layer in (chosen, flags or {}, assigned or {}):
        plugin_loading.load(plugin_loading.paths_in(layer, PLUGINS))
    tree = load(preset)
    if is_worded(flags or {}) and preset in USUAL:
        tree = laid_over(tree, _own(WORDS))
    space = (flags or {}).get("space", {}).get("name")
    if space in files() and preset in USUAL:
        tree = laid_over(tree, _own(space))
    if "motion" in chosen:
        # A file's motions are all of its motion, not more of the preset's.
        tree.pop("motion", None)
    layers = (chosen, flags or {}, assigned or {})
    for layer in layers:
        tree = laid_over(tree, layer)
    asked = {key for layer in layers for key in layer.get("ascent", {})}
    settings = settled(tree)
    if "step_size" in asked and "later_step_size" not in asked:
        return _heard(settings, preset)
    return settings


def _heard(settings: Settings, preset: str) -> Settings:
    """A step size that changes is heard on later frames too, whose steps stay in proportion."""
    size, later = settings.ascent.step_size, settings.ascent.later_step_size
    if later is None or isinstance(size, float | tuple):
        return settings
    usual = settled(load(preset)).ascent.step_size
    if isinstance(later, float) and isinstance(usual, float) and usual:
        return settings.changed("ascent", later_step_size=None, later_factor=later / usual)
    raise SettingsError(
        f"ascent.step_size: changes, but where a frame starts from a dream the preset {preset} "
        f"has ascent.later_step_size={later}; give that too, or ascent.later_factor, which "
        "multiplies"
    )


def _own(name: str) -> Tree:
    """The settings of a preset without those of its base."""
    own = _read(name)
    return {key: own[key] for key in own if key not in (ABOUT, BASE)}


def about(name: str) -> str:
    """One line that says what a preset is for."""
    return str(_read(name).get(ABOUT, ""))


def _read(name: str) -> Tree:
    if name.endswith(".toml"):
        return read_file(Path(name))
    if name not in (known := files()):
        raise SettingsError(
            f"no preset {name!r}{did_you_mean(name, names())} (presets: {', '.join(names())})"
        )
    return read_file(known[name])


def read_file(path: Path) -> Tree:
    """The settings in a TOML or JSON file, or a `SettingsError` in one line."""
    try:
        with path.open("rb") as stream:
            tree = read_tree(stream.read(2_000_000).decode("utf-8-sig"), str(path))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise SettingsError(f"{path}: {reason}; expected a TOML file of settings") from None
    if PLUGINS in tree:
        # They lie beside the file that names them.
        paths = plugin_loading.paths_in(tree, f"{path}: {PLUGINS}")
        tree[PLUGINS] = [str((path.parent / each).absolute()) for each in paths]
    return tree
