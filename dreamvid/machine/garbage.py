"""Python's search for unreachable objects, which torch's import makes costly."""

import atexit
import gc

OBJECTS = 100_000
"""New objects between two searches; Python's own way is 700, or 2000 since 3.13."""


def collect_seldom() -> None:
    """Search seldom, and not at the end, in a process that is ours alone.

    torch's import makes a million objects that stay. To search among them takes a quarter of the
    seconds that a process with torch needs to begin and to end.
    """
    gc.set_threshold(OBJECTS)
    atexit.register(gc.freeze)
