"""The application that commands register with, and what they all say and ask."""

import os
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dreamvid import __version__
from dreamvid.machine.streams import abandoned, lasting

if TYPE_CHECKING:
    from dreamvid.cli.progress import Bar

app = typer.Typer(
    add_completion=False,
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Dream films: DeepDream on every frame, each frame fed back, the result a film.",
)


def _version(wanted: bool) -> None:
    if wanted:
        tell(f"dreamvid {__version__}\n")
        raise typer.Exit


@app.callback()
def _root(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        tell(context.get_help() + "\n")


def settings_from(
    preset: str, config: Path | None, flags: dict[str, Any], assign: list[str] | None
) -> Any:
    """The settings of a preset, a file, flags that were given and assignments."""
    from dreamvid.settings import assigned, flagged, presets, valued

    given = {name: valued(name, value) for name, value in flags.items() if value is not None}
    # A slip in a setting is told before torch is imported, which takes seconds.
    chosen = import_module("dreamvid.jobs.films").read_config(config) if config else {}
    return presets.settings_over(preset, chosen, flagged(given), assigned(assign or []))


def number_from(name: str, text: str | None) -> int | None:
    """A flag of the film's that is a whole number, checked like the setting it is."""
    from dreamvid.settings import settled, valued

    if text is None:
        return None
    return settled({"film": {name: valued(name, text)}}).film.frames


def progress_for(quiet: bool, unit: str = "frame") -> "Bar":
    """What shows how far a job is, in frames or other units."""
    return import_module("dreamvid.cli.progress").progress(quiet, unit)


def print_path(path: Path) -> None:
    """Tell where the result is."""
    tell(f"{path}\n")


def tell(text: str) -> None:
    """Write to standard output, whose reader may have gone: what was made is made."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.buffer.write(os.fsencode(text))
        sys.stdout.buffer.flush()
    except OSError:
        abandoned(sys.stdout)


def fail(message: str, status: int) -> int:
    """Say in one line what is wrong, and give the exit status back."""
    if sys.stderr is not None:
        lasting(sys.stderr).write(f"dreamvid: {' '.join(message.split())}\n")
    return status
