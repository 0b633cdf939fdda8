"""The student's shape, which follows from the teacher's, and its file."""

import json
import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor

from dreamvid.errors import NetworkError
from dreamvid.networks import weights as weights_files
from dreamvid.networks.base import Network
from dreamvid.networks.pocket import STAGES, Pocket, Stage

GOOGLENET_LAYERS = (
    "pool1/3x3_s2",
    "conv2/3x3",
    *(f"inception_{block}/output" for block in ("3a", "3b", "4a", "4b", "4c", "4d")),
)
"""The layers of GoogLeNet that `STAGES` predict, one for one."""
FEWEST_LAYERS, MOST_LAYERS = 2, 10
FIRST_STRIDE = 4
"""Pixels to one place of a student's first layer."""
WIDEST = 4096
LARGEST_FILE = 5_000_000
"""The most bytes that the network in the package may have."""


def teacher_layers(teacher: Network, text: str | None) -> tuple[str, ...]:
    """The teacher's layers that `text` names, shallowest first; `text` is comma-separated.

    Without `text`, those of the network in the package, which only GoogLeNet has.
    """
    if text is None:
        if teacher.name != "googlenet":
            raise NetworkError(
                f"{teacher.name}: no layers; name {FEWEST_LAYERS} to {MOST_LAYERS} of them with "
                f"--layers A,B,... (dreamvid list layers {teacher.name})"
            )
        return GOOGLENET_LAYERS
    selectors = [part.strip() for part in text.split(",") if part.strip()]
    choices = teacher.choices(selectors)
    for choice in choices:
        if choice.channels is not None or choice.weight != 1:
            raise NetworkError(
                f"layer {choice.layer}: channels or a weight cannot be chosen here; a student "
                "learns the whole layer"
            )
    names = {choice.layer for choice in choices}
    if not FEWEST_LAYERS <= len(names) <= MOST_LAYERS:
        raise NetworkError(
            f"--layers: got {len(names)} layers of {teacher.name}, expected {FEWEST_LAYERS} to "
            f"{MOST_LAYERS}"
        )
    return tuple(layer for layer in teacher.layers if layer in names)


def stages_for(teacher: Network, layers: tuple[str, ...]) -> tuple[Stage, ...]:
    """A stage for each of the teacher's `layers`; its depth and width depend on the stride.

    Raises:
        NetworkError: a pocket network cannot have the layers' strides.
    """
    if teacher.name == "googlenet" and layers == GOOGLENET_LAYERS:
        return STAGES
    shapes = layer_shapes(teacher)
    where = teacher.name
    for layer in layers:
        if layer not in shapes:
            raise NetworkError(f"{where}: {layer} is no picture of features; choose another layer")
        if shapes[layer][0] > WIDEST:
            raise NetworkError(
                f"{where}: {layer} has {shapes[layer][0]} channels, {WIDEST} at most"
            )
    strides = [shapes[layer][1] for layer in layers]
    if strides[0] != FIRST_STRIDE:
        fitting = [layer for layer, (_, stride) in shapes.items() if stride == FIRST_STRIDE]
        raise NetworkError(
            f"{where}: the first layer, {layers[0]}, has stride {strides[0]}, expected "
            f"{FIRST_STRIDE}; begin with one of {', '.join(fitting[:6]) or 'another network'}"
        )
    for (before, after), layer in zip(pairwise(strides), layers[1:], strict=True):
        if after not in (before, 2 * before):
            raise NetworkError(
                f"{where}: the stride goes from {before} to {after} at {layer}, expected {before} "
                f"or {2 * before}; add a layer between or leave this one out"
            )
    names = _names(layers)
    stages = [Stage(names[0], shapes[layers[0]][0])]
    for index in range(1, len(layers)):
        pooled = strides[index] > strides[index - 1]
        width, convolutions = _size(strides[index], pooled)
        channels = shapes[layers[index]][0]
        stages.append(Stage(names[index], channels, width, convolutions, pooled))
    return tuple(stages)


@torch.no_grad()
def layer_shapes(teacher: Network) -> dict[str, tuple[int, int]]:
    """Channels and stride of each of the teacher's layers that is a picture of features."""
    side = 256
    flat = torch.zeros(1, 3, side, side, device=teacher.device)
    shapes = {}
    for name, found in teacher.activations(teacher.preprocessing.to_input(flat)):
        if found.ndim == 4 and min(found.shape[2:]) > 1:
            # Unpadded convolutions lose a few places at the edge, which is no stride.
            stride = 2 ** round(torch.log2(torch.tensor(side / found.shape[-1])).item())
            shapes[name] = (found.shape[1], stride)
    return shapes


def _size(stride: int, pooled: bool) -> tuple[int, int]:
    """Width and number of convolutions of a stage; the first stage of a stride is narrower."""
    if stride <= FIRST_STRIDE:
        return 48, 1
    if stride == 2 * FIRST_STRIDE:
        return (64 if pooled else 96), 1
    return 112, 2


def _names(layers: tuple[str, ...]) -> list[str]:
    """The layers' names as identifiers, all different."""
    names: list[str] = []
    for layer in layers:
        name = re.sub(r"\W", "_", layer)
        name = name if name.isidentifier() else f"_{name}"
        names.append(name if name not in names else f"{name}_{len(names)}")
    return names


def check_size(stages: tuple[Stage, ...]) -> None:
    """Raise `NetworkError` if the network for the package would be too large for it."""
    with torch.device("meta"):
        count = sum(parameter.numel() for parameter in Pocket(stages).parameters())
    if stages == STAGES and 2 * count > LARGEST_FILE:
        raise NetworkError(
            f"pocket: its stages make a file of {2 * count / 1e6:.1f} MB, at most "
            f"{LARGEST_FILE / 1e6:.1f} MB allowed; make STAGES narrower"
        )


def write_student(
    path: Path, state: Mapping[str, Tensor], stages: tuple[Stage, ...], about: Mapping[str, str]
) -> None:
    """Write a student's weights to `path`, atomically, for ``--network pocket``.

    Args:
        path: ends in .safetensors.
        state: the weights, written with 16 bits; `units` keep 32.
        stages: its shape, kept in the metadata.
        about: more metadata.
    """
    tensors = {
        name: (value if name == "units" else value.half()).cpu().contiguous()
        for name, value in state.items()
    }
    metadata = {"network": "pocket", "stages": json.dumps(stages), **about}
    weights_files.write(path, tensors, metadata)
