"""The application that commands register with, and what they all say."""

import os
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer.core import TyperGroup

from dreamvid import __version__
from dreamvid.machine.streams import abandoned, lasting

if TYPE_CHECKING:
    from dreamvid.cli.progress import Bar

PANELS = {
    "Films and pictures": (
        "zoom",
        "video",
        "loop",
        "image",
        "live",
        "resume",
        "encode",
        "depth",
        "run",
        "jobs",
        "clean",
        "studio",
    ),
    "Many machines": ("plan", "work", "farm"),
    "Choosing and understanding": ("list", "show", "info", "sheet", "explain", "measure", "listen"),
    "Networks and speed": ("weights", "bench", "distil", "train", "turbo"),
    "This machine": ("doctor", "completion", "man"),
}
"""The commands in the order people need them."""


class Group(TyperGroup):
    """Commands in panels, each with its whole line."""

    def format_commands(self, ctx, formatter) -> None:
        """Write a section for each panel."""
        panels = PANELS if ctx.parent is None else {"Commands": tuple(self.commands)}
        for panel, names in panels.items():
            with formatter.section(panel):
                formatter.write_dl(
                    [(name, self.commands[name].get_short_help_str(200)) for name in names]
                )


app = typer.Typer(
    cls=Group,
    add_completion=False,
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Dream films: DeepDream on every frame, each frame fed back, the result a film.",
    epilog="Example: dreamvid zoom seed.jpg --frames 90. "
    "`dreamvid COMMAND --help` shows the flags of a command.",
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


def progress_for(quiet: bool, unit: str = "frame") -> "Bar":
    """What shows how far a job is, in frames or other units."""
    return import_module("dreamvid.cli.progress").Bar(quiet, unit)


def print_path(path: Path) -> None:
    """Tell where the result is, but not where the result itself is on standard output."""
    if path.name == "-":
        return
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
