"""Every setting, its default and its range; and how presets, files and flags are laid over them.

A tree of settings is a plain nested dict, as TOML or JSON gives it. Trees are laid over each
other (defaults < preset < ``--config`` < flag < ``--set``) and checked once, by `settled`.
"""

from dreamvid.settings.belonging import FILMS, must_take_effect
from dreamvid.settings.film_sections import FPS, FRAMES
from dreamvid.settings.sections import (
    CELL_SIDE,
    FILM_SIDE,
    SECTIONS,
    AscentSettings,
    FilmSettings,
    LoopSettings,
    MachineSettings,
    NetworkSettings,
    OctaveSettings,
    Settings,
    Tree,
    TurboSettings,
    VideoSettings,
)
from dreamvid.settings.texts import assigned, flagged, valued
from dreamvid.settings.trees import changes, laid_over, painted, read_tree, settled

__all__ = [
    "CELL_SIDE",
    "FILMS",
    "FILM_SIDE",
    "FPS",
    "FRAMES",
    "SECTIONS",
    "AscentSettings",
    "FilmSettings",
    "LoopSettings",
    "MachineSettings",
    "NetworkSettings",
    "OctaveSettings",
    "Settings",
    "Tree",
    "TurboSettings",
    "VideoSettings",
    "assigned",
    "changes",
    "flagged",
    "laid_over",
    "must_take_effect",
    "painted",
    "read_tree",
    "settled",
    "valued",
]
