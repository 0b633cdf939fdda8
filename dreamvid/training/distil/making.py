"""From a teacher and a folder of pictures to a student's file; everything that can be refused.

::

    out.safetensors.training/
      recipe.json          what is made, from what; never edited
      checkpoint.pt        everything a run needs to go on, replaced by rename
      latest.safetensors   the student at that checkpoint, usable as it is
      losses.csv, losses.png
      samples/step-NNNNNN.png
      lock                 held by the one run that works here
"""

import copy
import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dreamvid import __version__
from dreamvid.errors import MediaError, NetworkError, ResumeError, Stopped
from dreamvid.jobs.progress import Progress, Silence
from dreamvid.media import atomic_write, storage_checked
from dreamvid.media.encoders import check_place
from dreamvid.media.locking import LOCK, locked
from dreamvid.networks import network
from dreamvid.networks import weights as weights_files
from dreamvid.networks.base import Network
from dreamvid.networks.pocket import Pocket
from dreamvid.training.distil import report
from dreamvid.training.distil.fidelity import Fidelity, fidelity
from dreamvid.training.distil.pool import files_in, parted, read_photographs
from dreamvid.training.distil.student import (
    check_size,
    stages_for,
    teacher_layers,
    write_student,
)
from dreamvid.training.distil.training import CHECKPOINT, EVERY, TABLE, Distillation, Recipe, run

SUFFIX = ".training"
MANIFEST, LATEST, CURVES, SAMPLES = (
    "recipe.json",
    "latest.safetensors",
    "losses.png",
    "samples",
)
OURS = {CHECKPOINT, TABLE, MANIFEST, LATEST, CURVES, SAMPLES, LOCK}
SAMPLED_EVERY = 4
"""Checkpoints between two sheets of sample dreams."""
MOST_MEASURED = 50
"""Held-out pictures that the fidelity is measured on."""


def training_folder(out: Path) -> Path:
    """The folder in which the student that will be `out` is trained."""
    return out.with_name(out.name + SUFFIX)


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
        layers: the teacher's layers to learn, parted by commas.
        recipe: the numbers.
        every: steps between checkpoints.
        bfloat16: compute the student in bfloat16 with float32 weights.
        resume: go on with the training folder beside `out`.
        overwrite: replace `out`, and the training folder unless it is resumed.
        progress: who is told.
    """
    progress = progress or Silence()
    folder = training_folder(out)
    check_output(out, folder, resume, overwrite)
    chosen_layers = teacher_layers(teacher, layers)
    stages = stages_for(teacher, chosen_layers)
    check_size(stages)
    if recipe.side < teacher.smallest_side:
        raise NetworkError(
            f"recipe.side: got {recipe.side}, and {teacher.name} needs {teacher.smallest_side}"
        )
    files = files_in(images)
    device = teacher.device
    manifest = {
        "teacher": teacher.name,
        "teacher_sha256": teacher.weights_sha256 or "",
        "layers": list(chosen_layers),
        "stages": [list(stage) for stage in stages],
        "recipe": recipe._asdict(),
        "pictures": len(files),
        "pictures_sha256": _fingerprint(images, files),
        "machine": {
            "dreamvid": __version__,
            "torch": torch.__version__,
            "device": device.type,
            "precision": "bfloat16" if bfloat16 else "float32",
            "threads": torch.get_num_threads(),
            "every": every,
        },
    }
    if resume:
        must_fit(folder, manifest, progress)
    try:
        learned, held = parted(files)
        smallest = (recipe.side + 1) // 2
        progress.say(f"reading {len(learned)} pictures, {len(held)} more are held out")
        photographs = read_photographs(learned, smallest, progress.say)
        judged = _judged(held, photographs, progress)
        with storage_checked(folder):
            folder.mkdir(exist_ok=True)
        with storage_checked(folder), locked(folder):
            if not resume:
                _begin(folder, manifest)
            student = Pocket(stages).to(device).to(memory_format=torch.channels_last)
            distillation = Distillation(
                teacher, chosen_layers, student, photographs, recipe, bfloat16
            )
            about = {
                "dreamvid": __version__,
                "teacher": teacher.name,
                "layers": json.dumps(chosen_layers),
                "recipe": json.dumps(recipe._asdict()),
            }
            _train(distillation, folder, every, about, judged[:2], progress)
            final = {**about, "steps": str(distillation.step)}
            write_student(out, distillation.average, stages, final)
    except Stopped as stopped:
        goon = "the same command with --resume" if _is_begun(folder) else "the same command"
        raise Stopped(stopped.signal, folder, goon) from None
    made = network("pocket", weights=out, device=device, precision="fp32")
    return _measured(teacher, made, judged, chosen_layers, progress)


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
    _, held = parted(files)
    if not held:
        progress.say(f"{len(files)} files are too few to hold some out: all are measured")
    judged = read_photographs((held or files)[:MOST_MEASURED], 1, progress.say)
    return _measured(teacher, student, judged, chosen_layers, progress)


def check_output(out: Path, folder: Path, resume: bool, overwrite: bool) -> None:
    """Raise a `DreamvidError` where `out` and its training folder cannot be written or gone on."""
    if out.suffix != ".safetensors":
        raise MediaError(f"{out}: weights are written as .safetensors; choose such a name")
    check_place(out, overwrite)
    if resume and not _is_begun(folder):
        raise ResumeError(f"{folder}: there is no training to resume; leave out --resume")
    if not folder.exists() or resume:
        return
    if not overwrite:
        raise ResumeError(
            f"{folder}: exists already; go on with --resume, or start anew with --overwrite"
        )
    foreign = [] if folder.is_dir() else [folder]
    foreign += [path for path in folder.glob("*") if not _is_ours(path)]
    if foreign or folder.is_symlink():
        raise ResumeError(f"{folder}: not a training folder; remove it yourself")


def must_fit(folder: Path, manifest: dict[str, Any], progress: Progress) -> None:
    """Raise `ResumeError`, with the differences, where `folder` is of another training."""
    try:
        then = json.loads((folder / MANIFEST).read_text("utf-8"))
        machine_then = dict(then.pop("machine"))
        then = _flat(then)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ResumeError(
            f"{folder / MANIFEST}: cannot be read ({error!r}); start anew with --overwrite"
        ) from None
    now = _flat({name: value for name, value in manifest.items() if name != "machine"})
    changes = [
        f"{name} {_brief(then.get(name))} -> {_brief(now.get(name))}"
        for name in now | then
        if then.get(name) != now.get(name)
    ]
    if changes:
        raise ResumeError(
            f"{folder}: of another training ({'; '.join(changes)}); "
            "resume without them, or start anew with --overwrite"
        )
    for name, value in manifest["machine"].items():
        if machine_then.get(name) != value:
            progress.say(
                f"{name} was {machine_then.get(name)} when the training began and is {value} "
                "now: it goes on, but not byte for byte as it would have"
            )


def _flat(tree: dict[str, Any]) -> dict[str, Any]:
    recipe = {f"recipe.{name}": value for name, value in dict(tree["recipe"]).items()}
    return {name: value for name, value in tree.items() if name != "recipe"} | recipe


def _brief(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _fingerprint(images: Path, files: Sequence[Path]) -> str:
    """A hash of the files' names and sizes: reading them all would take too long to refuse."""
    lines = [f"{path.relative_to(images).as_posix()} {path.stat().st_size}\n" for path in files]
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def _judged(
    held: Sequence[Path], learned: Sequence[Tensor], progress: Progress
) -> Sequence[Tensor]:
    """The held-out pictures, or some that were learned from where there are none."""
    try:
        return read_photographs(held[:MOST_MEASURED], 1, progress.say)
    except MediaError:
        progress.say("no picture is held out: the student is measured on those it learns from")
        return learned[:MOST_MEASURED]


def _begin(folder: Path, manifest: dict[str, Any]) -> None:
    """Empty the folder of an earlier training and write the manifest of this one."""
    with storage_checked(folder):
        for path in folder.iterdir():
            if path.name != LOCK and _is_ours(path):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    with atomic_write(folder / MANIFEST) as part:
        part.write_text(json.dumps(manifest, indent=1))


def _is_ours(path: Path) -> bool:
    """Whether a training wrote this, finished or torn."""
    return path.name in OURS or (path.name.startswith(".") and path.name.endswith(".part"))


def _is_begun(folder: Path) -> bool:
    return (folder / MANIFEST).is_file()


def _train(
    distillation: Distillation,
    folder: Path,
    every: int,
    about: dict[str, str],
    shown: Sequence[Tensor],
    progress: Progress,
) -> None:
    """Train to the end, with everything that is written beside each checkpoint."""
    total = distillation.recipe.steps

    def saved() -> None:
        step = distillation.step
        stages, average = distillation.student.stages, distillation.average
        write_student(folder / LATEST, average, stages, {**about, "steps": str(step)})
        report.plot_losses(folder / TABLE, folder / CURVES)
        if step == total or step % (SAMPLED_EVERY * every) == 0:
            dreaming = copy.deepcopy(distillation.student)
            dreaming.load_state_dict(average)
            with storage_checked(folder):
                (folder / SAMPLES).mkdir(exist_ok=True)
            path = folder / SAMPLES / f"step-{step:06d}.png"
            report.write_sample(dreaming.requires_grad_(False), shown, path)

    means = None
    for losses in run(distillation, folder, every=every, saved=saved):
        if means is None:
            progress.begin(distillation.step - 1, total)
            means = report.Means()
        progress.frame(distillation.step - 1, {"shown": means.shown(losses)})
    if means is None:
        progress.say(f"all {total} steps are made already")


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


def _measured(
    teacher: Network,
    student: Network,
    photographs: Sequence[Tensor],
    layers: tuple[str, ...],
    progress: Progress,
) -> Fidelity:
    """The fidelity at the last layer but one, which training favours too."""
    progress.say(f"measuring on {len(photographs)} pictures")
    index = len(layers) - 2
    return fidelity(teacher, student, photographs, (layers[index], student.layers[index]))
