"""What the steps of a dream did, step by step."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from dreamvid.dream.blur import gaussian_blurred
from dreamvid.frames import Size
from dreamvid.machine import devices

ASKED_AROUND = 2.0
"""Standard deviation in pixels of the edge between what is opaque and what is not."""
ASKED_MOST = 0.9
"""The share of places that a place must surpass to be opaque."""
Watch = Callable[[int, Tensor], None]
"""Called after each step with the number of steps so far and the pictures (N, 3, H, W) now."""


class Noted(NamedTuple):
    """One step of one picture."""

    passed: int
    """The pass through the octaves, from 0."""
    octave: int
    """0 is the smallest."""
    size: Size
    step: int
    """Its number at that octave, from 0."""
    gain: float
    """Before the step; NaN if the step was skipped."""


class Report:
    """What the steps of one dream did. Its numbers stay on the device until they are read."""

    def __init__(self, watch: Watch | None = None) -> None:
        self._watch = watch
        self._place = (0, 0, Size(0, 0))
        self._places: list[tuple[int, int, Size]] = []
        self._gains: list[Tensor] = []
        self._finite: list[Tensor] = []
        self.work = 0
        """The pixels of all its steps together: each step counts those that it moved."""
        self.touched: Tensor | None = None
        """How much the dream asked of each place (N, H, W), where its space wants to know."""

    @property
    def watched(self) -> bool:
        """Whether somebody wants to see the pictures after each step."""
        return self._watch is not None

    def begin(self, passed: int, octave: int, size: Size) -> None:
        """The steps from here on are at this octave."""
        self._place = (passed, octave, size)

    def note(self, gains: Tensor, finite: Tensor, images: Tensor) -> None:
        """Add a step: the gains before it (N,), which pictures took it (N,), the pictures now."""
        self._places.append(self._place)
        self._gains.append(gains)
        self._finite.append(finite)
        self.work += images.shape[-2:].numel()
        if self._watch:
            self._watch(len(self._finite), images)

    def leaving(self, picture: int = 0) -> Callable[[], "Report"]:
        """Start copying the report of one picture to the processor.

        `picture` is its place in the batch. The function that is returned waits for the copy and
        gives the report.
        """
        if not self._finite:
            return lambda: self
        numbers = devices.leaving(
            *(torch.stack(each)[:, picture, None] for each in (self._gains, self._finite))
        )

        def there() -> Report:
            report = Report()
            report._places, report.work = self._places, self.work
            report._gains, report._finite = map(list, numbers())
            return report

        return there

    def noted(self, picture: int = 0) -> list[Noted]:
        """Every step of one picture of the batch, in order."""
        gains = torch.stack(self._gains)[:, picture].tolist() if self._gains else []
        taken = torch.stack(self._finite)[:, picture].tolist() if self._finite else []
        found: list[Noted] = []
        for place, gain, done in zip(self._places, gains, taken, strict=True):
            again = found and found[-1][:3] == place
            step = found[-1].step + 1 if again else 0
            found.append(Noted(*place, step, gain if done else float("nan")))
        return found

    @property
    def steps(self) -> int:
        """The number of steps that all pictures took."""
        return sum(self._taken())

    @property
    def skipped(self) -> int:
        """The number of steps that at least one picture skipped."""
        return len(self._finite) - self.steps

    @property
    def gain(self) -> float:
        """The mean gain of the pictures before the last step that all of them took."""
        gains = torch.stack(self._gains).mean(1).tolist() if self._gains else []
        taken = [gain for gain, done in zip(gains, self._taken(), strict=True) if done]
        return taken[-1] if taken else float("nan")

    def opacity(self, picture: int, usual: np.ndarray | None = None) -> np.ndarray | None:
        """How opaque one picture of the batch is where the dream asked for much: (H, W), 0 to 1.

        It is `usual` where nobody wants to know.
        """
        if self.touched is None:
            return usual
        asked = gaussian_blurred(self.touched[picture, None, None].float(), ASKED_AROUND)
        most = torch.quantile(asked.flatten()[:: max(1, asked.numel() // 2**20)], ASKED_MOST)
        return (asked / most.clamp_min(1e-12)).clamp(0, 1)[0, 0].cpu().numpy()

    def _taken(self) -> list[bool]:
        return torch.stack(self._finite).all(1).tolist() if self._finite else []
