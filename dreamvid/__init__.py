"""Dream films: gradient ascent on every frame, each frame fed back, the result a film.

The Python functions::

    import dreamvid
    dreamvid.zoom("seed.jpg", "out.mp4", frames=90)
    dreamvid.video("clip.mp4", "dream.mp4", start="2s", carry="flow")
    dreamvid.image("seed.jpg", "dream.png", preset="google-2015", weights="bvlc.safetensors")
    dreamvid.loop(out="loop.webp", seconds=4)
    for frame in dreamvid.frames("seed.jpg", frames=90): ...

A picture may be given as an array too: NumPy (H, W, 3), a PIL image, a torch tensor (3, H, W);
`image` gives back the same kind. A result is a path that a notebook shows as picture or film.

Each takes the flags of its command as keywords; ``__init__.pyi`` lists them, with types.
``settings`` is a nested dict such as ``{"ascent": {"step_size": 2.0}}``, and wins over all.
Importing dreamvid loads nothing heavy.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from os import PathLike
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from dreamvid.machine.threads import spin_briefly

if TYPE_CHECKING:
    from dreamvid.notebooks import Result, Seed
    from dreamvid.settings import Settings

__version__ = "0.1.0"

spin_briefly()


class _Package(ModuleType):
    """This package, in which `frames` is always the function below.

    The file ``frames.py`` is imported as ever (``from dreamvid.frames import Size``), but takes no
    name here.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name == "frames" and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def zoom(
    seed: "Seed",
    out: str | PathLike[str] | None = None,
    *,
    at: int | str | None = None,
    preset: str = "default",
    config: str | PathLike[str] | None = None,
    job: str | PathLike[str] | None = None,
    overwrite: bool = False,
    tidy: bool = False,
    preview: bool | str = False,
    progress: bool | None = None,
    on_frame: Callable[[int, Any], None] | None = None,
    settings: dict[str, Any] | None = None,
    **flags: Any,
) -> "Result":
    """Make a film that falls into a still, and return its path."""
    chosen = _settings("zoom", preset, config, flags, settings)
    more = {"at": at, "job": _path(job), "overwrite": overwrite, "tidy": tidy, "preview": preview}
    return _film("zoom", seed, out, chosen, progress, on_frame, more)


def video(
    source: str | PathLike[str],
    out: str | PathLike[str] | None = None,
    *,
    preset: str = "video",
    config: str | PathLike[str] | None = None,
    job: str | PathLike[str] | None = None,
    overwrite: bool = False,
    tidy: bool = False,
    progress: bool | None = None,
    on_frame: Callable[[int, Any], None] | None = None,
    settings: dict[str, Any] | None = None,
    **flags: Any,
) -> "Result":
    """Dream over a film, and return the path of the new one; motion, rate and sound are kept."""
    chosen = _settings("video", preset, config, flags, settings)
    more = {"job": _path(job), "overwrite": overwrite, "tidy": tidy}
    return _film("video", Path(source), out, chosen, progress, on_frame, more)


def loop(
    seed: "Seed | None" = None,
    out: str | PathLike[str] | None = None,
    *,
    at: int | str | None = None,
    preset: str = "default",
    config: str | PathLike[str] | None = None,
    job: str | PathLike[str] | None = None,
    overwrite: bool = False,
    tidy: bool = False,
    preview: bool | str = False,
    progress: bool | None = None,
    on_frame: Callable[[int, Any], None] | None = None,
    settings: dict[str, Any] | None = None,
    **flags: Any,
) -> "Result":
    """Make a film whose last frame flows into its first, and return its path.

    The seed is a picture, or a job folder, whose last frame is taken; without one, noise.
    """
    chosen = _settings("loop", preset, config, flags, settings)
    more = {"at": at, "job": _path(job), "overwrite": overwrite, "tidy": tidy, "preview": preview}
    return _film("loop", seed, out, chosen, progress, on_frame, more)


def image(
    seed: "Seed",
    out: str | PathLike[str] | None = None,
    *,
    at: int | str | None = None,
    preset: str = "default",
    config: str | PathLike[str] | None = None,
    batch: int = 0,
    log: bool = False,
    overwrite: bool = False,
    progress: bool | None = None,
    on_frame: Callable[[int, Any], None] | None = None,
    settings: dict[str, Any] | None = None,
    **flags: Any,
) -> "Result | Any":
    """Dream one picture, or every picture in a folder, and return the path of the result.

    Of an array without `out`, the dream is returned as an array of the same kind. `on_frame` is
    called after each step, with the picture at the size of its octave.
    """
    chosen = _settings("image", preset, config, flags, settings)
    from dreamvid import notebooks
    from dreamvid.errors import SettingsError
    from dreamvid.jobs import naming
    from dreamvid.jobs.pictures import pictures

    if notebooks.is_array(seed) and (at is not None or batch or (log and out is None)):
        raise SettingsError("image: at and batch are for files, log for a result with a name (out)")
    with notebooks.watching(progress, on_frame, "step") as watch:
        if notebooks.is_array(seed) and out is None:
            return notebooks.dreamed_array(seed, chosen, watch)
        path = notebooks.kept_seed(seed, _path(out), overwrite)
        target = naming.dream_name(_path(out), path, overwrite)
        more = {"at": at, "batch": batch, "log": log, "overwrite": overwrite}
        made = pictures(path, target, chosen, progress=watch, **more)
    return notebooks.Result(made)


def frames(
    source: "Seed",
    *,
    at: int | str | None = None,
    preset: str | None = None,
    config: str | PathLike[str] | None = None,
    progress: bool | None = False,
    settings: dict[str, Any] | None = None,
    **flags: Any,
) -> Iterator[Any]:
    """Yield the frames of a zoom into a picture, or of a dream over a film, as they are dreamed.

    Each is a NumPy array (H, W, 3) of uint8, or of the kind of array that `source` is. No film is
    made, and nothing is left behind. It takes the flags of the command, `zoom` or `video`.
    """

    def chosen(command: str) -> "Settings":
        usual = "video" if command == "video" else "default"
        return _settings(command, preset or usual, config, flags, settings)

    from dreamvid import notebooks

    with notebooks.watching(progress, None) as watch:
        yield from notebooks.frames_of(source, chosen, at, watch)


def sheet(
    seed: str | PathLike[str],
    out: str | PathLike[str] | None = None,
    *,
    preset: str = "default",
    config: str | PathLike[str] | None = None,
    of: str | Sequence[str] | None = None,
    across: dict[str, str | Sequence[Any]] | None = None,
    overwrite: bool = False,
    settings: dict[str, Any] | None = None,
    **flags: Any,
) -> "Result":
    """Dream one picture in many ways, side by side, and return the path of the sheet.

    `of` are words, a cell for each. `across` says what else differs, such as
    ``{"iterations": "5,10,20", "presets": "all"}``; see
    `dreamvid.studies.sheets.axes`.
    """
    from dreamvid.settings import flagged

    chosen = flagged(flags, "sheet")
    from dreamvid.studies import sheets

    differing = {**({} if of is None else {"of": of}), **(across or {})}
    texts = {
        name: values if isinstance(values, str) else ",".join(map(str, values))
        for name, values in differing.items()
    }
    asked = sheets.Asked(preset, _path(config), chosen, settings or {}, texts)
    from dreamvid.notebooks import Result

    target = Path(out) if out is not None else Path(f"{Path(seed).stem}-sheet.png")
    return Result(sheets.sheet(Path(seed), target, asked, overwrite=overwrite))


def _film(
    kind: str,
    source: "Seed | None",
    out: str | PathLike[str] | None,
    chosen: "Settings",
    progress: bool | None,
    on_frame: Callable[[int, Any], None] | None,
    more: dict[str, Any],
) -> "Result":
    """Make a film by the function of its kind, which `more` is handed on to."""
    from dreamvid import notebooks
    from dreamvid.jobs import films, naming

    noise = kind == "loop" and source is None
    path = None if noise else notebooks.kept_seed(source, _path(out), more["overwrite"])
    target = naming.film_name(_path(out), path, kind, more["overwrite"])
    with notebooks.watching(progress, on_frame) as watch:
        made = getattr(films, kind)(path, target, chosen, progress=watch, **more)
    return notebooks.Result(made)


def _settings(
    command: str,
    preset: str,
    config: str | PathLike[str] | None,
    flags: dict[str, Any],
    above: dict[str, Any] | None,
) -> "Settings":
    """The settings that a function is asked for; a misspelt flag is found before torch loads."""
    from dreamvid.settings import FILMS, flagged, must_take_effect

    chosen = flagged(flags, command)
    for tree in (chosen, above or {}):
        must_take_effect(command, tree)
    from dreamvid.jobs import films

    return films.settings_for(preset, _path(config), chosen, above, sized=command in FILMS)


def _path(path: str | PathLike[str] | None) -> Path | None:
    return None if path is None else Path(path)
