"""The command line: flags in, one line out where something is wrong. Thin."""

import sys

from dreamvid.cli import bench, films, loops, measuring, studying, training, weights
from dreamvid.cli.app import app, fail
from dreamvid.errors import DreamvidError, Stopped

__all__ = ["app", "bench", "films", "loops", "main", "measuring", "studying", "training", "weights"]


def main() -> None:
    """Run the command line; every expected error leaves as one line and its exit status."""
    try:
        status = app(standalone_mode=False)
    except DreamvidError as error:
        status = fail(str(error), error.exit_status)
    except Stopped as stopped:
        status = fail(f"stopped; go on with {stopped.remedy}", 128 + stopped.signal)
    except Exception as error:
        # Usage errors come from typer, whose own class for them has moved between versions.
        if not hasattr(error, "format_message"):
            raise
        status = fail(f"{error.format_message()} (see `dreamvid --help`)", 2)  # pyright: ignore
    sys.exit(status or 0)
