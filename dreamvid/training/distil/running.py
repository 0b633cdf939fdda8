"""A distillation at work: its steps, its checkpoints and the table of its losses."""

import csv
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from dreamvid.errors import NetworkError
from dreamvid.media import atomic_write, storage_checked
from dreamvid.training.distil.checkpoints import CHECKPOINT, read_checkpoint, save_checkpoint
from dreamvid.training.distil.training import Distillation

TABLE = "losses.csv"
EVERY = 250
"""Steps between checkpoints."""


def run(
    distillation: Distillation,
    folder: Path,
    *,
    every: int = EVERY,
    saved: Callable[[], object] = lambda: None,
) -> Iterator[dict[str, float]]:
    """Train to the recipe's last step, yielding each step's losses.

    Args:
        distillation: what is trained.
        folder: holds `checkpoint.pt` and `losses.csv`. If there is a checkpoint, the training goes
            on from there, and rows of later steps are dropped.
        every: steps between checkpoints.
        saved: called after each checkpoint.
    """
    with storage_checked(folder):
        folder.mkdir(parents=True, exist_ok=True)
    checkpoint, table = folder / CHECKPOINT, folder / TABLE
    if checkpoint.exists():
        distillation.restore(read_checkpoint(checkpoint))
    columns = [*(stage.name for stage in distillation.student.stages), "direction"]
    rows = table.read_text().splitlines()[1 : distillation.step + 1] if table.exists() else []
    with atomic_write(table) as part:
        part.write_text("".join(row + "\n" for row in [",".join(["step", *columns]), *rows]))
    with storage_checked(folder), table.open("a", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        while distillation.step < distillation.recipe.steps:
            losses = distillation.advance()
            _must_be_finite(losses, distillation.step)
            row = [f"{losses[name]:.5f}" if name in losses else "" for name in columns]
            writer.writerow([distillation.step, *row])
            if distillation.step % every == 0 or distillation.step == distillation.recipe.steps:
                stream.flush()
                save_checkpoint(distillation, checkpoint)
                saved()
            yield losses


def _must_be_finite(losses: Mapping[str, float], step: int) -> None:
    if bad := [name for name, value in losses.items() if not math.isfinite(value)]:
        raise NetworkError(
            f"step {step}: the error of {bad[0]} is not finite; "
            "begin anew with --overwrite and a smaller --set learning_rate"
        )
