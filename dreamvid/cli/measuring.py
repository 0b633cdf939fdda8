"""The command that measures films."""

from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from dreamvid.cli.app import app, print_path, progress_for, settings_from, tell
from dreamvid.cli.options import (
    Assign,
    Device,
    Flow,
    Layer,
    NetworkName,
    Overwrite,
    Plugins,
    Precision,
    Start,
    Weights,
)
from dreamvid.errors import SettingsError


@app.command()
def measure(
    source: Annotated[
        Path | None, typer.Argument(metavar="[INPUT]", help="A film, or a picture.")
    ] = None,
    dream: Annotated[
        Path | None, typer.Argument(metavar="[DREAM]", help="The film dreamed over it.")
    ] = None,
    loop: Annotated[
        Path | None,
        typer.Option(metavar="FILM", help="Measure how this film's end meets its beginning."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="The CSV; the plot lies beside it. [DREAM-measure.csv]"),
    ] = None,
    start: Start = None,
    flow: Flow = None,
    network: NetworkName = None,
    weights: Weights = None,
    layer: Layer = None,
    device: Device = None,
    precision: Precision = None,
    assign: Assign = None,
    plugins: Plugins = None,
    overwrite: Overwrite = False,
) -> None:
    """Measure how steady and how strong a dream is beside its film."""
    if loop is not None:
        if source is not None:
            raise SettingsError("--loop: measures one film alone; leave out INPUT and DREAM")
        tell(f"{import_module('dreamvid.studies.measure').measure_loop(loop)}\n")
        return
    if source is None or dream is None:
        raise SettingsError("measure: wants INPUT and DREAM, or --loop FILM")
    flags = {
        "plugins": plugins,
        "start": start,
        "flow": flow,
        "network": network,
        "weights": weights,
        "layer": layer,
        "device": device,
        "precision": precision,
    }
    configs = import_module("dreamvid.jobs.configs")
    # A film of ours says what dreamed it, and where in its input it begins.
    config = dream if configs.tells_settings(dream) else None
    settings = settings_from("video", config, flags, assign)
    target = out or dream.with_name(f"{dream.stem}-measure.csv")
    module = import_module("dreamvid.studies.measure")
    with progress_for(quiet=False) as progress:
        measures = module.measure(
            source, dream, target, settings, overwrite=overwrite, say=progress.say
        )
    import_module("dreamvid.cli.listing").print_measures(module.summary(measures), module.TITLES)
    print_path(target)
