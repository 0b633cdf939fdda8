"""The command line: flags in, one line out where something is wrong. Thin."""

import os
import signal
import sys

from dreamvid.cli import (
    bench,
    depth,
    everyday,
    farm,
    films,
    hints,
    jobs,
    live,
    queue,
    studio,
    studying,
    training,
    weights,
)
from dreamvid.cli.app import app, fail
from dreamvid.errors import DreamvidError, Stopped, StorageError
from dreamvid.machine.garbage import collect_seldom

__all__ = [
    "app",
    "bench",
    "depth",
    "everyday",
    "farm",
    "films",
    "jobs",
    "live",
    "main",
    "queue",
    "studio",
    "studying",
    "training",
    "weights",
]


def main() -> None:
    """Run the command line; every expected error leaves as one line and its exit status."""
    collect_seldom()
    # Ctrl-C leaves at once, and not by a traceback, where nothing is to be finished first.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        os.getcwd()  # noqa: PTH109 - MKL ends the process with words of its own where it is gone
    except OSError:
        sys.exit(fail("the working folder is gone; change to another", StorageError.exit_status))
    try:
        status = app(standalone_mode=False, prog_name="dreamvid")
    except DreamvidError as error:
        status = fail(str(error), error.exit_status)
    except Stopped as stopped:
        more = f"; {stopped.so_far}" if stopped.so_far else ""
        status = fail(f"stopped; go on with {stopped.remedy}{more}", 128 + stopped.signal)
    except OSError as error:
        # What each file has to say is said where it is opened; this is the machine's own trouble.
        where = f"{error.filename}: " if error.filename else ""
        status = fail(f"{where}{error.strerror or error}", StorageError.exit_status)
    except Exception as error:
        # Usage errors come from typer, whose own class for them has moved between versions.
        if not hasattr(error, "format_message"):
            raise
        context = getattr(error, "ctx", None)
        path = context.command_path if context else "dreamvid"
        said = hints.told(error)
        if "unexpected extra argument" in said and path.endswith((" video", " zoom", " image")):
            said += "; a pattern of names is given in quotes, as in 'shot_*.png'"
        status = fail(f"{said} (see `{path} --help`)", 2)
    sys.exit(status or 0)
