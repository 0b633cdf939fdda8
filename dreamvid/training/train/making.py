"""From a folder of pictures to a network's file; everything that can be refused."""

from pathlib import Path
from typing import Any

import torch

from dreamvid.errors import MediaError, ResumeError, SettingsError
from dreamvid.jobs.progress import Progress, Silence
from dreamvid.media import storage_checked
from dreamvid.media.encoders import check_place
from dreamvid.media.locking import locked
from dreamvid.networks import weights as weights_files
from dreamvid.training.train import files, report
from dreamvid.training.train.files import BEST, CHECKPOINT, MANIFEST
from dreamvid.training.train.pictures import dataset
from dreamvid.training.train.schools import settled
from dreamvid.training.train.training import Training


def train(
    folder: Path,
    out: Path,
    *,
    device: str | torch.device = "cpu",
    resume: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
    **options: Any,
) -> Path:
    """Train a network on a folder of class folders; returns `out`, which ``--weights`` takes.

    Args:
        folder: Holds a folder of pictures for each class.
        out: The .safetensors file to make. ``<out>.training/`` holds all that resuming needs.
        device: Where to train.
        resume: Go on where an earlier run with this `out` stopped, with the same recipe.
        overwrite: Replace `out`, and start anew unless resuming.
        progress: Shows how the training goes; by default nothing is shown.
        **options: The fields of `Recipe`.
    """
    progress = progress or Silence()
    place = files.training_folder(out)
    going_on = _checked(out, place, resume, overwrite)
    if resume and not going_on:
        progress.say(f"nothing to go on with in {place}: starting")
    saved = files.read_manifest(place) if going_on else {"recipe": {}}
    recipe = settled({**saved["recipe"], **options})
    if going_on and (changed := files.changes(saved["recipe"], recipe.tree())):
        raise ResumeError(f"{place}: began with other settings ({changed}); resume without them")
    assert recipe.side is not None
    pictures = dataset(folder, side=recipe.side, held_out=recipe.held_out, seed=recipe.seed)
    digest = pictures.digest(folder)
    if going_on and saved["pictures"] != digest:
        raise ResumeError(f"{folder}: holds other pictures than when {place} began")
    training = Training(pictures, recipe, torch.device(device), fresh=not going_on)
    if pictures.unreadable:
        first = ", ".join(path.name for path in pictures.unreadable[:3])
        more = ", ..." if len(pictures.unreadable) > 3 else ""
        progress.say(f"{len(pictures.unreadable)} files cannot be read, left out: {first}{more}")
    with storage_checked(place):
        place.mkdir(exist_ok=True)
    with locked(place):
        if not going_on:
            files.begin(place, recipe, digest)
        elif (place / CHECKPOINT).exists():
            training.restore(files.read_checkpoint(place / CHECKPOINT))
        _run(training, place, progress)
        tensors, accuracy = training.tensors(files.read_checkpoint(place / BEST))
        weights_files.write(out, tensors, training.metadata(accuracy))
    progress.say(f"{accuracy:.1%} of the held-out pictures are classified right, in the best epoch")
    return out


def _checked(out: Path, place: Path, resume: bool, overwrite: bool) -> bool:
    """Whether a training goes on in `place`; a `DreamvidError` if it cannot be as asked."""
    if out.suffix != ".safetensors":
        raise SettingsError(f"{out}: got the suffix {out.suffix!r}, expected .safetensors")
    check_place(out, overwrite)
    if place.exists() and not place.is_dir():
        raise MediaError(f"{place}: is a file, expected a folder or nothing; remove it first")
    begun = (place / MANIFEST).exists()
    if begun and not (resume or overwrite):
        raise ResumeError(
            f"{place}: exists already; pass --resume to go on, --overwrite to restart"
        )
    return resume and begun


def _run(training: Training, place: Path, progress: Progress) -> None:
    """Train to the end. After each epoch, every file in `place` is complete."""
    epochs, counts = training.recipe.epochs, training.pictures
    progress.say(
        f"{training.recipe.network}: {len(counts.classes)} classes, {len(counts.training)} "
        f"pictures to train on, {len(counts.held_out)} held out; {training.epoch} of {epochs} "
        "epochs are done"
    )
    begun = False

    def tell(done: int, batches: int) -> None:
        nonlocal begun
        before = training.epoch * batches
        if not begun:
            progress.begin(before, epochs * batches)
            begun = True
        shown = f"epoch {training.epoch + 1} of {epochs}"
        progress.frame(before + done - 1, {"shown": shown})

    while not training.finished:
        row = training.advance(tell)
        # The best comes first: if killed in between, the same epoch is done again, as well.
        if training.best is row:
            files.write_checkpoint(training.module.state_dict(), place / BEST)
        files.write_checkpoint(training.state(), place / CHECKPOINT)
        report.write_table(training.rows, place)
        progress.say(
            f"epoch {row.epoch} of {epochs}: loss {row.loss:.3f}, accuracy {row.accuracy:.1%}, "
            f"held out {row.held_out_accuracy:.1%}"
        )
    report.write_plot(training.rows, place)
