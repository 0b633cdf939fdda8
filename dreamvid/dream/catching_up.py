"""Where a frame that starts from a dream has none yet: more steps there, as a first frame takes.

A step costs what its part of the picture costs, so only the places that need more are cut out.
"""

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor

from dreamvid.dream.plan import OctavePlan
from dreamvid.frames import Size, resized, size_of
from dreamvid.machine.devices import sent

NONE_NEEDED, ALL_NEEDED = 0.35, 0.75
"""How fresh a place is that needs no more steps, and one that needs them in full."""
AROUND = 16
"""Pixels around such a place that are dreamed with it, so that the network sees what is there."""
SPECK = 4.0
"""Standard deviation, in pixels, of the blur in which a place too small to matter disappears."""
WANTED = 0.4
"""How much a place must need, once blurred, to be dreamed more."""
SMALLEST = 64
"""The shortest side that is cut out, in pixels."""
GRID = 16
"""Sides and places of what is cut out are multiples of it, so that few sizes occur."""


class Fresh(NamedTuple):
    """How fresh each place is, (H, W) from 0 to 1."""

    here: Tensor
    """On the processor, where it is read."""
    there: Tensor
    """On the device, where it is reckoned with."""


class Box(NamedTuple):
    """A part of a picture."""

    rows: slice
    columns: slice


def freshness(fresh: Tensor | None, device: torch.device, read: bool = True) -> Fresh | None:
    """`fresh` in both places, by one transfer at most, which waits only for what comes back.

    What nobody will `read` does not come back.
    """
    return fresh if fresh is None else Fresh(fresh.cpu() if read else fresh, sent(fresh, device))


def step_size_of(
    octave: OctavePlan, fresh: Tensor | None, image: Tensor, lift: Tensor | None = None
) -> float | Tensor:
    """The step size at an octave: a first frame's where `fresh` (H, W) is 1, a later one's at 0.

    It is `lift` (H, W) times as large.
    """
    size: float | Tensor = octave.step_size
    if fresh is not None:
        share = resized(fresh[None], size_of(image))[0].to(image.dtype)
        size = size + (octave.first_step_size - size) * share
    if lift is not None:
        size = size * resized(lift[None], size_of(image))[0].to(image.dtype)
    return size


Climb = Callable[[Tensor, Box, Tensor, int], Tensor]
"""From a part of pictures, where it is, how much each place needs (h, w) and the part's number to
the part, dreamed."""


def caught_up(image: Tensor, fresh: Fresh, least: int, whole: bool, climb: Climb) -> Tensor:
    """Pictures `image` (N, 3, H, W) of an octave, dreamed on where they are fresh.

    `least` is the shortest side that the network takes, and `whole` says that it has to see all.
    """
    found = boxes(needing(fresh.here, size_of(image)), least)
    if not found:
        return image
    need = needing(fresh.there, size_of(image))
    if whole:
        found = [Box(slice(None), slice(None))]
    for number, box in enumerate(found):
        part = image[:, :, box.rows, box.columns].contiguous()
        needed = need[box.rows, box.columns].to(image.dtype)
        image = pasted(image, climb(part, box, needed, number), box)
    return image


def needing(fresh: Tensor, size: Size) -> Tensor:
    """How much more each place of an octave needs, (H, W) from 0 to 1, by how fresh it is."""
    share = (fresh - NONE_NEEDED) / (ALL_NEEDED - NONE_NEEDED)
    return resized(share.clamp(0, 1)[None], size)[0]


def boxes(need: Tensor, least: int) -> list[Box]:
    """Parts of a picture that hold the places in need, apart from each other, top ones first.

    `least` is the shortest side that the network takes.
    """
    size = size_of(need)
    if need.max() <= WANTED:
        return []
    blurred = cv2.GaussianBlur(need.float().cpu().numpy(), (0, 0), SPECK)
    wanted = (blurred > WANTED).astype(np.uint8)
    if not wanted.any():
        return []
    near = cv2.dilate(wanted, np.ones((2 * AROUND + 1, 2 * AROUND + 1), np.uint8))
    _, _, stats, _ = cv2.connectedComponentsWithStats(near)
    found = [
        (
            _side(top, top + height, size.height, least),
            _side(left, left + width, size.width, least),
        )
        for left, top, width, height, _ in stats[1:].tolist()
    ]
    return [Box(slice(*rows), slice(*columns)) for rows, columns in sorted(_apart(found))]


Span = tuple[int, int]


def _side(start: int, stop: int, whole: int, least: int) -> Span:
    """A span that holds `start` to `stop`, as long as a part must be, on the grid."""
    length = max(stop - start, least, SMALLEST)
    start = max(0, min(start, whole - length)) // GRID * GRID
    return start, min(whole, max(stop, start + -(-length // GRID) * GRID))


def _apart(found: list[tuple[Span, Span]]) -> list[tuple[Span, Span]]:
    """Spans of rows and columns, of which those that meet are made one."""
    apart: list[tuple[Span, Span]] = []
    for new in found:
        while met := next((each for each in apart if _meet(each, new)), None):
            apart.remove(met)
            new = (_around(met[0], new[0]), _around(met[1], new[1]))
        apart.append(new)
    return apart


def _around(one: Span, other: Span) -> Span:
    return min(one[0], other[0]), max(one[1], other[1])


def _meet(one: tuple[Span, Span], other: tuple[Span, Span]) -> bool:
    return all(a[0] < b[1] and b[0] < a[1] for a, b in zip(one, other, strict=True))


def pasted(picture: Tensor, part: Tensor, box: Box) -> Tensor:
    """`picture` (N, 3, H, W) with `part` in place of what was cut out."""
    picture = picture.clone(memory_format=torch.contiguous_format)
    picture[:, :, box.rows, box.columns] = part
    return picture
