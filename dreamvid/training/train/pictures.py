"""The pictures of a folder of class folders: how they are read, split, and varied in training."""

import hashlib
import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch.nn import functional as F

from dreamvid.errors import MediaError
from dreamvid.frames import Frame, Key, drawn, from_pixels, to_pixels
from dreamvid.media import read_picture

MEMORY = 2 * 2**30
"""Bytes of pictures that are kept in memory; others are read from the disk in every epoch."""
SMALLEST_CROP = 0.5
"""The smallest random crop, as a share of the picture's area."""
JITTER = 0.2
"""How far the factors of brightness, contrast and saturation may be from 1."""


class Example(NamedTuple):
    """A picture's file and the number of its class."""

    path: Path
    label: int


class Dataset(NamedTuple):
    """A folder of class folders, split into pictures to learn from and pictures held out."""

    classes: tuple[str, ...]
    training: tuple[Example, ...]
    held_out: tuple[Example, ...]
    unreadable: tuple[Path, ...]
    views: "Views"

    def digest(self, folder: Path) -> str:
        """A hash of the names, sizes and classes of all pictures, and of the split."""
        lines = [
            f"{example.path.relative_to(folder).as_posix()}\0{example.path.stat().st_size}"
            for examples in (self.training, self.held_out)
            for example in (*examples, Example(folder, 0))
        ]
        return hashlib.sha256("\n".join(lines).encode(errors="surrogateescape")).hexdigest()


class Views:
    """Pictures as the network sees them: (3, side, side), RGB, [0, 1]."""

    def __init__(self, side: int) -> None:
        self.side = side
        self._kept: dict[Path, np.ndarray] = {}
        self._room = MEMORY

    def read(self, path: Path) -> Frame:
        """The whole picture, made smaller if it is much larger than a view."""
        if path in self._kept:
            return from_pixels(self._kept[path])
        frame = read_picture(path)
        scale = 1.5 * self.side / min(frame.shape[1:])
        if scale < 1:
            frame = _scaled(frame, *(round(length * scale) for length in frame.shape[1:]))
        pixels = to_pixels(frame)
        if pixels.nbytes <= self._room:
            self._room -= pixels.nbytes
            self._kept[path] = pixels
        return from_pixels(pixels)

    def plain(self, path: Path) -> Frame:
        """The largest square in the middle."""
        frame = self.read(path)
        height, width = frame.shape[1:]
        short = min(height, width)
        top, left = (height - short) // 2, (width - short) // 2
        return _scaled(frame[:, top : top + short, left : left + short], self.side, self.side)

    def varied(self, path: Path, key: Key) -> Frame:
        """A random crop, perhaps mirrored, with slightly other colours, as `key` decides."""
        frame = self.read(path)
        height, width = frame.shape[1:]
        draws = torch.rand(8, generator=torch.Generator().manual_seed(drawn(key, 0, 2**62)))
        area, shape, down, across, mirror, *colours = draws.tolist()
        pixels = height * width * (SMALLEST_CROP + (1 - SMALLEST_CROP) * area)
        ratio = (4 / 3) ** (2 * shape - 1)
        rows = max(1, min(height, round(math.sqrt(pixels / ratio))))
        columns = max(1, min(width, round(math.sqrt(pixels * ratio))))
        top, left = int(down * (height - rows + 1)), int(across * (width - columns + 1))
        frame = _scaled(frame[:, top : top + rows, left : left + columns], self.side, self.side)
        if mirror < 0.5:
            frame = frame.flip(2)
        brightness, contrast, saturation = (1 + JITTER * (2 * draw - 1) for draw in colours)
        frame = frame * brightness
        frame = torch.lerp(frame.mean(), frame, contrast)
        return torch.lerp(frame.mean(0, keepdim=True), frame, saturation).clamp(0, 1)


def _scaled(frame: Frame, height: int, width: int) -> Frame:
    if frame.shape[1:] == (height, width):
        return frame
    return F.interpolate(frame[None], (height, width), mode="bilinear", antialias=True)[0]


def dataset(folder: Path, *, side: int, held_out: float = 0.2, seed: int = 0) -> Dataset:
    """The pictures of `folder`, a class for each folder in it, split by class and by `seed`.

    Raises:
        MediaError: There are no two classes, or one has too few pictures that can be read.
    """
    if not folder.is_dir():
        wrong = "is a file" if folder.exists() else "no such folder"
        raise MediaError(f"{folder}: {wrong}; expected a folder of class folders with pictures")
    found = {
        inside.name: sorted(
            path
            for path in inside.rglob("*")
            if path.is_file() and not any(p.startswith(".") for p in path.relative_to(folder).parts)
        )
        for inside in sorted(folder.iterdir())
        if inside.is_dir() and not inside.name.startswith(".")
    }
    if not any(found.values()):
        raise MediaError(
            f"{folder}: no pictures in class folders, expected one folder for each class"
        )
    if len(found) < 2:
        raise MediaError(f"{folder}: only one class ({next(iter(found))}), expected two or more")
    views = Views(side)
    training, held, unreadable = [], [], []
    for label, (name, paths) in enumerate(found.items()):
        readable = []
        for path in paths:
            try:
                views.read(path)
                readable.append(Example(path, label))
            except MediaError:
                unreadable.append(path)
        if (count := len(readable)) < 2:
            raise MediaError(
                f"{folder / name}: {count} of {len(paths)} files are pictures that can be read, "
                "expected two or more, to train on one and hold one out"
            )
        generator = torch.Generator().manual_seed(drawn((seed, label), 0, 2**62))
        order = torch.randperm(count, generator=generator).tolist()
        share = min(count - 1, max(1, round(held_out * count)))
        held += [readable[index] for index in sorted(order[:share])]
        training += [readable[index] for index in sorted(order[share:])]
    return Dataset(tuple(found), tuple(training), tuple(held), tuple(unreadable), views)
