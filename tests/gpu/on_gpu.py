"""What the tests of a GPU share. `DREAMVID_TEST_DEVICE=cpu` tries the tests themselves."""

import hashlib
import os
from pathlib import Path

import pytest
import torch

from dreamvid.dream.cuda_graphs import Recordings, plain_calls
from dreamvid.dream.dreamer import Dreamer, dreamer_for
from dreamvid.frames import Size, noise
from dreamvid.settings import settled

DEVICE = os.environ.get("DREAMVID_TEST_DEVICE", "cuda")
CUDA = DEVICE.startswith("cuda")
MARKS = [
    pytest.mark.gpu,
    pytest.mark.skipif(
        CUDA and not torch.cuda.is_available(), reason="needs a CUDA device, and there is none"
    ),
]
ONLY_CUDA = pytest.mark.skipif(not CUDA, reason="looks at CUDA itself")


def made(**tree) -> Dreamer:
    """A dreamer in float32 on the device; a processor's records by doing."""
    tree["machine"] = {"device": DEVICE, "precision": "fp32", **tree.get("machine", {})}
    dreamer = dreamer_for(settled(tree))
    if not CUDA:
        dreamer._recordings = Recordings(plain_calls)
    return dreamer


def frames(dreamer: Dreamer, size: Size = Size(96, 136), count: int = 3) -> list[torch.Tensor]:  # noqa: B008
    """The same dream several times."""
    start = noise(size, (0,)).to(DEVICE)
    return [dreamer(start, (0, 0)) for _ in range(count)]


def hashes(folder: Path) -> list[str]:
    """The hashes of a job's frames, in order."""
    found = sorted((folder / "frames").glob("*.png"))
    return [hashlib.sha256(path.read_bytes()).hexdigest()[:12] for path in found]
