"""Processor threads: how many a picture is worth, and how they wait for each other.

torch's threads wait by spinning. That is the fastest way on cores that do nothing else; on cores
that another program wants too, each waits for a thread that is waiting for its turn, and both
programs crawl. So they spin a short while only, and a small picture, which would wait most and
gains least, keeps to one thread.
"""

import contextlib
import ctypes
import os
import sys
import threading
from collections.abc import Iterator
from functools import cache
from pathlib import Path

SPINS = "2000"
"""Turns of GNU's waiting loop before a thread sleeps, some microseconds; its own are 300,000."""
BLOCK_MILLISECONDS = "1"
"""How long LLVM's and Intel's threads spin before they sleep; their own way is 200."""
WAITING = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME", "KMP_LIBRARY")
"""Variables by which a user says how threads wait."""
NICE = 5
"""How far work beside the dream stands back, of 19."""
PIXELS_FOR_EACH = 4096
"""Of a picture, for each thread: fewer are dreamed as fast by fewer threads, measured on two."""

OPENMP, TORCH = "libgomp", "libtorch_cpu"
"""Libraries that share work among threads: GNU's, and MKL, which is part of torch's own."""
CONTAINER = Path("/sys/fs/cgroup/cpu.max")
"""What a container may use: microseconds of cores, or ``max``, in a period of microseconds."""


def spin_briefly() -> None:
    """Let threads that wait for others sleep soon; for nothing once torch is there.

    What the user's own variables say stays.
    """
    if "torch" in sys.modules or any(name in os.environ for name in WAITING):
        return
    os.environ["GOMP_SPINCOUNT"] = SPINS
    os.environ["KMP_BLOCKTIME"] = BLOCK_MILLISECONDS


def cores() -> int:
    """The cores that this process may use: of the machine, of its affinity, of its container."""
    known = getattr(os, "sched_getaffinity", None)
    count = len(known(0)) if known else os.cpu_count() or 1
    with contextlib.suppress(OSError, ValueError):
        quota, period = CONTAINER.read_text().split()
        count = min(count, max(1, round(int(quota) / int(period))))
    return count


def yielding(process: int = 0) -> None:
    """Let this thread, or that process, take only what the dream leaves of the cores.

    The dream's threads wait for each other, so that one that is held up holds up all. For nothing
    where a system knows no such thing.
    """
    if sys.platform != "linux":
        return
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, process or threading.get_native_id(), NICE)
    if not process and "torch" in sys.modules:
        keep_to_one()


def keep_to_one() -> None:
    """Let torch's operations in this thread start no others.

    As soon as there are more of torch's threads than cores, GNU's do not spin at all: each time
    that the dream's threads share an operation they wake up from sleep, which doubles its time.
    """
    import torch

    # What torch sets when a thread first asks would undo it.
    torch.get_num_threads()
    for library, setting in (OPENMP, "omp_set_num_threads"), (TORCH, "MKL_Set_Num_Threads_Local"):
        path = loaded(library)
        with contextlib.suppress(AttributeError):
            if path:
                getattr(ctypes.CDLL(path), setting)(1)


@cache
def loaded(name: str) -> str | None:
    """Where a library of that name lies that this process has loaded; None: it has not."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/maps").read_text().splitlines():
            if name in line.rpartition("/")[2]:
                return line.split(maxsplit=5)[-1]
    return None


@contextlib.contextmanager
def worth(pixels: int) -> Iterator[None]:
    """As many of torch's threads as a picture of so many pixels is worth, and then all again.

    The number depends on nothing else, since a dream differs in its last bits by it.
    """
    import torch

    every = torch.get_num_threads()
    few = min(every, max(1, pixels // PIXELS_FOR_EACH))
    if few == every:
        yield
        return
    torch.set_num_threads(few)
    try:
        yield
    finally:
        torch.set_num_threads(every)
