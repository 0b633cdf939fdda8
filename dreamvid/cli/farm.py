"""Commands that plan what many machines make, and those that make it."""

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


def _written(plan: Any, formats: list[str] | None, out: Path) -> None:
    """Write the plan for schedulers, and say where it is."""
    if formats:
        import_module("dreamvid.farm.formats").write(plan, ",".join(formats).split(","))
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
    settings = asked.settings()
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
    _written(plan, format, target)


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


def _films(
    kind: str,
    seeds: Any,
    asked: Asked,
    out: Path | None,
    result: str | None,
    at: str | None,
    silence: int,
    formats: list[str] | None,
    quiet: bool,
) -> None:
    settings = asked.settings()
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


def _usual(source: Path | None) -> Path:
    """The name of a plan that is given none."""
    return Path(f"{import_module('dreamvid.jobs.naming').called(source)}-plan")


def _name(result: str | None) -> str | None:
    if result is not None and Path(result).name != result:
        raise SettingsError(f"--result: got {result!r}, expected a name without a folder")
    return result
