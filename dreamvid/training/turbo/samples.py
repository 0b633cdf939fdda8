"""Sheets of a turbo network's dreams while it learns."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from dreamvid.dream.dreamer import Dreamer
from dreamvid.dream.octaves import counted, octave_sizes
from dreamvid.frames import Size, noise, size_of
from dreamvid.media import write_picture
from dreamvid.motion.warp import grid, warp
from dreamvid.networks.base import Network
from dreamvid.networks.layers import Choice
from dreamvid.settings import Settings
from dreamvid.training.distil.fidelity import middle

SIDE = 160
FED = 8
"""How often the last row is fed again."""
ZOOM = 1.01
"""How much it is enlarged each time."""


def write_sample(
    teacher: Network,
    choices: Sequence[Choice],
    settings: Settings,
    file: Path,
    photographs: Sequence[Tensor],
    path: Path,
) -> None:
    """A sheet: pictures and noise, what one pass makes of them, and what a short zoom does."""
    size = Size(SIDE, SIDE)
    settings = counted(settings.changed("turbo", dream=str(file), refine=0), size)
    fitting = [each for each in octave_sizes(size, settings.octaves) if min(each) >= 32]
    settings = settings.changed("octaves", count=len(fitting), weights=(), layers=())
    dreamer = Dreamer(teacher, choices, settings)
    starts = [middle(photograph, SIDE) for photograph in photographs]
    batch = torch.stack([*starts, noise(size, (0,))]).to(teacher.device)
    rows = [batch, dreamer.batch(batch, (0, 0))]
    fed = rows[-1]
    for number in range(FED):
        fed = torch.stack([_enlarged(picture) for picture in fed])
        index = number + 1
        fed = dreamer.batch(fed, (0, index), later=True, index=index).mul(255).round().div(255)
    rows.append(fed)
    sheet = torch.cat([torch.cat(list(row), dim=2) for row in rows], dim=1)
    write_picture(sheet.cpu().contiguous(), path)


def _enlarged(picture: Tensor) -> Tensor:
    points = grid(size_of(picture), picture.device)
    middle_ = points.mean((1, 2), keepdim=True)
    return warp(picture, (points - middle_) * (1 / ZOOM - 1)).clamp(0, 1)
