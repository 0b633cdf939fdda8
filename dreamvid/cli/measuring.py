"""The command that measures films."""

from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from dreamvid.cli.app import app, print_path, progress_for, settings_from
from dreamvid.cli.options import (
    Assign,
    Device,
    Flow,
    Input,
    Layer,
    NetworkName,
    Overwrite,
    Precision,
    Start,
    Weights,
)


@app.command()
def measure(
    source: Input,
    dream: Annotated[Path, typer.Argument(metavar="DREAM", help="The film dreamed over it.")],
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
    overwrite: Overwrite = False,
) -> None:
    """Measure how steady and how strong a dream is beside its film."""
    flags = {
        "start": start,
        "flow": flow,
        "network": network,
        "weights": weights,
        "layer": layer,
        "device": device,
        "precision": precision,
    }
    films = import_module("dreamvid.films")
    # A film of ours says what dreamed it, and where in its input it begins.
    config = dream if films.tells_settings(dream) else None
    settings = settings_from("video", config, flags, assign)
    target = out or dream.with_name(f"{dream.stem}-measure.csv")
    module = import_module("dreamvid.measure")
    with progress_for(quiet=False) as progress:
        measures = module.measure(
            source, dream, target, settings, overwrite=overwrite, say=progress.say
        )
    import_module("dreamvid.listing").print_measures(module.summary(measures), module.TITLES)
    print_path(target)
