"""The file of a turbo network: its decoder, and what it learned from whom."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from dreamvid.dream.turbo.net import Decoder, TurboNet, Widths
from dreamvid.errors import NetworkError
from dreamvid.networks import weights as weights_files
from dreamvid.networks.base import Network
from dreamvid.networks.pocket import EMBEDDED, pocket

NAME = "turbo"
SHIPPED = Path(__file__).with_name("default.turbo.safetensors")
LARGEST = 64 * 2**20
MOST_LAYERS, WIDEST = 64, 1024


class TurboFile(NamedTuple):
    """A turbo network as its file has it."""

    net: TurboNet
    sha256: str
    teacher: str
    """The name of the network whose dream it learned."""
    objective: Mapping[str, Any]
    """What it learned to raise: a section ``objective``."""
    channels: str
    """The layer of which it learned single channels, or nothing."""
    metadata: Mapping[str, str]


def path_of(asked: str) -> Path:
    """The file that ``turbo.dream`` asks for: ``turbo`` is the one in the package."""
    return SHIPPED if asked == NAME else Path(asked)


def read_turbo(
    path: Path, device: torch.device | None = None, dtype: torch.dtype = torch.float32
) -> TurboFile:
    """The turbo network in a file, on a device, ready to dream with convolutions of `dtype`.

    Raises:
        NetworkError: It is missing, damaged, no turbo network, or of another trunk.
    """
    found = weights_files.read(path, NAME, LARGEST)
    about = found.metadata
    if about.get("network") != NAME:
        raise NetworkError(
            f"{path}: no turbo network; expected a file that `dreamvid turbo` made (a network that "
            "dreams by ascent is given with --network and --weights)"
        )
    try:
        layers = tuple(map(str, json.loads(about["layers"])))
        widths = Widths(*map(int, json.loads(about["widths"])))
        objective = dict(json.loads(about["objective"]))
        sane = 0 < len(layers) <= MOST_LAYERS and all(0 < width <= WIDEST for width in widths)
    except (ValueError, TypeError, KeyError, RecursionError):
        sane, layers, widths, objective = False, (), Widths(), {}
    if not sane:
        raise NetworkError(f"{path}: damaged: it does not say what it learned; train it again")
    trunk = pocket()
    if not trunk.dreams_like(about.get("trunk_sha256", "")):
        raise NetworkError(
            f"{path}: was trained on another pocket network than the one in this package; train "
            "it again, or use the dreamvid that made it"
        )
    expected = Decoder(len(layers), widths).state_dict()
    for name, tensor in expected.items():
        mine = found.tensors.get(name)
        if mine is None or mine.shape != tensor.shape or not torch.isfinite(mine.float()).all():
            raise NetworkError(f"{path}: damaged: its tensor {name} is not as expected")
    net = TurboNet(layers, widths)
    net.decoder.load_state_dict({name: found.tensors[name].float() for name in expected})
    net = net.requires_grad_(False).eval().to(memory_format=torch.channels_last)
    net = net.rounded(dtype) if device is None else net.to(device).rounded(dtype)
    channels = net.deepest if about.get("channels") == net.deepest else ""
    return TurboFile(net, found.sha256, about.get("teacher", ""), objective, channels, about)


def write_turbo(
    path: Path,
    decoder: Mapping[str, Tensor],
    net: TurboNet,
    teacher: Network,
    objective: Mapping[str, Any],
    about: Mapping[str, str],
) -> None:
    """Write a turbo network to `path`, atomically, with 16 bits a number.

    Args:
        path: ends in .safetensors.
        decoder: the tensors of its decoder.
        net: its layers and widths.
        teacher: the network that it learned from.
        objective: what it learned to raise.
        about: more metadata.
    """
    tensors = {name: value.half().cpu().contiguous() for name, value in decoder.items()}
    metadata = {
        "network": NAME,
        "layers": json.dumps(net.layers),
        "widths": json.dumps(net.widths),
        "trunk_sha256": weights_files.read(EMBEDDED, "pocket").sha256,
        "teacher": teacher.name,
        "teacher_sha256": teacher.weights_sha256 or "",
        "objective": json.dumps(dict(objective)),
        **about,
    }
    weights_files.write(path, tensors, metadata)
