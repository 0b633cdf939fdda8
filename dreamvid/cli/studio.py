"""The command that opens the studio in the browser."""

from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from dreamvid.cli.app import tell
from dreamvid.cli.command import command


@command("dreamvid studio films")
def studio(
    folder: Annotated[
        Path | None, typer.Argument(metavar="FOLDER", help="Where films go. [default: here]")
    ] = None,
    *,
    port: int,
    host: str,
    no_browser: bool,
) -> None:
    """Make films in the browser, on a page that this machine serves."""
    serving = import_module("dreamvid.studio.serving")
    serving.serve(folder or Path(), host, port, browser=not no_browser, say=_say)


def _say(text: str) -> None:
    tell(f"{text}\n")
