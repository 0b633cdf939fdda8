"""Several networks in one text, and which weights file is whose."""

from collections.abc import Callable, Sequence
from pathlib import Path

from dreamvid.errors import SettingsError
from dreamvid.settings import NetworkSettings


def names_in(text: str) -> list[str]:
    """The networks in a comma-separated text."""
    return [part.strip() for part in text.split(",")]


def weights_for(names: Sequence[str], weights: Sequence[Path | str]) -> dict[str, Path]:
    """Which weights file is whose: ``NAME=FILE``, or with a single network also FILE alone."""
    found: dict[str, Path] = {}
    for text in map(str, weights):
        name, equals, file = text.partition("=")
        if not equals or name not in names:
            if len(names) > 1:
                raise SettingsError(
                    f"network.weights: got {text!r} for {len(names)} networks, expected NAME=FILE "
                    f"with a name of {', '.join(names)}"
                )
            name, file = names[0], text
        if name in found:
            raise SettingsError(f"network.weights: two files for {name}, expected one")
        found[name] = Path(file)
    return found


def absolute_weights(settings: NetworkSettings) -> tuple[str, ...]:
    """The weights files in `settings`, as paths that hold in any working folder."""
    return moved_weights(settings, Path.absolute)


def moved_weights(settings: NetworkSettings, move: Callable[[Path], Path]) -> tuple[str, ...]:
    """The weights files in `settings`, each where `move` says."""
    names = names_in(settings.name)
    files = [settings.weights] if isinstance(settings.weights, str) else settings.weights or ()
    return tuple(
        f"{name}={move(path)}" if len(names) > 1 else str(move(path))
        for name, path in weights_for(names, files).items()
    )
