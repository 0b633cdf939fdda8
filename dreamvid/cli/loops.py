"""Commands that make and measure loops."""

from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from dreamvid.cli.app import app, print_path, progress_for, settings_from
from dreamvid.cli.options import (
    Anchor,
    Assign,
    Cadence,
    Config,
    Depth,
    Device,
    Fps,
    Frames,
    Iterations,
    JobFolder,
    Layer,
    Length,
    MinFree,
    MotionNames,
    NetworkName,
    Octaves,
    Out,
    Overwrite,
    Plugins,
    Precision,
    Preset,
    Preview,
    Quiet,
    SeedNumber,
    Weights,
)


@app.command()
def loop(
    seed: Annotated[
        Path | None,
        typer.Argument(metavar="[SEED]", help="A picture, or a job: its last frame. [noise]"),
    ] = None,
    out: Out = None,
    frames: Frames = None,
    seconds: Annotated[
        str | None, typer.Option(metavar="S", help="Length in seconds, instead of --frames.")
    ] = None,
    fps: Fps = None,
    size: Length = None,
    preset: Preset = "default",
    config: Config = None,
    assign: Assign = None,
    plugins: Plugins = None,
    network: NetworkName = None,
    weights: Weights = None,
    layer: Layer = None,
    octaves: Octaves = None,
    iterations: Iterations = None,
    motion: MotionNames = None,
    seed_number: SeedNumber = None,
    device: Device = None,
    precision: Precision = None,
    depth: Depth = None,
    cadence: Cadence = None,
    anchor: Anchor = None,
    preview: Preview = False,
    min_free: MinFree = None,
    job: JobFolder = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Make a film whose last frame flows into its first."""
    flags = {
        "plugins": plugins,
        "frames": frames,
        "fps": fps,
        "size": size,
        "network": network,
        "weights": weights,
        "layer": layer,
        "octaves": octaves,
        "iterations": iterations,
        "motion": motion,
        "seed": seed_number,
        "device": device,
        "precision": precision,
        "depth": depth,
        "min_free": min_free,
        "cadence": cadence,
        "anchor": anchor,
    }
    settings = settings_from(preset, config, flags, assign)
    films = import_module("dreamvid.jobs.films")
    if seconds is not None:
        settings = films.lasting(settings, seconds, frames)
    target = out or films.named(seed, "loop")
    with progress_for(quiet) as progress:
        made = films.loop(
            seed, target, settings, job=job, overwrite=overwrite, preview=preview, progress=progress
        )
    print_path(made)
