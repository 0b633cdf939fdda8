"""Work done in threads beside the dream: several pieces at once, what follows on them in order."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from types import TracebackType
from typing import Any, Self, TypeVar

from dreamvid.machine.threads import yielding

Result = TypeVar("Result")


class Worker:
    """Threads that do what they are given; a context manager, which leaves nothing half done.

    What goes wrong in a thread is raised where the next piece is given, or at the end. Nothing
    follows on pieces after one that went wrong. A block that is left by an error or a signal waits
    for the pieces at work, then goes on with its own.
    """

    def __init__(self, threads: int = 1) -> None:
        """`threads` pieces are at work at once, and no more wait."""
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads, initializer=yielding)
        self._line = ThreadPoolExecutor(1, initializer=yielding)
        self._pending: deque[Future[None]] = deque()
        self._failed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._line, self._pool:
            if error is None:
                self.wait()
                return
            while self._pending:
                with suppress(Exception):
                    self._pending.popleft().result()

    def __call__(
        self, work: Callable[[], Result], then: Callable[[Result], Any] = lambda result: None
    ) -> None:
        """Have `work` done, and `then` with what it gives, once all before it have been."""
        while self._pending and (self._pending[0].done() or len(self._pending) >= self._threads):
            self._pending.popleft().result()
        done = self._pool.submit(work)
        self._pending.append(self._line.submit(self._followed, done, then))

    def _followed(self, done: Future[Result], then: Callable[[Result], Any]) -> None:
        if self._failed:
            return
        try:
            then(done.result())
        except BaseException:
            self._failed = True
            raise

    def wait(self) -> None:
        """Wait for the pieces at work, and raise what went wrong with the first of them."""
        while self._pending:
            self._pending.popleft().result()
