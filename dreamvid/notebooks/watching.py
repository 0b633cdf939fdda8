"""Who is told how a film goes: a notebook's cell, a function of the caller's."""

import base64
import html
import io
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from PIL import Image

from dreamvid.frames import to_pixels
from dreamvid.jobs.disk import clock
from dreamvid.jobs.progress import Progress, Silence

OnFrame = Callable[[int, Any], None]
"""Called with the number of each frame and the frame, a NumPy array (H, W, 3) of uint8."""
OFTEN = 0.5
"""Seconds between two pictures of a cell."""
SIDE = 240
"""The longer side in pixels of the newest frame in a cell."""


class Cell:
    """A `Progress` in a notebook's cell: a bar, the speed, the newest frame."""

    def __init__(self, handle: Any, unit: str = "frame") -> None:
        """`handle` has ``update(shown)``, as what IPython's ``display`` gives."""
        self.handle, self.unit = handle, unit
        self.done = self.total = self.before = 0
        self.began, self.told = time.monotonic(), 0.0
        self.words = self.picture = ""

    def say(self, text: str) -> None:
        """A line below the bar; the last one stays."""
        self.words = text
        self._show()

    def ask(self, question: str) -> bool:
        """Yes: nobody can be asked in a cell."""
        return True

    def begin(self, done: int, total: int) -> None:
        """Units `done` of `total` are there already."""
        self.done, self.before, self.total = done, done, total
        self.began = time.monotonic()
        self._show()

    def frame(self, index: int, notes: Mapping[str, Any]) -> None:
        """Unit `index` is made; the cell follows twice a second, and at the end."""
        self.done = index + 1
        if time.monotonic() - self.told > OFTEN or self.done == self.total:
            self.told = time.monotonic()
            pixels = _pixels(notes)
            if pixels is not None:
                self.picture = _small(pixels)
            self._show()

    def _show(self) -> None:
        spent = time.monotonic() - self.began
        made = self.done - self.before
        left = spent / made * (self.total - self.done) if made else 0.0
        speed = f", {made / spent:.2f} {self.unit}s a second, {clock(left)} left" if made else ""
        bar = f'<progress value="{self.done}" max="{max(1, self.total)}"></progress>'
        count = f"{self.done} of {self.total} {self.unit}s{speed}"
        words = f"<br><small>{html.escape(self.words)}</small>" if self.words else ""
        self.handle.update(Shown(f"<div>{bar} {count}{words}<br>{self.picture}</div>"))


class Shown:
    """HTML that a notebook shows."""

    def __init__(self, text: str) -> None:
        self.text = text

    def _repr_html_(self) -> str:
        return self.text


def _pixels(notes: Mapping[str, Any]) -> np.ndarray | None:
    """What is told of a frame, uint8 (H, W, 3): of a film its pixels, of a still its dream."""
    if "frame" in notes:
        return to_pixels(notes["frame"].detach().clamp(0, 1))
    pixels = notes.get("pixels")
    return (pixels >> 8).astype(np.uint8) if pixels is not None and pixels.itemsize > 1 else pixels


def _small(pixels: np.ndarray) -> str:
    """The newest frame as HTML, small."""
    picture = Image.fromarray(pixels)
    picture.thumbnail((SIDE, SIDE))
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=80)
    data = base64.b64encode(file.getvalue()).decode()
    return f'<img alt="the newest frame" src="data:image/jpeg;base64,{data}">'


class Telling:
    """A `Progress` that also calls a function with each frame."""

    def __init__(self, others: Progress, on_frame: OnFrame) -> None:
        self.others, self.on_frame = others, on_frame
        self.say, self.ask, self.begin = others.say, others.ask, others.begin

    def frame(self, index: int, notes: Mapping[str, Any]) -> None:
        """Tell of frame `index`. What the function raises stops the film, which can be resumed."""
        self.others.frame(index, notes)
        pixels = _pixels(notes)
        if pixels is not None:
            self.on_frame(index, pixels)


@contextmanager
def watching(
    progress: Progress | bool | None, on_frame: OnFrame | None, unit: str = "frame"
) -> Iterator[Progress]:
    """Who is told: a cell where there is one, unless `progress` is False; and `on_frame`."""
    told: Progress = Silence()
    if progress is not None and not isinstance(progress, bool):
        told = progress
    elif progress is not False and (handle := _cell()):
        told = Cell(handle, unit)
    yield Telling(told, on_frame) if on_frame else told


def _cell() -> Any:
    """What shows something in the cell that is run; None where there is no notebook."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if shell is None or not hasattr(shell, "kernel"):
        return None
    display = sys.modules["IPython.display"].display
    return display(Shown(""), display_id=True)
