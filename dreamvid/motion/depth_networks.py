"""Depth networks of the user's own, as ONNX or TorchScript: what they see in a picture.

MiDaS and Depth Anything, and what is trained like them, take RGB as ImageNet's networks do and give
one divided by the distance. What gives the distance itself is asked for with white far.
"""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dreamvid.errors import NetworkError, in_one_line
from dreamvid.frames import Frame, Size, photographic, resized, size_of
from dreamvid.networks.base import Preprocessing

SHORTER, BLOCK = 518, 14
"""Of what a network sees that takes any size: the shorter side, and what divides both."""
SUFFIXES = (".onnx", ".pt", ".pth", ".torchscript")
TOLD = 120

Estimate = Callable[[Frame], np.ndarray]
"""From a frame to what a network makes of it: (H, W), in a unit of its own."""


def depth_network(path: Path) -> Estimate:
    """What the network at `path` sees.

    Raises:
        NetworkError: it is not there, of another kind, or makes no depth of a picture.
    """
    if not path.is_file():
        raise NetworkError(f"--model: {path} is not there; name the file of a depth network")
    if path.suffix.lower() not in SUFFIXES:
        raise NetworkError(f"--model: got {path.name}, expected one of {', '.join(SUFFIXES)}")
    try:
        run, fixed = (_onnx if path.suffix.lower() == ".onnx" else _torchscript)(path)
    except NetworkError:
        raise
    # A file that holds something else fails in many ways while it is read.
    except Exception as error:
        raise NetworkError(
            f"--model: {path} cannot be read as a network ({_said(error)}); "
            "expected ONNX or TorchScript, not weights alone"
        ) from None

    def estimate(frame: Frame) -> np.ndarray:
        size = fixed or seen_size(size_of(frame))
        try:
            made = run(Preprocessing().to_input(photographic(frame, size)[None]))
        # So does one that takes something else than a picture.
        except Exception as error:
            raise NetworkError(
                f"--model: {path.name} takes no picture of {size} ({_said(error)}); give another"
            ) from None
        depth = made.squeeze()
        if depth.ndim != 2 or not bool(torch.isfinite(depth).all()):
            raise NetworkError(
                f"--model: {path.name} gave {tuple(made.shape)} for a picture of {size}, expected "
                "one finite number for each pixel; give a depth network"
            )
        return resized(depth[None].float(), size_of(frame), corners=False)[0].numpy()

    return estimate


def seen_size(size: Size) -> Size:
    """What a network that takes any size sees of a picture."""
    scale = SHORTER / min(size)
    return Size(*(max(BLOCK, round(side * scale / BLOCK) * BLOCK) for side in size))


def _onnx(path: Path) -> tuple[Callable[[Tensor], Tensor], Size | None]:
    try:
        import onnxruntime  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise NetworkError(
            "--model: needs onnxruntime; install it with pip install 'dreamvid[onnx]'"
        ) from None
    session: Any = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    taken = session.get_inputs()
    if len(taken) != 1 or len(taken[0].shape) != 4:
        shapes = ", ".join(f"{each.name} {each.shape}" for each in taken)
        raise NetworkError(f"--model: {path.name} takes {shapes}, expected one picture")
    sides = taken[0].shape[2:]
    fixed = Size(*sides) if all(isinstance(side, int) and side > 0 for side in sides) else None

    def run(picture: Tensor) -> Tensor:
        return torch.from_numpy(session.run(None, {taken[0].name: picture.numpy()})[0])

    return run, fixed


def _torchscript(path: Path) -> tuple[Callable[[Tensor], Tensor], Size | None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that TorchScript is no longer developed
        network = torch.jit.load(str(path), map_location="cpu").eval()

    def run(picture: Tensor) -> Tensor:
        with torch.inference_mode():
            made = network(picture)
        return made[0] if isinstance(made, (tuple, list)) else made

    return run, None


def _said(error: Exception) -> str:
    return in_one_line(error)[:TOLD]
