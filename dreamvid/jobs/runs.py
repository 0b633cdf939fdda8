"""A job at work: its frames made, its film encoded, its stops survived."""

import json
import platform
import shlex
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import imageio_ffmpeg
import numpy
import torch

from dreamvid import __version__, media
from dreamvid.dream.dreamer import Dreamer, dreamer_for
from dreamvid.dream.report import Report
from dreamvid.errors import MediaError, ResumeError, SettingsError, Stopped
from dreamvid.film.cadence import last_dream_before, strided
from dreamvid.film.pipeline import Recurrence
from dreamvid.film.seams import CLOSED
from dreamvid.film.together import dreamed_together
from dreamvid.film.tone import tone_of
from dreamvid.frames import Frame, Size, parsed_size
from dreamvid.jobs.disk import bytes_from, clock, frames_take, free_in, must_have_room, told
from dreamvid.jobs.folder import Job, Manifest
from dreamvid.jobs.kinds import parts_of, seam_of, sound_of, whole_turn
from dreamvid.machine.devices import free_memory, leaving, peak_memory, synchronised
from dreamvid.machine.worker import Worker
from dreamvid.media import encoders
from dreamvid.networks.base import Network
from dreamvid.settings import Settings, Tree


class Progress(Protocol):
    """Who is told how a job goes."""

    def say(self, text: str) -> None:
        """A line worth knowing."""
        ...

    def begin(self, done: int, total: int) -> None:
        """Frames `done` of `total` are there already."""
        ...

    def frame(self, index: int, notes: Mapping[str, Any]) -> None:
        """Frame `index` is on disk."""
        ...


class Silence:
    """A `Progress` that tells nobody."""

    def say(self, text: str) -> None:
        """Nothing."""

    def begin(self, done: int, total: int) -> None:
        """Nothing."""

    def frame(self, index: int, notes: Mapping[str, Any]) -> None:
        """Nothing."""


@dataclass
class Run:
    """A job at work: what it was made for, and what is asked of it this time."""

    job: Job
    out: Path
    settings: Settings
    """Like the job's own in all that is painted; frames and encoding may differ."""
    overwrite: bool
    progress: Progress
    dreamer: Dreamer | None = None
    """Made when it is first needed, where none is given."""

    @property
    def painting(self) -> Settings:
        """The job's settings at the length that is asked for now."""
        return self.job.manifest.settings.changed("film", frames=self.settings.film.frames)

    @property
    def remedy(self) -> str:
        """The command that goes on with just this run."""
        manifest = self.job.manifest
        if self.out.absolute() != manifest.out or self.settings.encode != manifest.settings.encode:
            return "the same command again"
        words = ["dreamvid", "resume", str(self.job.folder)]
        if self.settings.film.length != manifest.settings.film.length:
            words += ["--frames", str(self.settings.film.length)]
        if self.out.exists():
            words += ["--overwrite"]
        return f"`{shlex.join(words)}`"

    def finish(self) -> Path:
        """Make the frames that are still lacking, then the film; return where the film is."""
        with stoppable(self.job.folder, self.remedy), self.job.locked():
            return self.finish_locked()

    def finish_locked(self) -> Path:
        """`finish` for one who holds the job already."""
        encoders.check_output(self.out, self.overwrite)
        with stoppable(self.job.folder, self.remedy):
            if self.job.manifest.kind == "loop":
                return self.encode(self._closed())
            return self.encode(range(self._dream(self.settings.film.length)))

    def _closed(self) -> range:
        """Dream turns of a loop until it is closed; which frames are the last of them."""
        number, most, period = 2, self.settings.loop.turns, self.settings.film.length
        while True:
            turn = range((number - 1) * period, number * period)
            self._dream(turn.stop)
            seam = seam_of(self.job, turn)
            if seam.ratio <= CLOSED:
                self.progress.say(f"closed in {number} turns: {seam}")
                return turn
            if number >= most:
                self.progress.say(
                    f"not closed in {number} turns, wanted a ratio of {CLOSED} at most: {seam}; "
                    f"the same command with --set loop.turns={number + 2} goes on"
                )
                return turn
            number += 1

    def _dream(self, total: int) -> int:
        """Make those of the first `total` frames that are lacking; how many there are then."""
        job, film = self.job, self.settings.film
        done = job.finished()
        if done >= total:
            return total
        job.trim(done)
        dreamer = self.dreamer = self.dreamer or dreamer_for(self.painting)
        _must_be_same(job.manifest, dreamer, self.progress)
        device = device_of(dreamer.network)
        parts = parts_of(job, self.painting, device, self.progress.say)
        least = bytes_from(self.settings.machine.min_free, "machine.min_free")
        must_have_room(job.folder, least, lambda: self.remedy)
        size = parsed_size(str(film.size), Size(1, 1))
        self._tell_room(total - done, size)
        self.progress.begin(done, total)
        last = last_dream_before(done, film.cadence)
        recurrence = Recurrence(
            parts.source,
            parts.carry,
            dreamer,
            film.seed,
            film.depth,
            parts.finish,
            parts.period,
        )
        together = dreamer.together(size) if parts.alike else 1
        if together > 1:
            made = dreamed_together(recurrence, together, done, total)
        else:
            previous = None if last is None else job.read(last).to(device)
            made = strided(recurrence, film.cadence, parts.between, start=done, previous=previous)
        began, seconds, first = time.monotonic(), 0.0, done
        with Worker() as worker:
            for index, frame in islice(made, total - done):
                place = index % together
                if index == first:
                    synchronised(device)
                if index == first or not place:
                    now = time.monotonic()
                    seconds, began = (now - began) / min(together - place, total - index), now
                tone, report = tone_of(frame).leaving(), dreamer.report.leaving(place)
                # The next frame is dreamed while this one is written; what it starts from is
                # already exactly what the file will hold.
                worker(partial(self._kept, index, leaving(frame), tone, report, seconds))
                if index + 1 < total:
                    must_have_room(job.folder, least, lambda: self.remedy)
                    if index == first:
                        self._tell_time(seconds, total - index - 1, device)
                done = index + 1
        if done < total:
            self.progress.say(f"the input ends after {done} of {total} frames")
        return done

    def _kept(
        self,
        index: int,
        frame: Callable[[], tuple[Frame, ...]],
        tone: Callable[[], dict[str, float]],
        report: Callable[[], Report],
        seconds: float,
    ) -> None:
        ascent = report()
        if ascent.skipped and index % self.settings.film.cadence == 0:
            self.progress.say(
                f"frame {index}: {ascent.skipped} of {ascent.skipped + ascent.steps} steps "
                "skipped, gradient not finite"
            )
        notes = {
            "seconds": round(seconds, 3),
            "gain": ascent.gain if ascent.steps else None,
            "skipped": ascent.skipped,
            **tone(),
        }
        self.job.write(index, frame()[0], notes)
        self.progress.frame(index, notes)

    def _tell_room(self, count: int, size: Size) -> None:
        """Say what the frames to come will take of the disk."""
        free = free_in(self.job.folder)
        taken = frames_take(count, size, self.settings.film.depth)
        short = "; that will not be enough" if taken > free else ""
        self.progress.say(
            f"{count} frames of {size} take about {told(taken)} of disk, "
            f"{told(free)} are free{short}"
        )

    def _tell_time(self, seconds: float, count: int, device: torch.device) -> None:
        """Say what the frames to come will take of time and memory, by the first of this run."""
        self.progress.say(
            f"the first took {seconds:.1f} s, {count} more about {clock(seconds * count)}; "
            f"memory: {told(peak_memory(device))} at most so far, {told(free_memory(device))} free"
        )

    def encode(self, which: range) -> Path:
        """Make a film of those frames of the job."""
        settings = self.settings.changed("film", frames=len(which))
        if self.job.manifest.kind == "loop":
            usual = encoders.LOOPED.get(encoders.encoder_for(self.out), {})
            settings = replace(settings, encode={**usual, **settings.encode})
        encoders.encode_film(
            (self.job.read(index) for index in which),
            self.out,
            settings.film.rate,
            sound=sound_of(self.job, len(which), self.progress.say),
            options=settings.encode,
            metadata={"comment": described(self.job.manifest.kind, settings)},
            say=self.progress.say,
        )
        return self.out


def resume(
    job: Job,
    *,
    frames: int | None = None,
    min_free: int | str | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Go on with a job, to another length if one is given; return where its film is."""
    progress = progress or Silence()
    settings = job.manifest.settings
    if frames and job.manifest.kind == "loop" and frames != settings.film.length:
        raise SettingsError(
            f"frames: got {frames}, the loop was begun with {settings.film.length}; begin another"
        )
    if frames:
        settings = settings.changed("film", frames=frames)
        job.must_fit(replace(job.manifest, settings=settings))
    if min_free is not None:
        settings = settings.changed("machine", min_free=min_free)
    bytes_from(settings.machine.min_free, "machine.min_free")
    out = job.manifest.out
    if not overwrite and out.exists() and _frames_told(out) == settings.film.length:
        progress.say(f"nothing left to do: the film of {settings.film.length} frames is there")
        return out
    return Run(job, out, settings, overwrite, progress).finish()


def encode(
    job: Job,
    out: Path | None = None,
    *,
    options: Tree | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Encode a job's finished frames, again or in another format; return where the film is.

    The job's own encoder options hold where the format is the same. A film of fewer frames than
    the job is to have never takes the name of the whole one.
    """
    progress = progress or Silence()
    manifest = job.manifest
    out = out or manifest.out
    encoders.check_output(out, overwrite)
    same = encoders.encoder_for(out) == encoders.encoder_for(manifest.out)
    chosen = {**(manifest.settings.encode if same else {}), **(options or {})}
    encoders.encoding_for(out, chosen)
    with stoppable(job.folder, "the same command again"), job.locked():
        done, total = job.finished(), manifest.settings.film.length
        which = range(done)
        if manifest.kind == "loop":
            which, total = whole_turn(done, total) or which, 2 * total
        if not done or (done < total and out.absolute() == manifest.out):
            raise ResumeError(
                f"{job.folder}: {done} of {total} frames are finished; "
                "`dreamvid resume` it first, or encode to another name with -o"
            )
        if done < total:
            progress.say(f"{done} of {total} frames are finished and encoded")
        settings = replace(manifest.settings, encode=chosen)
        return Run(job, out, settings, overwrite, progress).encode(which)


def _frames_told(film: Path) -> int | None:
    """How many frames a film of ours says it has."""
    if film.is_dir():
        return len(list(film.glob("*.png")))
    try:
        return int(json.loads(media.read_metadata(film)["comment"])["settings"]["film"]["frames"])
    except (MediaError, ValueError, KeyError, TypeError):
        return None


def described(kind: str, settings: Settings) -> str:
    """What a film's metadata says of how it was made; ``--config FILM`` reads it back."""
    about = {"dreamvid": __version__, "kind": kind, "settings": settings.tree()}
    return json.dumps(about, separators=(",", ":"))


def this_machine(net: Network) -> dict[str, Any]:
    """What must be the same for a resumed job to equal an unbroken one byte for byte."""
    device = device_of(net)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
    return {
        "dreamvid": __version__,
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "ffmpeg": imageio_ffmpeg.__version__,
        "device": f"{device.type} {name}",
        "precision": str(net.dtype).removeprefix("torch."),
        "threads": torch.get_num_threads(),
    }


def _must_be_same(manifest: Manifest, dreamer: Dreamer, progress: Progress) -> None:
    """Refuse other weights and altered pictures; warn of another machine."""
    net = dreamer.network
    for where, then in manifest.pictures.items():
        if dreamer.goal.pictures.get(where) != then:
            raise ResumeError(
                f"{where}: not the picture the job began with (SHA-256 {then[:12]}…); "
                "put it back, or start anew with --overwrite"
            )
    now = net.weights_sha256 or ""
    if now != manifest.weights_sha256:
        with_version = manifest.machine.get("dreamvid", "the version it was begun with")
        raise ResumeError(
            f"{net.name}: the weights are not those the job began with "
            f"(SHA-256 {now[:12]}…, then {manifest.weights_sha256[:12]}…); "
            f"put the old file back (dreamvid {with_version}), or start anew with --overwrite"
        )
    here = this_machine(net)
    for name, then in manifest.machine.items():
        if here.get(name) != then:
            progress.say(
                f"{name} was {then} when the job began and is {here.get(name)} now: "
                "the film goes on, but not byte for byte as it would have"
            )


def device_of(net: Network) -> torch.device:
    """Where a network is."""
    return next(net.parameters()).device


@contextmanager
def stoppable(folder: Path, remedy: str | None = None) -> Iterator[None]:
    """Turn the first SIGINT or SIGTERM into `Stopped`; a second one leaves at once.

    Outside the main thread, where Python allows no signal handlers, nothing changes.
    """

    def stop(number: int, _: object) -> None:
        for each in handled:
            signal.signal(each, signal.SIG_DFL)
        raise Stopped(number, folder, remedy)

    handled = (signal.SIGINT, signal.SIGTERM)
    before: dict[int, Any] = {}
    try:
        for each in handled:
            before[each] = signal.signal(each, stop)
    except ValueError:
        pass
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
