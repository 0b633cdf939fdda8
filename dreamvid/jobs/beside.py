"""The film encoded beside the dream, from the pixels of each frame as they are written.

It is the same film as one that is encoded when all frames are there. If anything comes between, it
is dropped, and that is what happens.
"""

import queue
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from dreamvid.machine.threads import yielding
from dreamvid.media.ffmpeg import kill_that_of

AT_HAND = 16
"""Frames whose pixels wait for an encoder that is slower than the dream; more are read again."""
SECONDS = 0.1
"""Between two attempts to stop an encoder."""
Read = Callable[[int], np.ndarray]
"""The pixels of a finished frame, from its file."""
Make = Callable[[Iterator[np.ndarray], list[str]], Path]
"""Makes the film of frames; the lines that are to be said of it are added to a list."""


class Dropped(Exception):
    """The film is not wanted any more."""


class Beside:
    """An encoder that is given each frame when it is finished; a context manager.

    A block that is left by an error or a signal leaves no film, and no encoder either.
    """

    def __init__(self, count: int, done: int, read: Read, make: Make) -> None:
        """Begin with the frames before `done`, which are read, of `count` in all."""
        self.count, self._read, self._make = count, read, make
        self._frames: queue.Queue[tuple[int, np.ndarray | None] | None] = queue.Queue()
        for index in range(done):
            self._frames.put((index, None))
        self._given = done
        self._film: Path | None = None
        self._lines: list[str] = []
        self._thread = threading.Thread(target=self._encode, name="encoder", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.drop()

    def __call__(self, index: int, pixels: np.ndarray) -> None:
        """The next frame, which has just been written."""
        self._given += 1
        self._frames.put((index, pixels if self._frames.qsize() < AT_HAND else None))

    def film(self, frames: int, say: Callable[[str], None]) -> Path | None:
        """The film, once it is whole; None where it did not become one of so many frames."""
        if frames != self.count or self._given != self.count:
            self.drop()
            return None
        self._thread.join()
        if self._film:
            for line in self._lines:
                say(line)
        return self._film

    def drop(self) -> None:
        """Leave it, where it is not whole yet."""
        self._frames.put(None)
        while self._thread.is_alive():
            # It may be waiting for ffmpeg to finish a film that nobody wants.
            kill_that_of(self._thread.ident or 0)
            self._thread.join(timeout=SECONDS)

    def _encode(self) -> None:
        yielding()
        try:
            self._film = self._make(self._waiting(), self._lines)
        except Exception:  # what it is will be told where it is encoded again
            self._film = None

    def _waiting(self) -> Iterator[np.ndarray]:
        for _ in range(self.count):
            entry = self._frames.get()
            if entry is None:
                raise Dropped
            index, pixels = entry
            yield self._read(index) if pixels is None else pixels
