"""The command that makes a list of films."""

import contextlib
import shlex
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from dreamvid.cli.app import fail, print_path, progress_for
from dreamvid.cli.command import command


@command("dreamvid run jobs.toml")
def run(
    jobs: Annotated[
        Path, typer.Argument(metavar="LIST", help="A TOML file with a table [[job]] for each film.")
    ],
    *,
    check: bool,
    quiet: bool,
) -> None:
    """Make several films in turn; run again, it goes on where it stopped."""
    queue = import_module("dreamvid.jobs.queue")
    written = queue.read_queue(jobs)
    path = jobs.absolute()
    with progress_for(quiet) as progress, contextlib.chdir(path.parent):
        found, faults = queue.entries(written)
        faults += queue.checked(found, progress.say if check else lambda text: None)
        for fault in faults:
            fail(fault, 2)
        if faults:
            raise typer.Exit(fail(f"{jobs}: nothing was begun, faults: {len(faults)}", 2))
        if check:
            progress.say(f"{jobs}: {len(found)} jobs can be made")
            return
        running = import_module("dreamvid.jobs.queue_running")
        again = f"`{shlex.join(['dreamvid', 'run', str(jobs)])}`"
        for film in running.run(found, path, again, progress):
            print_path(jobs.parent / film)
