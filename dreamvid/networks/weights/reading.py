"""Reading weights files, all of which are untrusted.

A file is read as tensors and text only, never as pickled code; `installing` then compares it with
the network before a value is copied.
"""

import dataclasses
import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from dreamvid.errors import NetworkError
from dreamvid.machine.hashing import file_hash
from dreamvid.networks.weights import caffemodel, frozen_graph

SIZE_CAP = 3 * 2**30
"""Bytes a file may hold, unpacked; the largest of torchvision's networks is 2.6 GB."""
PICKLED = (".pth", ".pt", ".pth.tar")
MESSAGES: dict[str, Callable[[memoryview], dict[str, Tensor]]] = {
    ".caffemodel": caffemodel.tensors,
    ".pb": frozen_graph.tensors,
}
SUFFIXES = (".safetensors", *PICKLED, *MESSAGES, ".zip")


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
    suffix = ".pth.tar" if path.name.endswith(".pth.tar") else path.suffix
    if suffix not in SUFFIXES:
        raise NetworkError(
            f"{where}: not a {', '.join(SUFFIXES[:-1])} file, nor a .zip with a .pb in it"
        )
    try:
        _check_size(path, where, cap)
        sha256 = file_hash(path)
        if suffix == ".safetensors":
            with safe_open(path, "pt") as opened:
                tensors = {key: opened.get_tensor(key) for key in opened.keys()}  # noqa: SIM118
                return Weights(path, sha256, tensors, opened.metadata() or {})
        if suffix == ".zip":
            return Weights(path, sha256, frozen_graph.tensors(_zipped_graph(path)))
        if suffix in MESSAGES:
            return Weights(path, sha256, MESSAGES[suffix](memoryview(path.read_bytes())))
    # Broken zip archives and messages raise all of these.
    except (SafetensorError, zipfile.BadZipFile, OSError, ValueError, RuntimeError) as error:
        raise NetworkError(f"{where}: damaged, or no weights file: {plain(error)}") from error
    return Weights(path, sha256, _unwrapped(_unpickled(path, where), where))


def class_names(found: Weights, classes: int) -> tuple[str, ...]:
    """The names a file gives its classes, as `dreamvid train` writes them; none where it does not.

    Raises:
        NetworkError: They are not the names of so many classes.
    """
    if "classes" not in found.metadata:
        return ()
    try:
        names = json.loads(found.metadata["classes"])
    except (ValueError, RecursionError):
        names = None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise NetworkError(f"weights {found.path}: the names of its classes are no list of names")
    if len(names) != classes:
        raise NetworkError(f"weights {found.path}: names {len(names)} classes and has {classes}")
    return tuple(names)


def _check_size(path: Path, where: str, cap: int) -> None:
    size = path.stat().st_size
    # A .pth file is a zip archive, which may unpack to a thousand times its own size.
    if path.suffix != ".safetensors" and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            size = max(size, sum(entry.file_size for entry in archive.infolist()))
    if size > cap:
        raise NetworkError(f"{where}: {size / 2**20:.1f} MiB, more than {cap / 2**20:.1f} allowed")


def _zipped_graph(path: Path) -> memoryview:
    """The one .pb file in an archive, unpacked in memory."""
    with zipfile.ZipFile(path) as archive:
        graphs = [entry for entry in archive.infolist() if entry.filename.endswith(".pb")]
        if len(graphs) != 1:
            raise ValueError(f"{len(graphs)} .pb files in it, expected one")
        return memoryview(archive.read(graphs[0]))


def _unpickled(path: Path, where: str) -> object:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    # Broken files raise EOFError, KeyError, RuntimeError and more, so everything is caught.
    except Exception as error:
        if "weights_only" in str(error):
            reason = "holds more than weights, or is no weights file"
        else:
            reason = f"damaged, or no weights file: {plain(error)}"
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
            raise NetworkError(f"{where}: not a state dict: {plain(key)!r} is no plain tensor")
    parallel = all(key.startswith("module.") for key in content)
    return {key.removeprefix("module.") if parallel else key: content[key] for key in content}


def _is_plain_tensor(value: object) -> bool:
    return (
        isinstance(value, Tensor)
        and value.layout is torch.strided
        and value.device.type == "cpu"
        and not value.is_quantized
    )


def plain(text: object) -> str:
    """Foreign text, cut to part of one printable line."""
    line = " ".join(str(text).split())
    return "".join(c if c.isprintable() else "?" for c in line)[:80]
