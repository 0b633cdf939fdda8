"""Which kernels a dream runs on: our own, where they agree with torch's, or torch's."""

import importlib
from typing import Literal

import torch

from dreamvid.machine.remarks import say_once
from dreamvid.networks import compiled, convolutions, native, pictures, ways
from dreamvid.networks.trials import disagreement

Kernels = Literal["auto", "plain"]


def choose(kernels: Kernels, device: torch.device, dtype: torch.dtype) -> str:
    """Have networks of `dtype` on `device` run on fused kernels, after a test; fused or plain.

    Where the kernels of a GPU cannot be built or do not agree, that is said, and torch's own are
    taken. What a processor has, `absences` tells.
    """
    ways.fuse(None)
    ways.use(kernels != "plain")
    if kernels == "plain" or device.type != "cuda" or dtype == torch.float64:
        return "plain"
    try:
        fused = importlib.import_module("dreamvid.networks.fused")
        found = disagreement(fused, device, dtype)
    except Exception as error:  # a compiler may fail in any way, and the dream goes on
        reason = str(error).partition("\n")[0] or type(error).__name__
        say_once(f"the fused kernels cannot be built ({reason}); torch's own are slower")
        return "plain"
    if found:
        say_once(f"the fused {found} does not agree with torch's own here, which is slower")
        return "plain"
    ways.fuse(fused)
    return "fused"


def absences(dtype: torch.dtype) -> list[str]:
    """What a dream of `dtype` does in torch's own slower way on this processor, and why."""
    reasons = {
        "pools and responses": native.absence(dtype),
        "small convolutions and those of 3x3": compiled.absence(),
        "steps": pictures.absence(),
        "all convolutions": convolutions.absence(dtype),
    }
    parts: dict[str, list[str]] = {}
    for what, reason in reasons.items():
        if reason:
            parts.setdefault(reason, []).append(what)
    return [f"{', '.join(whats)}: {reason}" for reason, whats in parts.items()]
