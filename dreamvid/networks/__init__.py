"""The networks that can be dreamed, by name: our own, then torchvision's.

To add one, write its module with a builder function, whose keyword-only parameters are its
options, and register it below.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import torch

from dreamvid.errors import NetworkError, SettingsError
from dreamvid.networks import googlenet as _googlenet
from dreamvid.networks import pocket as _pocket
from dreamvid.networks import torchvision as _torchvision
from dreamvid.networks.base import Network, Preprocessing
from dreamvid.registry import Registry, did_you_mean

__all__ = ["Network", "Preprocessing", "has_bfloat16", "network", "networks"]

Precision = Literal["auto", "fp64", "fp32", "bf16"]


class _Networks(Registry):
    """Our own networks' builders, and torchvision's where it can be imported."""

    def names(self) -> list[str]:
        try:
            return [*self._functions, *_torchvision.names()]
        except NetworkError:
            return list(self._functions)

    def __getitem__(self, name: str) -> Callable[..., Any]:
        if name in self._functions:
            return self._functions[name]
        try:
            known = _torchvision.names()
        except NetworkError as error:
            ours = ", ".join(self._functions)
            raise NetworkError(f"no network {name!r} of our own ({ours}), and {error}") from error
        if name in known:
            return _torchvision.builder(name)
        everything = [*self._functions, *known]
        raise SettingsError(
            f"no network {name!r}{did_you_mean(name, everything)} (networks: "
            f"{', '.join(everything)})"
        )


networks = _Networks("network")
networks.register(_pocket.pocket)
networks.register(_googlenet.googlenet)


def network(
    name: str,
    *,
    weights: Path | None = None,
    device: str | torch.device = "cpu",
    precision: Precision = "auto",
) -> Network:
    """The network called `name`, ready to be dreamed on `device`.

    Args:
        name: One of ``networks.names()``.
        weights: A weights file; otherwise the network's own, embedded or in torch's hub cache.
        device: Where it shall run.
        precision: The type of parameters and activations; ``auto`` is bfloat16 where the device
            has instructions for it.
    """
    built = networks[name](weights=weights)
    built.eval().requires_grad_(False)
    built.to(device=device, dtype=_dtype(torch.device(device), precision))
    return built.to(memory_format=torch.channels_last)


def _dtype(device: torch.device, precision: Precision) -> torch.dtype:
    if precision == "auto":
        return torch.bfloat16 if has_bfloat16(device) else torch.float32
    return {"fp64": torch.float64, "fp32": torch.float32, "bf16": torch.bfloat16}[precision]


def has_bfloat16(device: torch.device) -> bool:
    """Whether `device` multiplies bfloat16 itself, rather than by conversion."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type != "cpu":
        return False
    # Both queries are torch's own but not public, so that a later torch may lack them.
    queries = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, query, lambda: False)() for query in queries)
