"""Which commands a setting changes anything in; elsewhere it is refused rather than ignored."""

from collections.abc import Iterator, Mapping
from typing import Any

from dreamvid.errors import SettingsError

FILMS = ("zoom", "video", "loop")
DREAMS = (*FILMS, "image", "sheet", "explain")
"""The commands that are asked."""
BELONGING: dict[str, tuple[str, ...]] = {
    "motion": ("zoom", "loop"),
    "motion.camera": FILMS,
    "film.anchor": ("zoom", "loop"),
    "film.speed": FILMS,
    "film.cadence": FILMS,
    "film.fade_in": ("zoom", "video"),
    "film.fade_out": ("zoom", "video"),
    "carry": ("video",),
    "flow": ("video",),
    "video": ("video",),
    "video.mask": (*FILMS, "image"),
    "video.keep_color": (*FILMS, "image"),
    "loop": ("loop",),
    "loop.breath": ("zoom", "loop"),
    "audio": FILMS,
    "encode": FILMS,
}
"""Settings, and whole sections, that not every command has a use for; the longest name counts."""


def must_take_effect(command: str, chosen: Mapping[str, Any]) -> None:
    """Raise `SettingsError` for the first setting in a tree that changes nothing in a command."""
    if command not in DREAMS:
        return
    for name in _names(chosen):
        place = name
        while place and place not in BELONGING:
            place = place.rpartition(".")[0]
        if place and command not in BELONGING[place]:
            others = ", ".join(f"`dreamvid {each}`" for each in BELONGING[place])
            raise SettingsError(f"{name}: changes nothing in {command}; it belongs to {others}")


def _names(tree: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """The dotted names of all settings in a tree."""
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from _names(value, f"{prefix}{key}.")
        elif f"{prefix}{key}" == "motion":
            yield from (f"motion.{each}" for each in value)  # as a flag gives them
        else:
            yield f"{prefix}{key}"
