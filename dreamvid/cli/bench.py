"""The command that measures."""

import json
from importlib import import_module
from typing import Annotated

import typer

from dreamvid.cli.app import app, settings_from, tell
from dreamvid.cli.options import (
    Assign,
    Config,
    Device,
    Iterations,
    Layer,
    NetworkName,
    Octaves,
    Plugins,
    Precision,
    Preset,
    Quiet,
    Weights,
)


@app.command()
def bench(
    size: Annotated[str, typer.Option(metavar="WxH", help="Of the picture.")] = "1024x575",
    preset: Preset = "default",
    config: Config = None,
    assign: Assign = None,
    plugins: Plugins = None,
    network: NetworkName = None,
    weights: Weights = None,
    layer: Layer = None,
    octaves: Octaves = None,
    iterations: Iterations = None,
    device: Device = None,
    precision: Precision = None,
    repeats: Annotated[int, typer.Option(metavar="N", min=1, help="Each time, so often.")] = 5,
    compare: Annotated[
        str, typer.Option(metavar="A,B", help="Of plain, pytorch-deepdream, film; or nothing.")
    ] = "plain",
    profile: Annotated[bool, typer.Option("--profile", help="Tell where the time goes.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Figures as JSON, not tables.")] = False,
    quiet: Quiet = False,
) -> None:
    """Measure how fast the dream is here, and how near to the machine's limit."""
    flags = {
        "plugins": plugins,
        "network": network,
        "weights": weights,
        "layer": layer,
        "octaves": octaves,
        "iterations": iterations,
        "device": device,
        "precision": precision,
    }
    settings = settings_from(preset, config, flags, assign)
    frames, benches = import_module("dreamvid.frames"), import_module("dreamvid.bench")
    progress = import_module("dreamvid.cli.progress").progress(quiet)
    figures = benches.measured(
        settings,
        import_module("dreamvid.sizes").parsed_size(size, frames.Size(575, 1024)),
        repeats=repeats,
        comparisons=[name.strip() for name in compare.split(",") if name.strip()],
        profile=profile,
        say=progress.say,
    )
    if as_json:
        tell(json.dumps(figures, indent=1) + "\n")
    else:
        benches.told(figures)
