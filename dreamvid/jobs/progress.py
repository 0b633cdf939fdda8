"""Who is told how a job goes."""

from collections.abc import Mapping
from typing import Any, Protocol


class Progress(Protocol):
    """Who is told how a job goes."""

    def say(self, text: str) -> None:
        """A line worth knowing."""
        ...

    def begin(self, done: int, total: int) -> None:
        """Frames `done` of `total` are there already."""
        ...

    def frame(self, index: int, notes: Mapping[str, Any]) -> None:
        """Frame `index` is on disk. Of the notes, ``frame`` is the frame itself, float32 (3, H, W).

        Where a picture is dreamed, it is a step, and ``frame`` the picture after it.
        """
        ...

    def ask(self, question: str) -> bool:
        """Whether to go on; yes where nobody can be asked."""
        ...


class Silence:
    """A `Progress` that tells nobody."""

    def say(self, text: str) -> None:
        """Nothing."""

    def begin(self, done: int, total: int) -> None:
        """Nothing."""

    def frame(self, index: int, notes: Mapping[str, Any]) -> None:
        """Nothing."""

    def ask(self, question: str) -> bool:
        """Yes."""
        return True
