"""Whether this machine can dream: what dreamvid needs is tried, and what lacks has its remedy.

Each check is a function of its own, so that one that fails, or a broken library, stops no other.
"""

from dreamvid.doctor.examining import examined
from dreamvid.doctor.findings import Finding, checks

__all__ = ["Finding", "checks", "examined"]
