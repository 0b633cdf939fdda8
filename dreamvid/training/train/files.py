"""The folder beside a network's file in which it is trained, and what is read from it.

::

    pets.safetensors.training/
      training.json    the recipe and a digest of the pictures; never edited
      checkpoint.pt    the last epoch: network, optimiser, the rows of the table
      best.pt          the network of the best epoch so far
      accuracy.csv     a row for each epoch, and accuracy.png, the same as a plot
      lock             held by the one run that works here
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from dreamvid.errors import ResumeError, in_one_line
from dreamvid.media import atomic_write
from dreamvid.media.atomic import storage_error
from dreamvid.training.train.recipe import Recipe

SUFFIX = ".training"
MANIFEST, CHECKPOINT, BEST, TABLE, PLOT = (
    "training.json",
    "checkpoint.pt",
    "best.pt",
    "accuracy.csv",
    "accuracy.png",
)


def training_folder(out: Path) -> Path:
    """The folder in which the network that will be `out` is trained."""
    return out.with_name(out.name + SUFFIX)


def begin(place: Path, recipe: Recipe, digest: str) -> None:
    """Forget an earlier training in `place` and write the manifest of this one."""
    for name in (MANIFEST, CHECKPOINT, BEST, TABLE):
        (place / name).unlink(missing_ok=True)
    with atomic_write(place / MANIFEST) as part:
        part.write_text(json.dumps({"recipe": recipe.tree(), "pictures": digest}, indent=1))


def read_manifest(place: Path) -> dict[str, Any]:
    """The recipe and the digest that the training in `place` began with."""
    manifest = place / MANIFEST
    try:
        saved = json.loads(manifest.read_text("utf-8"))
        return {"recipe": dict(saved["recipe"]), "pictures": str(saved["pictures"])}
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ResumeError(f"{manifest}: cannot be read ({error}); pass --overwrite") from None


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """In words, what is different `now` from what it was `before`."""
    return "; ".join(
        f"{name} {before.get(name)!r} -> {value!r}"
        for name, value in now.items()
        if before.get(name) != value
    )


def write_checkpoint(state: Any, path: Path) -> None:
    """Write a state atomically; torch's own error for a full disk becomes a `StorageError`."""
    try:
        with atomic_write(path) as part:
            torch.save(state, part)
    except RuntimeError as error:
        raise storage_error(path, in_one_line(error)[:80]) from error


def read_checkpoint(path: Path) -> Any:
    """What `write_checkpoint` wrote, on the CPU, or a `ResumeError` in one line."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a broken file raises nearly anything
        reason = in_one_line(error)[:80]
        raise ResumeError(f"{path}: damaged ({reason}); start anew with --overwrite") from None
