"""From a preset and a folder of pictures to a turbo network's file, and how strongly it dreams."""

import csv
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from dreamvid import __version__
from dreamvid.dream.dreamer import dreamer_for
from dreamvid.dream.turbo.files import write_turbo
from dreamvid.errors import NetworkError, Stopped
from dreamvid.jobs.progress import Progress, Silence
from dreamvid.media import atomic_write, storage_checked
from dreamvid.media.locking import locked
from dreamvid.settings import Settings
from dreamvid.training.distil import folder as folders
from dreamvid.training.distil.checkpoints import CHECKPOINT, read_checkpoint, save_state
from dreamvid.training.distil.pool import files_in, read_photographs, split
from dreamvid.training.distil.report import plot_losses
from dreamvid.training.distil.running import TABLE
from dreamvid.training.turbo.lesson import Lesson
from dreamvid.training.turbo.recipe import Recipe
from dreamvid.training.turbo.samples import write_sample
from dreamvid.training.turbo.strength import Strength, strength
from dreamvid.training.turbo.training import TurboTraining

EVERY = 100
"""Steps between checkpoints."""
SAMPLED_EVERY = 2
"""Checkpoints between two sheets of samples."""
MOST_MEASURED = 50
COLUMNS = ("gain", "tone", "closeness", "steadiness")


@dataclass(frozen=True)
class Place:
    """Where a turbo network is trained, and how often it is kept."""

    out: Path
    every: int
    resume: bool = False
    overwrite: bool = False

    @property
    def folder(self) -> Path:
        """All that resuming needs."""
        return folders.training_folder(self.out)


def make(
    settings: Settings,
    preset: str,
    images: Path,
    place: Place,
    *,
    layers: Sequence[str] = (),
    further: str | None = None,
    recipe: Recipe = Recipe(),  # noqa: B008
    progress: Progress | None = None,
) -> Strength:
    """Train a turbo network on a preset's dream, write it and measure how strongly it dreams.

    Everything that can be wrong with the input or the settings is found before the training
    folder is made.

    Args:
        settings: the preset's.
        preset: its name.
        images: a folder of pictures, read with its subfolders.
        place: where the network goes.
        layers: those it learns beside the preset's own.
        further: the network to train further, a file or "turbo"; None: a new one.
        recipe: the numbers.
        progress: shows how the training goes.
    """
    progress = progress or Silence()
    folders.check_output(place.out, place.folder, place.resume, place.overwrite)
    teacher = dreamer_for(settings.changed("turbo", dream="ascent")).network
    lesson = Lesson.of(teacher, settings, preset, layers, recipe, further)
    files = files_in(images)
    manifest = lesson.manifest(images, files, place.every)
    if place.resume:
        folders.must_fit(place.folder, manifest, progress)
    try:
        learned, held = split(files)
        progress.say(f"reading {len(learned)} pictures, {len(held)} more are held out")
        photographs = read_photographs(learned, (recipe.side + 1) // 2, progress.say)
        judged = read_photographs(held[:MOST_MEASURED], 1, progress.say) if held else photographs
        with storage_checked(place.folder):
            place.folder.mkdir(exist_ok=True)
        with storage_checked(place.folder), locked(place.folder):
            if not place.resume:
                folders.begin(place.folder, manifest)
            training = TurboTraining(lesson.dreamer(), lesson.net(), photographs, recipe)
            _train(training, lesson, place, judged[:4], progress)
            write(place.out, training, lesson)
    except Stopped as stopped:
        begun = folders.is_begun(place.folder)
        remedy = "the same command with --resume" if begun else "the same command"
        raise Stopped(stopped.signal, place.folder, remedy) from None
    return _measured(place.out, lesson, judged[:MOST_MEASURED], progress)


def check(
    file: Path,
    settings: Settings,
    preset: str,
    images: Path,
    progress: Progress | None = None,
) -> Strength:
    """Measure the turbo network in `file` beside a preset's ascent, on held-out pictures."""
    progress = progress or Silence()
    teacher = dreamer_for(settings.changed("turbo", dream="ascent")).network
    lesson = Lesson.of(teacher, settings, preset, (), Recipe())
    files = files_in(images)
    _, held = split(files)
    if not held:
        progress.say(f"{len(files)} files are too few to hold some out: all of them are used")
    judged = read_photographs((held or files)[:MOST_MEASURED], 1, progress.say)
    return _measured(file, lesson, judged, progress)


def write(path: Path, training: TurboTraining, lesson: Lesson) -> None:
    """Write the averaged network of a training."""
    about = {
        "dreamvid": __version__,
        "preset": lesson.preset,
        "recipe": json.dumps(lesson.recipe._asdict()),
        "steps": str(training.step),
        "channels": training.wishes.channels,
    }
    write_turbo(
        path, training.average, training.net, lesson.teacher, lesson.settings.objective, about
    )


def _measured(file: Path, lesson: Lesson, judged: Sequence[Tensor], progress: Progress) -> Strength:
    progress.say(f"measuring on {len(judged)} pictures")
    return strength(lesson.teacher, lesson.choices, lesson.settings, str(file), judged)


def _train(
    training: TurboTraining,
    lesson: Lesson,
    place: Place,
    shown: Sequence[Tensor],
    progress: Progress,
) -> None:
    """Train to the end. With each checkpoint the network, the curves and a sheet are written."""
    total, folder = training.recipe.steps, place.folder

    def saved() -> None:
        latest = folder / folders.LATEST
        write(latest, training, lesson)
        plot_losses(folder / TABLE, folder / folders.CURVES, "gain (geometric mean), and losses")
        if training.step == total or training.step % (SAMPLED_EVERY * place.every) == 0:
            with storage_checked(folder):
                (folder / folders.SAMPLES).mkdir(exist_ok=True)
            sheet = folder / folders.SAMPLES / f"step-{training.step:06d}.png"
            write_sample(lesson.teacher, lesson.choices, lesson.settings, latest, shown, sheet)

    begun = False
    for losses in run(training, place, saved):
        if not begun:
            progress.begin(training.step - 1, total)
            begun = True
        told = f"gain {losses['gain']:.1f}, closeness {losses['closeness']:.2f}"
        progress.frame(training.step - 1, {"shown": told})
    if not begun:
        progress.say(f"all {total} steps are done already")


def run(
    training: TurboTraining, place: Place, saved: Any = lambda: None
) -> Iterator[dict[str, float]]:
    """Train to the recipe's last step, yielding each step's losses.

    If there is a checkpoint in the folder, the training goes on from there, and rows of later
    steps are dropped from its table.
    """
    checkpoint, table = place.folder / CHECKPOINT, place.folder / TABLE
    if checkpoint.exists():
        training.restore(read_checkpoint(checkpoint))
    rows = table.read_text().splitlines()[1 : training.step + 1] if table.exists() else []
    with atomic_write(table) as part:
        part.write_text("".join(row + "\n" for row in [",".join(["step", *COLUMNS]), *rows]))
    with storage_checked(place.folder), table.open("a", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        while training.step < training.recipe.steps:
            losses = training.advance()
            losses["gain"] = math.exp(-losses["gain"])
            if bad := [name for name, value in losses.items() if not math.isfinite(value)]:
                raise NetworkError(
                    f"step {training.step}: {bad[0]} is not finite; begin anew with --overwrite "
                    "and a smaller --set learning_rate"
                )
            writer.writerow([training.step, *(f"{losses[name]:.5f}" for name in COLUMNS)])
            if training.step % place.every == 0 or training.step == training.recipe.steps:
                stream.flush()
                save_state(training.state(), checkpoint)
                saved()
            yield losses
