"""Dream films: gradient ascent on every frame, each frame fed back, the result a film.

The easy doors::

    import dreamvid
    dreamvid.zoom("seed.jpg", "out.mp4", frames=90)
    dreamvid.video("clip.mp4", "dream.mp4", start="2s", carry="flow")
    dreamvid.image("seed.jpg", "dream.png", preset="google-2015", weights="bvlc.safetensors")
    dreamvid.loop(out="loop.webp", seconds=4)

All take ``preset``, ``config``, ``overwrite``, every flag of the command line by its long name,
and ``settings``, a nested dict such as ``{"ascent": {"step_size": 2.0}}``. Importing dreamvid
loads nothing heavy.
"""

from os import PathLike
from pathlib import Path
from typing import Any

__version__ = "0.1.0"


def zoom(
    seed: str | PathLike[str],
    out: str | PathLike[str] | None = None,
    *,
    preset: str = "default",
    config: str | PathLike[str] | None = None,
    job: str | PathLike[str] | None = None,
    overwrite: bool = False,
    preview: bool = False,
    settings: dict[str, Any] | None = None,
    **flags: Any,
) -> Path:
    """Make a film that falls into a still; returns its path, ``<seed>-zoom.mp4`` by default."""
    from dreamvid.jobs import films
    from dreamvid.settings import flagged

    chosen = films.settings_for(preset, _path(config), flagged(flags), settings)
    target = Path(out) if out is not None else Path(f"{Path(seed).stem}-zoom.mp4")
    return films.zoom(
        Path(seed), target, chosen, job=_path(job), overwrite=overwrite, preview=preview
    )


def loop(
    seed: str | PathLike[str] | None = None,
    out: str | PathLike[str] | None = None,
    *,
    seconds: float | None = None,
    preset: str = "default",
    config: str | PathLike[str] | None = None,
    job: str | PathLike[str] | None = None,
    overwrite: bool = False,
    preview: bool = False,
    settings: dict[str, Any] | None = None,
    **flags: Any,
) -> Path:
    """Make a film whose last frame flows into its first, from noise unless a seed is given.

    The seed is a picture, or a job folder, whose last frame is taken. Returns the film's path,
    ``noise-loop.mp4`` or ``<seed>-loop.mp4`` by default.
    """
    from dreamvid.jobs import films
    from dreamvid.settings import flagged

    chosen = films.settings_for(preset, _path(config), flagged(flags), settings)
    if seconds is not None:
        chosen = films.lasting(chosen, seconds, flags.get("frames"))
    target = Path(out) if out is not None else films.named(_path(seed), "loop")
    return films.loop(
        _path(seed), target, chosen, job=_path(job), overwrite=overwrite, preview=preview
    )


def video(
    source: str | PathLike[str],
    out: str | PathLike[str] | None = None,
    *,
    preset: str = "video",
    config: str | PathLike[str] | None = None,
    job: str | PathLike[str] | None = None,
    overwrite: bool = False,
    settings: dict[str, Any] | None = None,
    **flags: Any,
) -> Path:
    """Dream over a film; returns the new film's path, ``<source>-video.mp4`` by default."""
    from dreamvid.jobs import films
    from dreamvid.settings import flagged

    chosen = films.settings_for(preset, _path(config), flagged(flags), settings)
    target = Path(out) if out is not None else Path(f"{Path(source).stem}-video.mp4")
    return films.video(Path(source), target, chosen, job=_path(job), overwrite=overwrite)


def image(
    seed: str | PathLike[str],
    out: str | PathLike[str] | None = None,
    *,
    preset: str = "default",
    config: str | PathLike[str] | None = None,
    batch: int = 0,
    log: bool = False,
    overwrite: bool = False,
    settings: dict[str, Any] | None = None,
    **flags: Any,
) -> Path:
    """Dream one picture, or every picture in a folder.

    Returns its path, ``<seed>-dream.png`` or ``<folder>-dream`` by default. `batch` is how many
    pictures of a folder are dreamed together; 0 is what suits the device. With `log`, the
    objective at every step is written beside it.
    """
    from dreamvid.jobs import films
    from dreamvid.jobs import image_folders as folders
    from dreamvid.settings import flagged

    chosen = films.settings_for(preset, _path(config), flagged(flags), settings)
    target = Path(out) if out is not None else films.dream_of(Path(seed))
    if Path(seed).is_dir():
        return folders.image_folder(
            Path(seed), target, chosen, batch=batch, log=log, overwrite=overwrite
        )
    return films.image(Path(seed), target, chosen, log=log, overwrite=overwrite)


def sheet(
    seed: str | PathLike[str],
    out: str | PathLike[str] | None = None,
    *,
    preset: str = "default",
    config: str | PathLike[str] | None = None,
    across: dict[str, str] | None = None,
    overwrite: bool = False,
    settings: dict[str, Any] | None = None,
    **flags: Any,
) -> Path:
    """Dream one picture in many ways, side by side; returns ``<seed>-sheet.png`` by default.

    `across` says what differs, such as ``{"iterations": "5,10,20"}``; see
    `dreamvid.studies.sheets.axes`.
    """
    from dreamvid.settings import flagged
    from dreamvid.studies import sheets

    asked = sheets.Asked(preset, _path(config), flagged(flags), settings or {}, across or {})
    target = Path(out) if out is not None else Path(f"{Path(seed).stem}-sheet.png")
    return sheets.sheet(Path(seed), target, asked, overwrite=overwrite)


def _path(path: str | PathLike[str] | None) -> Path | None:
    return None if path is None else Path(path)
