"""What the user sees of a distillation: progress, curves of the errors, and sample dreams."""

import csv
import math
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol, Self

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress
from torch import Tensor

from dreamvid.dream.dreamer import Dreamer
from dreamvid.frames import Size, noise
from dreamvid.machine.streams import lasting
from dreamvid.media import atomic_write, write_picture
from dreamvid.networks.base import Network
from dreamvid.networks.layers import Choice
from dreamvid.training.distil.fidelity import DREAM, middle

SAMPLE_SIDE = 160
MEMORY = 0.98
"""The share of a running mean that stays at each step."""
PLAIN_SECONDS = 10.0
"""Time between two plain lines."""


class Progress(Protocol):
    """Shows how a distillation goes."""

    def say(self, text: str) -> None:
        """A line worth knowing."""
        ...

    def begin(self, done: int, total: int) -> None:
        """Steps `done` of `total` are done already."""
        ...

    def step(self, step: int, losses: Mapping[str, float]) -> None:
        """Step number `step` is made, with these losses."""
        ...


class Silence:
    """A `Progress` that shows nothing."""

    def say(self, text: str) -> None:
        """Nothing."""

    def begin(self, done: int, total: int) -> None:
        """Nothing."""

    def step(self, step: int, losses: Mapping[str, float]) -> None:
        """Nothing."""


class Bar:
    """A `Progress` on standard error, a bar on a terminal and plain lines elsewhere."""

    def __init__(self, quiet: bool) -> None:
        self.quiet = quiet
        self.console = Console(file=lasting(sys.stderr), stderr=True, highlight=False)
        self.bar: RichProgress | None = None
        self.total = 0
        self.shown = time.monotonic()
        self.last: float | None = None
        self.means: dict[str, float] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar:
            self.bar.stop()

    def say(self, text: str) -> None:
        """A line worth knowing."""
        if not self.quiet:
            self.console.print(text, markup=False, soft_wrap=True)

    def begin(self, done: int, total: int) -> None:
        """Steps `done` of `total` are done already."""
        self.total = total
        self.shown = time.monotonic()
        if done:
            self.say(f"{done} of {total} steps are done already")
        if self.console.is_terminal and not self.quiet:
            self.bar = RichProgress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[figures]}"),
                TimeRemainingColumn(),
                console=self.console,
            )
            self.bar.add_task("steps", total=total, completed=done, figures="")
            self.bar.start()

    def step(self, step: int, losses: Mapping[str, float]) -> None:
        """Step number `step` is made, with these losses."""
        now = time.monotonic()
        errors = [value for name, value in losses.items() if name != "direction"]
        if self.last is not None:
            self._follow("seconds", now - self.last)
        self._follow("error", sum(errors) / len(errors))
        if "direction" in losses:
            self._follow("direction", losses["direction"])
        self.last = now
        if self.bar:
            self.bar.update(self.bar.task_ids[0], completed=step, figures=self.figures())
            if step == self.total:
                self.bar.stop()
        elif not self.quiet and (now - self.shown > PLAIN_SECONDS or step == self.total):
            self.shown = now
            left = round((self.total - step) * self.means.get("seconds", 0))
            clock = f"{left // 3600}:{left // 60 % 60:02}:{left % 60:02}"
            self.say(f"step {step} of {self.total}, {self.figures()}, {clock} left")

    def figures(self) -> str:
        """Speed and running means in words."""
        words = f"error {self.means['error']:.3f}"
        if "seconds" in self.means:
            words = f"{1 / max(self.means['seconds'], 1e-9):.2f} steps/s, {words}"
        if "direction" in self.means:
            words += f", direction {self.means['direction']:.3f}"
        return words

    def _follow(self, name: str, value: float) -> None:
        self.means[name] = MEMORY * self.means.get(name, value) + (1 - MEMORY) * value


def read_losses(table: Path) -> dict[str, list[float]]:
    """The columns of a `losses.csv`; not-a-number where a loss was not yet matched."""
    with table.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    names = list(rows[0]) if rows else []
    return {name: [float(row[name] or "nan") for row in rows] for name in names}


def running_mean(values: Sequence[float]) -> list[float]:
    """`values` smoothed as the progress shows them; not-a-number before the first number."""
    means, mean = [], math.nan
    for value in values:
        mean = value if math.isnan(mean) else MEMORY * mean + (1 - MEMORY) * value
        means.append(mean)
    return means


def plot_losses(table: Path, picture: Path) -> None:
    """Draw the smoothed errors in `table`, one curve a layer, over a logarithmic scale."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = read_losses(table)
    if not columns:
        return
    steps = columns.pop("step")
    figure = Figure(figsize=(9, 5.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for index, (name, values) in enumerate(columns.items()):
        if all(math.isnan(value) for value in values):
            continue
        style = "k--" if name == "direction" else f"C{index % 10}"
        label = "direction (1 - cosine)" if name == "direction" else name
        axes.plot(steps, running_mean(values), style, label=label, linewidth=1.2)
    axes.set_yscale("log")
    axes.set_xlabel("step")
    axes.set_ylabel("squared error / energy")
    axes.grid(True, which="both", alpha=0.3)
    axes.legend(loc="upper right", fontsize="small")
    with atomic_write(picture) as part:
        figure.savefig(part, format="png", dpi=110)


def write_sample(student: Network, photographs: Sequence[Tensor], path: Path) -> None:
    """A sheet of the student's dreams of `photographs` and of noise.

    The first row is what they begin from, the others dream a layer half way down and the last
    layer but one.
    """
    size = Size(SAMPLE_SIDE, SAMPLE_SIDE)
    starts = [middle(photograph, SAMPLE_SIDE) for photograph in photographs]
    batch = torch.stack([*starts, noise(size, (0,))]).to(next(student.parameters()).device)
    count = len(student.layers)
    layers = dict.fromkeys([student.layers[count // 2 - 1], student.layers[max(0, count - 2)]])
    rows = [batch]
    for layer in layers:
        rows.append(Dreamer(student, [Choice(layer)], DREAM).batch(batch, (0,)))
    sheet = torch.cat([torch.cat(list(row), dim=2) for row in rows], dim=1)
    write_picture(sheet.cpu().contiguous(), path)
