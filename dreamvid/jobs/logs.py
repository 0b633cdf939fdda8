"""The objective at every octave and step of a dream, as a CSV and as a plot."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from dreamvid import media
from dreamvid.dream.report import Noted
from dreamvid.media import encoders

COLUMNS = ("picture", "pass", "octave", "width", "height", "step", "objective")
PERCENTILES = (10, 50, 90)


def log_of(out: Path) -> Path:
    """Where the log of a picture or a folder lies: beside it."""
    name = out.name if out.is_dir() else out.stem
    return out.with_name(f"{name}-log.csv")


def check_log(out: Path, overwrite: bool) -> None:
    """Raise `MediaError` where the log of `out` has no place."""
    for place in (log_of(out), log_of(out).with_suffix(".png")):
        encoders.check_place(place, overwrite)


def write_log(pictures: Mapping[str, Sequence[Noted]], out: Path) -> Path:
    """Write a line for each picture's each step, and a plot of them; where the CSV is.

    The objective is that before the step; it is empty where the step was skipped.
    """
    path = log_of(out)
    with media.atomic_write(path) as part, part.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(COLUMNS)
        for name, steps in pictures.items():
            for passed, octave, size, step, gain in steps:
                told = f"{gain:.6g}" if np.isfinite(gain) else ""
                writer.writerow([name, passed, octave, size.width, size.height, step, told])
    _write_plot(pictures, path.with_suffix(".png"), out.name)
    return path


def _write_plot(pictures: Mapping[str, Sequence[Noted]], path: Path, title: str) -> None:
    """The objective over all steps; of several pictures their median, and most of them shaded."""
    # matplotlib is slow to import; pyplot would touch its global state.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot(xlabel="step", ylabel="objective")
    # Pictures in a log share their settings, so their steps are the same ones.
    first = next(iter(pictures.values()), ())
    places = [(each.passed, each.octave) for each in first]
    starts = [n for n, place in enumerate(places) if n == 0 or place != places[n - 1]]
    gains = np.array([[each.gain for each in steps] for steps in pictures.values()])
    for start, end in zip(starts, [*starts[1:], len(places)], strict=True):
        octave = places[start][1]
        told = np.isfinite(gains[:, start:end]).any(axis=0)
        numbers = np.arange(start, end)[told]
        low, middle, high = np.nanpercentile(gains[:, numbers], PERCENTILES, axis=0)
        label = f"octave {octave}" if places[start][0] == 0 else None
        (line,) = axes.plot(numbers, middle, ".-", color=f"C{octave % 10}", label=label)
        if len(gains) > 1:
            axes.fill_between(numbers, low, high, alpha=0.2, color=line.get_color())
    if starts:
        axes.legend(loc="upper left")
    axes.grid(alpha=0.3)
    many = f", median and middle 80 % of {len(gains)} pictures" if len(gains) > 1 else ""
    figure.suptitle(title + many, fontsize=10)
    with media.atomic_write(path) as part:
        figure.savefig(part, format="png", dpi=100)
