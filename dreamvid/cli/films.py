"""Commands that make films and pictures, and lists."""

from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from dreamvid.cli.app import app, number_from, print_path, progress_for, settings_from
from dreamvid.cli.options import (
    Anchor,
    Assign,
    Cadence,
    Carry,
    Config,
    Depth,
    Device,
    End,
    Flow,
    Fps,
    Frames,
    Input,
    Iterations,
    JobFolder,
    KeepColor,
    Layer,
    Length,
    Mask,
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
    Seed,
    SeedNumber,
    Start,
    Strict,
    Weights,
)
from dreamvid.errors import SettingsError


@app.command()
def zoom(
    seed: Seed,
    out: Out = None,
    frames: Frames = None,
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
    """Make a film that falls into a still."""
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
    target = out or Path(f"{seed.stem}-zoom.mp4")
    with progress_for(quiet) as progress:
        made = films.zoom(
            seed, target, settings, job=job, overwrite=overwrite, preview=preview, progress=progress
        )
    print_path(made)


@app.command()
def video(
    source: Input,
    out: Out = None,
    start: Start = None,
    end: End = None,
    frames: Frames = None,
    fps: Fps = None,
    size: Length = None,
    preset: Preset = "video",
    config: Config = None,
    assign: Assign = None,
    plugins: Plugins = None,
    network: NetworkName = None,
    weights: Weights = None,
    layer: Layer = None,
    octaves: Octaves = None,
    iterations: Iterations = None,
    carry: Carry = None,
    flow: Flow = None,
    mask: Mask = None,
    keep_color: KeepColor = None,
    strict: Strict = None,
    seed_number: SeedNumber = None,
    device: Device = None,
    precision: Precision = None,
    depth: Depth = None,
    min_free: MinFree = None,
    job: JobFolder = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Dream over a film; its motion, rate and sound are kept."""
    flags = {
        "plugins": plugins,
        "start": start,
        "end": end,
        "frames": frames,
        "fps": fps,
        "size": size,
        "network": network,
        "weights": weights,
        "layer": layer,
        "octaves": octaves,
        "iterations": iterations,
        "carry": carry,
        "flow": flow,
        "mask": mask,
        "keep_color": keep_color,
        "strict": strict,
        "seed": seed_number,
        "device": device,
        "precision": precision,
        "depth": depth,
        "min_free": min_free,
    }
    settings = settings_from(preset, config, flags, assign)
    films = import_module("dreamvid.jobs.films")
    target = out or Path(f"{source.stem}-video.mp4")
    with progress_for(quiet) as progress:
        made = films.video(
            source, target, settings, job=job, overwrite=overwrite, progress=progress
        )
    print_path(made)


@app.command()
def image(
    seed: Annotated[
        Path, typer.Argument(metavar="SEED", help="A picture, or a folder of pictures.")
    ],
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="The result. [SEED-dream.png; the folder SEED-dream]"),
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
    depth: Depth = None,
    batch: Annotated[
        int, typer.Option(metavar="N", min=0, help="Of a folder, dream N of a size together.")
    ] = 0,
    log: Annotated[
        bool, typer.Option("--log", help="Write the objective at every step, as CSV and plot.")
    ] = False,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Dream one picture, or a folder of them; what is there already is not made again."""
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
        "depth": depth,
    }
    settings = settings_from(preset, config, flags, assign)
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


@app.command()
def resume(
    job: Annotated[Path, typer.Argument(metavar="JOB", help="A job folder.")],
    frames: Annotated[str | None, typer.Option(metavar="N", help="A new length in frames.")] = None,
    min_free: MinFree = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Go on where a job stopped."""
    resuming = import_module("dreamvid.jobs.resuming")
    opened = import_module("dreamvid.jobs.folder").Job.open(job)
    with progress_for(quiet) as progress:
        made = resuming.resume(
            opened,
            frames=number_from("frames", frames),
            min_free=min_free,
            overwrite=overwrite,
            progress=progress,
        )
    print_path(made)


@app.command()
def encode(
    job: Annotated[Path, typer.Argument(metavar="JOB", help="A job folder.")],
    out: Out = None,
    assign: Assign = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Encode a job's frames again, in another format or quality."""
    from dreamvid.settings import assigned

    options = assigned(assign or [])
    if foreign := set(options) - {"encode"}:
        raise SettingsError(f"--set {min(foreign)}: only encode.* can change once frames are made")
    resuming = import_module("dreamvid.jobs.resuming")
    opened = import_module("dreamvid.jobs.folder").Job.open(job)
    with progress_for(quiet) as progress:
        made = resuming.encode(
            opened, out, options=options.get("encode"), overwrite=overwrite, progress=progress
        )
    print_path(made)


@app.command("list")
def list_(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="networks|layers|objectives|motions|carries|flows|presets|encoders|settings"
        ),
    ],
    name: Annotated[
        str | None, typer.Argument(metavar="[NETWORK]", help="With layers: of which network.")
    ] = None,
    weights: Weights = None,
    plugins: Plugins = None,
) -> None:
    """List what there is to choose from, with the options of each."""
    loading = import_module("dreamvid.settings.plugin_loading")
    loading.load_installed()
    loading.load(plugins or ())
    import_module("dreamvid.cli.listing").print_list(kind, name, weights or ())
