"""What a space is, and the registry of them.

A space is a function ``(pictures, key, *, …) -> Space``. It is given pictures (N, 3, H, W), RGB
from 0 to 1, of any size and any floating type. It writes them as other numbers, from which
`Space.pictures` makes pictures again. The dream climbs in those numbers. `key` is None where the
pictures are to come out as they went in; else a random start may be drawn by it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, get_args

from torch import Tensor

from dreamvid.dream.spaces.views import Views
from dreamvid.errors import SettingsError
from dreamvid.frames import Key
from dreamvid.objectives.guides import guide_hash
from dreamvid.registry import Registry, checked_options, parameters
from dreamvid.settings import Settings

NAME = "name"
USUAL = "pixels"


@dataclass(frozen=True)
class Space:
    """Pictures as other numbers."""

    parameters: Tensor
    """Where the climb starts, (N, …)."""
    pictures: Callable[[Tensor], Tensor]
    """From parameters to pictures (N, 3, H, W), RGB from 0 to 1; it has a gradient."""
    unit: float = 1.0
    """How far each parameter goes, up or down at random, where the pictures change by 1 (the root
    of the mean square). So a step has the same size in every space."""
    views: Views = field(default_factory=Views)
    """How the network looks at the pictures at each step."""
    alpha: bool = False
    """Whether what the dream never touched becomes transparent."""


SpaceMaker = Callable[[Tensor, Key | None], Space]
spaces = Registry("space", positional=("pictures", "key"), reserved=(NAME,))


def space_for(settings: Settings) -> SpaceMaker | None:
    """The space that a dream climbs in, its options checked; None is the pixels themselves.

    Raises:
        SettingsError: there is no such space or option, or a setting has no meaning in it.
    """
    options = dict(settings.space)
    name = options.pop(NAME, USUAL)
    space, checked = spaces[name], checked_options(spaces[name], options, "space")
    if name == USUAL:
        return None
    if settings.ascent.blur:
        raise SettingsError(
            f"ascent.blur: got {settings.ascent.blur}, which is for pixels; leave it at 0 in the "
            f"space {name}"
        )
    for where, path in files_of(settings.space).items():
        if not path.exists():
            raise SettingsError(f"{where}: {path} is not there; name a picture or a folder")
    return partial(space, **checked)


def files_of(options: Mapping[str, Any]) -> dict[str, Path]:
    """The pictures and folders that a section ``space`` names, by their settings."""
    known = parameters(spaces[options.get(NAME, USUAL)])
    return {
        f"space.{name}": Path(value)
        for name, value in options.items()
        if name in known and Path in get_args(known[name].annotation) and value
    }


def photographs_of(options: Mapping[str, Any]) -> dict[str, str]:
    """The SHA-256 of those files and folders."""
    return {where: guide_hash(path) for where, path in files_of(options).items()}


def moved_files(options: Mapping[str, Any], move: Callable[[str, Path], Path]) -> dict[str, Any]:
    """A section ``space`` whose files are where `move` says, by their settings and paths."""
    moved = {where: str(move(where, path)) for where, path in files_of(options).items()}
    return {name: moved.get(f"space.{name}", value) for name, value in options.items()}
