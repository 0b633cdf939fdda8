"""Commands that make films and pictures."""

from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from dreamvid.cli.app import print_path, progress_for
from dreamvid.cli.command import Asked, command
from dreamvid.errors import SettingsError

Seed = Annotated[Path, typer.Argument(metavar="SEED", help="A picture, or a film with --at.")]
JobFolder = Annotated[Path, typer.Argument(metavar="JOB", help="A job folder.")]


def naming() -> Any:
    """What names results; it imports torch."""
    return import_module("dreamvid.jobs.naming")


@command("dreamvid zoom seed.jpg --frames 90 --motion zoom,spin -o fall.mp4")
def zoom(
    seed: Seed,
    asked: Asked,
    out: Path | None,
    at: str | None,
    job: Path | None,
    overwrite: bool,
    tidy: bool,
    preview: str | None,
    quiet: bool,
) -> None:
    """Make a film that falls into a still."""
    more = {"at": at, "job": job, "overwrite": overwrite, "tidy": tidy, "preview": preview}
    _make("zoom", seed, out, asked, quiet, more)


@command("dreamvid video clip.mp4 --start 2s --end 8s -o dream.mp4")
def video(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="INPUT",
            help="A film, a folder or pattern of pictures (frames/, 'shot.%04d.png'), or - for a "
            "pipe.",
        ),
    ],
    asked: Asked,
    out: Path | None,
    job: Path | None,
    overwrite: bool,
    tidy: bool,
    quiet: bool,
) -> None:
    """Dream over a film; its motion, rate and sound are kept."""
    more = {"job": job, "overwrite": overwrite, "tidy": tidy}
    _make("video", source, out, asked, quiet, more)


@command("dreamvid loop --seconds 4 --motion spin -o loop.webp")
def loop(
    seed: Annotated[
        Path | None,
        typer.Argument(
            metavar="SEED",
            help="A picture, a film with --at, or a job: its last frame. [default: noise]",
        ),
    ] = None,
    *,
    asked: Asked,
    out: Path | None,
    at: str | None,
    job: Path | None,
    overwrite: bool,
    tidy: bool,
    preview: str | None,
    quiet: bool,
) -> None:
    """Make a film whose last frame flows into its first."""
    more = {"at": at, "job": job, "overwrite": overwrite, "tidy": tidy, "preview": preview}
    _make("loop", seed, out, asked, quiet, more)


def _make(
    kind: str, source: Path | None, out: Path | None, asked: Asked, quiet: bool, more: Any
) -> None:
    """Make a film by the function of its kind, which `more` is handed on to."""
    settings = asked.settings()
    films = import_module("dreamvid.jobs.films")
    with progress_for(quiet) as progress:
        target = naming().film_name(out, source, kind, more["overwrite"], progress.say)
        made = getattr(films, kind)(source, target, settings, progress=progress, **more)
    print_path(made)


@command("dreamvid image photo.jpg --layer 3b -o dream.png")
def image(
    seed: Annotated[
        Path,
        typer.Argument(metavar="SEED", help="A picture, a folder of them, or a film with --at."),
    ],
    asked: Asked,
    out: Path | None,
    at: str | None,
    batch: int,
    log: bool,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Dream one picture, or a folder of them; a dream that is there already is kept."""
    settings = asked.settings()
    pictures = import_module("dreamvid.jobs.pictures").pictures
    with progress_for(quiet, "picture" if seed.is_dir() else "step") as progress:
        target = naming().dream_name(out, seed, overwrite, progress.say)
        made = pictures(
            seed,
            target,
            settings,
            at=at,
            batch=batch,
            log=log,
            overwrite=overwrite,
            progress=progress,
        )
    print_path(made)


@command("dreamvid resume seed-zoom.mp4.dream --frames 600")
def resume(
    job: JobFolder,
    asked: Asked,
    out: Path | None,
    source: Path | None,
    overwrite: bool,
    tidy: bool,
    quiet: bool,
) -> None:
    """Go on where a job stopped, or make its film longer."""
    from dreamvid.settings import settled

    frames = settled(asked.flags).film.frames
    resuming = import_module("dreamvid.jobs.resuming")
    opened = import_module("dreamvid.jobs.folder").Job.open(job)
    with progress_for(quiet) as progress:
        made = resuming.resume(
            opened,
            out,
            frames=frames,
            min_free=asked.flags.get("machine", {}).get("min_free"),
            source=source,
            overwrite=overwrite,
            tidy=tidy,
            progress=progress,
        )
    print_path(made)


@command("dreamvid encode a.mp4.dream b.mp4.dream --fade 1s -o both.mp4")
def encode(
    jobs: Annotated[
        list[Path], typer.Argument(metavar="JOB...", help="Job folders, in the film's order.")
    ],
    asked: Asked,
    out: Path | None,
    fps: str | None,
    start: str,
    end: str | None,
    speed: str | None,
    reverse: bool,
    boomerang: bool,
    fade: str | None,
    audio: Path | None,
    through: str | None,
    upscale: int | None,
    upscaler: Path | None,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Encode the frames of jobs again: another format, cut, turned round, joined, enlarged."""
    options = asked.assigned
    if foreign := set(options) - {"encode"}:
        raise SettingsError(f"--set {min(foreign)}: only encode.* can change once frames are made")
    editing = import_module("dreamvid.jobs.editing")
    texts = {"fps": fps, "start": start, "end": end, "speed": speed, "fade": fade, "audio": audio}
    treatment = {"through": through, "upscale": upscale, "upscaler": upscaler}
    edit = editing.read_edit({**texts, **treatment}, reverse=reverse, boomerang=boomerang)
    job_folder = import_module("dreamvid.jobs.folder").Job
    opened = [job_folder.open(job) for job in jobs]
    more = {"options": options.get("encode"), "overwrite": overwrite}
    with progress_for(quiet) as progress:
        if len(opened) == 1 and edit == editing.Edit():
            resuming = import_module("dreamvid.jobs.resuming")
            made = resuming.encode(opened[0], out, progress=progress, **more)
        else:
            made = editing.edited(opened, out, edit, progress=progress, **more)
    print_path(made)
