"""Commands that show what networks see and dream."""

from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from dreamvid.cli.app import app, print_path, progress_for, settings_from
from dreamvid.cli.options import (
    Assign,
    Config,
    Device,
    Iterations,
    Layer,
    Length,
    NetworkName,
    Octaves,
    Overwrite,
    Plugins,
    Precision,
    Preset,
    Quiet,
    Seed,
    SeedNumber,
    Weights,
)


@app.command()
def sheet(
    seed: Seed,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="The sheet. [SEED-sheet.png]")
    ] = None,
    size: Annotated[
        str | None, typer.Option(metavar="SIZE", help="Of each cell, as WxH or longer side. [320]")
    ] = None,
    preset: Preset = "default",
    config: Config = None,
    assign: Assign = None,
    plugins: Plugins = None,
    network: NetworkName = None,
    weights: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE", help="Weights; of several networks NETWORK=FILE for each."),
    ] = None,
    layer: Annotated[
        list[str] | None,
        typer.Option(metavar="LAYER", help="A row for each that it names; repeatable. [eight]"),
    ] = None,
    channels: Annotated[
        str | None,
        typer.Option(metavar="A:B", help="The live channels of one layer: 0:64, 3,7 or all."),
    ] = None,
    presets: Annotated[
        str | None, typer.Option(metavar="A,B", help="A dream by each preset; or all.")
    ] = None,
    networks: Annotated[
        str | None, typer.Option(metavar="A,B", help="A dream by each network.")
    ] = None,
    iterations: Annotated[
        str | None, typer.Option(metavar="N,N,..", help="A column for each number, or one for all.")
    ] = None,
    octaves: Annotated[
        str | None, typer.Option(metavar="N,N,..", help="A column for each number, or one for all.")
    ] = None,
    steps: Annotated[
        str | None,
        typer.Option(metavar="N,N,..", help="Columns: one dream after so many steps in all."),
    ] = None,
    seed_number: SeedNumber = None,
    device: Device = None,
    precision: Precision = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Dream one picture in many ways, labelled and side by side."""
    from dreamvid.settings import assigned, flagged, valued

    across = {"channels": channels, "presets": presets, "networks": networks, "steps": steps}
    flags = {
        "plugins": plugins,
        "size": size,
        "network": network,
        "weights": weights,
        "layer": layer,
        "seed": seed_number,
        "device": device,
        "precision": precision,
    }
    for name, text in {"iterations": iterations, "octaves": octaves}.items():
        # A list in brackets is a setting of its own: a number for each octave.
        several = text is not None and "," in text and not text.lstrip().startswith("[")
        (across if several else flags)[name] = text
    given = {name: valued(name, value) for name, value in flags.items() if value is not None}
    sheets = import_module("dreamvid.studies.sheets")
    asked = sheets.Asked(
        preset,
        config,
        flagged(given),
        assigned(assign or []),
        {name: text for name, text in across.items() if text is not None},
    )
    target = out or Path(f"{seed.stem}-sheet.png")
    with progress_for(quiet, "cell") as progress:
        made = sheets.sheet(seed, target, asked, overwrite=overwrite, progress=progress)
    print_path(made)


@app.command()
def explain(
    seed: Seed,
    dream: Annotated[
        Path | None,
        typer.Argument(metavar="[DREAM]", help="A dream of it. [dreamed here and now]"),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="The drawing. [SEED-explain.png]")
    ] = None,
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
    seed_number: SeedNumber = None,
    device: Device = None,
    precision: Precision = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Tell what the network sees in a picture before and after the dream, and draw where."""
    flags = {
        "plugins": plugins,
        "size": size,
        "network": network,
        "weights": weights,
        "layer": layer,
        "octaves": octaves,
        "iterations": iterations,
        "seed": seed_number,
        "device": device,
        "precision": precision,
    }
    settings = settings_from(preset, config, flags, assign)
    target = out or Path(f"{seed.stem}-explain.png")
    with progress_for(quiet, "step") as progress:
        told = import_module("dreamvid.studies.explain").explain(
            seed, target, settings, dream=dream, overwrite=overwrite, progress=progress
        )
    import_module("dreamvid.cli.listing").print_explanation(told.sections())
    print_path(target)
