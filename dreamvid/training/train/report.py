"""What the user sees of a training: the accuracy as a table and as a plot."""

import io
from collections.abc import Sequence
from pathlib import Path

from dreamvid.media import atomic_write
from dreamvid.training.train.files import PLOT, TABLE
from dreamvid.training.train.training import Row


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
