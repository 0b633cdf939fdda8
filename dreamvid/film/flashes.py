"""Flashes: counted as guidelines on photosensitive seizures count them, and held back.

A flash is a rise and a fall, or a fall and a rise, of the relative luminance by a tenth of its
range over a quarter of the picture, where the darker of both is below 0.8. More than three of them
in a second are a risk (WCAG 2.2, success criterion 2.3.1).
"""

from collections.abc import Callable, Sequence
from fractions import Fraction
from math import ceil

import numpy as np
import torch
from torch.nn import functional as F

from dreamvid.film.carries import Situation
from dreamvid.film.compositing import LUMA, luma_of
from dreamvid.film.pipeline import Finish
from dreamvid.frames import Frame, constant, size_of
from dreamvid.settings import Settings

MOST = 3
"""Flashes in any second that are no risk."""
AREA = 0.25
"""The share of the picture that must flash."""
_CHANGE, _BRIGHT = 0.1, 0.8
_SIDE = 32  # cells of the longer side that are looked at
_TOGETHER = Fraction(1, 10)  # seconds in which the cells of one flash change
_SHARES = (0.8, 0.6, 0.4, 0.2, 0.0)  # of a change, that may be left of it


class FlashCounter:
    """Counts the flashes of frames that come one after another."""

    def __init__(self, fps: Fraction) -> None:
        self.fps = fps
        self.frames = 0
        self.changes: list[int] = []
        """The frames at which a quarter of the picture had become brighter, or darker, in turn."""
        self._last = 0
        self._states: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None
        self._recent: list[tuple[np.ndarray, np.ndarray]] = []

    def __call__(self, luminance: np.ndarray) -> int:
        """The flashes in the second that ends with a frame of this `luminance_of`."""
        if self._states is None:
            self._states = luminance.copy(), luminance.copy(), np.zeros(luminance.shape, int)
        high, low, way = self._states
        np.maximum(high, luminance, out=high)
        np.minimum(low, luminance, out=low)
        up = (way <= 0) & (luminance - low >= _CHANGE) & (low < _BRIGHT)
        down = (way >= 0) & (high - luminance >= _CHANGE) & (luminance < _BRIGHT)
        high[up], low[down], way[up], way[down] = luminance[up], luminance[down], 1, -1
        self._recent = [*self._recent, (up, down)][-max(1, round(self.fps * _TOGETHER)) :]
        for side, sign in ((0, 1), (1, -1)):
            changed = np.any([each[side] for each in self._recent], axis=0)
            if sign != self._last and changed.mean() >= AREA:
                self.changes.append(self.frames)
                self._last = sign
                for each in self._recent:
                    each[side][:] = False
        self.frames += 1
        since = self.frames - self.fps
        return sum(change >= since for change in self.changes) // 2


def luminance_of(frame: Frame) -> np.ndarray:
    """The relative luminance of a frame in coarse cells, float32 (rows, columns), 0 to 1."""
    linear = torch.where(frame <= 0.04045, frame / 12.92, ((frame + 0.055) / 1.055) ** 2.4)
    weights = constant(LUMA, frame.device)[:, None, None]
    return _coarse((linear * weights).sum(0, keepdim=True))[0].cpu().numpy()


def _coarse(image: torch.Tensor) -> torch.Tensor:
    height, width = size_of(image)
    scale = min(1.0, _SIDE / max(height, width))
    cells = (max(2, round(height * scale)), max(2, round(width * scale)))
    return F.adaptive_avg_pool2d(image[None], cells)[0]


def calm_for(settings: Settings, read: Callable[[int], Frame]) -> Finish | None:
    """What holds the flashes of a film back that follows music; None where nothing does."""
    if settings.music is None or settings.audio.flashes:
        return None
    return held_back(settings.film.rate, settings.film.cadence, read)


def held_back(fps: Fraction, stride: int, read: Callable[[int], Frame]) -> Finish:
    """A finish that takes from a dream's brightness what would be one flash too many in a second.

    It is told by the frames before, as they were written, so that a resumed film is the same.

    Args:
        fps: frames a second.
        stride: frames from one dream to the next.
        read: gives an earlier frame by its index.
    """
    count = ceil(fps / stride)
    known: dict[int, np.ndarray] = {}

    def finish(situation: Situation, dream: Frame) -> Frame:
        index, previous = situation.index, situation.previous
        if previous is None:
            return dream
        known[index - stride] = luminance_of(previous)
        wanted = range(max(index % stride, index - stride * count), index, stride)
        for each in wanted:
            if each not in known:
                known[each] = luminance_of(read(each).to(dream.device))
        for each in set(known) - set(wanted):
            del known[each]
        before = [known[each] for each in wanted]
        return _calmed(before, previous, dream, fps / stride)

    return finish


def _calmed(before: Sequence[np.ndarray], previous: Frame, dream: Frame, fps: Fraction) -> Frame:
    """`dream`, its brightness as near to `previous` as it must be."""

    def flashes(frame: Frame) -> int:
        counter = FlashCounter(fps)
        for luminance in before:
            counter(luminance)
        return counter(luminance_of(frame))

    if flashes(dream) <= MOST:
        return dream
    change = _coarse(luma_of(previous)) - _coarse(luma_of(dream))
    whole = F.interpolate(change[None], tuple(size_of(dream)), mode="bilinear")[0]
    calm = dream
    for share in _SHARES:
        calm = (dream + (1 - share) * whole).clamp(0, 1)
        if flashes(calm) <= MOST:
            break
    return calm
