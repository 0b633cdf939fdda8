"""Giving a network its weights: nothing is copied that does not fit."""

from collections.abc import Mapping
from typing import TypeVar

import torch
from torch import Tensor

from dreamvid.errors import NetworkError
from dreamvid.networks.base import Network, Preprocessing
from dreamvid.networks.weights.reading import Weights, plain

AnyNetwork = TypeVar("AnyNetwork", bound=Network)


def install(
    network: AnyNetwork, weights: Weights, *, prefix: str = "", ignored: tuple[str, ...] = ()
) -> AnyNetwork:
    """`network`, built on the meta device, with `weights` as its float32 parameters.

    Args:
        network: The network; changed in place.
        weights: A file's tensors.
        prefix: What the network's parameter names have before the file's.
        ignored: How the names of tensors begin that the file may hold beside the network's.

    Raises:
        NetworkError: A tensor is missing, too many, of another shape or kind, or not finite.
    """
    where = f"{network.name}: weights {weights.path}"
    # The state dict itself is refilled: it carries the version marks some networks insist on.
    state = network.state_dict()
    wanted = {key.removeprefix(prefix): tensor for key, tensor in state.items()}
    _check_fit(network.name, wanted, weights, ignored)
    for full_key, like in state.items():
        key = full_key.removeprefix(prefix)
        tensor = weights.tensors.get(key, torch.zeros((), dtype=like.dtype))
        if like.is_floating_point():
            tensor = tensor.to(torch.float32, memory_format=torch.contiguous_format, copy=True)
            if not tensor.isfinite().all():
                raise NetworkError(f"{where}: {key} holds values that are not finite")
        state[full_key] = tensor
    network.load_state_dict(state, assign=True)
    if "preprocessing" in weights.metadata:
        try:
            network.preprocessing = Preprocessing.parsed(weights.metadata["preprocessing"])
        except ValueError:
            raise NetworkError(f"{where}: its preprocessing is not one of this program") from None
    network.weights_path, network.weights_sha256 = weights.path, weights.sha256
    return network


def _check_fit(
    name: str, wanted: Mapping[str, Tensor], weights: Weights, ignored: tuple[str, ...]
) -> None:
    """Compare names, shapes and kinds before anything is copied."""
    where = f"{name}: weights {weights.path}"
    held = weights.tensors
    # Counters of batch normalisation: older files lack them, and nothing here reads them.
    needed = {key: like for key, like in wanted.items() if like.is_floating_point()}
    missing = [key for key in needed if key not in held]
    extra = [key for key in held if key not in wanted and not key.startswith(ignored)]
    # A convolution's weight tells more than its bias.
    missing.sort(key=lambda key: not key.endswith("weight"))
    extra.sort(key=lambda key: not key.endswith("weight"))
    fitting = sum(key in held and held[key].shape == like.shape for key, like in needed.items())
    if missing or extra:
        owner = _owner(weights)
        raise NetworkError(
            f"{where}: holds weights of another network: "
            + ", ".join(
                [f"no {key}" for key in missing[:1]] + [f"has {plain(key)}" for key in extra[:1]]
            )
            + f"; {fitting} of {len(needed)} fit"
            + (f"; the file is {owner}'s (--network {owner})" if owner not in (None, name) else "")
        )
    for key, like in wanted.items():
        if key not in held:
            continue
        if held[key].shape != like.shape:
            raise NetworkError(
                f"{where}: holds weights of another network: {key} is {_sizes(held[key])}, "
                f"expected {_sizes(like)}; {fitting} of {len(needed)} fit"
            )
        if held[key].is_floating_point() != like.is_floating_point() or held[key].is_complex():
            raise NetworkError(f"{where}: {key} holds {held[key].dtype}, expected {like.dtype}")


def _owner(weights: Weights) -> str | None:
    """Which network the file says, or seems, to belong to."""
    for kind in Network.__subclasses__():
        if kind.landmark in weights.tensors:
            return kind.name
    hint = weights.metadata.get("network", "")
    return hint if hint.isidentifier() and len(hint) < 40 else None


def _sizes(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "a single number"
