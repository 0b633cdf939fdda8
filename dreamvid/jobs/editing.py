"""Finished frames as another film: cut, turned round, faster or slower, several jobs joined."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import floor
from pathlib import Path
from typing import Annotated, Any

import torch

from dreamvid import media
from dreamvid.errors import ResumeError, SettingsError
from dreamvid.film.interpolating import Filling
from dreamvid.frames import Frame, covered, size_of
from dreamvid.jobs.folder import Job
from dreamvid.jobs.kinds import kind_of
from dreamvid.jobs.moving import at_home
from dreamvid.jobs.progress import Progress, Silence
from dreamvid.jobs.provenance import described
from dreamvid.jobs.shots import must_be_whole
from dreamvid.jobs.stopping import stoppable
from dreamvid.jobs.treating import Treat, Treatment, treating
from dreamvid.media import encoders
from dreamvid.media.film_writing import encode_film
from dreamvid.registry import Within, checked_value
from dreamvid.settings import Tree
from dreamvid.sizes import film_seconds

MOST_FRAMES = 10**7
FPS_KIND = Annotated[Fraction, Within(0, 1000, above=True)]
SPEED_KIND = Annotated[Fraction, Within(Fraction(1, 1000), 1000)]


@dataclass(frozen=True)
class Shot:
    """What one frame of the film shows: a frame of a job, or two that fade into each other."""

    job: int
    index: int
    fading: "Shot | None" = None
    """What it fades into."""
    share: float = 0.0
    """How much of that is seen already."""
    onward: float = 0.0
    """How far on the way to the job's next frame it is."""


@dataclass(frozen=True)
class Edit:
    """What becomes of the frames of one or several jobs."""

    fps: Fraction | None = None
    """Of the film; none: that of the first job. The film plays as fast at any, and the frames that
    it has more are moved there from their neighbours."""
    start: int | str = "0"
    """The first frame to show, or its time."""
    end: int | str | None = None
    """The first frame to leave out, or its time."""
    speed: Fraction = Fraction(1)
    """How many times as fast; frames are left out or shown again."""
    reverse: bool = False
    boomerang: bool = False
    """Forwards and then back, without showing the first and the last frame twice."""
    fade: Fraction = Fraction(0)
    """Seconds in which each job fades into the next."""
    audio: Path | None = None
    """A file whose sound is laid under the film."""
    treatment: Treatment = field(default_factory=Treatment)
    """What its frames go through."""

    @property
    def keeps_time(self) -> bool:
        """Whether the sound of the input still belongs to the pictures."""
        return self.speed == 1 and not (self.reverse or self.boomerang)


def read_edit(texts: Mapping[str, Any], *, reverse: bool, boomerang: bool) -> Edit:
    """The edit that the flags of the command line ask for; those that are None were not given.

    Raises:
        SettingsError: a rate, a speed or a duration cannot be read, or is out of its range.
    """
    given = {name: value for name, value in texts.items() if value is not None}
    if "fade" in given:
        text = str(given["fade"]).strip()
        given["fade"] = film_seconds(
            text if text.endswith("s") else f"{text}s", Fraction(1), "--fade"
        )
    for name, kind in (("fps", FPS_KIND), ("speed", SPEED_KIND)):
        if name in given:
            given[name] = checked_value(given[name], kind, f"--{name}")
    treatment = {
        name: given.pop(name) for name in ("through", "upscale", "upscaler") if name in given
    }
    return Edit(**given, reverse=reverse, boomerang=boomerang, treatment=Treatment(**treatment))


def edited(
    jobs: Sequence[Job],
    out: Path | None,
    edit: Edit,
    *,
    options: Tree | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Encode the finished frames of jobs, in order, as `edit` says; return where the film is.

    Raises:
        ResumeError: a job has no finished frame, or the film would take the name of a job's own.
        SettingsError: there is nothing left between start and end, or fades are too long.
        MediaError: the film cannot be written there, or there is no sound in `edit.audio`.
    """
    progress = progress or Silence()
    for job in jobs:
        must_be_whole(job.folder, job.manifest.source)
    jobs = [at_home(job, progress.say) for job in jobs]
    own = [job.manifest.out for job in jobs if not encoders.is_pipe(job.manifest.out)]
    if out is None or out.absolute() in own:
        raise ResumeError(
            f"{jobs[0].manifest.out}: is the name of the job's whole film; name another with -o"
        )
    if edit.fade and len(jobs) < 2:
        raise SettingsError("--fade: got one job, expected two or more to fade into each other")
    encoders.check_output(out, overwrite)
    first = jobs[0].manifest
    same = encoders.encoder_for(out) == encoders.encoder_for(first.out)
    usual = kind_of(first.kind).encoding.get(encoders.encoder_for(out), {})
    chosen = {**usual, **(first.settings.encode if same else {}), **(options or {})}
    encoders.encoding_for(out, chosen)
    if edit.audio:
        media.check_sound(edit.audio)
    with ExitStack() as stack:
        stack.enter_context(stoppable(jobs[0].folder, "the same command again"))
        for folder in dict.fromkeys(job.folder.absolute() for job in jobs):
            stack.enter_context(Job(folder, first).locked())
        treat = stack.enter_context(
            treating(edit.treatment, jobs[0], first.settings.film.depth, progress.say)
        )
        return _encoded(jobs, out, edit, chosen, treat, progress)


def _encoded(
    jobs: Sequence[Job],
    out: Path,
    edit: Edit,
    options: Mapping[str, Any],
    treat: Treat,
    progress: Progress,
) -> Path:
    first = jobs[0].manifest
    rate = first.settings.film.rate
    joined = _joined([_shots(jobs, each, rate, progress) for each in range(len(jobs))], rate, edit)
    begin, shots = _cut(joined, rate, edit)
    pace = edit.speed * rate / (edit.fps or rate)
    more = edit.fps is not None and pace < 1
    shown = list(_timed(_turned(shots, edit), pace, between=more))
    if more and any(shot.onward for shot in shown):
        progress.say("the frames between are moved there by the film's own motion")
    fps = edit.fps or rate
    seconds = Fraction(len(shown)) / fps
    treated = treat(lambda which: _frames(jobs, shown[which.start : which.stop]), len(shown))
    settings = first.settings.changed("film", frames=treated.number, fps=fps * treated.times)
    encode_film(
        treated.frames,
        out,
        settings.film.rate,
        sound=_sound(jobs, edit, begin / rate, seconds, progress),
        extras=_extras(jobs, edit, begin / rate, seconds),
        options=options,
        metadata={"comment": described(first.kind, replace(settings, encode=dict(options)))},
        depth=settings.film.depth,
        say=progress.say,
    )
    return out


def _shots(jobs: Sequence[Job], number: int, rate: Fraction, progress: Progress) -> list[Shot]:
    """The frames of a job's film, at `rate`."""
    job = jobs[number]
    manifest = job.manifest
    done = job.finished()
    which, total = kind_of(manifest.kind).encodable(done, manifest.settings.film.length)
    if not which:
        raise ResumeError(f"{job.folder}: has no finished frame yet; `dreamvid resume` it first")
    if done < total:
        progress.say(f"{job.folder.name}: {done} of {total} frames are finished and encoded")
    own = manifest.settings.film.rate
    return list(_timed([Shot(number, index) for index in which], own / rate))


def _timed(shots: Sequence[Shot], pace: Fraction, *, between: bool = False) -> Iterator[Shot]:
    """`shots`, of which `pace` go by with each frame; or what is `between` them too."""
    count = max(1, floor(len(shots) / pace + Fraction(1, 2)))
    if count > MOST_FRAMES:
        raise SettingsError(
            f"--fps and --speed: make {count} frames, expected {MOST_FRAMES} at most"
        )
    for place in range(count):
        number = min(floor(place * pace), len(shots) - 1)
        part = place * pace - number
        following = shots[min(number + 1, len(shots) - 1)]
        yield _onward(shots[number], following, part) if between and part else shots[number]


def _onward(shot: Shot, following: Shot, part: Fraction) -> Shot:
    """What is between two shots: `shot` itself where they are no neighbours in one job."""
    if shot.job != following.job or shot.fading or following.fading:
        return shot
    if following.index == shot.index + 1:
        return replace(shot, onward=float(part))
    return replace(following, onward=float(1 - part)) if shot.index == following.index + 1 else shot


def _joined(parts: Sequence[list[Shot]], rate: Fraction, edit: Edit) -> list[Shot]:
    """The parts one after another, each fading into the next."""
    count = round(edit.fade * rate)
    film = list(parts[0])
    free = len(film)
    for part in parts[1:]:
        if count > min(free, len(part)):
            raise SettingsError(
                f"--fade: got {float(edit.fade):g} s, which is {count} frames, and a job has "
                f"{min(free, len(part))} left for it; expected less"
            )
        for place in range(count):
            where = len(film) - count + place
            film[where] = replace(film[where], fading=part[place], share=(place + 1) / (count + 1))
        film += part[count:]
        free = len(part) - count
    return film


def _cut(shots: list[Shot], rate: Fraction, edit: Edit) -> tuple[int, list[Shot]]:
    """The shots between start and end, and the number of the first."""
    begin = round(film_seconds(edit.start, rate, "--start") * rate)
    end = len(shots)
    if edit.end is not None:
        end = min(end, round(film_seconds(edit.end, rate, "--end") * rate))
    if begin >= end:
        raise SettingsError(
            f"--start: got {edit.start}, which is not before the end "
            f"({edit.end if end < len(shots) else f'there are {len(shots)} frames'})"
        )
    return begin, shots[begin:end]


def _turned(shots: list[Shot], edit: Edit) -> list[Shot]:
    if edit.reverse:
        shots = shots[::-1]
    return shots + shots[-2:0:-1] if edit.boomerang else shots


def _frames(jobs: Sequence[Job], shots: Sequence[Shot]) -> Iterator[Frame]:
    """The pictures of shots, all of the size of the first job's."""
    before: tuple[Shot, Frame] | None = None
    size = jobs[0].manifest.settings.film.pixels
    fillings: dict[int, Filling] = {}

    def read(shot: Shot) -> Frame:
        job = jobs[shot.job]
        frame = job.read(shot.index)
        if shot.onward:
            if shot.job not in fillings:
                fillings[shot.job] = kind_of(job.manifest.kind).filling(job)
            frame = fillings[shot.job](shot.index, shot.onward, frame, job.read(shot.index + 1))
        return frame if size_of(frame) == size else covered(frame, size)

    for shot in shots:
        if before is None or before[0] != shot:
            frame = read(shot)
            if shot.fading:
                frame = torch.lerp(frame, read(shot.fading), shot.share)
            before = shot, frame
        yield before[1]


def _sound(
    jobs: Sequence[Job], edit: Edit, begin: Fraction, duration: Fraction, progress: Progress
) -> media.Sound | None:
    """What is heard under the film, from `begin` of the joined jobs on, all in seconds."""
    if edit.audio:
        return media.Sound(edit.audio, Fraction(0), duration, alone=True)
    job = jobs[0]
    length = job.manifest.settings.film.length
    sound = kind_of(job.manifest.kind).sound(job, length, progress.say)
    if sound is None:
        return None
    if len(jobs) > 1 or not edit.keeps_time:
        progress.say("the input's sound no longer fits the pictures and is left out; see --audio")
        return None
    return replace(sound, start=sound.start + begin, duration=duration)


def _extras(
    jobs: Sequence[Job], edit: Edit, begin: Fraction, duration: Fraction
) -> media.Extras | None:
    """What else of the first job's input is kept, from `begin` on; of joined jobs, nothing."""
    manifest = jobs[0].manifest
    length = manifest.settings.film.length
    extras = kind_of(manifest.kind).extras(jobs[0], length)
    if extras is None or len(jobs) > 1:
        return None
    whole = extras.whole and not begin and duration >= extras.duration
    return replace(
        extras, start=extras.start + begin, duration=duration, whole=whole, timed=edit.keeps_time
    )
