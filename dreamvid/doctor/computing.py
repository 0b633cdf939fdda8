"""Checks of what computes: devices, precision, threads, the network itself."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

from dreamvid.doctor.findings import Finding, checks
from dreamvid.errors import in_one_line
from dreamvid.machine.threads import WAITING, cores

CLOSE = 2e-3
"""The largest error of a convolution in float32, of its largest value."""
WATCHED = 0.4
"""Seconds in which other programs are watched."""
BUSY = 0.3
"""A program that takes more than this share of one core keeps the processor busy."""


@checks.register
def devices() -> Iterator[Finding]:
    """Whether each device computes a convolution and its gradient right."""
    import torch

    yield Finding("ok", f"torch {torch.__version__}, CUDA {torch.version.cuda or 'not built in'}")
    names = ["cpu", *(f"cuda:{number}" for number in range(torch.cuda.device_count()))]
    if torch.backends.mps.is_available():
        names.append("mps")
    for name in names:
        try:
            wrong, seconds = _tried(name)
        except RuntimeError as error:
            said = in_one_line(error)[:200]
            yield Finding("wrong", f"{name}: {said}", "use --device cpu, or mend the driver")
            continue
        what = torch.cuda.get_device_name(name) if name.startswith("cuda") else "processor"
        told = f"{name} ({what}): a convolution and its gradient"
        if wrong > CLOSE:
            yield Finding("wrong", f"{told} are off by {wrong:.1g}", "use another --device")
        else:
            yield Finding("ok", f"{told} are right, {1000 * seconds:.1f} ms")
    if names == ["cpu"]:
        yield Finding("note", "no GPU is found", "none is needed; one makes large films faster")


def _tried(name: str) -> tuple[float, float]:
    """How far a convolution on a device is from that of the processor in float64; its seconds."""
    import torch
    from torch.nn import functional as F

    generator = torch.Generator().manual_seed(0)
    picture = torch.randn(1, 16, 48, 80, generator=generator, dtype=torch.float64)
    kernel = torch.randn(24, 16, 3, 3, generator=generator, dtype=torch.float64)

    def gradient(device: str, dtype: torch.dtype) -> torch.Tensor:
        moved = picture.to(device, dtype, copy=True).requires_grad_()
        F.conv2d(moved, kernel.to(device, dtype), padding=1).square().mean().backward()
        assert moved.grad is not None
        return moved.grad.cpu().double()

    exact = gradient("cpu", torch.float64)
    gradient(name, torch.float32)  # the first one also loads the kernels
    began = time.perf_counter()
    found = gradient(name, torch.float32)
    seconds = time.perf_counter() - began
    return float((found - exact).abs().max() / exact.abs().max()), seconds


@checks.register
def precision() -> Iterator[Finding]:
    """What `--precision auto` takes here."""
    from dreamvid.machine.devices import device_for
    from dreamvid.networks import has_bfloat16

    device = device_for("auto")
    if has_bfloat16(device):
        yield Finding("ok", f"--device auto is {device.type}, --precision auto is bf16")
    else:
        yield Finding("ok", f"--device auto is {device.type}, --precision auto is fp32")


@checks.register
def kernels() -> Iterator[Finding]:
    """Whether the processor's own kernels can be used."""
    import torch

    from dreamvid.machine.devices import device_for
    from dreamvid.networks import has_bfloat16
    from dreamvid.networks.kernels import absences

    dtype = torch.bfloat16 if has_bfloat16(device_for("cpu")) else torch.float32
    missing = absences(dtype)
    for told in missing:
        yield Finding("note", f"torch's own way for {told}", "none is needed; it is slower")
    if not missing:
        compiled = "small ones, those of 3x3, pools, responses and steps are compiled"
        yield Finding("ok", f"convolutions are packed; {compiled}")


@checks.register
def threads() -> Iterator[Finding]:
    """How many cores there are to use, and who else uses them."""
    said = [f"{name}={os.environ[name]}" for name in WAITING if name in os.environ]
    yield Finding("ok", ", ".join([f"{cores()} cores to use", *said]))
    if others := busy():
        yield Finding(
            "note",
            f"other programs keep the processor busy: {', '.join(others)}",
            "stop them, or expect a film to take longer",
        )
    elif hasattr(os, "getloadavg"):
        yield Finding("ok", f"the processor's load is {os.getloadavg()[0]:.1f}")


def busy(folder: Path = Path("/proc"), seconds: float = WATCHED) -> list[str]:
    """Other programs that use the processor now, such as ``ffmpeg (1.7 cores)``.

    Where there is no ``/proc``, nothing is known of them.
    """
    before = _ticks(folder)
    if not before:
        return []
    time.sleep(seconds)
    ticks_a_second = os.sysconf("SC_CLK_TCK")
    found = []
    for number, (name, ticks) in _ticks(folder).items():
        share = (ticks - before.get(number, (name, ticks))[1]) / ticks_a_second / seconds
        if number != os.getpid() and share > BUSY:
            found.append((share, f"{name} ({share:.1f} cores)"))
    return [told for _, told in sorted(found, reverse=True)[:4]]


def _ticks(folder: Path) -> dict[int, tuple[str, int]]:
    """The name and the processor time of each process."""
    found = {}
    for path in folder.glob("[0-9]*/stat"):
        try:
            before, _, after = path.read_text("utf-8", "replace").rpartition(")")
        except OSError:  # it has ended meanwhile
            continue
        fields = after.split()
        found[int(path.parent.name)] = (before.partition("(")[2], int(fields[11]) + int(fields[12]))
    return found


@checks.register
def dream() -> Iterator[Finding]:
    """Whether the network in the package dreams."""
    from dreamvid.dream.dreamer import dreamer_for
    from dreamvid.frames import Size, noise
    from dreamvid.settings import Settings

    settings = Settings().changed("octaves", count=1).changed("ascent", iterations=2)
    start = noise(Size(64, 96), (0,))
    dreamer = dreamer_for(settings)
    began = time.perf_counter()
    change = (dreamer.still(start.to(dreamer.network.device)).cpu() - start).abs().mean()
    seconds = time.perf_counter() - began
    if not 0 < float(change) < 1:
        remedy = "install dreamvid again, or use --precision fp32"
        yield Finding("wrong", f"pocket changes a picture by {float(change)}", remedy)
    else:
        yield Finding("ok", f"pocket dreams: two steps at 96x64 in {1000 * seconds:.0f} ms")
