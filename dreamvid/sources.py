"""Where frames come from."""

from collections.abc import Iterator
from itertools import repeat
from typing import Protocol

from dreamvid.frames import Frame


class FrameSource(Protocol):
    """A film, or something that can stand for one."""

    def frames(self, start: int) -> Iterator[Frame]:
        """The frames from index `start` on."""
        ...

    def before(self, start: int) -> Frame | None:
        """The frame of index `start - 1`, or None for a start at 0."""
        ...


class Still:
    """The same picture for ever."""

    def __init__(self, picture: Frame) -> None:
        self.picture = picture

    def frames(self, start: int) -> Iterator[Frame]:
        """The picture, endlessly."""
        return repeat(self.picture)

    def before(self, start: int) -> Frame | None:
        """The picture, but for the very first frame."""
        return self.picture if start > 0 else None
