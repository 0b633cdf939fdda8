"""Frames enlarged by a network of the user's own, tile by tile, so that memory stays bounded."""

from collections.abc import Callable
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from dreamvid.errors import NetworkError, in_one_line
from dreamvid.frames import Frame, Size, size_of
from dreamvid.machine.devices import is_memory

TILE = 256
"""The side of a tile, in pixels of the frame that is enlarged."""
MARGIN = 32
"""What a tile sees beyond its edges, so that no seam shows."""

Enlarge = Callable[[Frame], Frame]
Network = Callable[[Tensor], Tensor]
"""From pictures (1, 3, h, w) to larger ones, all from 0 to 1."""


def upscaler(path: Path, device: torch.device, factor: int | None = None) -> Enlarge:
    """What makes frames `factor` times as large by the network at `path`, any that spandrel reads.

    A network that enlarges more is followed by an average over pixels. None: as much as it does.

    Raises:
        NetworkError: spandrel is not installed, or the file holds no such network.
    """
    network, scale = _read(path, device)
    factor = factor or scale
    if scale < factor:
        raise NetworkError(
            f"--upscale: got {factor}, and {path.name} makes pictures {scale} times as large; "
            f"give --upscale {scale}, or another network"
        )

    def enlarge(frame: Frame) -> Frame:
        try:
            large = enlarged(frame, network, scale, device)
        except (RuntimeError, MemoryError) as error:
            if not is_memory(error):
                raise
            raise NetworkError(
                f"--upscaler: {path.name} needs more memory than {device} has; use a lighter one"
            ) from None
        height, width = size_of(frame)
        wanted = (height * factor, width * factor)
        return large if factor == scale else F.interpolate(large[None], wanted, mode="area")[0]

    return enlarge


def enlarged(
    frame: Frame, network: Network, scale: int, device: torch.device, tile: int = TILE
) -> Frame:
    """`frame` (3, H, W) as (3, H · scale, W · scale), on the processor."""
    size = size_of(frame)
    large = frame.new_empty((3, size.height * scale, size.width * scale), device="cpu")
    for rows, columns in product(*(_cut(side, tile) for side in size)):
        seen = [
            slice(max(0, each.start - MARGIN), min(side, each.stop + MARGIN))
            for each, side in zip((rows, columns), size, strict=True)
        ]
        with torch.inference_mode():
            part = network(frame[None, :, seen[0], seen[1]].to(device))[0].float().cpu()
        made, expected = size_of(part), Size(*((e.stop - e.start) * scale for e in seen))
        if made != expected:
            raise NetworkError(
                f"--upscaler: got a picture of {made}, expected {expected}; it cannot be used"
            )
        inner = [
            slice((each.start - whole.start) * scale, (each.stop - whole.start) * scale)
            for each, whole in zip((rows, columns), seen, strict=True)
        ]
        there = [slice(each.start * scale, each.stop * scale) for each in (rows, columns)]
        large[:, there[0], there[1]] = part[:, inner[0], inner[1]]
    return large.clamp_(0, 1)


def _cut(side: int, tile: int) -> list[slice]:
    """`side` pixels in equal parts of `tile` at most."""
    count = -(-side // tile)
    return [slice(*each) for each in pairwise(side * part // count for part in range(count + 1))]


def _read(path: Path, device: torch.device) -> tuple[Network, int]:
    try:
        import spandrel  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise NetworkError(
            "--upscaler: needs spandrel; install it with pip install 'dreamvid[upscale]'"
        ) from None
    if not path.is_file():
        raise NetworkError(f"--upscaler: {path} is not there; name the file of a network")
    try:
        network: Any = spandrel.ModelLoader(device=device).load_from_file(str(path))
    # A file that holds something else fails in many ways while it is read.
    except Exception as error:
        raise NetworkError(
            f"--upscaler: {path} holds no network that spandrel knows "
            f"({in_one_line(error)[:120]}); name another file"
        ) from None
    single = isinstance(network, spandrel.ImageModelDescriptor)
    if not single or (network.input_channels, network.output_channels) != (3, 3):
        raise NetworkError(
            f"--upscaler: {path} takes more than a picture in RGB; name a network that does not"
        )
    network.eval()
    return network, network.scale
