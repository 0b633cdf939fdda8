"""Options and their values: read from a signature, checked against its annotations.

An option's type is its annotation: ``bool``, ``int``, ``float``, ``str``, ``Path``, ``Fraction``,
``Literal``, a tuple or a union of these; ``Annotated[float, Within(0, 1)]`` gives its range.
"""

import builtins
import inspect
import math
import re
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal

from dreamvid.errors import SettingsError, did_you_mean
from dreamvid.schedules import Schedule


@dataclass(frozen=True)
class Within:
    """The closed range a number lies in; with `above`, the lower end itself is shut out.

    With `scheduled`, a setting may follow a schedule through the film, whose every value lies in
    that range. A `rate` is per second; as text it may be per frame, ``1.04/frame``: one that adds
    up, or one that multiplies. The `note` is added where a value is refused.
    """

    low: float | Fraction = -math.inf
    high: float | Fraction = math.inf
    above: bool = False
    scheduled: bool = False
    rate: Literal["adds", "multiplies"] | None = None
    note: str = ""

    def __contains__(self, value: float | Fraction) -> bool:
        return (self.low < value if self.above else self.low <= value) and value <= self.high

    def __str__(self) -> str:
        low, high = _written(self.low), _written(self.high)
        if self.high == math.inf:
            return f"above {low}" if self.above else f"{low} or more"
        return f"{'above ' if self.above else ''}{low} to {high}"


def _written(number: float | Fraction) -> str:
    """A bound as people write it: 10000000, not 1e+07."""
    return str(int(number)) if math.isfinite(number) and number % 1 == 0 else f"{float(number):g}"


RATE = re.compile(r"\d{1,12}(\.\d{0,30})?(/\d{1,12})?|\.\d{1,30}")
Evaluate = Callable[[Any, str, Within, bool], float]
"""From a schedule as written, its setting's name and range, and whether that is a whole number,
to the value it has now."""
PLAIN = (bool, int, float, str, Path, Fraction)
"""Types of options that are checked as they are."""
Positive = Annotated[float, Within(0, 1e9, above=True)]
Fraction01 = Annotated[float, Within(0, 1)]


def parameters(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """The options of a registered function: its keyword-only parameters, in order."""
    return {
        name: parameter
        for name, parameter in signature_of(function).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }


def signature_of(function: Callable[..., Any]) -> inspect.Signature:
    """The signature, with annotations that were written as text read."""
    return inspect.signature(function, eval_str=True)


def checked_options(
    function: Callable[..., Any],
    options: Mapping[str, Any],
    where: str,
    evaluate: Evaluate | None = None,
) -> dict[str, Any]:
    """`options` with each value in its declared type; `SettingsError` names the first bad one.

    Schedules are replaced by what `evaluate` says of them; without it they stay as written.
    """
    known = parameters(function)
    result = {}
    for name, value in options.items():
        if name not in known:
            raise SettingsError(
                f"{where}.{name}: no such setting{did_you_mean(name, known)} "
                f"({where} has {', '.join(known) or 'none'})"
            )
        result[name] = checked_value(value, known[name].annotation, f"{where}.{name}", evaluate)
    return result


def checked_value(value: Any, annotation: Any, where: str, evaluate: Evaluate | None = None) -> Any:
    """`value` in the type and range that `annotation` declares, or a `SettingsError`."""
    bounds: Within | None = None
    if typing.get_origin(annotation) is Annotated:
        annotation, *extras = typing.get_args(annotation)
        bounds = next((extra for extra in extras if isinstance(extra, Within)), None)
    origin = typing.get_origin(annotation)
    if origin is typing.Literal:
        choices = typing.get_args(annotation)
        if value in choices and type(value) in {type(choice) for choice in choices}:
            return value
        names = [str(choice) for choice in choices]
        raise SettingsError(
            f"{where}: got {value!r}, expected {' or '.join(names)}{did_you_mean(value, names)}"
        )
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in typing.get_args(annotation):
            return None
        choices = [choice for choice in typing.get_args(annotation) if choice is not type(None)]
        for choice in choices[:-1]:
            try:
                return checked_value(value, choice, where, evaluate)
            except SettingsError:
                continue
        return checked_value(value, choices[-1], where, evaluate)
    if origin is dict:
        if not isinstance(value, Mapping):
            raise SettingsError(f"{where}: got {value!r}, expected a table of settings")
        return dict(value)
    if origin is tuple:
        return _checked_tuple(value, typing.get_args(annotation), where, evaluate)
    if bounds and bounds.rate and isinstance(value, str):
        value = _per_second(value, bounds.rate)
    if bounds and bounds.scheduled and isinstance(value, str | list | tuple):
        if evaluate is None:
            Schedule(value, where)
            return value
        value = evaluate(value, where, bounds, annotation is int)
    if annotation is Fraction:
        value = _as_fraction(value)
    if annotation is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if annotation is Path and isinstance(value, str):
        value = Path(value)
    if parse := getattr(annotation, "from_text", None):
        value = _parsed(value, parse)
    if not isinstance(value, annotation) or (annotation is int and isinstance(value, bool)):
        raise SettingsError(
            f"{where}: got {value!r}, expected {_worded(annotation)}"
            f"{f', {bounds}' if bounds else ''}"
        )
    if isinstance(value, float) and not math.isfinite(value):
        raise SettingsError(f"{where}: got {value!r}, expected a finite number")
    if bounds is not None and value not in bounds:
        note = f"; {bounds.note}" if bounds.note else ""
        shown = str(value) if isinstance(value, Fraction) else repr(value)
        raise SettingsError(f"{where}: got {shown}, expected {bounds}{note}")
    return value


PER_FRAME = re.compile(r"\s*(?P<rate>-?(?:\d+\.?\d*|\.\d+))\s*/\s*frame\s*")


def _per_second(text: str, rate: str) -> str:
    """A rate such as ``1.04/frame``, alone or at keys, as one per second; others unchanged."""
    into = r"(\g<rate>)**fps" if rate == "multiplies" else r"(\g<rate>)*fps"
    if PER_FRAME.fullmatch(text):
        return PER_FRAME.sub(into, text)
    return re.sub(rf"(?P<key>:\s*)\({PER_FRAME.pattern}\)", rf"\g<key>({into})", text)


def _parsed(value: Any, parse: Callable[[str], Any]) -> Any:
    """What a type of its own reads from text; anything else as it was."""
    found = parse(value) if isinstance(value, str) else None
    return value if found is None else found


def unchecked_part(annotation: Any) -> Any:
    """The first part of an annotation that `checked_value` cannot check; None: it can all."""
    arguments = typing.get_args(annotation)
    match typing.get_origin(annotation):
        case typing.Annotated:
            base, *extras = arguments
            ranged = any(isinstance(extra, Within) for extra in extras)
            return (
                annotation
                if ranged and base not in (int, float, Fraction)
                else unchecked_part(base)
            )
        case typing.Literal:
            return None
        case typing.Union | types.UnionType:
            parts = [part for part in arguments if part is not type(None)]
        case builtins.tuple:
            parts = [part for part in arguments if part is not Ellipsis]
        case builtins.dict:
            parts = []
        case _:
            known = annotation in PLAIN or hasattr(annotation, "from_text")
            return None if known else annotation
    return next((bad for part in parts if (bad := unchecked_part(part)) is not None), None)


def _as_fraction(value: Any) -> Any:
    """29.97, "30000/1001" and 25 as exact fractions; anything else as it was."""
    try:
        # Fraction("1e9999999") would take for ever.
        exact = isinstance(value, int | float | str) and RATE.fullmatch(str(value).strip())
        return Fraction(str(value)) if exact else value
    except (ValueError, ZeroDivisionError):
        return value


def _checked_tuple(
    value: Any, kinds: tuple[Any, ...], where: str, evaluate: Evaluate | None
) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise SettingsError(f"{where}: got {value!r}, expected a list, such as {[value]}")
    if kinds[-1:] == (Ellipsis,):
        kinds = (kinds[0],) * len(value)
    if len(kinds) != len(value):
        raise SettingsError(f"{where}: got {len(value)} values, expected {len(kinds)}")
    return tuple(
        checked_value(item, kind, f"{where}[{index}]", evaluate)
        for index, (item, kind) in enumerate(zip(value, kinds, strict=True))
    )


def _worded(kind: type) -> str:
    words = {
        Fraction: "a rate such as 30 or 30000/1001",
        int: "a whole number",
        float: "a number",
        str: "text",
        bool: "true or false",
    }
    return words.get(kind, kind.__name__.lower())
