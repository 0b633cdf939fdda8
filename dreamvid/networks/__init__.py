"""The networks that can be dreamed, by name: our own, the classics, the rest of torchvision's.

To add one, write its module with a builder function, whose keyword-only parameters are its
options, and register it below; for one of torchvision's that more is known of, see `Family`.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import torch

from dreamvid.errors import NetworkError, SettingsError
from dreamvid.networks import googlenet as _googlenet
from dreamvid.networks import inception5h as _inception5h
from dreamvid.networks import pocket as _pocket
from dreamvid.networks.base import Network, Preprocessing
from dreamvid.networks.ensemble import Ensemble
from dreamvid.networks.torchvision import classifier as _torchvision
from dreamvid.networks.weights import Source
from dreamvid.registry import Registry, did_you_mean
from dreamvid.settings import NetworkSettings

__all__ = [
    "Network",
    "Preprocessing",
    "absolute_weights",
    "has_bfloat16",
    "network",
    "networks",
    "sketch",
    "sources",
    "weights_for",
]

Precision = Literal["auto", "fp64", "fp32", "bf16"]


class _Networks(Registry):
    """Our own networks' builders, and torchvision's where it can be imported."""

    def names(self) -> list[str]:
        try:
            classics = [name for family in _torchvision.families() for name in family.models]
            others = [name for name in _torchvision.names() if name not in classics]
        except NetworkError:
            return list(self._functions)
        return [*self._functions, *classics, *others]

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
networks.register(_inception5h.inception5h)

_OURS: dict[str, tuple[type[Network], tuple[Source, ...]]] = {
    "pocket": (_pocket.Pocket, ()),
    "googlenet": (_googlenet.GoogLeNet, _googlenet.SOURCES),
    "inception5h": (_inception5h.Inception5h, _inception5h.SOURCES),
}


def sources(name: str) -> tuple[Source, ...]:
    """Where weights for the network called `name` are published, the best first."""
    networks[name]
    if name in _OURS:
        return _OURS[name][1]
    return _torchvision.sources(name) if name in _torchvision.names() else ()


def sketch(name: str) -> Network:
    """The network called `name`, or several, without weights: enough to know the layers."""
    if "," in name:
        return Ensemble([sketch(part.strip()) for part in name.split(",")])
    build = networks[name]
    if name in _OURS:
        with torch.device("meta"):
            return _OURS[name][0]()
    return _torchvision.sketch(name) if name in _torchvision.names() else build()


def network(
    name: str,
    *,
    weights: Path | str | Sequence[Path | str] | None = None,
    device: str | torch.device = "cpu",
    precision: Precision = "auto",
) -> Network:
    """The network called `name`, ready to be dreamed on `device`.

    Args:
        name: One of ``networks.names()``, or several, parted by commas, that dream together.
        weights: A weights file, or with several networks one for each, ``NAME=FILE``; otherwise
            the network's own, embedded or in torch's hub cache.
        device: Where it shall run.
        precision: The type of parameters and activations; ``auto`` is bfloat16 where the device
            has instructions for it.
    """
    names = [part.strip() for part in name.split(",")]
    files = weights_for(names, [weights] if isinstance(weights, Path | str) else weights or ())
    parts = [networks[part](weights=files.get(part)) for part in names]
    built = parts[0] if len(parts) == 1 else Ensemble(parts)
    built.eval().requires_grad_(False)
    built.to(device=device).rounded(_dtype(torch.device(device), precision))
    return built.to(memory_format=torch.channels_last)


def weights_for(names: Sequence[str], weights: Sequence[Path | str]) -> dict[str, Path]:
    """Which weights file is whose: ``NAME=FILE``, or with a single network also FILE alone."""
    found: dict[str, Path] = {}
    for text in map(str, weights):
        name, equals, file = text.partition("=")
        if not equals or name not in names:
            if len(names) > 1:
                raise SettingsError(
                    f"network.weights: got {text!r} for {len(names)} networks, wanted NAME=FILE "
                    f"with a name of {', '.join(names)}"
                )
            name, file = names[0], text
        if name in found:
            raise SettingsError(f"network.weights: two files for {name}, wanted one")
        found[name] = Path(file)
    return found


def absolute_weights(settings: NetworkSettings) -> tuple[str, ...]:
    """The weights files in `settings` in a way that holds wherever a job is gone on with."""
    names = [part.strip() for part in settings.name.split(",")]
    files = [settings.weights] if isinstance(settings.weights, str) else settings.weights or ()
    return tuple(
        f"{name}={path.absolute()}" if len(names) > 1 else str(path.absolute())
        for name, path in weights_for(names, files).items()
    )


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
