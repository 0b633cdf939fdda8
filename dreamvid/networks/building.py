"""A network, ready to be dreamed: by name, with its weights, on its device, in its precision."""

import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal

import torch
from torch.nn import functional as F

from dreamvid.errors import SettingsError
from dreamvid.networks.base import Network
from dreamvid.networks.ensemble import Ensemble
from dreamvid.networks.naming import names_in, weights_for
from dreamvid.networks.registered import WEIGHTS, networks
from dreamvid.networks.weights import Source
from dreamvid.registry import checked_options, did_you_mean

Precision = Literal["auto", "fp64", "fp32", "bf16", "fp16"]
TENSOR_CORES = (7, 0)
"""The capability from which on NVIDIA's GPUs multiply float16 many times as fast as float32."""


def sources(name: str) -> tuple[Source, ...]:
    """Where weights for the network called `name` are published, the best first."""
    return networks.entry(name).sources


def sketch(name: str) -> Network:
    """The network called `name`, or several, without weights: enough to know the layers."""
    if "," in name:
        return Ensemble([sketch(part) for part in names_in(name)])
    entry = networks.entry(name)
    return entry.sketch() if entry.sketch else entry.build()


def network(
    name: str,
    *,
    weights: Path | str | Sequence[Path | str] | None = None,
    device: str | torch.device = "cpu",
    precision: Precision = "auto",
    options: Mapping[str, Mapping[str, Any]] | None = None,
) -> Network:
    """The network called `name`, ready to be dreamed on `device`.

    Args:
        name: One of ``networks.names()``, or several, comma-separated, that dream together.
        weights: A weights file, or with several networks one for each, ``NAME=FILE``; otherwise
            the network's own, embedded or in torch's hub cache.
        device: Where it runs.
        precision: The type of parameters and activations; ``auto`` is bfloat16 where the device
            has instructions for it, and float16 on a GPU that has them for that alone.
        options: Of each network that has any, by its name.

    Raises:
        SettingsError: There is no such network or option.
        NetworkError: Its weights cannot be used.
    """
    names = names_in(name)
    files = weights_for(names, [weights] if isinstance(weights, Path | str) else weights or ())
    chosen = options_for(names, options or {})
    parts = [networks[part](weights=files.get(part), **chosen[part]) for part in names]
    built = parts[0] if len(parts) == 1 else Ensemble(parts)
    built.eval().requires_grad_(False)
    built.to(device=device).rounded(_dtype(torch.device(device), precision))
    return built.to(memory_format=torch.channels_last)


def options_for(
    names: Sequence[str], options: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Each network's own options, checked; `SettingsError` names the first bad one."""
    where = "network.options"
    for name, given in options.items():
        if name not in names:
            raise SettingsError(
                f"{where}.{name}: {name!r} is not dreamed{did_you_mean(name, names)} "
                f"(network.name is {','.join(names)})"
            )
        if not isinstance(given, Mapping):
            raise SettingsError(f"{where}.{name}: got {given!r}, expected a table of options")
        if WEIGHTS in given:
            raise SettingsError(f"{where}.{name}.{WEIGHTS}: give it as network.weights")
    return {
        name: checked_options(networks[name], options.get(name, {}), f"{where}.{name}")
        for name in names
    }


def _dtype(device: torch.device, precision: Precision) -> torch.dtype:
    if precision == "auto":
        precision = quick_precision(device)
    return {
        "fp64": torch.float64,
        "fp32": torch.float32,
        "bf16": torch.bfloat16,
        "fp16": torch.float16,
    }[precision]


def quick_precision(device: torch.device) -> Precision:
    """The precision in which `device` dreams fastest, of those that are good enough."""
    if has_bfloat16(device):
        return "bf16"
    cuda = device.type == "cuda"
    return "fp16" if cuda and torch.cuda.get_device_capability(device) >= TENSOR_CORES else "fp32"


def has_bfloat16(device: torch.device) -> bool:
    """Whether `device` multiplies bfloat16 itself, and no slower than float32."""
    if device.type == "cuda":
        with torch.cuda.device(device):
            return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type != "cpu":
        return False
    # Both queries are torch's own but not public, so that a later torch may lack them.
    queries = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, query, lambda: False)() for query in queries) and not _is_slow()


TRIED = ((1, 64, 48, 64), (64, 64, 3, 3))
"""Sizes of a convolution that is tried: a picture and a weight."""


@cache
def _is_slow() -> bool:
    """Whether the processor takes longer for a convolution in bfloat16 than in float32.

    A processor may say that it has bfloat16 where libraries are held to older instructions. Then it
    takes five times as long; it takes half as long otherwise. So no chance decides: it is this
    thread's own time that counts, whatever else the machine does.
    """
    seconds: dict[torch.dtype, list[float]] = {torch.bfloat16: [], torch.float32: []}
    with torch.inference_mode():
        for _ in range(6):
            for dtype, taken in seconds.items():
                x, weight = (torch.ones(size, dtype=dtype) for size in TRIED)
                began = time.thread_time()
                F.conv2d(x, weight, padding=1)
                taken.append(time.thread_time() - began)
    return min(seconds[torch.bfloat16]) > 1.5 * min(seconds[torch.float32])
