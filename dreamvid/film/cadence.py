"""Films of which only every few frames are dreamed; the frames between are moved and blended."""

from collections.abc import Callable, Iterator
from fractions import Fraction

import cv2
import numpy as np
import torch
from torch import Tensor

from dreamvid.film.carries import traced_back
from dreamvid.film.entering import ROOM, beyond
from dreamvid.film.pipeline import Recurrence, dreamed
from dreamvid.frames import Frame, Size, constant, quantised, resized, size_of
from dreamvid.motion.motions import Motion
from dreamvid.motion.scenes import Scene
from dreamvid.motion.warp import grid, sampled

Between = Callable[[int, Frame, Frame], Iterator[Frame]]
"""From a dream's index, the dream before it and the dream to the frames between both, in order."""

COARSE = 4
"""Motions are inverted at a grid this many times as coarse as the pixels."""
CLOSE = 0.02
"""How exactly, in pixels of that grid."""


def strided(
    film: Recurrence,
    stride: int,
    between: Between | None = None,
    *,
    start: int = 0,
    previous: Frame | None = None,
) -> Iterator[tuple[int, Frame]]:
    """Yield (index, frame) from `start` on, of which every `stride`-th is dreamed.

    Where `start` lies between two dreams, the later one is not yet on disk and is dreamed again.

    Args:
        film: what dreams.
        stride: frames from one dream to the next.
        between: what makes the frames between two dreams; None with a stride of 1.
        start: the index of the first frame.
        previous: the frame of the index that `last_dream_before` gives, read from disk.
    """
    for index, dream in dreamed(film, start + -start % stride, previous, stride):
        if between and previous is not None:
            filled = between(index, previous, dream)
            for place, frame in enumerate(filled, index - stride + 1):
                if place >= start:
                    yield place, quantised(frame, film.depth)
        yield index, dream
        previous = dream


def last_dream_before(start: int, stride: int) -> int | None:
    """The index of the last dream that is on disk when a film goes on from `start`."""
    return start + -start % stride - stride if start else None


def between(
    motion: Motion,
    fps: Fraction,
    stride: int,
    period: int | None = None,
    scene: Scene | None = None,
) -> Between | None:
    """What moves two dreams to the frames between them; None where there are no such frames."""
    if stride == 1:
        return None

    def fill(index: int, previous: Frame, dream: Frame) -> Iterator[Frame]:
        size, first = size_of(dream), index - stride
        points = grid(size, dream.device)
        for place in range(1, stride):
            came = traced_back(motion, points, first + place, place, size, fps, period)
            count = stride - place

            def back(places: Tensor, coarse: Size, count: int = count) -> Tensor:
                return traced_back(motion, places, index, count, coarse, fps, period)

            goes, found = ahead(back, size, dream)
            earlier, later = moved_to(previous, came), moved_to(dream, goes)
            # What entered since the dream before is only in the later one.
            new = (beyond(came, size).amax(0) > ROOM).float()
            share = found * torch.maximum(new, constant((place / stride,), new.device))
            if scene:
                # What was hidden is only in the later one; what will be, in the earlier one.
                here = (first + place) % period if period else first + place
                last = index % period if period else index
                for then, only in ((last, 0.0), (here - place, 1.0)):
                    hidden = scene.hidden(here, then, size)
                    share = torch.where(torch.from_numpy(hidden).to(share.device), only, share)
            yield torch.lerp(earlier, later, share).clamp(0, 1)

    return fill


def moved_to(frame: Frame, places: Tensor) -> Frame:
    """`frame` at `places` (2, H, W) in pixels, by the usual sharper cubic (a = -3/4).

    The result is not fed back, so its ringing cannot build up, and it makes up for the softness of
    the blend. On a processor OpenCV's cubic is five times as fast, and exact to 1/64 of a pixel.
    """
    if frame.device.type != "cpu":
        return sampled(frame, places, "bicubic")
    pixels = np.ascontiguousarray(frame.numpy().transpose(1, 2, 0))
    x, y = places.numpy()
    reflected = cv2.BORDER_REFLECT_101
    moved = cv2.remap(pixels, x, y, cv2.INTER_CUBIC, borderMode=reflected)
    return torch.from_numpy(np.ascontiguousarray(moved.transpose(2, 0, 1)))


def ahead(
    back: Callable[[Tensor, Size], Tensor], size: Size, like: Tensor
) -> tuple[Tensor, Tensor]:
    """Where the pixels of an earlier frame are in a later one; `back` is the way back, by a size.

    Returns places (2, H, W) in pixels and a mask (1, H, W) that is 1 where a place was found: a
    motion that folds cannot be inverted everywhere.
    """
    coarse = Size(*(max(2, -(-side // COARSE)) for side in size))
    pixels = grid(coarse, like.device)
    places = pixels
    miss = torch.zeros_like(pixels)
    for _ in range(20):
        miss = pixels - back(places, coarse)
        if bool((miss.abs() < CLOSE).all()):
            break
        places = places + miss
    sides = ((size.width - 1) / (coarse.width - 1), (size.height - 1) / (coarse.height - 1))
    scale = constant(sides, like.device)[:, None, None]
    found = (miss.abs().amax(0, keepdim=True) < 0.25).float()
    return resized(places, size) * scale, resized(found, size)
