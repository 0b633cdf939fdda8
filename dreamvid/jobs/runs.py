"""A job at work: the frames that are lacking made, the film encoded."""

import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from dreamvid.dream.dreamer import Dreamer, dreamer_for
from dreamvid.dream.report import Report
from dreamvid.film.bars import Bars, Inside
from dreamvid.film.cadence import last_dream_before, strided
from dreamvid.film.fading import faded
from dreamvid.film.pipeline import Recurrence
from dreamvid.film.together import dreamed_together
from dreamvid.film.tone import tone_of
from dreamvid.frames import Frame, from_pixels
from dreamvid.jobs.beside import Beside
from dreamvid.jobs.disk import bytes_from, frames_take, free_in, must_have_room, told
from dreamvid.jobs.estimates import TimeLeft, work_by_frame
from dreamvid.jobs.folder import Job
from dreamvid.jobs.kinds import Kind, kind_of
from dreamvid.jobs.music import must_be_the_same
from dreamvid.jobs.progress import Progress
from dreamvid.jobs.provenance import as_begun, described, frames_of_job, must_be_same
from dreamvid.jobs.shots import frames_of, plan_of
from dreamvid.jobs.stopping import stoppable
from dreamvid.machine.devices import free_memory, leaving_pixels, peak_memory, synchronised
from dreamvid.machine.threads import cores
from dreamvid.machine.worker import Worker
from dreamvid.media import encoders
from dreamvid.media.film_writing import encode_film
from dreamvid.settings import Settings

MEASURED = 3
"""The frames by which the room on the disk is estimated."""
TOLD_AGAIN = (3, 10, 30)
"""After so many frames of a run it is estimated again."""
MOST_WRITERS = 8
"""Threads that write frames: eight of them are faster than any dream measured."""
CLOSE = 0.05
"""An estimate that differs by less is not told again."""


def numbers_of(job: Job) -> dict[str, int]:
    """The number of the first picture of a job's film, and the step to the next."""
    source = job.manifest.source
    step = int(source.get("step", 1))
    return {
        "number": int(source.get("number", 0)) + int(source.get("first", 0)) * step,
        "step": step,
    }


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
    beside: Beside | None = None
    """What encodes the film while it is dreamed."""
    room: float = 0.0
    """What a frame takes of the disk, as was said last, in bytes."""

    @property
    def kind(self) -> Kind:
        """What is special about its kind of job."""
        return kind_of(self.job.manifest.kind)

    @property
    def painting(self) -> Settings:
        """The job's settings at the length that is asked for now."""
        return self.job.manifest.settings.changed("film", frames=self.settings.film.frames)

    @property
    def lengthens(self) -> bool:
        """Whether the job's own shorter film stands where this one goes."""
        frames = frames_of_job(self.out, self.job.manifest)
        return frames is not None and frames < self.settings.film.length

    @property
    def remedy(self) -> str:
        """The command that goes on with just this run."""
        manifest = self.job.manifest
        if plan := plan_of(self.job.folder, manifest.source):
            return f"`{shlex.join(['dreamvid', 'work', str(plan)])}`"
        now, begun = self.settings, manifest.settings
        encoding = (now.encode, now.film.fades) != (begun.encode, begun.film.fades)
        if self.out.absolute() != manifest.out or encoding:
            return "the same command again"
        words = ["dreamvid", "resume", str(self.job.folder), *self.job.needs]
        if self.settings.film.length != manifest.settings.film.length:
            words += ["--frames", str(self.settings.film.length)]
        if self.out.exists() and not self.lengthens:
            words += ["--overwrite"]
        return f"`{shlex.join(words)}`"

    def so_far(self) -> str:
        """The command that makes a film of the frames so far; empty where there are none."""
        if not self.job.frame_path(0).exists():
            return ""
        out = self.out.with_name(f"{self.out.stem}-part{self.out.suffix}")
        words = ["dreamvid", "encode", str(self.job.folder), "-o", str(out)]
        return f"a film of what there is: `{shlex.join(words)}`"

    def finish(self) -> Path:
        """Make the frames that are still lacking, then the film; return where the film is."""
        with stoppable(self.job.folder, self.remedy, self.so_far), self.job.locked():
            return self.finish_locked()

    def finish_locked(self) -> Path:
        """`finish` for one who holds the job already."""
        encoders.check_output(self.out, self.overwrite or self.lengthens)
        say = self.progress.say
        with stoppable(self.job.folder, self.remedy, self.so_far), ExitStack() as stack:
            self._stack = stack
            which = self.kind.complete(self.job, self.settings, self.dream, say)
            made = self.beside and self.beside.film(len(which), say)
            return made or self.encode(which)

    def dream(self, total: int) -> int:
        """Make those of the first `total` frames that are lacking; how many there are then.

        A job that makes only some of a film's frames makes those. Nothing is joined or encoded.
        """
        job, film = self.job, self.settings.film
        shot, done = frames_of(job.manifest.source, total), job.finished()
        total = shot.stop
        if done >= total:
            job.show(done - 1)  # it may have been killed just before this
            return total
        job.trim(done)
        self._begin_beside(done, total)
        dreamer = self.dreamer or dreamer_for(as_begun(self.painting, job.manifest))
        self.dreamer = dreamer
        must_be_same(job.manifest, dreamer, self.progress.say)
        must_be_the_same(job.manifest.settings, job.manifest.source)
        device = dreamer.network.device
        parts = self.kind.parts(job, self.painting, device, self.progress.say)
        least = bytes_from(self.settings.machine.min_free, "machine.min_free")
        must_have_room(job.folder, least, lambda: self.remedy)
        self._tell_room(total - done, range(max(shot.start, done - MEASURED), done), parts.bars)
        self.progress.begin(done, total)
        last = None if done == shot.start else last_dream_before(done, film.cadence)
        dreams = Inside(dreamer, parts.bars) if parts.bars else dreamer
        rest = (parts.finish, parts.period, job.read)
        recurrence = Recurrence(parts.source, parts.carry, dreams, film.seed, film.depth, *rest)
        together = dreamer.together(film.pixels) if parts.independent else 1
        if together > 1:
            made = dreamed_together(recurrence, together, done, total)
        else:
            previous = None if last is None else job.read(last).to(device)
            made = strided(recurrence, film.cadence, parts.between, start=done, previous=previous)
        left = self._time_left(dreamer, recurrence, parts.independent, done, total)
        began, seconds, first = time.monotonic(), 0.0, done
        with Worker(min(cores(), MOST_WRITERS)) as worker:
            for index, frame in islice(made, total - done):
                place = index % together
                if index == first:
                    synchronised(device)
                if index == first or not place:
                    now, came = time.monotonic(), min(together - place, total - index)
                    seconds, began = (now - began) / came, now
                    # Those that were dreamed together are all there.
                    for _ in range(came):
                        left.add(seconds, dreamer.report.work)
                tone, report = tone_of(frame).leaving(), dreamer.report.leaving(place)
                # The next frame is dreamed while this one is written; what it starts from is
                # already exactly what the file will hold.
                spent = (seconds, left.seconds)
                written = self._leaving(index, frame)
                worker(written, partial(self._kept, index, tone, report, spent))
                if index + 1 - first in TOLD_AGAIN and index + 1 < total:
                    like = range(index + 1 - MEASURED, index + 1)
                    tell = partial(self._tell_room, total - index - 1, like)
                    worker(lambda: None, lambda _, tell=tell: tell())
                if index + 1 < total:
                    must_have_room(job.folder, least, lambda: self.remedy)
                    if news := left.news(seconds, total - index - 1):
                        self._tell_time(news, device)
                done = index + 1
        if done < total:
            self.progress.say(f"the input ends after {done} of {total} frames")
        return done

    def _begin_beside(self, done: int, total: int) -> None:
        """Begin to encode the film, where it is a file that all frames go into as they come."""
        if plan_of(self.job.folder, self.job.manifest.source):
            return  # a part of a film, which is joined first
        encoding = encoders.encoding_for(self.out, self.settings.encode)
        if not self.kind.straight or encoders.is_pipe(self.out) or not encoding.arguments:
            return

        def make(frames: Iterator[np.ndarray], lines: list[str]) -> Path:
            return self._encoded(frames, total, lines.append)

        self.beside = self._stack.enter_context(Beside(total, done, self.job.read_pixels, make))

    def _leaving(self, index: int, frame: Frame) -> Callable[[], tuple[np.ndarray, str]]:
        """Begin to bring a frame to the processor; what this gives writes it."""
        self.job.unwritten[index] = frame
        pixels = leaving_pixels(frame, self.settings.film.depth)

        def written() -> tuple[np.ndarray, str]:
            whole = pixels()
            return whole, self.job.publish(index, whole)

        return written

    def _kept(
        self,
        index: int,
        tone: Callable[[], dict[str, float]],
        report: Callable[[], Report],
        spent: tuple[float, float],
        written: tuple[np.ndarray, str],
    ) -> None:
        pixels, sha256 = written
        seconds, left = spent
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
        self.job.note(index, sha256, notes)
        if self.beside:
            self.beside(index, pixels)
        self.progress.frame(index, {**notes, "left": left, "pixels": pixels})

    def _tell_room(self, count: int, like: range, bars: Bars | None = None) -> None:
        """Say what `count` frames will take of the disk, unless one takes about what was said.

        Frames `like` them are made. Black `bars` take nothing.
        """
        film, free = self.settings.film, free_in(self.job.folder)
        size, paths = film.pixels, [self.job.frame_path(index) for index in like]
        shown = bars.between(size) if bars else size
        taken = frames_take(count, shown, film.depth, paths)
        if self.room and abs(taken / count / self.room - 1) < CLOSE:
            return
        self.room = taken / count
        frames = f"frame of {size} takes" if count == 1 else f"frames of {size} take"
        short = "; that will not be enough" if taken > free else ""
        self.progress.say(
            f"{count} {frames} about {told(taken)} of disk, {told(free)} are free{short}"
        )

    def _time_left(
        self, dreamer: Dreamer, film: Recurrence, independent: bool, done: int, total: int
    ) -> TimeLeft:
        """What the frames that are lacking will take, by the steps of each."""
        works = work_by_frame(
            dreamer.plan,
            self.settings.film.pixels,
            done,
            total,
            feeds_back=not independent,
            stride=self.settings.film.cadence,
            time=film.time,
        )
        return TimeLeft(works)

    def _tell_time(self, news: str, device: torch.device) -> None:
        """Say what the frames to come will take of time, and what they have taken of memory."""
        peak, free = told(peak_memory(device)), told(free_memory(device))
        self.progress.say(f"{news}; memory: {peak} at most so far, {free} free")

    def encode(self, which: range) -> Path:
        """Make a film of those frames of the job."""
        frames = (self.job.read_pixels(index) for index in which)
        return self._encoded(frames, len(which), self.progress.say)

    def _encoded(
        self, pixels: Iterator[np.ndarray], count: int, say: Callable[[str], None]
    ) -> Path:
        """Make a film of so many frames of the job."""
        settings = self.settings.changed("film", frames=count)
        usual = self.kind.encoding.get(encoders.encoder_for(self.out), {})
        settings = replace(settings, encode={**usual, **settings.encode})
        frames: Iterator[Frame | np.ndarray] = pixels
        fades = settings.film.fades
        if any(fades) and self.kind.undreamed:
            undreamed = self.kind.undreamed(self.job, self.painting, say)
            frames = faded(map(from_pixels, pixels), count, *fades, undreamed)
        encode_film(
            frames,
            self.out,
            settings.film.rate,
            sound=self.kind.sound(self.job, count, say),
            extras=self.kind.extras(self.job, count),
            options=settings.encode,
            metadata={"comment": described(self.job.manifest.kind, settings)},
            depth=settings.film.depth,
            **numbers_of(self.job),
            say=say,
        )
        return self.out
