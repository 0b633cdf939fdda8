"""Which networks there are: each registers itself where it is written.

A network is a builder, whose keyword-only parameters are its options: ``weights``, which every
network has, and any of its own (``network.options.NAME.OPTION``).
"""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar, overload

import torch

from dreamvid.errors import NetworkError, SettingsError
from dreamvid.networks.base import Network
from dreamvid.networks.weights import Source
from dreamvid.registry import Registry, did_you_mean

WEIGHTS = "weights"
"""The option that every builder has: a weights file, or None for the network's own."""
Builder = Callable[..., Network]
AnyBuilder = TypeVar("AnyBuilder", bound=Builder)


@dataclass(frozen=True)
class Entry:
    """All that is known of a network without building it."""

    build: Builder
    sketch: Callable[[], Network] | None = None
    """Makes it without weights and without memory: enough to know its layers."""
    sources: tuple[Source, ...] = ()
    """Where its weights are published, with their licence, the best first."""


class Library(Protocol):
    """Networks of another package, which is imported only when one of them is asked for."""

    def names(self) -> Sequence[str]:
        """Their names; `NetworkError` where the package cannot be imported."""
        ...

    def entry(self, name: str) -> Entry:
        """One of them."""
        ...


class Networks(Registry):
    """Networks by name: those of this room and of plugins, then those of libraries."""

    def __init__(self) -> None:
        super().__init__("network")
        self.facts: dict[str, Entry] = {}
        self._libraries: list[Library] = []

    @overload
    def register(self, function: AnyBuilder, /) -> AnyBuilder: ...
    @overload
    def register(
        self,
        function: None = None,
        /,
        *,
        sources: Iterable[Source] = (),
        sketch: Callable[[], Network] | None = None,
    ) -> Callable[[AnyBuilder], AnyBuilder]: ...
    def register(
        self,
        function: Builder | None = None,
        /,
        *,
        sources: Iterable[Source] = (),
        sketch: Callable[[], Network] | None = None,
    ) -> Any:
        """Make a builder known by its own name; a decorator, with or without arguments.

        Args:
            function: ``(*, weights: Path | None = None, …) -> Network``.
            sources: where its weights are published, with their licence, the best first.
            sketch: makes the network without weights, enough to know its layers. Without it, the
                builder does.

        Raises:
            SettingsError: It cannot be registered, and why.
        """

        def registered(build: Builder) -> Builder:
            super(Networks, self).register(build)
            made = partial(_on_meta, sketch) if sketch else None
            self.facts[build.__name__] = Entry(build, made, tuple(sources))
            return build

        return registered if function is None else registered(function)

    def add_library(self, library: Library) -> None:
        """Find networks in `library` too, after all that are registered."""
        self._libraries.append(library)

    def entry(self, name: str) -> Entry:
        """A network by its name.

        Raises:
            SettingsError: There is none of that name.
            NetworkError: There is none, and a library that may have it cannot be imported.
        """
        if name in self.functions:
            return self.facts[name]
        everything = list(self.functions)
        for library in self._libraries:
            try:
                known = library.names()
            except NetworkError as error:
                ours = ", ".join(self.functions)
                raise NetworkError(
                    f"no network {name!r} of our own ({ours}), and {error}"
                ) from error
            if name in known:
                return library.entry(name)
            everything += known
        raise SettingsError(
            f"no network {name!r}{did_you_mean(name, everything)} (networks: "
            f"{', '.join(everything)})"
        )

    def __getitem__(self, name: str) -> Builder:
        return self.entry(name).build

    def names(self) -> list[str]:
        """The names of all, those of libraries that can be imported included."""
        found = list(self.functions)
        for library in self._libraries:
            try:
                found += library.names()
            except NetworkError:
                continue
        return found

    def options(self, name: str) -> dict[str, inspect.Parameter]:
        """A network's own options, without its weights, which every network has."""
        options = super().options(name)
        options.pop(WEIGHTS, None)
        return options

    def _unfit_options(self, function: Callable[..., Any]) -> str | None:
        signature = inspect.signature(function)
        if WEIGHTS not in signature.parameters:
            return "takes no weights; give it the option weights: Path | None = None"
        return super()._unfit_options(function)


def _on_meta(sketch: Callable[[], Network]) -> Network:
    with torch.device("meta"):
        return sketch()


networks = Networks()


def discover(paths: Iterable[str], package: str) -> None:
    """Import every module of a package, so that each registers what it has."""
    for found in pkgutil.iter_modules(paths, f"{package}."):
        importlib.import_module(found.name)
