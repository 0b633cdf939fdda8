"""Frames as pictures: a folder of PNG, or files whose names follow a pattern."""

import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from dreamvid.frames import Frame
from dreamvid.media.atomic import atomic_write, storage_checked
from dreamvid.media.sequences import name_of, of_pattern
from dreamvid.media.writing import write_picture


def write_folder(
    frames: Iterable[Frame],
    path: Path,
    first: int,
    depth: int,
    metadata: Mapping[str, str] | None,
) -> int:
    """Write frames as 000000.png and so on into a folder, which replaces any there."""
    count = 0
    with atomic_write(path) as part:
        part.mkdir()
        for count, frame in enumerate(frames, 1):
            name = f"{first + count - 1:06d}.png"
            write_picture(frame, part / name, depth, metadata)
    return count


def write_sequence(
    frames: Iterable[Frame],
    path: Path,
    numbers: Iterator[int],
    depth: int,
    metadata: Mapping[str, str] | None,
) -> int:
    """Write frames to the names that a pattern makes of `numbers`; those there are replaced.

    They are made in a folder beside these names and appear once all are whole, the first at last.
    """
    path = path.absolute()
    part = path.with_name(f".{path.name}.part")
    names: list[str] = []
    try:
        with storage_checked(path):
            shutil.rmtree(part, ignore_errors=True)  # what an interrupted run left
            part.mkdir()
        for number, frame in zip(numbers, frames, strict=False):
            names.append(name_of(path.name, number))
            write_picture(frame, part / names[-1], depth, metadata)
        with storage_checked(path):
            for old in of_pattern(path):
                old.unlink()
            for name in reversed(names):
                (part / name).replace(path.with_name(name))
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return len(names)
