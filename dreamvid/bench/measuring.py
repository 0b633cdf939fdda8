"""Every figure of one run: medians, the work counted, the machine's own rate."""

import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from dreamvid import __version__, media
from dreamvid.bench import cascade, plain
from dreamvid.bench.roofs import (
    Work,
    copy_rate,
    matrix_rate,
    seconds_at_best,
    work_of_a_step,
)
from dreamvid.bench.timing import as_torch_is, once, seconds_of
from dreamvid.dream.dreamer import Dreamer, dreamer_for
from dreamvid.dream.fitting import with_fitting_octaves
from dreamvid.dream.octaves import octave_sizes
from dreamvid.errors import SettingsError
from dreamvid.frames import Size, noise, photographic
from dreamvid.jobs.films import zoom
from dreamvid.machine import devices
from dreamvid.networks import kernels, quick_precision
from dreamvid.registry import did_you_mean
from dreamvid.settings import Settings

Figures = dict[str, Any]
COMPARISONS = ("plain", "pytorch-deepdream", "film", "busy")
FILM_FRAMES = {"cpu": 6, "cuda": 120, "mps": 20}
STEPS = 5
"""Steps that are timed together, so that the time around them counts for little."""


def benchmark(
    settings: Settings,
    size: Size,
    *,
    repeats: int = 5,
    comparisons: Sequence[str] = ("plain",),
    profile: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> Figures:
    """The figures of `settings` at `size`, as JSON values; times are medians, in seconds.

    Args:
        settings: what is dreamed. With a ``machine.precision`` of auto, fp32 is measured, and what
            auto means on the device.
        size: of the picture, which is noise: no time depends on what it shows.
        repeats: how often each time is taken.
        comparisons: of `COMPARISONS`.
        profile: whether to find out, too, where the time of a step goes.
        say: takes a line about what is being measured.

    Raises:
        SettingsError: a comparison is unknown, or the size too small for a single octave.
    """
    for name in comparisons:
        if name not in COMPARISONS:
            raise SettingsError(
                f"--compare: no {name!r}{did_you_mean(name, COMPARISONS)} "
                f"({', '.join(COMPARISONS)})"
            )
    # Others come first: what ours changes about memory speeds up everything after it.
    reference = dreamer_for(settings.changed("machine", precision="fp32"), keep_memory=False)
    reference = with_fitting_octaves(reference, size, None, say)
    settings = replace(settings, octaves=reference.settings.octaves)
    works = work_of_a_step(reference, size)
    figures = _about(reference, settings, size, works) | {"repeats": repeats, "ours": {}}
    for name, compared in (("plain", _plain), ("pytorch-deepdream", _cascade)):
        if name in comparisons:
            say(name)
            figures[name] = compared(reference, size, repeats)
    for precision in _precisions(settings):
        say(f"{precision}: the dream")
        chosen = settings.changed("machine", precision=precision)
        figures["ours"][precision] = ours = _ours(chosen, size, repeats, profile, works)
        ours["gflop_per_second"] = figures["step_gflop"] / ours["step_seconds"]
        for name in ("plain", "pytorch-deepdream"):
            if name in figures:
                ours[f"times_{name}"] = figures[name]["frame_seconds"] / ours["frame_seconds"]
        if "film" in comparisons:
            say(f"{precision}: a film")
            ours["film"] = _film(chosen, size)
        if "busy" in comparisons:
            say(f"{precision}: beside a busy core")
            ours["busy_frame_seconds"] = _beside_a_busy_core(chosen, size, repeats)
            ours["times_slower_when_busy"] = ours["busy_frame_seconds"] / ours["frame_seconds"]
    return figures


def _about(reference: Dreamer, settings: Settings, size: Size, works: Sequence[Work]) -> Figures:
    """What is measured, and on what."""
    device = devices.device_for(settings.machine.device)
    return {
        "dreamvid": __version__,
        "torch": torch.__version__,
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else _processor(),
        "size": str(size),
        "settings": settings.tree(),
        "network": reference.network.name,
        "layers": reference.layers,
        "threads": torch.get_num_threads(),
        "slower_here": kernels.absences(torch.float32) if device.type == "cpu" else [],
        "step_gflop": sum(work.operations for work in works) / 1e9,
    }


def _precisions(settings: Settings) -> list[str]:
    """The precisions to measure."""
    if settings.machine.precision != "auto":
        return [settings.machine.precision]
    device = devices.device_for(settings.machine.device)
    return list(dict.fromkeys(["fp32", quick_precision(device)]))


def _ours(
    settings: Settings, size: Size, repeats: int, profile: bool, works: Sequence[Work]
) -> Figures:
    began = time.perf_counter()
    dreamer = dreamer_for(settings)
    device = dreamer.network.device
    picture = noise(size, (0,)).to(device)
    devices.give_back()
    devices.forget_peak(device)
    loaded = time.perf_counter() - began
    first = once(lambda: dreamer(picture, (0, 0)), device)
    frame = seconds_of(lambda: dreamer(picture, (0, 0)), device, repeats, warm=False)
    peak = devices.peak_memory(device)
    one = settings.changed("octaves", count=1).changed("ascent", iterations=STEPS, later=None)
    stepper = Dreamer(dreamer.network, dreamer.choices, one)

    def steps() -> None:
        stepper(picture, (0, 0))

    figures: Figures = {
        "kernels": kernels.choose(settings.machine.kernels, device, dreamer.network.dtype),
        "recorded_steps": len(dreamer._recordings or ()),
        "load_seconds": loaded,
        "first_frame_seconds": first,
        "frame_seconds": frame,
        "step_seconds": seconds_of(steps, device, repeats) / STEPS,
        "peak_bytes": peak,
    }
    figures |= _beside_the_roofs(dreamer, works, figures["step_seconds"], repeats)
    if device.type == "cuda":
        figures["octave_step_seconds"] = {
            str(each): seconds_of(
                partial(stepper, photographic(picture, each), (0, 0)), device, repeats
            )
            / STEPS
            for each in octave_sizes(size, settings.octaves)
        }
    if profile:
        figures["profile"] = profiled(steps, device)
    return figures


def _beside_the_roofs(
    dreamer: Dreamer, works: Sequence[Work], step_seconds: float, repeats: int
) -> Figures:
    """The machine's two rates, and what share of a step's time they make necessary."""
    device, dtype = dreamer.network.device, dreamer.network.dtype
    multiplied, copied = (rate(device, dtype, repeats) for rate in (matrix_rate, copy_rate))
    return {
        "matrix_gflop_per_second": multiplied / 1e9,
        "copied_gb_per_second": copied * dtype.itemsize / 1e9,
        "of_matrix_rate": sum(work.operations for work in works) / multiplied / step_seconds,
        "of_both_roofs": seconds_at_best(works, multiplied, copied) / step_seconds,
    }


def _plain(dreamer: Dreamer, size: Size, repeats: int) -> Figures:
    network, settings = dreamer.network.to(memory_format=torch.contiguous_format), dreamer.settings
    parameter = next(network.parameters())
    image = network.preprocessing.to_input(noise(size, (0,)).to(parameter.device)[None])
    forward, layer = plain.forward_of(network), dreamer.layers[-1]
    ends = torch.tensor([0.0, 1.0], device=parameter.device).view(2, 1, 1, 1).expand(2, 3, 1, 1)
    low, high = network.preprocessing.to_input(ends)
    bounds = (low[None], high[None])
    with as_torch_is():
        return _compared(
            lambda: plain.step(image, forward, layer, settings, (0, 0)),
            lambda: plain.frame(image, forward, layer, bounds, settings, (0, 0)),
            parameter.device,
            repeats,
        )


def _cascade(dreamer: Dreamer, size: Size, repeats: int) -> Figures:
    device = dreamer.network.device
    model = cascade.network(device)
    picture = noise(size, (0,)).permute(1, 2, 0).numpy().copy()
    image = torch.from_numpy(picture.transpose(2, 0, 1)[None].copy()).to(device)
    with as_torch_is():
        return _compared(
            lambda: cascade.step(image, model, 0.5),
            lambda: cascade.frame(picture, model, dreamer.settings, device),
            device,
            repeats,
        )


def _compared(
    step: Callable[[], object], frame: Callable[[], object], device: torch.device, repeats: int
) -> Figures:
    devices.give_back()
    devices.forget_peak(device)
    return {
        "step_seconds": seconds_of(step, device, repeats),
        "frame_seconds": seconds_of(frame, device, repeats, warm=device.type == "cuda"),
        "peak_bytes": devices.peak_memory(device),
    }


def _film(settings: Settings, size: Size) -> Figures:
    """A short zoom from a PNG to an MP4, and the share of its time that is not the dream."""
    # A film that wanders makes a dreamer of its own, which is not timed.
    settings = settings.changed("network", wander=0.0)
    plain_dreamer = dreamer_for(settings)
    count = FILM_FRAMES[plain_dreamer.network.device.type]
    settings = settings.changed("film", frames=count, size=size)
    spans: list[Callable[[], float]] = []

    class Timed(Dreamer):
        def batch(self, *arguments: Any, **options: Any) -> torch.Tensor:
            ended = devices.stopwatch(self.network.device)
            result = super().batch(*arguments, **options)
            spans.append(ended())
            return result

    dreamer = Timed(plain_dreamer.network, plain_dreamer.choices, settings)
    with tempfile.TemporaryDirectory() as folder:
        seed, out = Path(folder, "seed.png"), Path(folder, "film.mp4")
        media.write_picture(noise(size, (0,)), seed)
        began = time.perf_counter()
        zoom(seed, out, settings, dreamer=dreamer)
        whole = time.perf_counter() - began
    dreaming = sum(span() for span in spans)
    return {
        "frames": count,
        "frames_per_second": count / whole,
        "around_the_dream": 1 - dreaming / whole,
    }


def _beside_a_busy_core(settings: Settings, size: Size, repeats: int) -> float:
    """The seconds of a frame while another program keeps one core busy."""
    dreamer = dreamer_for(settings)
    device = dreamer.network.device
    picture = noise(size, (0,)).to(device)
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        return seconds_of(lambda: dreamer(picture, (0, 0)), device, repeats)
    finally:
        busy.kill()
        busy.wait()


def profiled(call: Callable[[], object], device: torch.device) -> list[Figures]:
    """The operations in `call` and their shares of its time, the largest first."""
    activities = [torch.profiler.ProfilerActivity.CPU]
    if device.type == "cuda":
        activities.append(torch.profiler.ProfilerActivity.CUDA)
    with torch.profiler.profile(activities=activities) as profiler:
        call()
        devices.synchronised(device)
    kind = "self_device_time_total" if device.type == "cuda" else "self_cpu_time_total"
    rows = [
        {"operation": event.key, "calls": event.count, "seconds": getattr(event, kind) / 1e6}
        for event in profiler.key_averages()
    ]
    total = sum(row["seconds"] for row in rows)
    rows.sort(key=lambda row: -row["seconds"])
    return [{**row, "share": row["seconds"] / total} for row in rows]


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
