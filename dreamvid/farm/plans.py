"""A plan: what is to be made, cut into units, in a folder that every worker sees.

::

    DIR/
      plan.json             the units, what each waits for, and what belongs to all
      units/shot-0003/      a unit: a job folder, or a folder of dreamed pictures
      claims/               who makes which unit, see `claims`
      results/              the joined films, the pictures, the contact sheet
"""

import json
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

import torch

from dreamvid import __version__
from dreamvid.errors import DreamvidError, SettingsError
from dreamvid.farm.named import files_named, manifest_of
from dreamvid.media import atomic_write, storage_checked

FORMAT = 2
FILE = "plan.json"
SILENCE = 300.0
"""Seconds after which a silent worker has lost its unit."""
FOLDERS = ("units", "claims", "results")


class PlanError(DreamvidError):
    """A folder is no plan that can be worked on here."""


@dataclass(frozen=True)
class Unit:
    """A piece of work for one worker."""

    name: str
    kind: str
    """What makes it, see `making`."""
    frames: int
    """How much it is: frames, or pictures."""
    needs: tuple[str, ...] = ()
    """The units that must be whole before it."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What its kind must know; paths are seen from the plan's folder."""

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Plan:
    """All units of a plan, and where it lies for this machine."""

    folder: Path
    command: str
    """The command line that made it."""
    units: tuple[Unit, ...]
    inputs: Mapping[str, str] = field(default_factory=dict)
    """What is read beside the plan, by absolute paths, as it is seen from the folder."""
    silence: float = SILENCE
    threads: int = 1
    """Processor threads that dream: a dream differs in its last bits by their number."""
    identity: str = ""
    """By which the folder is known to be the same on another machine."""

    @property
    def claims(self) -> Path:
        """The folder of claims."""
        return self.folder / "claims"

    @property
    def results(self) -> Path:
        """The folder of what becomes of it."""
        return self.folder / "results"

    def unit(self, asked: str) -> list[Unit]:
        """The units of a name, a number from 1 on, or a range of numbers such as 3:8.

        The last one, and all beyond it, are named by a number too.

        Raises:
            SettingsError: there is none.
        """
        for unit in self.units:
            if unit.name == asked:
                return [unit]
        first, colon, last = asked.partition(":")
        if not (first.isdigit() and (last.isdigit() or not colon)) or int(first) < 1:
            raise SettingsError(
                f"--unit: got {asked!r}, expected a name in {FILE}, a number from 1 to "
                f"{len(self.units)}, or a range such as 3:8"
            )
        found = list(self.units[int(first) - 1 : int(last or first)])
        if not found:
            raise SettingsError(f"--unit: got {asked}, the plan has {len(self.units)} units")
        return found

    def here(self, path: str | Path) -> Path:
        """Where an input lies on this machine: at its place, or as it is seen from the plan.

        Raises:
            PlanError: it is at neither.
        """
        path = Path(path)
        if path.exists() or str(path) not in self.inputs:
            return path
        beside = Path(os.path.normpath(self.folder / self.inputs[str(path)]))
        if not beside.exists():
            raise PlanError(
                f"{path}: is not there, nor is {beside}; put the input back, or share its folder "
                "with this machine"
            )
        return beside

    @property
    def places(self) -> list[Path]:
        """The folders in which the inputs lie, as they are seen from the plan."""
        paths = {os.path.normpath(self.folder / each) for each in self.inputs.values()}
        return sorted({Path(each).parent for each in paths})

    def save(self) -> None:
        """Write the plan, which makes its folder one."""
        tree = {
            "format": FORMAT,
            "dreamvid": __version__,
            "command": self.command,
            "identity": self.identity,
            "silence": self.silence,
            "threads": self.threads,
            "inputs": dict(self.inputs),
            "units": [asdict(unit) for unit in self.units],
        }
        with atomic_write(self.folder / FILE) as part:
            part.write_text(json.dumps(tree, indent=1))

    @classmethod
    def open(cls, folder: Path) -> Self:
        """The plan in a folder.

        Raises:
            PlanError: there is none, or one of another version.
        """
        try:
            tree = json.loads((folder / FILE).read_text("utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            raise PlanError(
                f"{folder}: not a plan (no {FILE} in it); make one with `dreamvid plan`, or see "
                "that this machine shares the folder"
            ) from None
        except (OSError, ValueError, RecursionError) as error:
            raise PlanError(f"{folder / FILE}: cannot be read: {error}; plan anew") from None
        try:
            made = (tree["format"], tree["dreamvid"])
            if made != (FORMAT, __version__):
                raise PlanError(
                    f"{folder / FILE}: is a plan of dreamvid {made[1]} (format {made[0]}), and "
                    f"this is {__version__} (format {FORMAT}); install the same on all machines, "
                    "or plan anew"
                )
            units = tuple(
                Unit(**{**each, "needs": tuple(each["needs"])})  # lists in JSON
                for each in tree["units"]
            )
            return cls(
                folder.absolute(),
                str(tree["command"]),
                units,
                dict(tree["inputs"]),
                float(tree["silence"]),
                int(tree["threads"]),
                str(tree["identity"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise PlanError(f"{folder / FILE}: damaged ({error!r}); plan anew") from None


@contextmanager
def begun(folder: Path) -> Iterator[Path]:
    """The absolute path of a new plan's folder, with what belongs into it.

    What a plan that failed has left is removed.

    Raises:
        PlanError: there is something else.
    """
    folder = folder.absolute()
    if (folder / FILE).exists():
        raise PlanError(
            f"{folder}: is a plan already; go on with `dreamvid work {folder}`, or name another "
            "folder with -o"
        )
    if folder.exists() and not _is_left(folder):
        raise PlanError(f"{folder}: exists already and is no plan; name another folder with -o")
    if not folder.parent.is_dir():
        raise PlanError(f"{folder}: there is no folder {folder.parent}; make it first")
    made = not folder.exists()
    try:
        with storage_checked(folder):
            for name in FOLDERS:
                shutil.rmtree(folder / name, ignore_errors=True)
                (folder / name).mkdir(parents=True)
        yield folder
    except BaseException:
        for name in FOLDERS:
            shutil.rmtree(folder / name, ignore_errors=True)
        if made:
            shutil.rmtree(folder, ignore_errors=True)
        raise


def _is_left(folder: Path) -> bool:
    """Whether there is nothing in a folder but what a plan that failed may have left."""
    return folder.is_dir() and {each.name for each in folder.iterdir()} <= {*FOLDERS}


def saved(
    folder: Path, command: str, units: Sequence[Unit], inputs: Sequence[Path], silence: float
) -> Plan:
    """Write a plan, whose units lie in their folders already."""
    places = {folder / unit.facts["folder"] for unit in units if "folder" in unit.facts}
    files = {str(each.absolute()) for each in inputs}
    files.update(*(files_named(manifest_of(each), folder) for each in places))
    relative = {each: os.path.relpath(each, folder) for each in sorted(files)}
    threads = torch.get_num_threads()
    plan = Plan(folder, command, tuple(units), relative, silence, threads, uuid.uuid4().hex)
    plan.save()
    return plan


def numbered(kind: str, number: int) -> str:
    """The name of a unit."""
    return f"{kind}-{number:04d}"
