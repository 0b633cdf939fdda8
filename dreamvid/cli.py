"""The command line: flags in, one line out where something is wrong. Thin."""

import os
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dreamvid import __version__
from dreamvid.errors import DreamvidError, SettingsError, Stopped

if TYPE_CHECKING:
    from dreamvid.progress import Bar

app = typer.Typer(
    add_completion=False,
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Dream films: DeepDream on every frame, each frame fed back, the result a film.",
)

Seed = Annotated[Path, typer.Argument(metavar="SEED", help="A picture.")]
Out = Annotated[
    Path | None, typer.Option("-o", "--out", help="The result; its suffix chooses the format.")
]
Frames = Annotated[str | None, typer.Option(metavar="N", help="Length in frames. [300]")]
Fps = Annotated[
    str | None, typer.Option(metavar="RATE", help="Frames a second, 24 or 30000/1001. [30]")
]
Length = Annotated[
    str | None,
    typer.Option(
        "--size",
        metavar="SIZE",
        help="WxH, or the longer side in pixels. [640; pictures: their own]",
    ),
]
Preset = Annotated[str, typer.Option(metavar="NAME", help="A preset, or a .toml file of settings.")]
Config = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Settings over the preset's: TOML, a job folder, or a film dreamvid made.",
    ),
]
Assign = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="SECTION.KEY=VALUE", help="One setting over all others; repeatable."
    ),
]
NetworkName = Annotated[
    str | None,
    typer.Option(
        "--network", metavar="NAME", help="What dreams; see `dreamvid list networks`. [pocket]"
    ),
]
Weights = Annotated[
    Path | None, typer.Option(metavar="FILE", help="The network's weights, .safetensors or .pth.")
]
Layer = Annotated[
    list[str] | None,
    typer.Option(
        metavar="LAYER", help="NAME, NAME=WEIGHT, NAME:CHANNEL, a number or a glob; repeatable."
    ),
]
Octaves = Annotated[str | None, typer.Option(metavar="N", help="Sizes a frame is dreamed at. [4]")]
Iterations = Annotated[
    str | None, typer.Option(metavar="N", help="Gradient steps at each octave. [10]")
]
MotionNames = Annotated[
    str | None,
    typer.Option("--motion", metavar="A,B", help="Motions in order; see `dreamvid list motions`."),
]
SeedNumber = Annotated[
    str | None, typer.Option("--seed", metavar="N", help="Another number, another dream. [0]")
]
Device = Annotated[
    str | None, typer.Option(metavar="NAME", help="auto, cpu, cuda, cuda:N or mps. [auto]")
]
Precision = Annotated[
    str | None, typer.Option(metavar="KIND", help="auto, bf16, fp32 or fp64. [auto]")
]
Depth = Annotated[
    str | None, typer.Option(metavar="BITS", help="8 or 16 bits a channel on disk. [8]")
]
JobFolder = Annotated[
    Path | None, typer.Option("--job", metavar="DIR", help="The job folder. [OUT.dream]")
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Say nothing but errors.")]


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
    job: JobFolder = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Make a film that falls into a still."""
    flags = {
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
    }
    settings = _settings(preset, config, flags, assign)
    films = import_module("dreamvid.films")
    target = out or Path(f"{seed.stem}-zoom.mp4")
    with _progress(quiet) as progress:
        made = films.zoom(seed, target, settings, job=job, overwrite=overwrite, progress=progress)
    _print(made)


@app.command()
def image(
    seed: Seed,
    out: Out = None,
    size: Length = None,
    preset: Preset = "default",
    config: Config = None,
    assign: Assign = None,
    network: NetworkName = None,
    weights: Weights = None,
    layer: Layer = None,
    octaves: Octaves = None,
    iterations: Iterations = None,
    seed_number: SeedNumber = None,
    device: Device = None,
    precision: Precision = None,
    depth: Depth = None,
    overwrite: Overwrite = False,
) -> None:
    """Dream one picture."""
    flags = {
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
    settings = _settings(preset, config, flags, assign)
    films = import_module("dreamvid.films")
    _print(films.image(seed, out or Path(f"{seed.stem}-dream.png"), settings, overwrite=overwrite))


@app.command()
def resume(
    job: Annotated[Path, typer.Argument(metavar="JOB", help="A job folder.")],
    frames: Annotated[str | None, typer.Option(metavar="N", help="A new length in frames.")] = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Go on where a job stopped."""
    films = import_module("dreamvid.films")
    opened = import_module("dreamvid.job").Job.open(job)
    with _progress(quiet) as progress:
        made = films.resume(
            opened, frames=_number("frames", frames), overwrite=overwrite, progress=progress
        )
    _print(made)


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
    films = import_module("dreamvid.films")
    opened = import_module("dreamvid.job").Job.open(job)
    with _progress(quiet) as progress:
        made = films.encode(
            opened, out, options=options.get("encode"), overwrite=overwrite, progress=progress
        )
    _print(made)


@app.command()
def distil(
    teacher: Annotated[
        str, typer.Argument(metavar="TEACHER", help="A network; see `dreamvid list networks`.")
    ],
    images: Annotated[
        Path, typer.Option("--images", metavar="DIR", help="Pictures, also in its subfolders.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "-o", "--out", metavar="FILE", help="The student. [TEACHER-pocket.safetensors]"
        ),
    ] = None,
    weights: Weights = None,
    layers: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,...", help="The teacher's layers to learn. [googlenet: pool1 to 4d]"
        ),
    ] = None,
    steps: Annotated[str | None, typer.Option(metavar="N", help="Training steps. [12500]")] = None,
    batch: Annotated[str | None, typer.Option(metavar="N", help="Pictures a step. [16]")] = None,
    side: Annotated[
        str | None, typer.Option(metavar="N", help="Their side in pixels. [112]")
    ] = None,
    seed_number: SeedNumber = None,
    assign: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Another number of the recipe."),
    ] = None,
    every: Annotated[
        int, typer.Option("--every", metavar="N", min=1, help="Steps between checkpoints.")
    ] = 250,
    check: Annotated[
        Path | None,
        typer.Option("--check", metavar="FILE", help="Train nothing; measure this student."),
    ] = None,
    device: Device = None,
    precision: Annotated[
        str, typer.Option(metavar="KIND", help="Of the student: auto, bf16 or fp32.")
    ] = "auto",
    resume: Annotated[bool, typer.Option("--resume", help="Go on from a checkpoint.")] = False,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Train a small network that dreams like a large one."""
    from dreamvid.settings import valued

    distilling = import_module("dreamvid.distil")
    films = import_module("dreamvid.films")
    numbers = {"steps": steps, "batch": batch, "side": side, "seed": seed_number}
    given = {name: valued(name, text) for name, text in numbers.items() if text is not None}
    recipe = distilling.recipe_of(given | distilling.recipe_assigned(assign or []))
    target = out or Path(f"{teacher}-pocket.safetensors")
    where = films.device_for(device or "auto")
    bfloat16 = distilling.in_bfloat16(precision, where)
    network = import_module("dreamvid.networks").network
    taught = network(teacher, weights=weights, device=where, precision="fp32")
    with films.stoppable(target), distilling.Bar(quiet) as progress:
        if check:
            found = distilling.check(check, taught, images, layers=layers, progress=progress)
            _tell(f"{found}\n")
            return
        found = distilling.make(
            taught,
            images,
            target,
            layers=layers,
            recipe=recipe,
            every=every,
            bfloat16=bfloat16,
            resume=resume,
            overwrite=overwrite,
            progress=progress,
        )
        progress.say(str(found))
    _print(target)


@app.command("list")
def list_(
    kind: Annotated[
        str, typer.Argument(metavar="networks|layers|objectives|motions|presets|encoders")
    ],
    name: Annotated[
        str | None, typer.Argument(metavar="[NETWORK]", help="With layers: of which network.")
    ] = None,
    weights: Weights = None,
) -> None:
    """List what there is to choose from, with the options of each."""
    import_module("dreamvid.listing").print_list(kind, name, weights)


@app.command()
def train(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="A folder of pictures for each class in it.")
    ],
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="The weights. [DIR-NETWORK.safetensors]")
    ] = None,
    network: Annotated[
        str | None,
        typer.Option("--network", metavar="NAME", help="pocket or one of torchvision's. [pocket]"),
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Weights to start from. [from scratch]")
    ] = None,
    pretrained: Annotated[
        bool, typer.Option("--pretrained", help="Start from the network's own weights.")
    ] = False,
    side: Annotated[
        str | None, typer.Option(metavar="N", help="Pixels a side. [pocket: 64; others: 224]")
    ] = None,
    epochs: Annotated[
        str | None, typer.Option(metavar="N", help="How often each picture is seen. [30]")
    ] = None,
    batch: Annotated[str | None, typer.Option(metavar="N", help="Pictures a step. [16]")] = None,
    optimiser: Annotated[
        str | None, typer.Option(metavar="NAME", help="sgd, adam or adamw. [adamw]")
    ] = None,
    learning_rate: Annotated[
        str | None, typer.Option(metavar="RATE", help="At its highest. [fits the optimiser]")
    ] = None,
    held_out: Annotated[
        str | None, typer.Option(metavar="SHARE", help="Of each class, to be tested on. [0.2]")
    ] = None,
    patience: Annotated[
        str | None, typer.Option(metavar="N", help="Epochs to wait for a better one. [0: all]")
    ] = None,
    seed_number: Annotated[
        str | None, typer.Option("--seed", metavar="N", help="Another number, another start. [0]")
    ] = None,
    device: Device = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where it stopped, with its settings.")
    ] = False,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Teach a network your own pictures, to dream of them."""
    import shlex

    from dreamvid.settings import valued

    flags = {
        "network": network,
        "weights": weights,
        "pretrained": pretrained or None,
        "side": side,
        "epochs": epochs,
        "batch": batch,
        "optimiser": optimiser,
        "learning_rate": learning_rate,
        "held_out": held_out,
        "patience": patience,
        "seed": seed_number,
    }
    options = {name: valued(name, value) for name, value in flags.items() if value is not None}
    training = import_module("dreamvid.train")
    films = import_module("dreamvid.films")
    target = out or Path(f"{folder.resolve().name}-{network or 'pocket'}.safetensors")
    try:
        with films.stoppable(target):
            made = training.train(
                folder,
                target,
                device=films.device_for(device or "auto"),
                resume=resume,
                overwrite=overwrite,
                teller=training.Teller(quiet),
                **options,
            )
    except Stopped as stopped:
        command = shlex.join(["dreamvid", "train", str(folder), "-o", str(target), "--resume"])
        status = _fail(f"stopped; go on with `{command}`", 128 + stopped.signal)
        raise typer.Exit(status) from None
    _print(made)


def _settings(
    preset: str, config: Path | None, flags: dict[str, Any], assign: list[str] | None
) -> Any:
    from dreamvid.settings import assigned, flagged, valued

    given = {name: valued(name, value) for name, value in flags.items() if value is not None}
    films = import_module("dreamvid.films")
    return films.settings_for(preset, config, flagged(given), assigned(assign or []))


def _number(name: str, text: str | None) -> int | None:
    from dreamvid.settings import settled, valued

    if text is None:
        return None
    return settled({"film": {name: valued(name, text)}}).film.frames


def _progress(quiet: bool) -> "Bar":
    return import_module("dreamvid.progress").progress(quiet)


def _print(path: Path) -> None:
    _tell(f"{path}\n")


def _tell(text: str) -> None:
    """Write to standard output, whose reader may have gone: what was made is made."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.buffer.write(os.fsencode(text))
        sys.stdout.buffer.flush()
    except OSError:
        # Python would complain once more when it closes the stream.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _version(wanted: bool) -> None:
    if wanted:
        _tell(f"dreamvid {__version__}\n")
        raise typer.Exit


@app.callback()
def _root(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        _tell(context.get_help() + "\n")


def main() -> None:
    """Run the command line; every expected error leaves as one line and its exit status."""
    try:
        status = app(standalone_mode=False)
    except DreamvidError as error:
        status = _fail(str(error), error.exit_status)
    except Stopped as stopped:
        status = _fail(f"stopped; go on with {stopped.remedy}", 128 + stopped.signal)
    except Exception as error:
        # Usage errors come from typer, whose own class for them has moved between versions.
        if not hasattr(error, "format_message"):
            raise
        status = _fail(f"{error.format_message()} (see `dreamvid --help`)", 2)  # pyright: ignore
    sys.exit(status or 0)


def _fail(message: str, status: int) -> int:
    sys.stderr.write(f"dreamvid: {' '.join(message.split())}\n")
    return status
