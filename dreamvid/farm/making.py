"""What a unit is made by: a shot, a whole film, some pictures; and what joins them."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from dreamvid.dream.dreamer import Dreamer, dreamer_for, network_for
from dreamvid.errors import ResumeError
from dreamvid.farm import pictures, sweeps
from dreamvid.farm.claims import Ledger
from dreamvid.farm.plans import Plan, PlanError, Unit
from dreamvid.frames import quantised
from dreamvid.jobs.folder import Job
from dreamvid.jobs.image_folders import STATE
from dreamvid.jobs.journal import Journal
from dreamvid.jobs.moving import at_home
from dreamvid.jobs.progress import Progress, Silence
from dreamvid.jobs.runs import Run
from dreamvid.jobs.shots import frames_of
from dreamvid.machine.devices import made_ready
from dreamvid.machine.hashing import file_hash
from dreamvid.media.atomic import storage_checked, temporary_for
from dreamvid.networks.base import Network
from dreamvid.settings import Settings

Told = dict[str, Any]
"""What is worth keeping of a unit that is whole."""


@dataclass
class Maker:
    """What makes the units of a plan on this machine; it holds the networks."""

    plan: Plan
    progress: Progress = field(default_factory=Silence)
    networks: dict[str, Network] = field(default_factory=dict)

    def make(self, unit: Unit) -> Told:
        """Make a unit, or what of it is lacking."""
        return KINDS[unit.kind](self, unit)

    def folder(self, unit: Unit) -> Path:
        """Where a unit lies on this machine."""
        return self.plan.folder / unit.facts["folder"]

    def job(self, unit: Unit) -> Job:
        """A unit's job, its inputs where this machine has them."""
        job = Job.open(self.folder(unit))
        source = dict(job.manifest.source)
        if source.get("path"):
            source["path"] = str(self.plan.here(source["path"]))
        settings = job.manifest.settings
        if settings.video.mask:
            settings = settings.changed("video", mask=self.plan.here(settings.video.mask))
        manifest = replace(job.manifest, source=source, settings=settings)
        job = at_home(Job(job.folder, manifest), self.progress.say, places=self.plan.places)
        if "result" in unit.facts:
            out = self.plan.results / unit.facts["result"]
            job = Job(job.folder, replace(job.manifest, source=source, out=out))
        return job

    def dreamer(self, settings: Settings, machine: Mapping[str, Any]) -> Dreamer:
        """What dreams with `settings`, by as many threads as the plan was made for."""
        threads = int(machine.get("threads", 0))
        key = str((settings.network, settings.machine.device, settings.machine.precision))
        if key not in self.networks:
            # Two networks would seldom fit a GPU's memory.
            self.networks = {key: network_for(settings)}
        made_ready(threads)
        return dreamer_for(settings, net=self.networks[key])

    def run(self, unit: Unit) -> Run:
        """A unit's job, ready to be gone on with."""
        job = self.job(unit)
        dreamer = self.dreamer(job.manifest.settings, job.manifest.machine)
        # What a film says of its settings must not tell where this machine has their files.
        settings = Job.open(self.folder(unit)).manifest.settings
        return Run(job, job.manifest.out, settings, True, self.progress, dreamer)


def _whole(maker: Maker, unit: Unit) -> Told:
    """A film that is one unit, encoded by whoever makes it."""
    run = maker.run(unit)
    _clean(run.out)
    run.finish_locked()
    return {}


def _shot(maker: Maker, unit: Unit) -> Told:
    """Some frames of a film."""
    run = maker.run(unit)
    return {"end": run.dream(run.settings.film.length)}


def _join(maker: Maker, unit: Unit) -> Told:
    """The film of shots: their frames in order, its sound and its metadata."""
    job = maker.job(unit)
    run = Run(job, job.manifest.out, job.manifest.settings, True, maker.progress)
    shots = [each for each in maker.plan.units if each.name in unit.needs]
    with storage_checked(job.folder):
        job.trim(0)
        job.journal.keep(_gathered(maker, job, shots))
    done = job.finished()
    if not done:
        raise ResumeError(f"{job.folder}: its shots have no frames; plan anew")
    job.show(done - 1)
    _clean(run.out)
    run.encode(range(done))
    joints = [each.facts["keeps"] for each in shots if each.facts["blend"]]
    if joints:
        flags = " ".join(f"--joint {each}" for each in joints)
        places = "1 place" if len(joints) == 1 else f"{len(joints)} places"
        maker.progress.say(
            f"chunks meet at {places}; `dreamvid measure {job.manifest.source['path']} "
            f"{run.out} {flags}` shows how well"
        )
    return {"frames": done}


def _gathered(maker: Maker, whole: Job, shots: list[Unit]) -> Iterator[Mapping[str, Any]]:
    """Bring the frames of shots into the whole film's job; yield their lines of its journal."""
    lines: dict[int, Mapping[str, Any]] = {}
    for shot in shots:
        part = Job.open(maker.folder(shot))
        entries = part.journal.entries()
        made = range(frames_of(part.manifest.source, 0).start, part.finished())
        keeps, blend = shot.facts["keeps"], shot.facts["blend"]
        for index in made[max(0, keeps - blend - made.start) :]:
            line = entries[index]
            if index < keeps:
                share = (index - keeps + blend + 1) / (blend + 1)
                line = _blended(whole, part, index, share, line)
            else:
                linked(part.frame_path(index), whole.frame_path(index))
            lines[index] = line
    yield from (lines[index] for index in sorted(lines))


def _blended(
    whole: Job, part: Job, index: int, share: float, line: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Fade a frame of `part` over the one that is there; its line."""
    frame = torch.lerp(whole.read(index), part.read(index), share)
    whole.frame_path(index).unlink()
    whole.write(index, quantised(frame, whole.manifest.settings.film.depth), {})
    return {**line, "sha256": file_hash(whole.frame_path(index))}


def linked(path: Path, target: Path) -> None:
    """Make `target` the same file as `path`, or a copy where the disk has no links."""
    part = temporary_for(target)
    part.unlink(missing_ok=True)
    try:
        part.hardlink_to(path)
    except FileNotFoundError:
        raise PlanError(f"{path}: is gone; remove its unit from claims/ and work again") from None
    except OSError:
        shutil.copyfile(path, part)
    part.replace(target)


def _clean(out: Path) -> None:
    """Remove what a worker that was killed has left of a result."""
    for path in out.parent.iterdir():
        if path.name.startswith(f".{out.name}.") and path.name.endswith(".part"):
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def _gather(maker: Maker, unit: Unit) -> Told:
    """The dreams of all units in one folder, which `dreamvid image` would go on with."""
    state = maker.plan.results / STATE
    bad, lines = [], []
    parts = [each for each in maker.plan.units if each.name in unit.needs]
    for part in parts:
        folder = maker.folder(part)
        journal = Journal(folder / STATE / "journal.jsonl", "name", str)
        for name, line in journal.entries().items():
            linked(folder / name, maker.plan.results / name)
            lines.append(line)
    for part in parts:
        bad += Ledger(maker.plan.claims, maker.plan.silence).told(part.name).get("left_out", [])
    if parts[0].name.startswith("pictures"):
        with storage_checked(state):
            state.mkdir(exist_ok=True)
            linked(maker.folder(parts[0]) / STATE / "settings.json", state / "settings.json")
        Journal(state / "journal.jsonl", "name", str).keep(lines)
    return {"left_out": bad}


KINDS: dict[str, Callable[[Maker, Unit], Told]] = {
    "whole": _whole,
    "shot": _shot,
    "join": _join,
    "pictures": pictures.made,
    "gather": _gather,
    "sheet": sweeps.sheet_of,
}
"""The kinds of unit."""
