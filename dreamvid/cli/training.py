"""Commands that make networks."""

from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from dreamvid.cli.app import app, print_path, tell
from dreamvid.cli.options import Device, Overwrite, Quiet, SeedNumber, Weights


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

    distilling = import_module("dreamvid.training.distil")
    machine = import_module("dreamvid.machine.devices")
    stopping = import_module("dreamvid.jobs.stopping")
    numbers = {"steps": steps, "batch": batch, "side": side, "seed": seed_number}
    given = {name: valued(name, text) for name, text in numbers.items() if text is not None}
    recipe = distilling.recipe_of(given | distilling.recipe_assigned(assign or []))
    target = out or Path(f"{teacher}-pocket.safetensors")
    where = machine.device_for(device or "auto")
    bfloat16 = distilling.in_bfloat16(precision, where)
    network = import_module("dreamvid.networks").network
    taught = network(teacher, weights=weights or (), device=where, precision="fp32")
    with stopping.stoppable(target), distilling.Bar(quiet) as progress:
        if check:
            found = distilling.check(check, taught, images, layers=layers, progress=progress)
            tell(f"{found}\n")
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
    print_path(target)


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
    training = import_module("dreamvid.training.train")
    machine = import_module("dreamvid.machine.devices")
    stopping = import_module("dreamvid.jobs.stopping")
    target = out or Path(f"{folder.resolve().name}-{network or 'pocket'}.safetensors")
    command = shlex.join(["dreamvid", "train", str(folder), "-o", str(target), "--resume"])
    with stopping.stoppable(target, f"`{command}`"):
        made = training.train(
            folder,
            target,
            device=machine.device_for(device or "auto"),
            resume=resume,
            overwrite=overwrite,
            teller=training.Teller(quiet),
            **options,
        )
    print_path(made)
