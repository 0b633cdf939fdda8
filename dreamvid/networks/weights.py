"""Weights files: writing our own, and reading any, which are untrusted.

A file is read as tensors and text only (never as pickled code), and compared with the network,
built without memory on the meta device, before a value is copied: nothing is that does not fit.
"""

import dataclasses
import hashlib
import json
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from dreamvid.errors import NetworkError
from dreamvid.media import published
from dreamvid.networks.base import Network

SIZE_CAP = 3 * 2**30
"""Bytes a file may hold, unpacked; the largest of torchvision's networks is 2.6 GB."""

AnyNetwork = TypeVar("AnyNetwork", bound=Network)


@dataclass(frozen=True)
class Weights:
    """What a weights file holds, on the CPU, not yet compared with any network."""

    path: Path
    sha256: str
    tensors: Mapping[str, Tensor]
    metadata: Mapping[str, str] = dataclasses.field(default_factory=dict)


def read(path: Path, name: str, cap: int = SIZE_CAP) -> Weights:
    """The tensors of the file at `path`, meant for the network called `name`.

    Raises:
        NetworkError: The file is missing, of an unknown kind, damaged or larger than `cap` bytes.
    """
    where = f"{name}: weights {path}"
    if not path.is_file():
        raise NetworkError(f"{where}: {'not a file' if path.exists() else 'no such file'}")
    if path.suffix not in (".safetensors", ".pth", ".pt"):
        raise NetworkError(f"{where}: not a .safetensors, .pth or .pt file")
    try:
        _check_size(path, where, cap)
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        if path.suffix == ".safetensors":
            with safe_open(path, "pt") as opened:
                tensors = {key: opened.get_tensor(key) for key in opened.keys()}  # noqa: SIM118
                return Weights(path, sha256, tensors, opened.metadata() or {})
    except (SafetensorError, zipfile.BadZipFile, OSError) as error:
        raise NetworkError(f"{where}: damaged, or no weights file: {_plain(error)}") from error
    return Weights(path, sha256, _unwrapped(_unpickled(path, where), where))


def _check_size(path: Path, where: str, cap: int) -> None:
    size = path.stat().st_size
    # A .pth file is a zip archive, which may unpack to a thousand times its own size.
    if path.suffix != ".safetensors" and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            size = max(size, sum(entry.file_size for entry in archive.infolist()))
    if size > cap:
        raise NetworkError(f"{where}: {size / 2**20:.1f} MiB, more than {cap / 2**20:.1f} allowed")


def _unpickled(path: Path, where: str) -> object:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    # Broken files raise EOFError, KeyError, RuntimeError and more, so everything is caught.
    except Exception as error:
        if "weights_only" in str(error):
            reason = "holds more than weights, or is no weights file"
        else:
            reason = f"damaged, or no weights file: {_plain(error)}"
        raise NetworkError(f"{where}: {reason}") from error


def _unwrapped(content: object, where: str) -> dict[str, Tensor]:
    """The state dict in a checkpoint: bare, or under a usual key, perhaps made in parallel."""
    for wrapper in ("state_dict", "model"):
        if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
            content = content[wrapper]
    if not isinstance(content, dict) or not content:
        raise NetworkError(f"{where}: holds no state dict")
    for key, tensor in content.items():
        if not isinstance(key, str) or not _is_plain_tensor(tensor):
            raise NetworkError(f"{where}: not a state dict: {_plain(key)!r} is no plain tensor")
    parallel = all(key.startswith("module.") for key in content)
    return {key.removeprefix("module.") if parallel else key: content[key] for key in content}


def _is_plain_tensor(value: object) -> bool:
    return (
        isinstance(value, Tensor)
        and value.layout is torch.strided
        and value.device.type == "cpu"
        and not value.is_quantized
    )


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
                [f"no {key}" for key in missing[:1]] + [f"has {_plain(key)}" for key in extra[:1]]
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
                f"wanted {_sizes(like)}; {fitting} of {len(needed)} fit"
            )
        if held[key].is_floating_point() != like.is_floating_point() or held[key].is_complex():
            raise NetworkError(f"{where}: {key} holds {held[key].dtype}, wanted {like.dtype}")


def _owner(weights: Weights) -> str | None:
    """Which network the file says, or seems, to belong to."""
    for kind in Network.__subclasses__():
        if kind.landmark in weights.tensors:
            return kind.name
    hint = weights.metadata.get("network", "")
    return hint if hint.isidentifier() and len(hint) < 40 else None


def write(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write a .safetensors file, whole or not at all; the same content gives the same bytes.

    Args:
        path: Ends in .safetensors; replaced where it exists.
        tensors: On the CPU and contiguous.
        metadata: What the file says of itself.

    Raises:
        StorageError: The disk is full, read-only or broken, or the folder is gone.
    """
    data = memoryview(save(dict(tensors), dict(metadata)))
    length = int.from_bytes(data[:8], "little")
    header = json.loads(bytes(data[8 : 8 + length]))
    # The library leaves the order of the metadata to chance.
    header["__metadata__"] = dict(sorted(metadata.items()))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with published(path) as part, part.open("wb") as stream:
        stream.write(len(text).to_bytes(8, "little") + text)
        stream.write(data[8 + length :])


def cached(file: str, name: str) -> Path | None:
    """A published file in torch's hub cache, or `None` where it is not there.

    Raises:
        NetworkError: The file is there, but not with the SHA-256 that its name begins to spell.
    """
    path = hub_folder() / file
    if not path.is_file():
        return None
    with path.open("rb") as opened:
        sha256 = hashlib.file_digest(opened, "sha256").hexdigest()
    spelt = re.search(r"-([0-9a-f]{8,})\.", file)
    if spelt is None or not sha256.startswith(spelt[1]):
        raise NetworkError(
            f"{name}: weights {path}: damaged: its SHA-256 begins {sha256[:8]}; delete the file"
        )
    return path


def hub_folder() -> Path:
    """The folder in which torch keeps published weights."""
    return Path(torch.hub.get_dir()) / "checkpoints"


def _sizes(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "a single number"


def _plain(text: object) -> str:
    """Foreign text, cut to part of one printable line."""
    line = " ".join(str(text).split())
    return "".join(c if c.isprintable() else "?" for c in line)[:80]
