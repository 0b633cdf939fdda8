"""Work done in a thread beside the dream: one piece at a time, in order."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from types import TracebackType
from typing import Self


class Worker:
    """A thread that does what it is given; a context manager, which leaves nothing half done.

    What goes wrong in the thread is raised where the next piece is given, or at the end. A block
    that is left by an error or a signal waits for the piece at work, then goes on with its own.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1)
        self._pending: Future[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._thread:
            if error is None:
                self.wait()
            else:
                with suppress(Exception):
                    self.wait()

    def __call__(self, work: Callable[[], None]) -> None:
        """Have `work` done, once the piece before it is."""
        self.wait()
        self._pending = self._thread.submit(work)

    def wait(self) -> None:
        """Wait for the piece at work, and raise what went wrong with it."""
        if self._pending is not None:
            pending, self._pending = self._pending, None
            pending.result()
