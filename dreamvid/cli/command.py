"""How a command gets its flags from the table, and what its help shows."""

import inspect
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, get_origin

import typer
from typer.core import TyperCommand

from dreamvid.cli.app import app
from dreamvid.flags import Flag, flags_of

if TYPE_CHECKING:
    from dreamvid.settings import Settings

PREFIX = "flag_"
"""Begins the name of every parameter that is a flag: zoom has a SEED and a --seed."""


class Asked(NamedTuple):
    """The settings that a command line asks for, in layers."""

    preset: str = "default"
    config: Path | None = None
    flags: dict[str, Any] = {}  # noqa: RUF012 - never changed
    assigned: dict[str, Any] = {}  # noqa: RUF012
    command: str = ""

    def settings(self) -> "Settings":
        """The layers laid over each other and checked."""
        from dreamvid.settings import FILMS, presets

        chosen = {}
        # A slip in a setting is told before torch is imported, which takes seconds.
        if self.config:
            read = import_module("dreamvid.jobs.configs").read_config
            chosen = read(self.config, sized=self.command in FILMS)
        return presets.settings_over(self.preset, chosen, self.flags, self.assigned)


def command(
    example: str, *, name: str | None = None, group: typer.Typer = app, within: str = ""
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a function as a command with the flags that the table says it takes.

    Its parameters that are annotated are arguments. A flag that is a parameter too is handed over
    as it was given; the others, being settings, together as `asked`.

    Args:
        example: A command line for the help.
        name: Of the command, where it is not the function's.
        group: What it belongs to.
        within: The group's own name.
    """

    def register(function: Callable[..., None]) -> Callable[..., None]:
        short = name or function.__name__
        whole = f"{within} {short}".strip()
        flags, wanted = flags_of(whole), inspect.signature(function).parameters
        arguments = [each for each in wanted.values() if get_origin(each.annotation) is Annotated]
        handed = [name for name in flags if name in wanted and wanted[name] not in arguments]

        def run(**given: Any) -> None:
            values = {flag: given.pop(PREFIX + flag) for flag in flags}
            kept = {flag: values.pop(flag) for flag in handed}
            if "asked" in wanted:
                kept["asked"] = _asked(whole, values)
            function(**given, **kept)

        parameters = [*arguments, *(_option(*item) for item in flags.items())]
        run.__signature__ = inspect.Signature(parameters)  # pyright: ignore
        run.__annotations__ = {each.name: each.annotation for each in parameters}
        run.__doc__ = function.__doc__
        group.command(short, cls=Command, epilog=f"Example: {example}")(run)
        return function

    return register


def _asked(command: str, values: dict[str, Any]) -> Asked:
    from dreamvid.settings import assigned, flagged, must_take_effect

    preset = values.pop("preset", None) or "default"
    config, assign = values.pop("config", None), values.pop("assign", None)
    chosen = assigned(assign or [])
    made = command.removeprefix("plan ")
    flags = flagged(values, command)
    for tree in (chosen, flags):
        must_take_effect(made, tree)
    return Asked(preset, config, flags, chosen, made)


def _option(name: str, flag: Flag) -> inspect.Parameter:
    """The parameter that typer makes an option of."""
    kind: Any = {"switch": bool, "file": Path, "whole": int}.get(flag.kind, str)
    default = flag.default
    if flag.several:
        kind = list[kind]
    if flag.kind == "switch" and not flag.sets:
        default = False
    option = typer.Option(
        *(flag.names or (f"--{name.replace('_', '-')}",)),
        metavar=flag.metavar or None,
        help=flag.help,
        min=flag.least,
        show_default=False,
    )
    annotation = Annotated[kind if default is not None else kind | None, option]
    return inspect.Parameter(
        PREFIX + name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation
    )


class Command(TyperCommand):
    """A command whose help shows the default of each flag's setting."""

    def parse_args(self, ctx, args):
        """Give the flags that stand alone their values; an option of click must have one."""
        alone = {
            f"--{name}": flag
            for name, flag in flags_of(ctx.command_path.partition(" ")[2]).items()
            if flag.alone
        }
        words = []
        for word, after in zip(args, [*args[1:], ""], strict=False):
            single = word in alone and after not in alone[word].takes
            words.append(f"{word}={alone[word].alone}" if single else word)
        return super().parse_args(ctx, words)

    def format_options(self, ctx, formatter) -> None:
        """Write the arguments, then the flags in the table's order."""
        flags = flags_of(ctx.command_path.partition(" ")[2])
        arguments, options = [], []
        for parameter in self.get_params(ctx):
            if parameter.param_type_name == "argument":
                shown = parameter.metavar or str(parameter.name)
                arguments.append((shown, parameter.help or ""))  # pyright: ignore
                continue
            shown, text = parameter.get_help_record(ctx) or ("", "")
            name = str(parameter.name).removeprefix(PREFIX)
            if name in flags and (default := default_of(flags, name)):
                text += f" [default: {default}]"
            options.append((shown, text))
        for title, rows in (("Arguments", arguments), ("Options", options)):
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


def default_of(flags: dict[str, Flag], name: str) -> str:
    """What holds where a flag is not given, as its setting says; nothing for a switch.

    A command starts from a preset, whose settings are the defaults then.
    """
    from dreamvid import settings
    from dreamvid.settings import presets

    flag = flags[name]
    if flag.unset:
        return flag.unset.format_map(vars(settings))
    if flag.kind == "switch" or not flag.sets:
        return "" if flag.default is None else str(flag.default)
    preset = flags["preset"].default if "preset" in flags else "default"
    section, _, key = flag.sets.partition(".")
    value = getattr(presets.settings_over(preset, {}), section)
    if key:
        value = value[key] if isinstance(value, dict) else getattr(value, key)
    return ",".join(value) if isinstance(value, dict) else str(value)
