"""What the user sees of a training: progress, and the accuracy as a table and as a plot."""

import io
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from dreamvid.machine.streams import lasting
from dreamvid.media import atomic_write
from dreamvid.training.train.files import PLOT, TABLE
from dreamvid.training.train.training import Row


class Teller:
    """Shows on standard error how a training goes: a bar on a terminal, plain lines elsewhere."""

    def __init__(self, quiet: bool = True) -> None:
        self.quiet = quiet
        self.console = Console(file=lasting(sys.stderr), stderr=True, highlight=False)
        self.bar = Progress(console=self.console, disable=quiet or not self.console.is_terminal)

    def say(self, text: str) -> None:
        """A line worth knowing."""
        if not self.quiet:
            self.console.print(text, markup=False, soft_wrap=True)

    @contextmanager
    def epoch(self, number: int, total: int) -> Iterator[Callable[[int, int], None]]:
        """Show an epoch's progress; gives a function of the batches done and the batches in all."""
        with self.bar:
            task = self.bar.add_task(f"epoch {number} of {total}", total=None)
            yield lambda done, batches: self.bar.update(task, completed=done, total=batches)
            self.bar.remove_task(task)


def write_table(rows: Sequence[Row], place: Path) -> None:
    """Write a line for each epoch."""
    lines = [",".join(Row._fields), *(",".join(f"{value:.6g}" for value in row) for row in rows)]
    with atomic_write(place / TABLE) as part:
        part.write_text("\n".join(lines) + "\n")


def write_plot(rows: Sequence[Row], place: Path) -> None:
    """Draw both accuracies over the epochs."""
    # matplotlib is slow to import; pyplot would touch its global state.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot(
        xlabel="epoch", ylabel="accuracy in %", ylim=(0, 101), xlim=(0, len(rows) + 1)
    )
    for label, values in (
        ("training", [row.accuracy for row in rows]),
        ("held out", [row.held_out_accuracy for row in rows]),
    ):
        axes.plot(range(1, len(rows) + 1), [100 * value for value in values], ".-", label=label)
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    buffer = io.BytesIO()
    FigureCanvasAgg(figure).print_png(buffer)
    with atomic_write(place / PLOT) as part:
        part.write_bytes(buffer.getvalue())
