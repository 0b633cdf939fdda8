"""Loops: closing a film so that its end flows into its beginning.

A loop is dreamed in turns, each as long as the film. In the first turn the dream only settles. Each
later turn goes on from the last frame of the turn before, and is blended with that turn more and
more, until its last frame *is* the last frame of that turn. Its first frame was dreamed from the
same picture. So its last frame flows into its first as any frame into the next: by one step of the
motion and one dream.

Every place is blended at its own time. *Planting*: what the motion magnifies is blended while it is
a small spot, and the spot grows with the motion. Nothing changes in view, since what lies around
the spot is carried out of view before the turn ends. What stays in view all the time is blended
patch by patch, and the dream joins the patches. *Relaxation*: all places are blended together,
slowly.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import count

import torch
from torch import Tensor

from dreamvid.dream.timeline import Timeline
from dreamvid.errors import SettingsError
from dreamvid.film.carries import Situation, traced_back
from dreamvid.film.sources import Moment
from dreamvid.frames import Frame, Key, Size, noise, resized, size_of
from dreamvid.motion.motions import Motion
from dreamvid.motion.warp import grid, sampled
from dreamvid.settings import Settings

MASK_SIDE = 96
"""The longer side at which masks are computed; they are soft, so that it need not be large."""
EDGE = 0.35
"""The width of a planted spot's edge, in the natural logarithm of the radius."""
PATCH = 0.4
"""The share of the blending time that a single patch takes."""
QUICKEST = 0.15
"""The share of a turn in which the smallest spot is blended."""
BREATH = 0.15
"""The share of the walk through noise in each start, in a loop where nothing moves."""
AROUND_NOISE, AROUND_STILL = 0.2, 0.1
"""How far that walk goes, in standard deviations of a channel."""


def check(settings: Settings) -> None:
    """Raise `SettingsError` unless the film is long enough, and its cadence divides its length."""
    film, period = settings.film, settings.film.length
    if period < 3:
        raise SettingsError(f"film.frames: got {period}, a loop needs 3 or more")
    if period % film.cadence or period < 3 * film.cadence:
        raise SettingsError(
            f"film.cadence: got {film.cadence}, expected one that divides the loop's {period} "
            "frames into three parts or more"
        )


def closing(settings: Settings, read: Callable[[int], Frame]) -> "Closing":
    """The closing of the loop that `settings` describe; `read` gives an earlier frame."""
    film = settings.film
    return Closing(
        motion=Timeline(settings).motion,
        fps=film.rate,
        period=film.length,
        stride=film.cadence,
        read=read,
        key=(film.seed, film.length),
        planting=settings.loop.closing == "planting",
    )


@dataclass(frozen=True)
class Closing:
    """Brings each turn of a loop to the last frame of the turn before; a `Finish`."""

    motion: Motion
    fps: Fraction
    period: int
    """Frames in a turn."""
    stride: int
    """Frames from one dream to the next."""
    read: Callable[[int], Frame]
    """Gives an earlier frame by its index."""
    key: Key
    """What the patches depend on."""
    planting: bool = True
    _ends: dict[Size, tuple[Tensor, Tensor, float]] = field(default_factory=dict, compare=False)

    def __call__(self, situation: Situation, dream: Frame) -> Frame:
        """The dream, blended with the same frame of the turn before."""
        turn, phase = divmod(situation.index, self.period)
        if turn == 0 or phase == 0:
            return dream
        before = self.read(situation.index - self.period).to(dream.device)
        if phase + self.stride >= self.period:
            return before
        return dream + self.share(phase, size_of(dream)).to(dream.device) * (before - dream)

    def share(self, phase: int, size: Size) -> Tensor:
        """The share of the turn before in each place of the frame `phase`, (H, W), 0 to 1."""
        scale = min(1.0, MASK_SIDE / max(size))
        small = Size(*(max(2, round(side * scale)) for side in size))
        last = self.period - self.stride
        born = self._back(grid(small), phase, small)
        if self.planting:
            spot, growth = self._spot(born, small)
            time = min(1.0, max(QUICKEST, 2 * growth))
            patch, order = PATCH, _patches(small, self.key)
            order = sampled(order[None], born, "bilinear")[0]
        else:
            spot, time, patch = torch.ones(small), 1.0, 1.0
            order = torch.zeros(small)

        def left(phase: int) -> Tensor:
            """The share of this turn that is left in each place after that frame, 1 to 0."""
            gone = ((phase / last / time - (1 - patch) * order) / patch).clamp(0, 1)
            return 1 - gone * gone * (3 - 2 * gone)

        now, earlier = left(phase), left(phase - self.stride)
        share = torch.where(now > 0, 1 - now / earlier.clamp_min(1e-6), 1.0)
        return resized((share.clamp(0, 1) * spot)[None], size)[0]

    def _back(self, points: Tensor, phase: int, size: Size) -> Tensor:
        """Where `points` of the frame `phase` were when the turn began."""
        return traced_back(self.motion, points, phase, phase, size, self.fps, self.period)

    def _spot(self, born: Tensor, size: Size) -> tuple[Tensor, float]:
        """The spot that the motion magnifies to the last frame, and its width.

        Returns a mask (H, W) of the spot when the turn begins, 1 inside and 0 beyond a soft edge,
        and the spot's width as a share of the picture's.
        """
        if size not in self._ends:
            # Followed through the whole turn many times, which takes as long as a dream.
            self._ends[size] = self._end(size)
        origin, radius, width = self._ends[size]
        out = ((born - origin).norm(dim=0).clamp_min(1e-6) / radius).log() / EDGE
        out = out.clamp(0, 1)
        return 1 - out * out * (3 - 2 * out), width

    def _end(self, size: Size) -> tuple[Tensor, Tensor, float]:
        """The point (2, 1, 1) that everything comes from, the spot's radius and its width."""
        points = grid(size)
        middle = points[:, -1:, -1:] / 2
        # Followed back for ever, everything comes from one point, whatever the motions' centres.
        origin = middle
        for _ in range(20):
            origin = self._back(origin, self.period - self.stride, size)
        if not bool(((origin - middle).abs() < 10 * max(size)).all()):
            origin = middle
        whole = (points - origin).norm(dim=0).max()
        last = self._back(points, self.period - self.stride, size)
        radius = (last - origin).norm(dim=0).max().clamp_min(1e-6)
        return origin, radius, (radius / whole).item()


def _patches(size: Size, key: Key) -> Tensor:
    """Soft patches (H, W), in which all values from 0 to 1 are equally frequent."""
    field = noise(size, key, exponent=2.0)[0]
    ranks = field.flatten().argsort().argsort().float() / (field.numel() - 1)
    return ranks.view(tuple(size))


def stands_still(motion: Motion, fps: Fraction, period: int) -> bool:
    """Whether a motion moves nothing during a whole turn."""
    size = Size(9, 13)
    points = grid(size)
    moves = (
        (traced_back(motion, points, phase, 1, size, fps, period) - points).abs().max()
        for phase in range(1, period + 1)
    )
    return all(move < 1e-4 for move in moves)


class Walk:
    """A source: a picture with noise added that changes along a closed path."""

    def __init__(self, picture: Frame, period: int, seed: int, contrast: float) -> None:
        self.picture, self.period = picture, period
        self.across, self.along = (
            (cloud(size_of(picture), (seed, part), contrast) - 0.5).to(picture.device)
            for part in (0, 1)
        )

    def moments(self, start: int) -> Iterator[Moment]:
        """The pictures from the index `start` on; every turn begins with the picture itself."""
        for index in count(start):
            yield Moment(self._at(index), self._at(index - 1) if index else None)

    def _at(self, index: int) -> Frame:
        angle = 2 * math.pi * (index % self.period) / self.period
        path = (math.cos(angle) - 1) * self.across + math.sin(angle) * self.along
        return (self.picture + path).clamp(0, 1)


def cloud(size: Size, key: Key, contrast: float) -> Frame:
    """The soft coloured noise that a loop without a seed begins with, and that a walk adds."""
    return noise(size, key, exponent=1.5, contrast=contrast)
