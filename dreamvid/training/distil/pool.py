"""The pictures a student learns from: a folder of photographs, and a pool of crops in motion."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from dreamvid.errors import MediaError
from dreamvid.frames import Size, noise, photographic, size_of
from dreamvid.media import read_picture

HELD_OUT_EVERY, HELD_OUT_FIRST = 20, 10
"""Which files of the sorted folder are held out, to measure the student with them."""
LARGEST_SHORT_SIDE = 768
"""Larger photographs are shrunk to this shorter side, so that thousands fit in memory."""
NAMED = 3
"""How many unreadable files are named; the others are only counted."""


def files_in(folder: Path) -> list[Path]:
    """Every file under `folder` that is not hidden, sorted by its path.

    Raises:
        MediaError: `folder` is no folder, or holds no files.
    """
    if not folder.is_dir():
        reason = "is not a folder" if folder.exists() else "no such folder"
        raise MediaError(f"{folder}: {reason}; expected a folder of pictures")
    files = [path for path in folder.rglob("*") if path.is_file()]
    shown = [path for path in files if not _is_hidden(path.relative_to(folder))]
    if not shown:
        raise MediaError(f"{folder}: holds no pictures")
    return sorted(shown)


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def split(files: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """The files to learn from, and those held out, which are none if there are few files."""
    held = files[HELD_OUT_FIRST::HELD_OUT_EVERY]
    out = set(held)
    return [path for path in files if path not in out], list(held)


def read_photographs(
    files: Sequence[Path], smallest: int, say: Callable[[str], object]
) -> list[Tensor]:
    """The readable pictures among `files` as uint8 (3, H, W); says what was left out.

    Args:
        files: what to read.
        smallest: pictures with a shorter side, in pixels, are left out.
        say: takes a line about the files that are left out.

    Raises:
        MediaError: no picture is left.
    """
    photographs, unreadable, small = [], [], 0
    for path in files:
        try:
            picture = read_picture(path)
        except MediaError as error:
            unreadable.append(error)
            continue
        short = min(size_of(picture))
        if short < smallest:
            small += 1
            continue
        if short > LARGEST_SHORT_SIDE:
            scale = LARGEST_SHORT_SIDE / short
            picture = photographic(picture, Size(*(round(scale * s) for s in size_of(picture))))
        photographs.append(to_bytes(picture))
    left_out = [f"{len(unreadable)} of {len(files)} files cannot be read"] if unreadable else []
    left_out += [f"{small} have sides under {smallest} pixels"] if small else []
    reasons = [str(error) for error in unreadable[:NAMED]]
    reasons += [f"and {len(unreadable) - NAMED} more"] if len(unreadable) > NAMED else []
    about = " and ".join(left_out) + (f" ({'; '.join(reasons)})" if reasons else "")
    if not photographs:
        folder = os.path.commonpath([path.parent for path in files]) if files else "the folder"
        raise MediaError(f"{folder}: holds no pictures to learn from: {about or 'no files'}")
    if about:
        say(f"left out: {about}")
    return photographs


@dataclass
class Pool:
    """Pictures (count, 3, side, side) in [0, 1], which are pushed along dream gradients."""

    photographs: list[Tensor]
    count: int
    side: int
    generator: torch.Generator
    pictures: Tensor = field(init=False)

    def __post_init__(self) -> None:
        self.pictures = torch.empty(self.count, 3, self.side, self.side)
        for index in range(self.count):
            self.pictures[index] = self.fresh()

    def fresh(self) -> Tensor:
        """A crop of a photograph at a random scale, sometimes noisy, or coloured noise."""
        if self._uniform(0, 1) < 0.08:
            key = (int(self._uniform(0, 2**31)),)
            exponent, contrast = self._uniform(0.3, 1.4), self._uniform(0.03, 0.25)
            return noise(Size(self.side, self.side), key, exponent=exponent, contrast=contrast)
        photograph = self.photographs[int(self._uniform(0, len(self.photographs)))]
        height, width = photograph.shape[1:]
        crop = round(self.side * 2 ** self._uniform(-0.5, 1.2))
        crop = min(crop, height, width)
        top = int(self._uniform(0, height - crop + 1))
        left = int(self._uniform(0, width - crop + 1))
        picture = photograph[:, top : top + crop, left : left + crop].float() / 255
        picture = photographic(picture, Size(self.side, self.side))
        if self._uniform(0, 1) < 0.5:
            picture = picture.flip(2)
        if self._uniform(0, 1) < 0.5:
            sigma = self._uniform(0, 0.06)
            picture = picture + sigma * torch.randn(picture.shape, generator=self.generator)
        return picture.clamp(0, 1)

    def draw(self, batch: int, fresh: int) -> Tensor:
        """Indices of a batch, the first `fresh` of which have just been replaced by new crops."""
        chosen = torch.randperm(self.count, generator=self.generator)[:batch]
        for index in chosen[:fresh].tolist():
            self.pictures[index] = self.fresh()
        return chosen

    def push(self, chosen: Tensor, gradients: Tensor) -> None:
        """Step the chosen pictures along gradients, by 1 to 8 levels each; some are zoomed."""
        steps = 2 ** torch.empty(len(chosen), 1, 1, 1).uniform_(0, 3, generator=self.generator)
        scale = gradients.abs().mean((1, 2, 3), keepdim=True) + 1e-20
        moved = self.pictures[chosen] + steps / 255 * gradients / scale
        if self._uniform(0, 1) < 0.25:
            inner = round(self.side / self._uniform(1.02, 1.2))
            top = int(self._uniform(0, self.side - inner + 1))
            left = int(self._uniform(0, self.side - inner + 1))
            crop = moved[:, :, top : top + inner, left : left + inner]
            moved = F.interpolate(crop, (self.side, self.side), mode="bilinear", align_corners=True)
        self.pictures[chosen] = moved.clamp(0, 1)

    def restore(self, pictures: Tensor) -> None:
        """Replace the pool's pictures by `pictures`, uint8 of the same shape."""
        self.pictures = pictures.float() / 255

    def _uniform(self, low: float, high: float) -> float:
        return low + (high - low) * torch.rand((), generator=self.generator).item()


def to_bytes(pictures: Tensor) -> Tensor:
    """Pictures in [0, 1] as uint8."""
    return pictures.mul(255).round().to(torch.uint8)
