"""Pictures, one or a folder of them: what both doors open onto."""

from pathlib import Path

from dreamvid.errors import SettingsError
from dreamvid.jobs import films
from dreamvid.jobs.image_folders import image_folder
from dreamvid.jobs.progress import Progress
from dreamvid.settings import Settings


def pictures(
    seed: Path,
    out: Path,
    settings: Settings,
    *,
    at: int | str | None = None,
    batch: int = 0,
    log: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Dream one picture as `films.image` does, or those of a folder as `image_folder` does.

    Raises:
        SettingsError: `at` is given for a folder, or `batch` for one picture.
    """
    if seed.is_dir():
        if at is not None:
            raise SettingsError(f"--at: {seed} is a folder of pictures; leave it out")
        return image_folder(
            seed, out, settings, batch=batch, log=log, overwrite=overwrite, progress=progress
        )
    if batch:
        raise SettingsError(f"--batch: {seed} is no folder of pictures; leave it out")
    return films.image(seed, out, settings, at=at, log=log, overwrite=overwrite, progress=progress)
