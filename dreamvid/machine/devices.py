"""The machine under the dream: its device, its threads, its memory."""

import contextlib
import ctypes
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from dreamvid.errors import SettingsError
from dreamvid.machine.threads import cores

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Names of `mallopt` in the C library's malloc.h."""


def device_for(name: str) -> torch.device:
    """The device of that name; ``auto`` takes an NVIDIA GPU where there is one."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        if name.partition(":")[0] not in ("cpu", "cuda", "mps"):
            raise RuntimeError("no such device")
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).partition("\n")[0]
        raise SettingsError(
            f"machine.device: {name!r} cannot be used here ({reason}); "
            "wanted auto, cpu, cuda, cuda:N or mps"
        ) from None
    return device


def made_ready(threads: int = 0, *, keep_memory: bool = True) -> None:
    """Take `threads` processor threads, and keep memory that has been freed.

    0 threads are as many as there are cores to use. What is float32 is computed as such.

    Every step of a dream frees and asks for the same tensors. A C library that hands large ones
    back to the system lets the system clear each page anew, a third of a step's time in float32.
    """
    torch.set_num_threads(threads or cores())
    # By default a GPU rounds what its convolutions multiply in float32 to ten bits.
    torch.backends.cudnn.allow_tf32 = False
    library = _c_library() if keep_memory else None
    if library is not None:
        library.mallopt(M_MMAP_THRESHOLD, 2**31 - 1)
        library.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


def give_back() -> None:
    """Return freed memory to the system after all, where the C library can."""
    library = _c_library()
    if library is not None:
        library.malloc_trim(0)


@cache
def _c_library() -> ctypes.CDLL | None:
    """The GNU C library, whose memory can be kept; None elsewhere."""
    if os.name != "posix":
        return None
    library = ctypes.CDLL(None)
    known = hasattr(library, "mallopt") and hasattr(library, "malloc_trim")
    return library if known else None


def free_memory(device: torch.device) -> int:
    """Bytes that can still be taken on `device` without harm to others."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        reserved = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return free + reserved
    free = _kibibytes(Path("/proc/meminfo"), "MemAvailable")
    # A container's own limit may be far below what the machine has.
    group = Path("/sys/fs/cgroup")
    with contextlib.suppress(OSError, ValueError):
        limit = int((group / "memory.max").read_text())
        free = min(free or limit, limit - int((group / "memory.current").read_text()))
    return max(0, free) if free else 4 * 2**30


def peak_memory(device: torch.device) -> int:
    """The most bytes held at once since `forget_peak`: resident, or allocated on a GPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return _kibibytes(Path("/proc/self/status"), "VmHWM")


def forget_peak(device: torch.device) -> None:
    """Count `peak_memory` from here."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def leaving(*tensors: Tensor) -> Callable[[], tuple[Tensor, ...]]:
    """Begin to bring tensors to the processor; what this gives waits until they are there.

    From a GPU they leave by pinned memory on a stream of their own, so that its next work neither
    waits for them nor holds them up.
    """
    device = tensors[0].device
    if device.type != "cuda":
        return lambda: tuple(tensor.cpu() for tensor in tensors)
    stream = _leaving_stream(device)
    stream.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.stream(stream):
        arriving = tuple(
            torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True).copy_(
                tensor, non_blocking=True
            )
            for tensor in tensors
        )
        arrived = torch.cuda.Event()
        arrived.record(stream)
    for tensor in tensors:
        tensor.record_stream(stream)

    def there() -> tuple[Tensor, ...]:
        arrived.synchronize()
        return arriving

    return there


@cache
def _leaving_stream(device: torch.device) -> torch.cuda.Stream:
    return torch.cuda.Stream(device)


def synchronised(device: torch.device) -> None:
    """Wait until `device` has done all that it was asked."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def _kibibytes(path: Path, name: str) -> int:
    """The value of a line such as ``VmHWM:  1234 kB`` in bytes; 0 where there is none."""
    with contextlib.suppress(OSError):
        for line in path.read_text().splitlines():
            if line.startswith(name + ":"):
                return int(line.split()[1]) * 1024
    return 0
