"""Commands about what was made: the jobs that lie in a folder, and what a film says of itself."""

import sys
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from dreamvid.cli.app import tell
from dreamvid.cli.asking import confirmed
from dreamvid.cli.command import command
from dreamvid.errors import SettingsError

Folder = Annotated[
    Path | None, typer.Argument(metavar="FOLDER", help="Where jobs lie. [default: here]")
]


@command("dreamvid jobs")
def jobs(folder: Folder = None) -> None:
    """List the jobs in a folder: how far each is and how large."""
    found = list(import_module("dreamvid.jobs.housekeeping").jobs_in(folder or Path()))
    for each in found:
        tell(f"{each}\n")
    if not found:
        tell(f"{folder or 'here'}: no jobs\n")


@command("dreamvid clean")
def clean(folder: Folder = None, *, yes: bool) -> None:
    """Remove the jobs whose films are whole; the films stay. It asks before each."""
    if not yes and (sys.stdin is None or not sys.stdin.isatty()):
        raise SettingsError("clean: asks before it removes anything; give --yes where nobody can")

    def may(question: str) -> bool:
        return yes or confirmed(question, False)

    for line in import_module("dreamvid.jobs.housekeeping").cleaned(folder or Path(), may):
        tell(f"{line}\n")


@command("dreamvid info seed-zoom.mp4")
def info(
    film: Annotated[Path, typer.Argument(metavar="FILM", help="A film, a picture or a job.")],
) -> None:
    """Tell what a film was made with, and the command that makes it again."""
    for line in import_module("dreamvid.jobs.housekeeping").information(film):
        tell(f"{line}\n")
