"""Writes `dreamvid/__init__.pyi`, in which an editor finds the keywords of the Python functions.

::

    python -m dreamvid.cli.stub > dreamvid/__init__.pyi
"""

import ast
import textwrap
import types
import typing
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from dreamvid.cli.command import default_of
from dreamvid.flags import FLAGS, Flag, flags_of
from dreamvid.settings import SECTIONS
from dreamvid.sizes import Duration, Size

HEAD = '''"""Written by `python -m dreamvid.cli.stub` from the table of flags."""

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from os import PathLike
from typing import Any, Literal

from dreamvid.notebooks import Result, Seed

__version__: str
'''
ELSEWHERE = {
    "seed": "A picture. (The random seed is ``settings={'film': {'seed': 7}}``.)",
    "source": "A film.",
    "progress": "Whether a notebook's cell shows how far it is; None: where there is a notebook.",
    "on_frame": "Called with the number of each frame and the frame, a NumPy array (H, W, 3).",
    "across": "What differs from cell to cell.",
    "settings": "Settings that win over all, such as ``{'ascent': {'step_size': 2.0}}``.",
}
"""What is said of parameters that are no flags."""
WORDS = {
    Path: "str | PathLike[str]",
    Fraction: "Fraction | float | str",
    Size: "str",
    Duration: "str",
    type(None): "None",
}
WIDTH = 99
COMMANDS_OF = {"frames": ("video", "zoom")}
"""Of a function that is no command's own, the commands whose flags it takes."""


def stub() -> str:
    """The whole file."""
    tree = ast.parse((Path(__file__).parents[1] / "__init__.py").read_text("utf-8"))
    doors = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    return "\n".join([HEAD, *(_door(each) for each in doors if not each.name.startswith("_"))])


def _door(node: ast.FunctionDef) -> str:
    """One function, with a keyword for every flag of its command that is a setting."""
    flags: dict[str, Flag] = {}
    for command in COMMANDS_OF.get(node.name, (node.name,)):
        flags |= flags_of(command)
    own = [*node.args.args, *node.args.kwonlyargs]
    defaults = [*node.args.defaults, *node.args.kw_defaults]
    lines, told = [f"def {node.name}("], []
    for parameter, default in zip(own, [None] * (len(own) - len(defaults)) + defaults, strict=True):
        if parameter is node.args.kwonlyargs[0]:
            lines.append("    *,")
        assert parameter.annotation is not None
        value = "" if default is None else f" = {ast.unparse(default).replace(chr(39), chr(34))}"
        lines.append(f"    {parameter.arg}: {_typed(parameter.annotation)}{value},")
        told.append((parameter.arg, ELSEWHERE.get(parameter.arg) or _told(flags, parameter.arg)))
    named = {parameter.arg for parameter in own}
    taken = [name for name, flag in flags.items() if flag.sets and name not in named]
    for name in taken:
        kinds = dict.fromkeys([*_kinds(name, flags[name]), "None"])
        lines.append(f"    {name}: {' | '.join(kinds)} = None,")
        told.append((name, _told(flags, name)))
    assert node.returns is not None
    lines += [
        f") -> {_typed(node.returns)}:",
        f'    """{ast.get_docstring(node)}'.replace("\n", "\n    "),
        "",
        "    Args:",
    ]
    for name, text in told:
        lines += textwrap.wrap(
            f"{name}: {text}", WIDTH, initial_indent=" " * 8, subsequent_indent=" " * 12
        )
    text = "\n".join(line.rstrip() for line in "\n".join(lines).split("\n"))
    return f'{text}\n    """\n'


def _typed(annotation: ast.expr) -> str:
    """A type as it is written, without the quotes that keep it from being imported."""
    return ast.unparse(annotation).replace("'", "")


def _told(flags: dict[str, Flag], name: str) -> str:
    """What the help of the command says, with the default."""
    if flags[name].several and flags[name].kind == "number":
        # The command makes columns of several; a function has `across` for them.
        flags = {**flags, name: FLAGS[name]}
    default = default_of(flags, name)
    return flags[name].help + (f" Default: {default}." if default else "")


def _kinds(name: str, flag: Flag) -> list[str]:
    """The types that a keyword takes, as texts."""
    if flag.kind == "list":
        each = "str | PathLike[str]" if name in ("weights", "plugins", "audio") else "str"
        return [*each.split(" | "), f"Sequence[{each}]"]
    if flag.kind == "seconds":
        return ["float", "str"]
    section, _, key = flag.sets.partition(".")
    if section not in SECTIONS:
        return ["str"]
    hints = typing.get_type_hints(SECTIONS[section], include_extras=True)
    return _worded(hints[key])


def _worded(hint: Any) -> list[str]:
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Annotated:
        scheduled = any(getattr(extra, "scheduled", False) for extra in parts[1:])
        return [*_worded(parts[0]), *(["str", "Sequence[Any]"] if scheduled else [])]
    if origin in (typing.Union, types.UnionType):
        return [word for part in parts for word in _worded(part) if part is not type(None)]
    if origin is Literal:
        return [f"Literal[{', '.join(repr(part).replace(chr(39), chr(34)) for part in parts)}]"]
    if origin is tuple:
        return [f"Sequence[{' | '.join(_worded(parts[0]))}]"]
    return WORDS.get(hint, hint.__name__ if isinstance(hint, type) else "Any").split(" | ")


if __name__ == "__main__":
    print(stub(), end="")  # noqa: T201
