"""Expressions: the arithmetic a setting may follow through a film, read and run safely.

The text is parsed by Python's own `ast`. Only a few kinds of its nodes are allowed, and numpy
computes them with floats. So an expression can call nothing else, read nothing, and not fill the
memory.
"""

import ast
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import reduce
from typing import Any

import numpy as np

from dreamvid.errors import did_you_mean
from dreamvid.schedules.chance import noise, random
from dreamvid.schedules.music import CURVES, LISTENERS, Ask
from dreamvid.schedules.shapers import LONGEST as LONGEST_SHAPED
from dreamvid.schedules.shapers import SHAPERS, ahead, shaped
from dreamvid.schedules.span import Span, known_at, whole

LONGEST = 500
"""The most characters an expression may have."""
DEEPEST = 20
"""How deeply operations may be nested."""
NAMES = ("t", "frame", "frames", "fps", "pi")
"""Seconds, the frame's number from 0, the film's length in frames, frames a second, and π."""
FUNCTIONS: dict[str, tuple[Callable[..., Any], int]] = {
    "sin": (np.sin, 1),
    "cos": (np.cos, 1),
    "tan": (np.tan, 1),
    "exp": (np.exp, 1),
    "log": (np.log, 1),
    "sqrt": (np.sqrt, 1),
    "abs": (np.abs, 1),
    "floor": (np.floor, 1),
    "ceil": (np.ceil, 1),
    "round": (np.rint, 1),
    "min": (lambda *values: reduce(np.minimum, values), 0),
    "max": (lambda *values: reduce(np.maximum, values), 0),
    "clamp": (lambda value, low, high: np.minimum(np.maximum(value, low), high), 3),
    "where": (lambda condition, yes, no: np.where(np.not_equal(condition, 0), yes, no), 3),
    "random": (random, 1),
    "noise": (noise, 1),
}
"""The functions and how many values each takes; 0 means one or more."""
_NAMED = re.compile(r"""\bcurve\(\s*(["'])\w+\1\s*\)""", re.ASCII)
SEEDED = ("random", "noise")
"""Those that are given the film's seed first."""

OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.true_divide,
    ast.FloorDiv: np.floor_divide,
    ast.Mod: np.remainder,
    ast.Pow: np.power,
    ast.UAdd: np.positive,
    ast.USub: np.negative,
    ast.Not: lambda value: np.equal(value, 0),
    ast.And: np.logical_and,
    ast.Or: np.logical_or,
    ast.Lt: np.less,
    ast.LtE: np.less_equal,
    ast.Gt: np.greater,
    ast.GtE: np.greater_equal,
    ast.Eq: np.equal,
    ast.NotEq: np.not_equal,
}


class Fault(Exception):
    """What is wrong with a schedule, and the column, from 0, where it is."""

    def __init__(self, reason: str, column: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.column = column


class Expression:
    """An expression of `NAMES` and `FUNCTIONS`; calling it gives its value at many frames."""

    def __init__(self, text: str, column: int = 0) -> None:
        """Read `text`, which begins at `column` of a longer text; raise `Fault` if it is wrong."""
        self.text = text.strip()
        self.column = column + len(text) - len(text.lstrip())
        if not self.text:
            raise Fault("nothing is written", self.column)
        if len(self.text) > LONGEST:
            raise Fault(f"{len(self.text)} characters, {LONGEST} at most", self.column)
        unnamed = _NAMED.sub(lambda found: "_" * len(found[0]), self.text)
        if foreign := re.search(r"[^\w.+\-*/%<>=!(), ]", unnamed, re.ASCII):
            hint = "; a power is **" if foreign[0] == "^" else ""
            raise Fault(f"{foreign[0]!r} means nothing here{hint}", self.column + foreign.start())
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self.root = ast.parse(self.text, mode="eval").body
        except SyntaxError as error:
            place = min(max((error.offset or 1) - 1, 0), len(self.text) - 1)
            raise Fault("cannot be read", self.column + place) from None
        except (ValueError, MemoryError, RecursionError):
            raise Fault("cannot be read", self.column) from None
        self._check(self.root, 1)

    def names(self) -> set[str]:
        """The names in it."""
        return {node.id for node in ast.walk(self.root) if isinstance(node, ast.Name)} & set(NAMES)

    def asks(self) -> Iterator[tuple[Ask, int]]:
        """The curves of music in it, each with its column."""
        for node in ast.walk(self.root):
            if isinstance(node, ast.expr) and (ask := _ask_of(node)):
                yield ask, self.column + node.col_offset

    def __call__(self, values: Mapping[str, Any]) -> Any:
        """The value, float64, for what `known_at` knows at a frame or at several.

        It may hold infinities and NaN; `fault` then says where they come from.
        """
        with np.errstate(all="ignore"):
            return np.asarray(_value(self.root, values), dtype=np.float64)

    def fault(self, values: Mapping[str, Any]) -> Fault:
        """The first part of the expression that is not finite for one frame's `values`."""
        with np.errstate(all="ignore"):
            node = self.root
            while inner := [
                part for part in _taken(node, values) if not np.isfinite(_value(part, values))
            ]:
                node = inner[0]
        return Fault("is no finite number", self.column + node.col_offset)

    def _check(self, node: ast.expr, depth: int) -> None:
        """Raise `Fault` for anything in the tree that is not arithmetic."""
        column = self.column + node.col_offset
        if depth > DEEPEST:
            raise Fault(f"more than {DEEPEST} operations inside one another", column)
        if isinstance(node, ast.Constant):
            if type(node.value) not in (int, float):
                raise Fault(f"{ast.unparse(node)!r} is no number", column)
            # As text, for a whole number can be too long for a float.
            if not np.isfinite(float(str(node.value))):
                raise Fault("is no finite number", column)
        elif isinstance(node, ast.Name | ast.Attribute):
            self._check_name(node, column)
        elif isinstance(node, ast.Call):
            self._check_call(node, column)
        elif isinstance(node, ast.BinOp | ast.UnaryOp | ast.BoolOp | ast.Compare):
            signs = node.ops if isinstance(node, ast.Compare) else [node.op]
            if not all(type(sign) in OPERATORS for sign in signs):
                raise Fault("this operation means nothing here", column)
        elif not isinstance(node, ast.IfExp):
            raise Fault("this means nothing here", column)
        for part in _parts(node):
            self._check(part, depth + 1)

    def _check_name(self, node: ast.Name | ast.Attribute, column: int) -> None:
        """Raise `Fault` unless the name is one of a value or a curve."""
        name = ast.unparse(node)
        if _ask_of(node) or name in NAMES:
            return
        stem = node.value if isinstance(node, ast.Attribute) else None
        if stem and not (isinstance(stem, ast.Name) and stem.id not in NAMES):
            raise Fault("this means nothing here", column)
        if name in FUNCTIONS or name in SHAPERS or name.rpartition(".")[2] in LISTENERS:
            raise Fault(f"{name!r} needs its values in brackets", column)
        known = f"{', '.join(NAMES)}; of music: {', '.join(CURVES)}; {', '.join(_CALLED)}"
        near = did_you_mean(name.rpartition(".")[2], [*NAMES, *CURVES, *_CALLED])
        raise Fault(f"no name {name!r} ({known}){near}", column)

    def _check_call(self, node: ast.Call, column: int) -> None:
        """Raise `Fault` unless a function is called as it wants to be."""
        name = ast.unparse(node.func)
        listened = name.rpartition(".")[2] if isinstance(node.func, ast.Attribute) else name
        if listened in LISTENERS and name.count(".") <= 1:
            expected, name = LISTENERS[listened], listened
        elif name in SHAPERS:
            expected = SHAPERS[name].values
        elif name in FUNCTIONS:
            expected = FUNCTIONS[name][1]
        else:
            near = did_you_mean(name, _CALLED)
            raise Fault(f"no function {name!r} ({', '.join(_CALLED)}){near}", column)
        if node.keywords or not node.args or (expected and len(node.args) != expected):
            raise Fault(f"{name!r} takes {expected or 'one or more'} values", column)
        fixed = node.args if name in LISTENERS else node.args[1:] if name in SHAPERS else []
        for value in fixed:
            self._check_fixed(value, name)

    def _check_fixed(self, node: ast.expr, name: str) -> None:
        """Raise `Fault` unless the value is one that may not change in the course of the film."""
        column = self.column + node.col_offset
        if name == "curve":
            if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
                raise Fault("'curve' needs a name in quotation marks", column)
            return
        self._check(node, 1)
        if any(isinstance(part, ast.Name | ast.Attribute) for part in ast.walk(node)):
            raise Fault(f"{ast.unparse(node)!r} changes; {name!r} needs a plain number", column)
        with np.errstate(all="ignore"):
            value = float(_value(node, {}))
        if not np.isfinite(value):
            raise Fault("is no finite number", column)
        if name in SHAPERS and not 0 <= value <= LONGEST_SHAPED:
            raise Fault(f"{value:g} seconds, expected 0 to {LONGEST_SHAPED:g}", column)


_CALLED = (*FUNCTIONS, *SHAPERS, *LISTENERS)


def _ask_of(node: ast.expr) -> Ask | None:
    """The curve of music that a part of a checked tree asks for; None where it asks for none."""
    called = isinstance(node, ast.Call)
    name, stem = node.func if called else node, ""
    if isinstance(name, ast.Attribute) and isinstance(name.value, ast.Name):
        name, stem = ast.Name(name.attr), name.value.id
    if not isinstance(name, ast.Name) or name.id not in (LISTENERS if called else CURVES):
        return None
    values = node.args if called else []
    return Ask(
        stem,
        name.id,
        tuple(
            each.value
            if isinstance(each, ast.Constant) and isinstance(each.value, str)
            else float(_value(each, {}))
            for each in values
        ),
    )


def _parts(node: ast.expr) -> Iterator[ast.expr]:
    """The expressions that one is made of; a curve of music is a whole."""
    if _ask_of(node):
        return
    if isinstance(node, ast.Call):
        yield from node.args
        return
    for part in ast.iter_child_nodes(node):
        if isinstance(part, ast.expr):
            yield part


def _taken(node: ast.expr, values: Mapping[str, Any]) -> list[ast.expr]:
    """The parts that matter at one frame: of a choice, the condition and the chosen side."""
    parts = list(_parts(node))
    if isinstance(node, ast.IfExp):
        condition, yes, no = node.test, node.body, node.orelse
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "where":
        condition, yes, no = parts
    else:
        return parts
    return [condition, yes if _value(condition, values) != 0 else no]


def _value(node: ast.expr, values: Mapping[str, Any]) -> Any:
    """The value of a checked tree at each frame, float64 or bool."""
    if isinstance(node, ast.Constant):
        return np.float64(str(node.value))
    if isinstance(node, ast.Name) and node.id in NAMES:
        return np.pi if node.id == "pi" else values[node.id]
    if ask := _ask_of(node):
        return _heard(ask, values)
    if isinstance(node, ast.Call) and ast.unparse(node.func) in SHAPERS:
        return _shaped(node, values)
    parts = [_value(part, values) * 1.0 for part in _parts(node)]
    if isinstance(node, ast.Call):
        assert isinstance(node.func, ast.Name)
        seed = [values["film"].seed] if node.func.id in SEEDED else []
        return FUNCTIONS[node.func.id][0](*seed, *parts)
    if isinstance(node, ast.IfExp):
        # In the order of the grammar: the condition comes first among a node's fields.
        return FUNCTIONS["where"][0](*parts)
    if isinstance(node, ast.Compare):
        pairs = zip(node.ops, parts, parts[1:], strict=False)
        return reduce(np.logical_and, (OPERATORS[type(op)](a, b) for op, a, b in pairs))
    assert isinstance(node, ast.BinOp | ast.UnaryOp | ast.BoolOp)
    operate = OPERATORS[type(node.op)]
    return reduce(operate, parts) if len(parts) > 1 else operate(*parts)


def _heard(ask: Ask, values: Mapping[str, Any]) -> Any:
    """A curve of the film's music at the frames of `values`."""
    film, frames = values["film"], np.asarray(values["frame"]).astype(np.int64)
    assert film.music is not None
    return film.music.curve(ask, whole(int(frames.max()) + 1), film.fps)[frames]


def _shaped(node: ast.Call, values: Mapping[str, Any]) -> Any:
    """A function of a whole curve at the frames of `values`."""
    film: Span = values["film"]
    name, fps = ast.unparse(node.func), float(film.fps)
    frames = np.asarray(values["frame"]).astype(np.int64)
    seconds = float(_value(node.args[1], {})) if len(node.args) > 1 else 0.0
    count = whole(int(frames.max()) + 1)
    longer = count + ahead(seconds, fps) if SHAPERS[name].looks_ahead else count
    before = np.arange(whole(longer), dtype=np.float64)
    curve = np.broadcast_to(_value(node.args[0], known_at(before, film)) * 1.0, before.shape)
    return shaped(name, curve[:longer], seconds, fps)[frames]
