"""What the user sees of a distillation: errors in words and as curves, and sample dreams."""

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from dreamvid.dream.dreamer import Dreamer
from dreamvid.frames import Size, noise
from dreamvid.media import atomic_write, write_picture
from dreamvid.networks.base import Network
from dreamvid.networks.layers import Choice
from dreamvid.training.distil.fidelity import DREAM, middle

SAMPLE_SIDE = 160
MEMORY = 0.98
"""The share of a running mean that stays at each step."""


class Means:
    """Running means of the errors of a training, in words."""

    def __init__(self) -> None:
        self.means: dict[str, float] = {}

    def shown(self, losses: Mapping[str, float]) -> str:
        """The means with the losses of one more step in them."""
        errors = [value for name, value in losses.items() if name != "direction"]
        self._follow("error", sum(errors) / len(errors))
        if "direction" in losses:
            self._follow("direction", losses["direction"])
        return ", ".join(f"{name} {mean:.3f}" for name, mean in self.means.items())

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


def plot_losses(table: Path, picture: Path, label: str = "squared error / energy") -> None:
    """Draw the smoothed columns of `table`, a curve for each, over a logarithmic scale."""
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
        title = "direction (1 - cosine)" if name == "direction" else name
        axes.plot(steps, running_mean(values), style, label=title, linewidth=1.2)
    axes.set_yscale("log")
    axes.set_xlabel("step")
    axes.set_ylabel(label)
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
    batch = torch.stack([*starts, noise(size, (0,))]).to(student.device)
    count = len(student.layers)
    layers = dict.fromkeys([student.layers[count // 2 - 1], student.layers[max(0, count - 2)]])
    rows = [batch]
    for layer in layers:
        rows.append(Dreamer(student, [Choice(layer)], DREAM).batch(batch, (0,)))
    sheet = torch.cat([torch.cat(list(row), dim=2) for row in rows], dim=1)
    write_picture(sheet.cpu().contiguous(), path)
