"""TensorFlow's frozen graphs (.pb): the constants of a GraphDef that are weights, by node name.

Source: TensorFlow's graph.proto, node_def.proto, attr_value.proto and tensor.proto.
"""

import math

from torch import Tensor

from dreamvid.networks.weights import wire

FLOAT32 = 1


def tensors(content: memoryview) -> dict[str, Tensor]:
    """The float32 constants of a graph, as TensorFlow lays them out (HWIO).

    Raises:
        ValueError: It is no graph, or holds none.
    """
    found: dict[str, Tensor] = {}
    for number, value in wire.fields(content):
        if number != 1:
            continue
        name, operation, tensor = "", "", None
        for field, inner in wire.fields(wire.message_in(value)):
            if field == 1:
                name = wire.text_in(inner)
            elif field == 2:
                operation = wire.text_in(inner)
            elif field == 5:
                tensor = _value(wire.message_in(inner)) or tensor
        if operation == "Const" and tensor is not None:
            constant = _tensor(tensor)
            if constant is not None:
                found[name] = constant
    if not found:
        raise ValueError("no graph with float32 constants")
    return found


def _value(attribute: memoryview) -> memoryview | None:
    """The tensor of a node's attribute, where that is the one called `value`."""
    name, tensor = "", None
    for field, inner in wire.fields(attribute):
        if field == 1:
            name = wire.text_in(inner)
        elif field == 2:
            for kind, content in wire.fields(wire.message_in(inner)):
                if kind == 8:
                    tensor = wire.message_in(content)
    return tensor if name == "value" else None


def _tensor(message: memoryview) -> Tensor | None:
    """A TensorProto of float32, or `None` for one of another type."""
    kind, shape, raw, listed = 0, [], memoryview(b""), []
    for field, value in wire.fields(message):
        if field == 1:
            kind = wire.number_in(value)
        elif field == 2:
            shape = _shape(wire.message_in(value))
        elif field == 4:
            raw = wire.message_in(value)
        elif field == 5:
            listed.append(wire.message_in(value))
    if kind != FLOAT32:
        return None
    numbers = wire.floats_in([raw] if len(raw) else listed)
    if math.prod(shape) != numbers.numel():
        raise ValueError(f"a tensor of {numbers.numel()} numbers is said to be {shape}")
    return numbers.view(shape)


def _shape(message: memoryview) -> list[int]:
    sizes = []
    for field, value in wire.fields(message):
        if field == 2:
            size = 0
            for number, inner in wire.fields(wire.message_in(value)):
                if number == 1:
                    size = wire.number_in(inner)
            sizes.append(size)
    return sizes
