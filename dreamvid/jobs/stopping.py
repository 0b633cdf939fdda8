"""Stops by a signal, survived: what is finished is whole, and the command that goes on is told."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dreamvid.errors import Stopped


@contextmanager
def on_stop(act: Callable[[int], object]) -> Iterator[None]:
    """Call `act` with the number of the first SIGINT, SIGTERM or SIGHUP; a second leaves at once.

    A SIGHUP that is ignored, as `nohup` has it, stays ignored. Outside the main thread, where
    Python allows no signal handlers, nothing changes.
    """

    def stop(number: int, _: object) -> None:
        for each in handled:
            signal.signal(each, signal.SIG_DFL)
        act(number)

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


@contextmanager
def stoppable(
    folder: Path, remedy: str | None = None, so_far: Callable[[], str] = lambda: ""
) -> Iterator[None]:
    """Turn the first signal that asks to stop into `Stopped`; see `on_stop`.

    `remedy` is the command that goes on; `so_far` gives, when it is stopped, what can be made of
    what is finished.
    """

    def stop(number: int) -> None:
        raise Stopped(number, folder, remedy, so_far())

    with on_stop(stop):
        yield
