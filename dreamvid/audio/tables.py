"""Curves that people bring: a CSV of times and values."""

import csv
from pathlib import Path

import numpy as np

from dreamvid.errors import MediaError

MOST_ROWS = 10_000_000


def read_table(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Times in seconds, rising, and values, float64 (n,) each.

    The columns are those called time and value where the first row names them, else the first two.

    Raises:
        MediaError: it cannot be read; it has no rows; a row has no two numbers; times do not rise.
    """
    rows: list[tuple[float, float]] = []
    columns = (0, 1)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            for number, row in enumerate(csv.reader(file), 1):
                if not any(cell.strip() for cell in row):
                    continue
                if number == 1 and (named := _named(row)):
                    columns = named
                    continue
                rows.append(_pair(path, number, row, columns))
    except (OSError, ValueError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise MediaError(f"{path}: is no CSV that can be read ({reason})") from None
    if not rows:
        raise MediaError(f"{path}: has no rows, expected a time and a value in each")
    times, values = np.array(rows).T
    if (late := np.flatnonzero(np.diff(times) <= 0)).size:
        place = int(late[0])
        raise MediaError(
            f"{path}: the time {times[place + 1]:g} comes after {times[place]:g}; sort the rows"
        )
    return times, values


def _named(row: list[str]) -> tuple[int, int] | None:
    """The columns that a first row names; None where it holds numbers."""
    names = [cell.strip().lower() for cell in row]
    try:
        [float(name) for name in names[:2]]
    except ValueError:
        time = names.index("time") if "time" in names else 0
        return time, names.index("value") if "value" in names else time + 1
    return None


def _pair(path: Path, number: int, row: list[str], columns: tuple[int, int]) -> tuple[float, float]:
    try:
        time, value = (float(row[column]) for column in columns)
    except (IndexError, ValueError):
        time = value = float("nan")
    if not (np.isfinite(time) and np.isfinite(value)):
        raise MediaError(
            f"{path}: row {number} is {','.join(row)[:60]!r}, expected a time in seconds "
            "and a value"
        )
    return time, value
