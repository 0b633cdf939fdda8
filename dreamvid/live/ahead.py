"""The next live picture, made ready in a thread while the one before it is dreamed."""

import threading
import time
from collections.abc import Callable
from typing import Generic, Self, TypeVar

import numpy as np

from dreamvid.live.capture import Newest
from dreamvid.machine.threads import yielding

Ready = TypeVar("Ready")
MARGIN = 1.5
"""How many times as long as the last picture took to be made ready the next one is begun before it
is wanted."""


class Ahead(Generic[Ready]):
    """A thread that takes captured pictures, and makes one ready before it is wanted.

    A context manager. It is one picture ahead at the most. Where pictures may be missed, it takes
    the next one no sooner than it has to, so that what is dreamed is new.
    """

    def __init__(self, newest: Newest, make: Callable[[np.ndarray], Ready]) -> None:
        """`make` makes a picture (H, W, 3), RGB, uint8, ready; it is called in the thread alone."""
        self.newest, self.make = newest, make
        self.waited = 0.0
        """Seconds for which who takes has waited, all together."""
        self._ready: list[Ready] = []
        self._error: BaseException | None = None
        self._wanted = self._stopped = False
        self._taken = self._between = 0.0
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self.newest.__enter__()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        self.newest.__exit__()
        self._thread.join()

    @property
    def captured(self) -> int:
        """How many pictures were captured."""
        return self.newest.captured

    @property
    def there(self) -> bool:
        """Whether a picture is ready now."""
        return bool(self._ready)

    def take(self) -> Ready:
        """The next picture, ready, each once and in order.

        Raises:
            Ended: there are no more, or none came for long.
        """
        began = time.monotonic()
        with self._changed:
            self._between = began - self._taken if self._taken else 0.0
            self._wanted = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._ready or self._error)
            self._taken, self._wanted = time.monotonic(), False
            self.waited += self._taken - began
            if not self._ready:
                assert self._error is not None
                raise self._error
            ready = self._ready.pop()
            self._changed.notify_all()
            return ready

    def _run(self) -> None:
        yielding()
        took = 0.0
        try:
            while self._is_due(took):
                pixels = self.newest.take().pixels
                began = time.monotonic()
                ready = self.make(pixels)
                took = time.monotonic() - began
                with self._changed:
                    self._ready.append(ready)
                    self._changed.notify_all()
        # Whatever ends it is raised where the next picture is taken.
        except BaseException as error:
            with self._changed:
                self._error = error
                self._changed.notify_all()

    def _is_due(self, took: float) -> bool:
        """Wait until the next picture should be taken; False: never."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or not self._ready)
            if self._taken and not self.newest.every:
                spare = self._taken + self._between - MARGIN * took - time.monotonic()
                self._changed.wait_for(lambda: self._stopped or self._wanted, max(0.0, spare))
            return not self._stopped
