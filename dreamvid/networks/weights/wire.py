"""Protocol Buffers' wire format, as far as reading numbers and nested messages needs it.

A message is a row of fields, each a number, a kind and a value. There is nothing to run in it,
and nothing here is larger than the bytes it was read from.

Source: protobuf.dev, "Encoding".
"""

from collections.abc import Iterator

import torch
from torch import Tensor

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


def fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Each field's number and value: an integer for a varint, otherwise its bytes.

    Raises:
        ValueError: The bytes are no message, or end within a field.
    """
    place = 0
    while place < len(message):
        key, place = _varint(message, place)
        number, kind = key >> 3, key & 7
        if not number:
            raise ValueError("not a protobuf message")
        if kind == VARINT:
            value, place = _varint(message, place)
            yield number, value
            continue
        if kind == BYTES:
            length, place = _varint(message, place)
        elif kind in (FIXED32, FIXED64):
            length = 4 if kind == FIXED32 else 8
        else:
            raise ValueError("not a protobuf message")
        if place + length > len(message):
            raise ValueError("cut off")
        yield number, message[place : place + length]
        place += length


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    """An integer of seven bits a byte, the lowest first, and where it ends."""
    value = 0
    for index in range(10):
        if place + index >= len(message):
            raise ValueError("cut off")
        byte = message[place + index]
        value |= (byte & 127) << (7 * index)
        if byte < 128:
            return value & (2**64 - 1), place + index + 1
    raise ValueError("not a protobuf message")


def message_in(value: int | memoryview) -> memoryview:
    """A field's value where it has to be a message, text or packed numbers."""
    if isinstance(value, int):
        raise ValueError("a number where a message belongs")
    return value


def number_in(value: int | memoryview) -> int:
    """A field's value where it has to be an integer."""
    if not isinstance(value, int):
        raise ValueError("a message where a number belongs")
    return value


def text_in(value: int | memoryview) -> str:
    """A field's value where it has to be text."""
    return bytes(message_in(value)).decode("utf-8")


def integers_in(value: int | memoryview) -> list[int]:
    """A repeated field's integers, packed or one by one."""
    if isinstance(value, int):
        return [value]
    found, place = [], 0
    while place < len(value):
        number, place = _varint(value, place)
        found.append(number)
    return found


def floats_in(parts: list[memoryview]) -> Tensor:
    """The float32 numbers of a repeated field that came in `parts`, packed or one by one."""
    data = bytearray().join(parts)
    return torch.frombuffer(data, dtype=torch.float32) if data else torch.empty(0)
