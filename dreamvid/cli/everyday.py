"""Commands for the day's work: whether all is well here, completion in the shell, the manual."""

import json
from importlib import import_module
from typing import Annotated

import typer

from dreamvid import __version__
from dreamvid.cli.app import tell
from dreamvid.cli.command import command

MARKS = {"ok": "ok   ", "note": "note ", "wrong": "WRONG"}


@command("dreamvid doctor")
def doctor(*, as_json: bool) -> None:
    """Check what dreamvid needs on this machine, and say what to do where something lacks."""
    found = []
    for name, finding in import_module("dreamvid.doctor").examined():
        found.append({"check": name, **finding._asdict()})
        if not as_json:
            remedy = f"; {finding.remedy}" if finding.remedy else ""
            tell(f"{MARKS[finding.state]}  {name}: {finding.found}{remedy}\n")
    wrong = sum(each["state"] == "wrong" for each in found)
    if as_json:
        told = {"version": __version__, "well": not wrong, "findings": found}
        tell(f"{json.dumps(told, indent=1)}\n")
    else:
        tell(f"{wrong or 'nothing'} is wrong\n" if wrong < 2 else f"{wrong} things are wrong\n")
    if wrong:
        raise typer.Exit(1)


@command("dreamvid completion bash")
def completion(
    shell: Annotated[str, typer.Argument(metavar="SHELL", help="bash|zsh|fish.")],
    *,
    plugins: list[str] | None,
) -> None:
    """Print a script that completes commands, flags and their values in a shell."""
    loading = import_module("dreamvid.settings.plugin_loading")
    loading.load_installed()
    loading.load(plugins or ())
    tell(import_module("dreamvid.cli.completing").script(shell))


@command("dreamvid man")
def man() -> None:
    """Print the manual page: `dreamvid man > dreamvid.1`, then `man ./dreamvid.1`."""
    tell(import_module("dreamvid.cli.manual").page())
