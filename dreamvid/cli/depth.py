"""The command that makes pictures of depth."""

from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from dreamvid.cli.app import print_path, progress_for
from dreamvid.cli.command import command


@command("dreamvid depth clip.mp4 -o depths")
def depth(
    source: Annotated[
        Path, typer.Argument(metavar="INPUT", help="A film, a row of pictures, or a picture.")
    ],
    *,
    out: Path | None,
    model: Path | None,
    distances: bool,
    fov: int,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Write the depth of a film or a picture for the motion camera, white where things are near."""
    made = import_module("dreamvid.jobs.depth_pictures")
    target = out or made.usual_depth(source)
    with progress_for(quiet) as progress:
        path = made.depth_pictures(
            source,
            target,
            model=model,
            distances=distances,
            fov=fov,
            overwrite=overwrite,
            progress=progress,
        )
    print_path(path)
