"""Caffe's .caffemodel: layers by name, each with its blobs, of which the first is the weight.

Source: caffe.proto's NetParameter, with LayerParameter and the older V1LayerParameter.
"""

import math

from torch import Tensor

from dreamvid.networks.weights import wire

# The field of NetParameter that holds layers: (the layer's name, its blobs) in each form of it.
LAYER_FIELDS = {100: (1, 7), 2: (4, 6)}
PARTS = ("weight", "bias")


def tensors(content: memoryview) -> dict[str, Tensor]:
    """The weights and biases in a file, as ``LAYER.weight`` and ``LAYER.bias``.

    Raises:
        ValueError: It is no .caffemodel, or holds none.
    """
    found: dict[str, Tensor] = {}
    for number, value in wire.fields(content):
        if number not in LAYER_FIELDS:
            continue
        name_field, blobs_field = LAYER_FIELDS[number]
        name, blobs = "", []
        for field, inner in wire.fields(wire.message_in(value)):
            if field == name_field:
                name = wire.text_in(inner)
            elif field == blobs_field:
                blobs.append(wire.message_in(inner))
        for part, blob in zip(PARTS, blobs, strict=False):
            found[f"{name}.{part}"] = _tensor(blob)
    if not found:
        raise ValueError("no layers with weights")
    return found


def _tensor(blob: memoryview) -> Tensor:
    """A blob; where its shape is of the older kind (num, channels, height, width), 1s are dropped.

    The older kind cannot tell a bias from a matrix of one row, and gives a matrix as 1x1xNxM.
    """
    shape: list[int] = []
    old = {1: 0, 2: 0, 3: 0, 4: 0}
    data: list[memoryview] = []
    for field, value in wire.fields(blob):
        if field == 5:
            data.append(wire.message_in(value))
        elif field == 7:
            for number, inner in wire.fields(wire.message_in(value)):
                if number == 1:
                    shape += wire.integers_in(inner)
        elif field in old:
            old[field] = wire.number_in(value)
    numbers = wire.floats_in(data)
    if not shape:
        shape = list(old.values())
        if shape[:2] == [1, 1]:
            shape = shape[2:] if shape[2] > 1 else shape[3:]
    if math.prod(shape) != numbers.numel():
        raise ValueError(f"a blob of {numbers.numel()} numbers is said to be {shape}")
    return numbers.view(shape)
