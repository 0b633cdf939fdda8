"""Commands that make networks."""

import shlex
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from dreamvid.cli.app import print_path, progress_for, tell
from dreamvid.cli.command import Asked, command
from dreamvid.errors import SettingsError


@command("dreamvid distil googlenet --images photos/ -o mine.safetensors")
def distil(
    teacher: Annotated[
        str, typer.Argument(metavar="TEACHER", help="A network; see `dreamvid list networks`.")
    ],
    asked: Asked,
    images: Path | None,
    out: Path | None,
    layers: list[str] | None,
    every: int,
    weights: list[str] | None,
    assign: list[str] | None,
    check: Path | None,
    device: str | None,
    precision: str,
    resume: bool,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Train a small network that dreams like a large one."""
    if images is None:
        raise SettingsError("distil: needs --images DIR, a folder of pictures to learn from")
    distilling = import_module("dreamvid.training.distil")
    machine = import_module("dreamvid.machine.devices")
    stopping = import_module("dreamvid.jobs.stopping")
    given = asked.flags.get("recipe", {})
    recipe = distilling.recipe_of(given | distilling.recipe_assigned(assign or []))
    target = out or Path(f"{teacher}-pocket.safetensors")
    where = machine.device_for(device or "auto")
    bfloat16 = distilling.in_bfloat16(precision, where)
    network = import_module("dreamvid.networks").network
    taught = network(teacher, weights=weights or (), device=where, precision="fp32")
    chosen = None if layers is None else ",".join(layers)
    with stopping.stoppable(target), progress_for(quiet, "step") as progress:
        if check:
            found = distilling.check(check, taught, images, layers=chosen, progress=progress)
            tell(f"{found}\n")
            return
        found = distilling.make(
            taught,
            images,
            target,
            layers=chosen,
            recipe=recipe,
            every=every,
            bfloat16=bfloat16,
            resume=resume,
            overwrite=overwrite,
            progress=progress,
        )
        progress.say(str(found))
    print_path(target)


@command("dreamvid train flowers/ -o flowers.safetensors")
def train(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="A folder that holds a folder for each class.")
    ],
    asked: Asked,
    out: Path | None,
    device: str | None,
    resume: bool,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Teach a network your own pictures, to dream of them."""
    options = asked.flags.get("recipe", {})
    training = import_module("dreamvid.training.train")
    machine = import_module("dreamvid.machine.devices")
    stopping = import_module("dreamvid.jobs.stopping")
    name = f"{folder.resolve().name}-{options.get('network', 'pocket')}.safetensors"
    target = out or Path(name)
    again = shlex.join(["dreamvid", "train", str(folder), "-o", str(target), "--resume"])
    with stopping.stoppable(target, f"`{again}`"), progress_for(quiet, "step") as progress:
        made = training.train(
            folder,
            target,
            device=machine.device_for(device or "auto"),
            resume=resume,
            overwrite=overwrite,
            progress=progress,
            **options,
        )
    print_path(made)


@command("dreamvid turbo default --images photos/ -o mine.turbo.safetensors")
def turbo(
    preset: Annotated[
        str,
        typer.Argument(metavar="PRESET", help="A preset or a .toml file; or `export` and a FILE."),
    ],
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="With `export`: a turbo network.")
    ] = None,
    *,
    asked: Asked,
    images: Path | None,
    out: Path | None,
    layers: list[str] | None,
    further: Path | None,
    every: int,
    assign: list[str] | None,
    check: Path | None,
    device: str | None,
    resume: bool,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Train a small network that dreams in one pass what a preset's ascent dreams."""
    if preset == "export":
        _export(file, out, overwrite)
        return
    if file is not None:
        raise SettingsError(f"turbo: got a file, {file}, after a preset; expected -o {file}")
    if images is None:
        raise SettingsError("turbo: needs --images DIR, a folder of pictures to learn from")
    making = import_module("dreamvid.training.turbo")
    stopping = import_module("dreamvid.jobs.stopping")
    settings = import_module("dreamvid.settings.presets").settings_over(preset, {}, {}, {})
    settings = settings.changed("machine", device=device or settings.machine.device)
    distilling = import_module("dreamvid.training.distil.recipe")
    given = asked.flags.get("recipe", {})
    recipe = making.recipe_of(given | distilling.recipe_assigned(assign or []))
    name = Path(preset).stem
    target = out or Path(f"{name}.turbo.safetensors")
    with stopping.stoppable(target), progress_for(quiet, "step") as progress:
        if check:
            tell(f"{making.check(check, settings, preset, images, progress)}\n")
            return
        found = making.make(
            settings,
            name,
            images,
            making.Place(target, every, resume, overwrite),
            layers=_separated(layers),
            further=None if further is None else str(further),
            recipe=recipe,
            progress=progress,
        )
        progress.say(str(found))
    print_path(target)


def _separated(layers: list[str] | None) -> list[str]:
    return [part.strip() for text in layers or [] for part in text.split(",") if part.strip()]


def _export(file: Path | None, out: Path | None, overwrite: bool) -> None:
    """Write a turbo network for other programs."""
    if file is None:
        raise SettingsError(
            "turbo export: needs a FILE that `dreamvid turbo` made, or turbo for the one inside "
            "the package"
        )
    stem = file.name.removesuffix(".safetensors")
    target = out or file.with_name(f"{stem}.onnx")
    print_path(import_module("dreamvid.training.turbo").export(str(file), target, overwrite))
