"""Stops by a signal, survived: what is finished is whole, and the command that goes on is told."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dreamvid.errors import Stopped


@contextmanager
def stoppable(folder: Path, remedy: str | None = None) -> Iterator[None]:
    """Turn the first SIGINT or SIGTERM into `Stopped`; a second one leaves at once.

    Outside the main thread, where Python allows no signal handlers, nothing changes.
    """

    def stop(number: int, _: object) -> None:
        for each in handled:
            signal.signal(each, signal.SIG_DFL)
        raise Stopped(number, folder, remedy)

    handled = (signal.SIGINT, signal.SIGTERM)
    before: dict[int, Any] = {}
    try:
        for each in handled:
            before[each] = signal.signal(each, stop)
    except ValueError:
        pass
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
