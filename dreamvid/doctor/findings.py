"""What a check finds, and where checks are known by their names."""

from typing import Literal, NamedTuple

from dreamvid.registry import Registry


class Finding(NamedTuple):
    """One thing that was looked at."""

    state: Literal["ok", "note", "wrong"]
    """A note: dreamvid works, but something could be better or is left out."""
    found: str
    remedy: str = ""
    """What to do; every finding that is not ok has one."""


checks = Registry("check")
"""Functions without parameters that yield findings."""
