"""The machine under the dream: its device, its threads, its memory."""

import contextlib
import ctypes
import os
import time
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dreamvid.errors import SettingsError
from dreamvid.frames import Frame, checked, constant, from_pixels, to_pixels
from dreamvid.machine.remarks import say_once
from dreamvid.machine.threads import cores

TOGETHER = {"cpu": 16 * 224 * 224, "cuda": 64 * 224 * 224}
"""Pixels dreamed together: more of them gain no speed, measured on two cores."""
BYTES_TOGETHER = 2**13
"""Of a GPU's memory, for each of those pixels: twice what most networks take."""
WORDS_OF_MEMORY = ("allocate memory", "out of memory", "alloc_failed", "unable to find an engine")
"""In errors that torch has no type for; cudnn finds no engine where none has room to work in."""
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Names of `mallopt` in the C library's malloc.h."""


UNUSABLE = (RuntimeError, AssertionError, NotImplementedError)
"""What torch raises for a device that is not there, is full, or that it was not built for."""


def device_for(name: str) -> torch.device:
    """The device of that name, tried out; a GPU becomes the one that is meant where none is named.

    ``auto`` takes an NVIDIA GPU where one works. Where one is there and does not, that is said.

    Raises:
        SettingsError: there is no such device, or it does not compute.
    """
    if name == "auto":
        if not torch.cuda.is_available():
            return torch.device("cpu")
        try:
            return _tried("cuda")
        except UNUSABLE as error:
            say_once(f"the GPU cannot be used ({_reason(error)}); the processor dreams instead")
            return torch.device("cpu")
    try:
        return _tried(name)
    except UNUSABLE as error:
        raise SettingsError(
            f"machine.device: {name!r} cannot be used here ({_reason(error)}); "
            "expected auto, cpu, cuda, cuda:N or mps"
        ) from None


def _tried(name: str) -> torch.device:
    """The device of that name, once it has computed something."""
    if name.partition(":")[0] not in ("cpu", "cuda", "mps"):
        raise RuntimeError("no such device")
    device = torch.device(name)
    if device.type == "cuda":
        device = torch.device("cuda", device.index or 0)
        # Streams, graphs and questions about a GPU are those of the current one.
        torch.cuda.set_device(device)
    # A GPU that torch was not built for takes tensors, and fails at the first kernel.
    if torch.ones(8, device=device).mul(2).sum().item() != 16:
        raise RuntimeError("it computes wrongly")
    return device


def _reason(error: BaseException) -> str:
    return str(error).partition("\n")[0] or type(error).__name__


def made_ready(threads: int = 0, *, keep_memory: bool = True) -> None:
    """Take `threads` processor threads, and keep memory that has been freed.

    0 threads are as many as there are cores to use. What is float32 is computed as such.

    Every step of a dream frees and asks for the same tensors. A C library that hands large ones
    back to the system lets the system clear each page anew, a third of a step's time in float32.
    """
    torch.set_num_threads(threads or cores())
    # By default a GPU rounds what its convolutions multiply in float32 to ten bits.
    torch.backends.cudnn.allow_tf32 = False
    # Some of its convolutions add up in an order that changes from run to run.
    torch.backends.cudnn.deterministic = True
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


def dream_memory(device: torch.device) -> int:
    """Bytes by which it is decided whether a picture is dreamed in tiles.

    On a GPU all that it has: tiles change rounding, and what other programs hold at the moment
    must not. On a processor what is free.
    """
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory
    return free_memory(device)


def pixels_together(device: torch.device) -> int:
    """How many pixels of independent pictures are best dreamed at once."""
    pixels = TOGETHER.get(device.type, TOGETHER["cuda"])
    if device.type == "cuda":
        # Of all its memory, not what is free now: the same machine makes the same film.
        pixels = min(pixels, dream_memory(device) // BYTES_TOGETHER)
    return pixels


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


def sent(tensor: Tensor, device: torch.device) -> Tensor:
    """A tensor of the processor on `device`; a GPU's own work does not wait for its way there."""
    if device.type == "cuda" and tensor.device.type == "cpu":
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)


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


def leaving_pixels(frame: Frame, depth: int = 8) -> Callable[[], np.ndarray]:
    """Begin to bring the pixels of a frame within [0, 1] to the processor, as by `to_pixels`.

    A GPU rounds them to whole numbers itself: a quarter of the bytes leave it, or half of them.
    """
    if frame.device.type == "cpu":
        return partial(to_pixels, frame, depth)
    whole = checked(frame).mul(2**depth - 1).round().permute(1, 2, 0)
    kind = torch.uint8 if depth == 8 else torch.uint16
    there = leaving(whole.to(torch.int32).to(kind).contiguous())
    return lambda: there()[0].numpy()


def arriving_pixels(pixels: np.ndarray, device: torch.device) -> Callable[[], Frame]:
    """Begin to bring RGB pixels (H, W, 3), uint8 or uint16, to a device; any thread may.

    What this gives are they as a frame, as by `from_pixels`. A GPU makes numbers of them itself: a
    quarter of the bytes go there, or half of them.
    """
    if device.type == "cpu":
        frame = from_pixels(pixels)
        return lambda: frame
    there = arriving([torch.from_numpy(np.ascontiguousarray(pixels))], device)

    def arrived() -> Frame:
        # By a plain number a GPU would multiply by its reciprocal, which is another result.
        top = constant((float(np.iinfo(pixels.dtype).max),), device)
        return checked(there()[0].permute(2, 0, 1).float().div(top).contiguous())

    return arrived


def arriving(tensors: Sequence[Tensor], device: torch.device) -> Callable[[], tuple[Tensor, ...]]:
    """Begin to bring tensors to a device; what this gives are those that it may work with.

    To a GPU they come by pinned memory on a stream of their own. Its work that is asked for
    meanwhile does not wait, only what is asked for after the call. Any thread may begin.
    """
    if device.type != "cuda":
        there = tuple(tensor.to(device) for tensor in tensors)
        return lambda: there
    stream = _arriving_stream(device)
    with torch.cuda.device(device), torch.cuda.stream(stream):
        coming = tuple(sent(tensor, device) for tensor in tensors)
        came = torch.cuda.Event()
        came.record(stream)

    def arrived() -> tuple[Tensor, ...]:
        current = torch.cuda.current_stream(device)
        current.wait_event(came)
        for tensor in coming:
            tensor.record_stream(current)
        return coming

    return arrived


@cache
def _leaving_stream(device: torch.device) -> torch.cuda.Stream:
    return torch.cuda.Stream(device)


@cache
def _arriving_stream(device: torch.device) -> torch.cuda.Stream:
    return torch.cuda.Stream(device)


def is_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out."""
    known = isinstance(error, torch.OutOfMemoryError | MemoryError)
    return known or any(words in str(error).lower() for words in WORDS_OF_MEMORY)


def stopwatch(device: torch.device) -> Callable[[], Callable[[], float]]:
    """Begin to time what `device` is asked from here on; what this gives ends the time.

    The seconds are told afterwards, by what that gives. The device's work is not held up: a GPU
    notes the times itself.
    """
    if device.type != "cuda":
        synchronised(device)
        began = time.perf_counter()

        def ended() -> Callable[[], float]:
            synchronised(device)
            seconds = time.perf_counter() - began
            return lambda: seconds

        return ended
    marks = [torch.cuda.Event(enable_timing=True) for _ in range(2)]
    marks[0].record()

    def marked() -> Callable[[], float]:
        marks[1].record()

        def seconds() -> float:
            marks[1].synchronize()
            return marks[0].elapsed_time(marks[1]) / 1000

        return seconds

    return marked


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
