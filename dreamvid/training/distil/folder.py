"""The folder beside a student's file in which it is trained; everything that can be refused.

::

    out.safetensors.training/
      recipe.json          what is made, from what; never edited
      checkpoint.pt        everything a run needs to go on, replaced by rename
      latest.safetensors   the student at that checkpoint, usable as it is
      losses.csv, losses.png
      samples/step-NNNNNN.png
      lock                 held by the one run that works here
"""

import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dreamvid.errors import MediaError, ResumeError
from dreamvid.jobs.progress import Progress
from dreamvid.media import atomic_write, storage_checked
from dreamvid.media.encoders import check_place
from dreamvid.media.locking import LOCK
from dreamvid.training.distil.checkpoints import CHECKPOINT
from dreamvid.training.distil.running import TABLE

SUFFIX = ".training"
MANIFEST, LATEST, CURVES, SAMPLES = (
    "recipe.json",
    "latest.safetensors",
    "losses.png",
    "samples",
)
OURS = {CHECKPOINT, TABLE, MANIFEST, LATEST, CURVES, SAMPLES, LOCK}


def training_folder(out: Path) -> Path:
    """The folder in which the student that will be `out` is trained."""
    return out.with_name(out.name + SUFFIX)


def check_output(out: Path, folder: Path, resume: bool, overwrite: bool) -> None:
    """Raise a `DreamvidError` unless `out` can be written, and its folder begun or resumed."""
    if out.suffix != ".safetensors":
        raise MediaError(f"{out}: weights are written as .safetensors; choose such a name")
    check_place(out, overwrite)
    if resume and not is_begun(folder):
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
    """Raise `ResumeError`, with the differences, if `folder` belongs to another training."""
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


def begin(folder: Path, manifest: dict[str, Any]) -> None:
    """Empty the folder of an earlier training and write the manifest of this one."""
    with storage_checked(folder):
        for path in folder.iterdir():
            if path.name != LOCK and _is_ours(path):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    with atomic_write(folder / MANIFEST) as part:
        part.write_text(json.dumps(manifest, indent=1))


def is_begun(folder: Path) -> bool:
    """Whether a training was begun in `folder`."""
    return (folder / MANIFEST).is_file()


def fingerprint(images: Path, files: Sequence[Path]) -> str:
    """A hash of the files' names and sizes; to read all the files would take too long."""
    lines = [f"{path.relative_to(images).as_posix()} {path.stat().st_size}\n" for path in files]
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def _is_ours(path: Path) -> bool:
    """Whether a training wrote this file, finished or not."""
    return path.name in OURS or (path.name.startswith(".") and path.name.endswith(".part"))


def _flat(tree: dict[str, Any]) -> dict[str, Any]:
    recipe = {f"recipe.{name}": value for name, value in dict(tree["recipe"]).items()}
    return {name: value for name, value in tree.items() if name != "recipe"} | recipe


def _brief(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
