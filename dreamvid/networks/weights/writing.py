"""Writing weights files of our own."""

import json
from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import save
from torch import Tensor

from dreamvid.media import atomic_write


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
    with atomic_write(path) as part, part.open("wb") as stream:
        stream.write(len(text).to_bytes(8, "little") + text)
        stream.write(data[8 + length :])
