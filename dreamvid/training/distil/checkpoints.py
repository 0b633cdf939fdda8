"""The checkpoint of a distillation: all that a run needs to go on, in one file."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from dreamvid.errors import ResumeError
from dreamvid.media import atomic_write
from dreamvid.training.distil.training import Distillation

CHECKPOINT = "checkpoint.pt"


def save_checkpoint(distillation: Distillation, path: Path) -> None:
    """Write the state to `path` by rename, and go on with exactly what was written."""
    state = distillation.state()
    save_state(state, path)
    # The pool is saved with 8 bits. Rounded here too, a resumed run equals an unbroken one.
    distillation.pool.restore(state["pool"])


def save_state(state: Mapping[str, Any], path: Path) -> None:
    """Write a state to `path` by rename."""
    # torch reports a full disk as an error of its own; a plain write says what is wrong.
    buffer = io.BytesIO()
    torch.save(dict(state), buffer)
    with atomic_write(path) as part:
        part.write_bytes(buffer.getbuffer())


def read_checkpoint(path: Path) -> dict[str, Any]:
    """The state in a checkpoint, or a `ResumeError` in one line."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    # Damaged files raise nearly anything: EOFError, KeyError, RuntimeError, UnpicklingError...
    except Exception as error:
        reason = str(error).partition("\n")[0][:80]
        raise ResumeError(
            f"{path}: damaged, or no checkpoint ({reason}); start anew with --overwrite"
        ) from error
