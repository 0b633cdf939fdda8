"""Registering: what a function must be like to be found by its name, checked on the spot."""

import inspect
from collections.abc import Callable, Collection, Sequence
from typing import Any, ClassVar, TypeVar

from dreamvid.errors import SettingsError
from dreamvid.registry.values import (
    checked_value,
    did_you_mean,
    parameters,
    signature_of,
    unchecked_part,
)

OURS = "dreamvid."
"""How the modules begin whose entries nobody else may replace."""
AnyFunction = TypeVar("AnyFunction", bound=Callable[..., Any])


class Registry:
    """Functions of one kind, found by name.

    >>> motions = Registry("motion", positional=("points", "clock", "size"))
    >>> @motions.register
    ... def zoom(points, clock, size, *, rate: float = 1.2):
    ...     "Magnify."
    """

    all: ClassVar[list["Registry"]] = []
    """Every registry there is."""

    def __init__(
        self, kind: str, *, positional: Sequence[str] = (), reserved: Collection[str] = ()
    ) -> None:
        """`positional` names what the functions are given; `reserved`, what no option is called."""
        self.kind = kind
        self.positional = tuple(positional)
        self.reserved = reserved
        self.functions: dict[str, Callable[..., Any]] = {}
        self.facts: dict[str, Any] = {}
        """What else is known of a function, where a kind wants it."""
        self.all.append(self)

    def register(self, function: AnyFunction) -> AnyFunction:
        """Make `function` known by its own name; usable as a decorator.

        Raises:
            SettingsError: It has no description, other positional parameters than this kind is
                given, an option that cannot be checked, or a name that is taken.
        """
        code = getattr(function, "__code__", None)
        if code is None:
            raise SettingsError(f"{self.kind} {function!r}: not a function; write one with def")
        if reason := self._unfit(function):
            file = code.co_filename
            raise SettingsError(f"{file}: {self.kind} {function.__name__}: {reason}")
        self.functions[function.__name__] = function
        return function

    def _unfit(self, function: Callable[..., Any]) -> str | None:
        """Why `function` cannot be registered, in words; None: it can."""
        if taken := self._taken(function):
            return taken
        if not (inspect.getdoc(function) or "").strip():
            return "has no description; begin it with a docstring, one line of what it does"
        try:
            signature = signature_of(function)
        # An annotation that was written as text is code of its own.
        except Exception as error:
            return f"an annotation cannot be read ({error}); import what it names"
        kinds = {each.kind: each.name for each in signature.parameters.values()}
        for kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD):
            if kind in kinds:
                return f"takes *{kinds[kind]}; name each parameter instead"
        given = [
            name
            for name, each in signature.parameters.items()
            if each.kind is not inspect.Parameter.KEYWORD_ONLY
        ]
        return self._unfit_positional(given) or self._unfit_options(function)

    def _taken(self, function: Callable[..., Any]) -> str | None:
        """Why the name cannot be had. A file that is read again replaces its own."""
        name = function.__name__
        if not name.isidentifier():
            return "has no name; write it with def"
        ours = function.__module__.startswith(OURS)
        # Our own files do not ask libraries for their names, which would import them.
        known = self.functions if ours else self.names()
        older = self.functions.get(name)
        again = older is not None and older.__module__ == function.__module__
        if name in known and (ours or not again):
            return f"there is a {self.kind} of that name already; choose another"
        return None

    def _unfit_positional(self, names: Sequence[str]) -> str | None:
        """Why functions of this kind cannot have positional parameters of those names."""
        if tuple(names) == self.positional:
            return None
        wrong = next((name for name in names if name not in self.positional), None)
        hint = did_you_mean(wrong, self.positional) if wrong else ""
        got, expected = (", ".join(each) or "nothing" for each in (names, self.positional))
        return (
            f"its positional parameters are {got}, expected {expected}{hint}; "
            "options come after a *"
        )

    def _unfit_options(self, function: Callable[..., Any]) -> str | None:
        """Why an option of `function` cannot be a setting."""
        for name, option in parameters(function).items():
            if name in self.reserved:
                return f"its option {name!r} is a setting of every {self.kind}; rename it"
            if option.annotation is inspect.Parameter.empty:
                return f"its option {name!r} has no type; annotate it, such as {name}: float = 1.0"
            bad = unchecked_part(option.annotation)
            if bad is not None:
                shown = getattr(bad, "__name__", bad)
                return (
                    f"its option {name!r} has a type that no setting can have, {shown}; expected "
                    "bool, int, float, str, Path, Fraction, Literal, or a tuple or union of these"
                )
            if option.default is not inspect.Parameter.empty:
                try:
                    checked_value(option.default, option.annotation, f"its default of {name!r}")
                except SettingsError as error:
                    return str(error)
        return None

    def names(self) -> list[str]:
        """The registered names, in the order they were written."""
        return list(self.functions)

    def options(self, name: str) -> dict[str, inspect.Parameter]:
        """What can be set of a registered function."""
        return parameters(self[name])

    @property
    def plural(self) -> str:
        """What several of the kind are called."""
        for end, ends in (("y", "ies"), ("is", "es")):
            if self.kind.endswith(end):
                return f"{self.kind.removesuffix(end)}{ends}"
        return f"{self.kind}s"

    def __getitem__(self, name: str) -> Callable[..., Any]:
        if isinstance(name, str) and name in self.functions:
            return self.functions[name]
        raise SettingsError(
            f"no {self.kind} {name!r}{did_you_mean(name, self.functions)} "
            f"({self.plural}: {', '.join(self.functions)})"
        )

    def summary(self, name: str) -> str:
        """The first line of a registered function's docstring."""
        return (inspect.getdoc(self[name]) or "").partition("\n")[0]
