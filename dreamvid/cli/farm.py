"""Commands that plan what many machines make, and those that make it."""

import contextlib
import shlex
import sys
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from dreamvid.cli.app import Group, app, print_path, progress_for, tell
from dreamvid.cli.command import Asked, command
from dreamvid.errors import SettingsError

plans = typer.Typer(
    cls=Group,
    help="Cut a film, a folder, several films or a sweep into units for many machines.",
    epilog="Example: dreamvid plan video clip.mp4 -o farm",
    invoke_without_command=True,
)
app.add_typer(plans, name="plan")
PlanFolder = Annotated[Path, typer.Argument(metavar="DIR", help="The plan's folder.")]


@plans.callback()
def _alone(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        tell(context.get_help() + "\n")


def _known(formats: list[str] | None) -> list[str]:
    """The formats that are asked for, all of which there are."""
    asked = ",".join(formats).split(",") if formats else []
    import_module("dreamvid.farm.formats").must_be_known(asked)
    return asked


def _written(plan: Any, formats: list[str], out: Path) -> None:
    """Write the plan for schedulers, and say where it is."""
    import_module("dreamvid.farm.formats").write(plan, formats)
    print_path(out)


def _again() -> str:
    return shlex.join(["dreamvid", *sys.argv[1:]])


@command("dreamvid plan video clip.mp4 -o farm", group=plans, within="plan")
def video(
    source: Annotated[
        Path, typer.Argument(metavar="INPUT", help="A film, a folder or a pattern of pictures.")
    ],
    asked: Asked,
    out: Path | None,
    result: str | None,
    per_unit: int | None,
    chunks: int | None,
    silence: int,
    format: list[str] | None,
    quiet: bool,
) -> None:
    """Plan a film over an input: a unit for its shots, and then their joining."""
    settings, formats = asked.settings(), _known(format)
    planning = import_module("dreamvid.farm.planning")
    cutting = import_module("dreamvid.farm.parts").Cutting
    target = out or _usual(source)
    with progress_for(quiet) as progress:
        plan = planning.plan_video(
            source,
            target,
            settings,
            result=_name(result),
            how=cutting(per_unit, chunks),
            silence=silence,
            command=_again(),
            progress=progress,
        )
    _written(plan, formats, target)


@command("dreamvid plan zoom a.jpg b.jpg --frames 600 -o farm", group=plans, within="plan")
def zoom(
    seeds: Annotated[
        list[Path], typer.Argument(metavar="SEED...", help="Pictures, a film for each.")
    ],
    asked: Asked,
    out: Path | None,
    result: str | None,
    at: str | None,
    silence: int,
    format: list[str] | None,
    quiet: bool,
) -> None:
    """Plan films that fall into stills: a unit for each still."""
    _films("zoom", seeds, asked, out, result, at, silence, format, quiet)


@command("dreamvid plan loop a.jpg b.jpg --seconds 4 -o farm", group=plans, within="plan")
def loop(
    seeds: Annotated[
        list[Path] | None,
        typer.Argument(metavar="SEED...", help="Pictures, a loop for each. [default: noise]"),
    ] = None,
    *,
    asked: Asked,
    out: Path | None,
    result: str | None,
    at: str | None,
    silence: int,
    format: list[str] | None,
    quiet: bool,
) -> None:
    """Plan films whose last frame flows into their first: a unit for each seed."""
    _films("loop", seeds or [None], asked, out, result, at, silence, format, quiet)


@command("dreamvid plan image photos -o farm", group=plans, within="plan")
def image(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A folder of pictures.")],
    asked: Asked,
    out: Path | None,
    per_unit: int | None,
    batch: int,
    silence: int,
    format: list[str] | None,
    quiet: bool,
) -> None:
    """Plan the pictures of a folder: some of them a unit."""
    settings, formats = asked.settings(), _known(format)
    planning = import_module("dreamvid.farm.pictures")
    target = out or _usual(folder)
    with progress_for(quiet) as progress:
        plan = planning.plan_images(
            folder,
            target,
            settings,
            batch=batch,
            per_unit=per_unit,
            silence=silence,
            command=_again(),
            progress=progress,
        )
    _written(plan, formats, target)


@command("dreamvid plan sweep sweep.toml -o farm", group=plans, within="plan")
def sweep(
    path: Annotated[
        Path, typer.Argument(metavar="SWEEP", help="A TOML file with a [grid] of settings.")
    ],
    out: Path | None,
    silence: int,
    format: list[str] | None,
    quiet: bool,
) -> None:
    """Plan one film or picture with many settings: a unit for each, and a contact sheet."""
    planning, formats = import_module("dreamvid.farm.sweeps"), _known(format)
    target, path = (out or _usual(path)).absolute(), path.absolute()
    with progress_for(quiet) as progress, contextlib.chdir(path.parent):
        plan = planning.plan_sweep(
            path, target, silence=silence, command=_again(), progress=progress
        )
    _written(plan, formats, target)


def _films(
    kind: str,
    seeds: Any,
    asked: Asked,
    out: Path | None,
    result: str | None,
    at: str | None,
    silence: int,
    format: list[str] | None,
    quiet: bool,
) -> None:
    settings, formats = asked.settings(), _known(format)
    planning = import_module("dreamvid.farm.planning")
    target = out or _usual(seeds[0])
    with progress_for(quiet) as progress:
        plan = planning.plan_films(
            kind,
            seeds,
            target,
            settings,
            at=at,
            result=_name(result),
            silence=silence,
            command=_again(),
            progress=progress,
        )
    _written(plan, formats, target)


@command("dreamvid work farm")
def work(plan: PlanFolder, unit: str | None, retry: bool, quiet: bool) -> None:
    """Take units of a plan until it is whole; on any number of machines that share its folder."""
    working = import_module("dreamvid.farm.working")
    with progress_for(quiet) as progress:
        made = working.work(plan, f"`{_again()}`", unit=unit, retry=retry, progress=progress)
    for path in made:
        print_path(path)


@command("dreamvid farm farm --workers 2")
def farm(
    plan: PlanFolder,
    address: str | None,
    workers: int | None,
    no_shared_folder: bool,
    retry: bool,
    quiet: bool,
) -> None:
    """Make a plan on a Ray cluster, or on a Ray that is started here."""
    farming = import_module("dreamvid.farm.ray_farm")
    with progress_for(quiet) as progress:
        made = farming.farm(
            plan,
            f"`{_again()}`",
            address=address,
            workers=workers,
            shared=not no_shared_folder,
            retry=retry,
            progress=progress,
        )
    for path in made:
        print_path(path)


def _usual(source: Path | None) -> Path:
    """The name of a plan that is given none."""
    return Path(f"{import_module('dreamvid.jobs.naming').called(source)}-plan")


def _name(result: str | None) -> str | None:
    if result is not None and Path(result).name != result:
        raise SettingsError(f"--result: got {result!r}, expected a name without a folder")
    return result
