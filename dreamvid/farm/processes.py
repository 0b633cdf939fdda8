"""Which process a worker is, so that those of its machine see when it has ended."""

import contextlib
import os
import socket
from pathlib import Path
from typing import Any


def this_process() -> dict[str, Any]:
    """Which process this is, for others and for those of the same machine."""
    return {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "began": began(os.getpid()),
        "machine": _machine(),
    }


def began(pid: int) -> str:
    """When a process of this machine began, by which it is told from a later one of its number."""
    with contextlib.suppress(OSError, IndexError):
        # A name in brackets may hold blanks; the times come after it.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return "" if fields[0] in "ZX" else fields[19]
    return ""


def _machine() -> str:
    """This machine, and which numbers its processes are seen by; empty where it does not tell."""
    with contextlib.suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"  # noqa: PTH115
    return ""
