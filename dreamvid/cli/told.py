"""What the command line can do, as data: the manual page, the completion and the pages read it."""

import typing
from collections.abc import Mapping
from typing import Any, NamedTuple

import typer

from dreamvid.cli.app import PANELS, app
from dreamvid.cli.command import default_of
from dreamvid.flags import COMMANDS, Flag, flags_of


class Argument(NamedTuple):
    """What a command takes without a flag."""

    name: str
    help: str
    needed: bool
    several: bool


class Told(NamedTuple):
    """A command, as people are told of it."""

    name: str
    about: str
    example: str
    arguments: tuple[Argument, ...]
    flags: Mapping[str, Flag]

    @property
    def usage(self) -> str:
        """How it is written."""
        shown = [each.name if each.needed else f"[{each.name}]" for each in self.arguments]
        return " ".join(["dreamvid", self.name, *(["[OPTIONS]"] if self.flags else []), *shown])

    def help_of(self, name: str) -> str:
        """What a flag does, with its default."""
        default = default_of(dict(self.flags), name)
        return self.flags[name].help + (f" Default: {default}." if default else "")


def spellings(name: str, flag: Flag) -> tuple[str, ...]:
    """How a flag is written."""
    return flag.names or (f"--{name.replace('_', '-')}",)


def told() -> list[Told]:
    """Every command, in the order people need them."""
    root = typer.main.get_command(app)
    order = [name for names in PANELS.values() for name in names]
    names = sorted(COMMANDS, key=lambda each: order.index(each.split()[0]))
    return [_told(name, root) for name in names]


def _told(name: str, root: Any) -> Told:
    command = root
    for word in name.split():
        command = command.commands[word]
    arguments = tuple(
        Argument(
            each.metavar or str(each.name).upper(), each.help or "", each.required, each.nargs < 0
        )
        for each in command.params
        if each.param_type_name == "argument"
    )
    about = (command.help or "").partition("\n\n")[0].replace("\n", " ")
    example = (command.epilog or "").removeprefix("Example: ")
    return Told(name, about, example, arguments, flags_of(name))


def choices(hint: Any) -> list[str]:
    """The texts that a type allows, where it names them."""
    parts = (hint, *typing.get_args(hint))
    return [
        str(choice)
        for part in parts
        if typing.get_origin(part) is typing.Literal
        for choice in typing.get_args(part)
    ]
