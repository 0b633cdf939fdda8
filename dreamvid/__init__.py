"""Dream films: gradient ascent on every frame, each frame fed back, the result a film.

The Python functions::

    import dreamvid
    dreamvid.zoom("seed.jpg", "out.mp4", frames=90)
    dreamvid.video("clip.mp4", "dream.mp4", start="2s", carry="flow")
    dreamvid.image("seed.jpg", "dream.png", preset="google-2015", weights="bvlc.safetensors")
    dreamvid.loop(out="loop.webp", seconds=4)

Each takes the flags of its command as keywords; ``__init__.pyi`` lists them, with types.
``settings`` is a nested dict such as ``{"ascent": {"step_size": 2.0}}``, and wins over all.
Importing dreamvid loads nothing heavy.
"""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dreamvid.machine.threads import spin_briefly

if TYPE_CHECKING:
    from dreamvid.settings import Settings

__version__ = "0.1.0"

spin_briefly()


def zoom(
    seed: str | PathLike[str],
    out: str | PathLike[str] | None = None,
    *,
    at: int | str | None = None,
    preset: str = "default",
    config: str | PathLike[str] | None = None,
    job: str | PathLike[str] | None = None,
    overwrite: bool = False,
    tidy: bool = False,
    preview: bool | str = False,
    settings: dict[str, Any] | None = None,
    **flags: Any,
) -> Path:
    """Make a film that falls into a still, and return its path."""
    chosen = _settings("zoom", preset, config, flags, settings)
    from dreamvid.jobs import films, naming

    target = naming.film_name(_path(out), Path(seed), "zoom", overwrite)
    return films.zoom(
        Path(seed),
        target,
        chosen,
        at=at,
        job=_path(job),
        overwrite=overwrite,
        tidy=tidy,
        preview=preview,
    )


def video(
    source: str | PathLike[str],
    out: str | PathLike[str] | None = None,
    *,
    preset: str = "video",
    config: str | PathLike[str] | None = None,
    job: str | PathLike[str] | None = None,
    overwrite: bool = False,
    tidy: bool = False,
    settings: dict[str, Any] | None = None,
    **flags: Any,
) -> Path:
    """Dream over a film, and return the path of the new one; motion, rate and sound are kept."""
    chosen = _settings("video", preset, config, flags, settings)
    from dreamvid.jobs import films, naming

    target = naming.film_name(_path(out), Path(source), "video", overwrite)
    return films.video(Path(source), target, chosen, job=_path(job), overwrite=overwrite, tidy=tidy)


def loop(
    seed: str | PathLike[str] | None = None,
    out: str | PathLike[str] | None = None,
    *,
    at: int | str | None = None,
    preset: str = "default",
    config: str | PathLike[str] | None = None,
    job: str | PathLike[str] | None = None,
    overwrite: bool = False,
    tidy: bool = False,
    preview: bool | str = False,
    settings: dict[str, Any] | None = None,
    **flags: Any,
) -> Path:
    """Make a film whose last frame flows into its first, and return its path.

    The seed is a picture, or a job folder, whose last frame is taken; without one, noise.
    """
    chosen = _settings("loop", preset, config, flags, settings)
    from dreamvid.jobs import films, naming

    target = naming.film_name(_path(out), _path(seed), "loop", overwrite)
    return films.loop(
        _path(seed),
        target,
        chosen,
        at=at,
        job=_path(job),
        overwrite=overwrite,
        tidy=tidy,
        preview=preview,
    )


def image(
    seed: str | PathLike[str],
    out: str | PathLike[str] | None = None,
    *,
    at: int | str | None = None,
    preset: str = "default",
    config: str | PathLike[str] | None = None,
    batch: int = 0,
    log: bool = False,
    overwrite: bool = False,
    settings: dict[str, Any] | None = None,
    **flags: Any,
) -> Path:
    """Dream one picture, or every picture in a folder, and return the path of the result."""
    chosen = _settings("image", preset, config, flags, settings)
    from dreamvid.jobs import films, naming
    from dreamvid.jobs import image_folders as folders

    target = naming.dream_name(_path(out), Path(seed), overwrite)
    if Path(seed).is_dir():
        return folders.image_folder(
            Path(seed), target, chosen, batch=batch, log=log, overwrite=overwrite
        )
    return films.image(Path(seed), target, chosen, at=at, log=log, overwrite=overwrite)


def sheet(
    seed: str | PathLike[str],
    out: str | PathLike[str] | None = None,
    *,
    preset: str = "default",
    config: str | PathLike[str] | None = None,
    of: str | Sequence[str] | None = None,
    across: dict[str, str] | None = None,
    overwrite: bool = False,
    settings: dict[str, Any] | None = None,
    **flags: Any,
) -> Path:
    """Dream one picture in many ways, side by side, and return the path of the sheet.

    `of` are words, a cell for each. `across` says what else differs, such as
    ``{"iterations": "5,10,20", "presets": "all"}``; see
    `dreamvid.studies.sheets.axes`.
    """
    from dreamvid.settings import flagged

    chosen = flagged(flags, "sheet")
    from dreamvid.studies import sheets

    words = {} if of is None else {"of": of if isinstance(of, str) else ",".join(of)}
    asked = sheets.Asked(preset, _path(config), chosen, settings or {}, {**words, **(across or {})})
    target = Path(out) if out is not None else Path(f"{Path(seed).stem}-sheet.png")
    return sheets.sheet(Path(seed), target, asked, overwrite=overwrite)


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
    must_take_effect(command, above or {})
    from dreamvid.jobs import films

    return films.settings_for(preset, _path(config), chosen, above, sized=command in FILMS)


def _path(path: str | PathLike[str] | None) -> Path | None:
    return None if path is None else Path(path)
