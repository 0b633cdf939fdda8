"""Commands that make films and pictures."""

from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from dreamvid.cli.app import print_path, progress_for
from dreamvid.cli.command import Asked, command
from dreamvid.errors import SettingsError

Seed = Annotated[Path, typer.Argument(metavar="SEED", help="A picture.")]
JobFolder = Annotated[Path, typer.Argument(metavar="JOB", help="A job folder.")]


@command("dreamvid zoom seed.jpg --frames 90 --motion zoom,spin -o fall.mp4")
def zoom(
    seed: Seed,
    asked: Asked,
    out: Path | None,
    job: Path | None,
    overwrite: bool,
    preview: bool,
    quiet: bool,
) -> None:
    """Make a film that falls into a still."""
    settings = asked.settings()
    films = import_module("dreamvid.jobs.films")
    target = out or Path(f"{seed.stem}-zoom.mp4")
    with progress_for(quiet) as progress:
        made = films.zoom(
            seed, target, settings, job=job, overwrite=overwrite, preview=preview, progress=progress
        )
    print_path(made)


@command("dreamvid video clip.mp4 --start 2s --end 8s -o dream.mp4")
def video(
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="A film.")],
    asked: Asked,
    out: Path | None,
    job: Path | None,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Dream over a film; its motion, rate and sound are kept."""
    settings = asked.settings()
    films = import_module("dreamvid.jobs.films")
    target = out or Path(f"{source.stem}-video.mp4")
    with progress_for(quiet) as progress:
        made = films.video(
            source, target, settings, job=job, overwrite=overwrite, progress=progress
        )
    print_path(made)


@command("dreamvid loop --seconds 4 --motion spin -o loop.webp")
def loop(
    seed: Annotated[
        Path | None,
        typer.Argument(
            metavar="SEED",
            help="A picture, or a job: its last frame. [default: noise]",
        ),
    ] = None,
    *,
    asked: Asked,
    out: Path | None,
    seconds: str | None,
    job: Path | None,
    overwrite: bool,
    preview: bool,
    quiet: bool,
) -> None:
    """Make a film whose last frame flows into its first."""
    settings = asked.settings()
    films = import_module("dreamvid.jobs.films")
    if seconds is not None:
        settings = films.lasting(settings, seconds, asked.flags.get("film", {}).get("frames"))
    target = out or films.named(seed, "loop")
    with progress_for(quiet) as progress:
        made = films.loop(
            seed, target, settings, job=job, overwrite=overwrite, preview=preview, progress=progress
        )
    print_path(made)


@command("dreamvid image photo.jpg --layer 3b -o dream.png")
def image(
    seed: Annotated[
        Path, typer.Argument(metavar="SEED", help="A picture, or a folder of pictures.")
    ],
    asked: Asked,
    out: Path | None,
    batch: int,
    log: bool,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Dream one picture, or a folder of them; a dream that is there already is kept."""
    settings = asked.settings()
    films = import_module("dreamvid.jobs.films")
    target = out or films.dream_of(seed)
    if seed.is_dir():
        folders = import_module("dreamvid.jobs.image_folders")
        with progress_for(quiet, "picture") as progress:
            made = folders.image_folder(
                seed,
                target,
                settings,
                batch=batch,
                log=log,
                overwrite=overwrite,
                progress=progress,
            )
    else:
        with progress_for(quiet, "step") as progress:
            made = films.image(
                seed, target, settings, log=log, overwrite=overwrite, progress=progress
            )
    print_path(made)


@command("dreamvid resume seed-zoom.mp4.dream --frames 600")
def resume(job: JobFolder, asked: Asked, source: Path | None, overwrite: bool, quiet: bool) -> None:
    """Go on where a job stopped, or make its film longer."""
    from dreamvid.settings import settled

    frames = settled(asked.flags).film.frames
    resuming = import_module("dreamvid.jobs.resuming")
    opened = import_module("dreamvid.jobs.folder").Job.open(job)
    with progress_for(quiet) as progress:
        made = resuming.resume(
            opened,
            frames=frames,
            min_free=asked.flags.get("machine", {}).get("min_free"),
            source=source,
            overwrite=overwrite,
            progress=progress,
        )
    print_path(made)


@command("dreamvid encode seed-zoom.mp4.dream -o seed.gif")
def encode(job: JobFolder, asked: Asked, out: Path | None, overwrite: bool, quiet: bool) -> None:
    """Encode the frames of a job again, in another format or quality."""
    options = asked.assigned
    if foreign := set(options) - {"encode"}:
        raise SettingsError(f"--set {min(foreign)}: only encode.* can change once frames are made")
    resuming = import_module("dreamvid.jobs.resuming")
    opened = import_module("dreamvid.jobs.folder").Job.open(job)
    with progress_for(quiet) as progress:
        made = resuming.encode(
            opened, out, options=options.get("encode"), overwrite=overwrite, progress=progress
        )
    print_path(made)
