"""A film seen by a camera that travels through each of its frames.

Every frame is taken for a surface of its own, and seen from where the camera is at that time. What
the frame does not show is filled with what lies behind it, mirrored at the edge of the hole.
"""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Literal

import cv2
import numpy as np
import torch

from dreamvid.film.carries import Carry, Situation, Start
from dreamvid.film.sources import Opened
from dreamvid.film.travelling import weighted
from dreamvid.frames import Size, size_of
from dreamvid.motion.scenes import Scene

Part = tuple[slice, slice]
"""The rows and columns of the picture, between black bars."""
WHOLE = (slice(None), slice(None))


def filmed(opened: Opened, scene: Scene, part: Part = WHOLE) -> Opened:
    """A film, as the camera of `scene` sees the `part` of it that is picture."""

    def moved(start: int) -> Iterator[np.ndarray]:
        with closing(opened(start)) as frames:  # pyright: ignore[reportArgumentType]
            for index, pixels in enumerate(frames, start):
                if scene.rests(index):
                    yield pixels
                    continue
                result = pixels.copy()
                result[part] = seen_by(scene, np.ascontiguousarray(pixels[part]), index)
                yield result

    return moved


def seen_by(scene: Scene, pixels: np.ndarray, index: int) -> np.ndarray:
    """The frame `index` of a film, (H, W, C), from where the camera of `scene` is then."""
    places, holes = scene.own(index, Size(*pixels.shape[:2]))
    if holes.any():
        rows, columns = scene.beside(index, holes)
        places[:, holes] = places[:, rows, columns]
    x, y = places.astype(np.float32)
    return cv2.remap(pixels, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)


def nearer(carry: Carry, scene: Scene, dreams: Literal["near", "far"], part: Part = WHOLE) -> Carry:
    """`carry`, with larger steps where things are near, or far; outside `part` as usual."""

    def weigh(situation: Situation) -> Start:
        start = carry(situation)
        share = torch.ones(tuple(size_of(start.frame)))
        near = scene.nearness(situation.index, size_of(share[part]))
        share[part] = weighted(near, dreams)
        lift = share.to(start.frame.device)
        return replace(start, lift=lift if start.lift is None else start.lift * lift)

    return weigh
