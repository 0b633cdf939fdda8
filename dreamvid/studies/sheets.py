"""Contact sheets of dreams: one thing changes down the rows, another across the columns.

What is shared is done once: a network is loaded once for all of its cells, cells with the same
settings are dreamed once, and the columns of ``steps`` are stages of a single dream.
"""

import math
from collections.abc import Sequence
from pathlib import Path

import torch

from dreamvid import media
from dreamvid.dream.dreamer import Dreamer, dreamer_for
from dreamvid.dream.fitting import with_fitting_octaves
from dreamvid.errors import DreamvidError, SettingsError
from dreamvid.frames import Frame, covered, photographic, size_of
from dreamvid.jobs.progress import Progress, Silence
from dreamvid.jobs.provenance import described
from dreamvid.media import encoders
from dreamvid.settings import CELL_SIDE, Settings
from dreamvid.sizes import parsed_size
from dreamvid.studies.axes import Asked, Entry, Subject, axes
from dreamvid.studies.contact import Cell, Row, contact_sheet

ACROSS = ("iterations", "octaves", "steps")
"""The axes that are columns; all others are rows."""


def sheet(
    seed: Path,
    out: Path,
    asked: Asked,
    *,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Dream one picture in many ways, side by side in one labelled picture; return where it is.

    A preset or a network that cannot be dreamed, because its weights are missing, for example, is
    named and left out.

    Raises:
        DreamvidError: nothing can be dreamed, or an entry that is no preset or network cannot.
    """
    encoders.check_picture(out, overwrite)
    progress = progress or Silence()
    picture = media.read_picture(seed)
    common = asked.settings() if "presets" not in asked.across else None
    asked_size = common.film.size if common else asked.flags.get("film", {}).get("size")
    size = parsed_size(str(asked_size or CELL_SIDE), size_of(picture))
    work = _Work(asked, covered(picture, size), progress)
    down, across = work.entries()
    progress.begin(0, len(down) * (len(across) if across[0].step is None else 1))
    rows = work.dreamed(down, across)
    if len(across) > 1:
        table = [Row(cells, entry.label) for entry, cells in rows]
        headings = [entry.label for entry in across]
    else:
        plain = [(entry.label, cells[0]) for entry, cells in rows]
        table, headings = wrapped([("the picture", Cell(work.picture)), *plain]), []
    frame = contact_sheet(table, headings, f"{seed.name}, {size}")
    words = described("sheet", common) if common else "dreamvid sheet"
    media.write_picture(frame, out, 8, {"comment": words})
    return out


def wrapped(cells: Sequence[tuple[str, Cell]]) -> list[Row]:
    """Labelled cells, as many in a row as there are rows."""
    columns = math.ceil(math.sqrt(len(cells)))
    labelled = [Cell(cell.picture, label) for label, cell in cells]
    return [Row(labelled[start : start + columns]) for start in range(0, len(cells), columns)]


class _Work(Subject):
    """The making of one sheet."""

    def __init__(self, asked: Asked, picture: Frame, progress: Progress) -> None:
        super().__init__(asked, picture, progress)
        self.done = 0
        self._made: dict[str, Frame] = {}
        self._said: set[str] = set()

    def entries(self) -> tuple[list[Entry], list[Entry]]:
        """What the rows and the columns are."""
        given = dict(self.asked.across)
        columns = [name for name in given if name in ACROSS]
        rows = [name for name in given if name not in ACROSS]
        if len(rows) > 1 or len(columns) > 1:
            raise SettingsError(
                f"sheet: got {' and '.join(rows if len(rows) > 1 else columns)}, expected one of "
                f"them; {', '.join(ACROSS)} are columns, everything else is rows"
            )
        row = rows[0] if rows else "layers"
        down = axes[row](self, given.get(row, ""))
        across = axes[columns[0]](self, given[columns[0]]) if columns else [Entry("")]
        return down, across

    def dreamed(
        self, down: Sequence[Entry], across: Sequence[Entry]
    ) -> list[tuple[Entry, list[Cell]]]:
        """The cells of every row that could be dreamed."""
        rows: dict[int, list[Cell]] = {}
        failures: list[DreamvidError] = []
        for number, entry in self._by_network(down):
            try:
                rows[number] = self._row(entry, across)
            except DreamvidError as error:
                if not (entry.preset or "name" in entry.tree.get("network", {})):
                    raise
                failures.append(error)
                self.progress.say(f"{entry.label}: left out: {error}")
        if not rows:
            raise failures[0]
        return [(down[number], rows[number]) for number in sorted(rows)]

    def _by_network(self, down: Sequence[Entry]) -> list[tuple[int, Entry]]:
        """The rows, numbered, in an order that keeps those of one network together."""

        def key(numbered: tuple[int, Entry]) -> str:
            try:
                settings = self.asked.settings(numbered[1])
            except DreamvidError:
                return ""
            return f"{settings.network.name} {settings.machine.precision}"

        return sorted(enumerate(down), key=key)

    def _row(self, entry: Entry, across: Sequence[Entry]) -> list[Cell]:
        if across[0].step is not None:
            cells = self._stages(entry, [each.step or 0 for each in across])
            self._tell()
            return cells
        cells = []
        for column in across:
            settings = self.asked.settings(entry, column)
            key = str(settings.tree())
            if key not in self._made:
                dreamer = self._dreamer(settings)
                self._made[key] = dreamer.still(self.picture).cpu()
            cells.append(Cell(self._made[key]))
            self._tell()
        return cells

    def _stages(self, entry: Entry, steps: Sequence[int]) -> list[Cell]:
        """One dream after each of these numbers of its steps, with its gain there."""
        settings = self.asked.settings(entry)
        dreamer, size = self._dreamer(settings), size_of(self.picture)
        total = dreamer.total_steps
        if max(steps) > total:
            raise SettingsError(
                f"--steps: got {max(steps)}, the dream has {total} steps in all; "
                "use more --iterations or --octaves"
            )
        stages: dict[int, Frame] = {0: self.picture}

        def watch(step: int, images: torch.Tensor) -> None:
            if step in steps:
                seen = dreamer.network.preprocessing.to_pictures(images)[0].clamp(0, 1)
                stages[step] = photographic(seen.float().cpu(), size)

        dreamer.watch = watch
        stages[total] = dreamer.still(self.picture).cpu()
        noted = dreamer.report.noted()
        gains = [f"{each.gain:.4g}" for each in noted] + ["the dream"]
        return [Cell(stages[step], gains[step]) for step in steps]

    def _dreamer(self, settings: Settings) -> Dreamer:
        """What dreams a cell, of as many octaves as fit unless their number is what differs."""
        dreamer, size = dreamer_for(settings, net=self.network(settings)), size_of(self.picture)
        if "octaves" in self.asked.across:
            dreamer.check(size, seed=size)
            return dreamer
        return with_fitting_octaves(dreamer, size, size, self._say_once)

    def _say_once(self, text: str) -> None:
        if text not in self._said:
            self.progress.say(text)
        self._said.add(text)

    def _tell(self) -> None:
        self.progress.frame(self.done, {})
        self.done += 1
