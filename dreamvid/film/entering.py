"""What comes into view from outside the frame, when a motion zooms out, pans or turns.

Nothing is there to be moved in. One row mirrored at the frame's edge, frame after frame, would be
drawn out into long streaks. So what enters is a whole piece of the film: the frame of up to two
seconds before, mirrored at its edges as far out as the motion has come since, and slanted along
them, so that the mirror does not show. It comes in row by row, as sharp as it was dreamed, and is
dreamed on like all the rest. What left the frame since then, and comes back, is found again.
"""

from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache

import torch
from torch import Tensor

from dreamvid.dream.blur import gaussian_blurred
from dreamvid.frames import Frame, Size, drawn, resized, size_of
from dreamvid.motion.warp import grid, sampled

SECONDS = 2
"""How long one frame is what enters: long enough for a wide piece, short enough to have changed."""
SLANT = 0.25
"""How far what enters is slid along its edge at the most, beside its depth."""
ROOM = 0.5
"""Pixels beyond the outermost pixels' middles that still belong to a frame."""

YOUNG = 10
"""Dreams for which what has entered takes larger steps, ever less so."""
LIFT = 3.0
"""How much larger the first of them are."""
FINE = 1.0
"""Standard deviation in pixels of the blur that fine detail does not outlast."""
MOST = 2.0
"""How many times as much detail what enters is given at the most, and how little of it."""
NEARLY = 0.875
"""The share of the middle's detail at which what has entered takes steps that are `LIFT` larger."""
URGENCY = 4.0
"""How much that depends on the share."""
TINY = 1e-8
COARSE = 4
"""What is young is found on a grid this many times as coarse as the pixels."""

PROBED = 16
"""Pixels from one to the next inside the frame, of those that tell whether anything enters."""

Trace = Callable[[Tensor, int, int, Size], Tensor]
"""From points (2, h, w) of the frame of an index to where they were so many frames before."""


class Entering:
    """Fills what enters each frame; it holds the frame that enters, read once."""

    def __init__(
        self,
        read: Callable[[int], Frame] | None,
        trace: Trace,
        fps: Fraction,
        stride: int,
        seed: int,
    ) -> None:
        """`read` gives an earlier frame by its index; dreams are `stride` frames apart.

        Where there is no `read`, the dream before is what enters.
        """
        self._read, self._trace, self._stride, self._seed = read, trace, stride, seed
        self._lasts = stride * max(1, round(SECONDS * fps / stride))
        self._held: tuple[int, Frame] | None = None
        self._known: dict[tuple[int, Size], bool] = {}

    def __call__(self, start: Frame, index: int, came: Tensor, previous: Frame) -> Frame:
        """`start` with what enters at the frame `index`.

        Args:
            start: the dream before it, moved, (3, H, W).
            index: of the frame that begins.
            came: (2, H, W), where its pixels were in the dream before it.
            previous: that dream.
        """
        size = size_of(start)
        if not self._may_enter(index, size, start.device):
            return start
        new = (beyond(came, size).amax(0) > ROOM).nonzero(as_tuple=True)
        if not len(new[0]):
            return start
        before = index - self._stride
        then = before // self._lasts * self._lasts if self._read else before
        places = self._trace(came[:, None, *new], before, before - then, size)
        slant = SLANT * (drawn((self._seed, then, 3), 0, 2000) / 1000 - 1)
        places = slanted(places, size, slant)
        filled, entering = start.clone(), as_sharp(self._at(then, before, previous), previous)
        filled[:, *new] = sampled(entering, places, "bicubic")[:, 0]
        return filled.clamp_(0, 1)

    def lift(self, index: int, start: Frame) -> Tensor | None:
        """How many times as large the steps of the frame `index` are, (H, W); None: all as usual.

        What has just entered has missed the steps that the rest had since the frame it comes from.
        Where it is as sharp as the middle of `start` all the same, they are smaller again.
        """
        size, device = size_of(start), start.device
        frames = [index - passed * self._stride for passed in range(self._young_ones(index))]
        if not any(self._may_enter(each, size, device) for each in frames):
            return None
        coarse = Size(*(max(2, -(-side // COARSE)) for side in size))
        points = grid(coarse, device)
        age = torch.full(tuple(coarse), float(YOUNG), device=device)
        for passed, each in enumerate(frames):
            points = self._trace(points, each, self._stride, coarse)
            outside = beyond(points, coarse).amax(0) > ROOM / COARSE
            age = torch.where(outside, age.clamp_max(passed), age)
        if device.type == "cpu" and bool((age == YOUNG).all()):
            return None
        young = resized((1 - age / YOUNG)[None], size)[0]
        return 1 + LIFT * blunt(start, young) * young

    def _young_ones(self, index: int) -> int:
        """How many dreams up to the frame `index` may have let in what is still young."""
        return min(YOUNG, index // self._stride)

    def _may_enter(self, index: int, size: Size, device: torch.device) -> bool:
        """Whether anything may enter at a frame.

        To look at what is on a GPU, the processor would wait for all that the GPU has to do. But
        it knows the motion too, and what enters comes over the edge or far inside.
        """
        if device.type == "cpu":
            return True
        key = (index, size)
        if key not in self._known:
            came = self._trace(probes(size), index, self._stride, size)
            self._known[key] = bool((beyond(came, size).amax(0) > ROOM / 2).any())
        return self._known[key]

    def _at(self, then: int, before: int, previous: Frame) -> Frame:
        """The frame `then`, which is `previous` if that is the one before."""
        if then == before or self._read is None:
            return previous
        if self._held is None or self._held[0] != then:
            self._held = then, self._read(then).to(previous.device)
        return self._held[1]


def detail_of(frame: Frame) -> Tensor:
    """The finest detail of a frame, (3, H, W), around 0."""
    return frame - gaussian_blurred(frame[None], FINE)[0]


def middle(values: Tensor) -> Tensor:
    """The half of (…, H, W) in each direction that what enters reaches last."""
    height, width = values.shape[-2:]
    return values[..., height // 4 : height - height // 4, width // 4 : width - width // 4]


def as_sharp(frame: Frame, like: Frame) -> Tensor:
    """`frame` with as much fine detail as the middle of `like` has.

    A frame that was moved often is softer than one that was moved seldom.
    """
    if frame is like:
        return frame
    detail = detail_of(frame)
    had, wanted = (middle(each).square().mean() for each in (detail, detail_of(like)))
    share = (wanted / had.clamp_min(TINY)).sqrt().clamp(1 / MOST, MOST)
    return frame + (share - 1) * detail


def blunt(start: Frame, young: Tensor) -> Tensor:
    """How much larger steps what is `young` (H, W) needs, from 0 to 2.

    It is 1 where it has `NEARLY` the middle's detail.
    """
    energy = detail_of(start).square().mean(0)
    old = middle(energy * (young == 0)).sum() / middle(young == 0).sum().clamp_min(1)
    ratio = (energy * young).sum() / young.sum().clamp_min(TINY) / old.clamp_min(TINY)
    return (1 + URGENCY * (NEARLY - ratio)).clamp(0, 2)


@lru_cache(maxsize=4)
def probes(size: Size) -> Tensor:
    """Points (2, 1, n) of the processor: every pixel of the edge, and every few inside."""
    points = grid(size)
    chosen = torch.zeros(tuple(size), dtype=torch.bool)
    chosen[::PROBED, ::PROBED] = True
    chosen[[0, -1]] = chosen[:, [0, -1]] = True
    return points[:, None, chosen]


def beyond(points: Tensor, size: Size) -> Tensor:
    """How far points (2, h, w) lie outside the frame across and down, in pixels; 0 inside."""
    ends = points.new_tensor((size.width - 1, size.height - 1)).view(2, 1, 1)
    return (points - points.clamp_min(0).minimum(ends)).abs()


def slanted(points: Tensor, size: Size, slant: float) -> Tensor:
    """Points slid along the edge that they lie beyond, by `slant` times their depth."""
    return points + slant * beyond(points, size).flip(0)
