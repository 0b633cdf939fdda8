"""Stops by a signal, survived: what is finished is whole, and the command that goes on is told."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dreamvid.errors import Stopped


@contextmanager
def stoppable(
    folder: Path, remedy: str | None = None, so_far: Callable[[], str] = lambda: ""
) -> Iterator[None]:
    """Turn the first SIGINT, SIGTERM or SIGHUP into `Stopped`; a second one leaves at once.

    A SIGHUP that is ignored, as `nohup` has it, stays ignored. `remedy` is the command that goes
    on; `so_far` gives, when it is stopped, what can be made of what is finished.

    Outside the main thread, where Python allows no signal handlers, nothing changes.
    """

    def stop(number: int, _: object) -> None:
        for each in handled:
            signal.signal(each, signal.SIG_DFL)
        raise Stopped(number, folder, remedy, so_far())

    handled = [signal.SIGINT, signal.SIGTERM]
    # Windows has no SIGHUP.
    hangup = getattr(signal, "SIGHUP", None)
    if hangup is not None and signal.getsignal(hangup) != signal.SIG_IGN:
        handled.append(hangup)
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
