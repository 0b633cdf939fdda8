"""From a teacher and a folder of pictures to a student's file, and how well the student dreams."""

import copy
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from dreamvid import __version__
from dreamvid.errors import MediaError, NetworkError, Stopped
from dreamvid.jobs.progress import Progress, Silence
from dreamvid.media import storage_checked
from dreamvid.media.locking import locked
from dreamvid.networks import network
from dreamvid.networks import weights as weights_files
from dreamvid.networks.base import Network
from dreamvid.networks.pocket import Pocket, Stage
from dreamvid.training.distil import report
from dreamvid.training.distil.fidelity import Fidelity, fidelity
from dreamvid.training.distil.folder import (
    CURVES,
    LATEST,
    SAMPLES,
    begin,
    check_output,
    fingerprint,
    is_begun,
    must_fit,
    training_folder,
)
from dreamvid.training.distil.pool import files_in, read_photographs, split
from dreamvid.training.distil.recipe import Recipe
from dreamvid.training.distil.running import EVERY, TABLE, run
from dreamvid.training.distil.student import (
    check_size,
    stages_for,
    teacher_layers,
    write_student,
)
from dreamvid.training.distil.training import Distillation

SAMPLED_EVERY = 4
"""Checkpoints between two sheets of sample dreams."""
MOST_MEASURED = 50
"""Held-out pictures that the fidelity is measured on."""


@dataclass(frozen=True)
class Lesson:
    """What a student learns, and how."""

    teacher: Network
    layers: tuple[str, ...]
    """The teacher's, one for each stage."""
    stages: tuple[Stage, ...]
    """The student's."""
    recipe: Recipe
    every: int
    """Steps between checkpoints."""
    bfloat16: bool

    @classmethod
    def of(
        cls, teacher: Network, layers: str | None, recipe: Recipe, every: int, bfloat16: bool
    ) -> Self:
        """The lesson in a teacher's `layers`; a `DreamvidError` if no student can learn them."""
        chosen = teacher_layers(teacher, layers)
        stages = stages_for(teacher, chosen)
        check_size(stages)
        if recipe.side < teacher.smallest_side:
            raise NetworkError(
                f"recipe.side: got {recipe.side}, and {teacher.name} needs {teacher.smallest_side}"
            )
        return cls(teacher, chosen, stages, recipe, every, bfloat16)

    @property
    def device(self) -> torch.device:
        """Where the student is trained."""
        return self.teacher.device

    def manifest(self, images: Path, files: Sequence[Path]) -> dict[str, Any]:
        """What must stay the same when a training goes on, and the machine, which may change."""
        return {
            "teacher": self.teacher.name,
            "teacher_sha256": self.teacher.weights_sha256 or "",
            "layers": list(self.layers),
            "stages": [list(stage) for stage in self.stages],
            "recipe": self.recipe._asdict(),
            "pictures": len(files),
            "pictures_sha256": fingerprint(images, files),
            "machine": {
                "dreamvid": __version__,
                "torch": torch.__version__,
                "device": self.device.type,
                "precision": "bfloat16" if self.bfloat16 else "float32",
                "threads": torch.get_num_threads(),
                "every": self.every,
            },
        }

    def metadata(self, steps: int) -> dict[str, str]:
        """What the student's file says about its training."""
        return {
            "dreamvid": __version__,
            "teacher": self.teacher.name,
            "layers": json.dumps(self.layers),
            "recipe": json.dumps(self.recipe._asdict()),
            "steps": str(steps),
        }

    def begun(self, photographs: list[Tensor]) -> Distillation:
        """The training at its first step."""
        student = Pocket(self.stages).to(self.device).to(memory_format=torch.channels_last)
        return Distillation(
            self.teacher, self.layers, student, photographs, self.recipe, self.bfloat16
        )


def make(
    teacher: Network,
    images: Path,
    out: Path,
    *,
    layers: str | None = None,
    recipe: Recipe = Recipe(),  # noqa: B008
    every: int = EVERY,
    bfloat16: bool = False,
    resume: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Fidelity:
    """Train a student of `teacher`, write it to `out` and measure how well it dreams.

    Everything that can be wrong with the input or the settings is found before the training
    folder is made.

    Args:
        teacher: in float32, on the device to train on.
        images: a folder of pictures, read with its subfolders.
        out: the student's weights, for ``--network pocket``; ends in .safetensors.
        layers: the teacher's layers to learn, comma-separated.
        recipe: the numbers.
        every: steps between checkpoints.
        bfloat16: compute the student in bfloat16 with float32 weights.
        resume: go on with the training folder beside `out`.
        overwrite: replace `out`, and the training folder unless it is resumed.
        progress: shows how the training goes.
    """
    progress = progress or Silence()
    folder = training_folder(out)
    check_output(out, folder, resume, overwrite)
    lesson = Lesson.of(teacher, layers, recipe, every, bfloat16)
    files = files_in(images)
    manifest = lesson.manifest(images, files)
    if resume:
        must_fit(folder, manifest, progress)
    try:
        learned, held = split(files)
        progress.say(f"reading {len(learned)} pictures, {len(held)} more are held out")
        photographs = read_photographs(learned, (recipe.side + 1) // 2, progress.say)
        judged = _judged(held, photographs, progress)
        with storage_checked(folder):
            folder.mkdir(exist_ok=True)
        with storage_checked(folder), locked(folder):
            if not resume:
                begin(folder, manifest)
            distillation = lesson.begun(photographs)
            _train(distillation, lesson, folder, judged[:2], progress)
            state, metadata = distillation.average, lesson.metadata(distillation.step)
            write_student(out, state, lesson.stages, metadata)
    except Stopped as stopped:
        remedy = "the same command with --resume" if is_begun(folder) else "the same command"
        raise Stopped(stopped.signal, folder, remedy) from None
    student = network("pocket", weights=out, device=lesson.device, precision="fp32")
    return _fidelity(teacher, student, judged, lesson.layers, progress)


def check(
    file: Path,
    teacher: Network,
    images: Path,
    *,
    layers: str | None = None,
    progress: Progress | None = None,
) -> Fidelity:
    """Measure the student in `file` against its teacher, on the held-out pictures of `images`."""
    progress = progress or Silence()
    device = teacher.device
    student = network("pocket", weights=file, device=device, precision="fp32")
    about = weights_files.read(file, "pocket").metadata
    if about.get("teacher", teacher.name) != teacher.name:
        raise NetworkError(
            f"{file}: learned from {about['teacher'][:40]}, not from {teacher.name}; "
            "name its own teacher"
        )
    chosen_layers = _layers_of(file, about.get("layers"), teacher, layers)
    if len(chosen_layers) != len(student.layers):
        raise NetworkError(
            f"{file}: has {len(student.layers)} layers, and {len(chosen_layers)} of "
            f"{teacher.name} are named; pass those it learned with --layers"
        )
    files = files_in(images)
    _, held = split(files)
    if not held:
        progress.say(f"{len(files)} files are too few to hold some out: all of them are used")
    judged = read_photographs((held or files)[:MOST_MEASURED], 1, progress.say)
    return _fidelity(teacher, student, judged, chosen_layers, progress)


def _judged(
    held: Sequence[Path], learned: Sequence[Tensor], progress: Progress
) -> Sequence[Tensor]:
    """The held-out pictures, or some that were learned from where there are none."""
    try:
        return read_photographs(held[:MOST_MEASURED], 1, progress.say)
    except MediaError:
        progress.say("no picture is held out: the fidelity is measured on those it learns from")
        return learned[:MOST_MEASURED]


def _train(
    distillation: Distillation,
    lesson: Lesson,
    folder: Path,
    shown: Sequence[Tensor],
    progress: Progress,
) -> None:
    """Train to the end. With each checkpoint the student, the curves and a sheet are written."""
    total = distillation.recipe.steps

    def saved() -> None:
        step = distillation.step
        average = distillation.average
        write_student(folder / LATEST, average, lesson.stages, lesson.metadata(step))
        report.plot_losses(folder / TABLE, folder / CURVES)
        if step == total or step % (SAMPLED_EVERY * lesson.every) == 0:
            dreaming = copy.deepcopy(distillation.student)
            dreaming.load_state_dict(average)
            with storage_checked(folder):
                (folder / SAMPLES).mkdir(exist_ok=True)
            path = folder / SAMPLES / f"step-{step:06d}.png"
            report.write_sample(dreaming.requires_grad_(False), shown, path)

    means = None
    for losses in run(distillation, folder, every=lesson.every, saved=saved):
        if means is None:
            progress.begin(distillation.step - 1, total)
            means = report.Means()
        progress.frame(distillation.step - 1, {"shown": means.shown(losses)})
    if means is None:
        progress.say(f"all {total} steps are done already")


def _layers_of(
    file: Path, kept: str | None, teacher: Network, named: str | None
) -> tuple[str, ...]:
    """The teacher's layers that the student in `file` learned."""
    if named is None and kept is not None:
        try:
            layers = tuple(json.loads(kept))
            known = all(isinstance(layer, str) and layer in teacher.layers for layer in layers)
        except (ValueError, TypeError, RecursionError):
            known, layers = False, ()
        if not known:
            raise NetworkError(f"{file}: its layers are not ones of {teacher.name}")
        return layers
    return teacher_layers(teacher, named)


def _fidelity(
    teacher: Network,
    student: Network,
    photographs: Sequence[Tensor],
    layers: tuple[str, ...],
    progress: Progress,
) -> Fidelity:
    """The fidelity at the last layer but one, which the training favours too."""
    progress.say(f"measuring on {len(photographs)} pictures")
    index = len(layers) - 2
    return fidelity(teacher, student, photographs, (layers[index], student.layers[index]))
