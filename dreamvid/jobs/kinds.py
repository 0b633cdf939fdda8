"""What each kind of job makes its frames from: a source, a carry, and what becomes of a dream."""

import hashlib
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dreamvid import media
from dreamvid.dream.timeline import Timeline
from dreamvid.errors import MediaError, ResumeError
from dreamvid.film import loops
from dreamvid.film.cadence import Between, between
from dreamvid.film.carries import (
    Carry,
    Situation,
    anchoring,
    by_motion,
    carry_for,
    refreshing,
    traced_back,
)
from dreamvid.film.compositing import keeping_colour, masked
from dreamvid.film.pipeline import Finish
from dreamvid.film.seams import Seam, loop_seam
from dreamvid.film.sources import FilmSource, FrameSource, Opened, StillSource
from dreamvid.frames import Flow, Frame, Size, covered, parsed_size, size_of, to_pixels
from dreamvid.jobs.folder import Job
from dreamvid.motion.optical_flow import check_for, method_for
from dreamvid.motion.warp import grid
from dreamvid.registry import Registry
from dreamvid.settings import Settings

kinds = Registry("kind of job", positional=("job", "settings", "device", "say"))
Say = Callable[[str], None]


@dataclass(frozen=True)
class Parts:
    """What the loop is given."""

    source: FrameSource
    carry: Carry
    finish: Finish | None = None
    between: Between | None = None
    period: int | None = None
    alike: bool = False
    """Whether no frame needs the dream before it, and all are dreamed with the same key."""


@kinds.register
def zoom(job: Job, settings: Settings, device: torch.device, say: Say) -> Parts:
    """A still that moves."""
    film, motion = settings.film, Timeline(settings).motion
    carry = by_motion(motion, film.rate, stride=film.cadence)
    return Parts(
        StillSource(job.read_source().to(device)),
        anchoring(carry, film.anchor, film.cadence / film.rate),
        between=between(motion, film.rate, film.cadence),
    )


@kinds.register
def loop(job: Job, settings: Settings, device: torch.device, say: Say) -> Parts:
    """A still, or noise, that moves and comes back."""
    film, motion, period = settings.film, Timeline(settings).motion, settings.film.length
    carry = by_motion(motion, film.rate, stride=film.cadence, period=period)
    breath = settings.loop.breath
    if breath is None:
        still = loops.stands_still(motion, film.rate, period)
        breath = loops.BREATH if still else 0.0
    around = loops.AROUND_STILL if job.manifest.source["path"] else loops.AROUND_NOISE
    return Parts(
        loops.Walk(job.read_source().to(device), period, film.seed, around),
        anchoring(refreshing(carry, breath), film.anchor, film.cadence / film.rate),
        loops.closing(settings, job.read),
        between(motion, film.rate, film.cadence, period),
        period,
    )


@kinds.register
def video(job: Job, settings: Settings, device: torch.device, say: Say) -> Parts:
    """A film, dreamed over."""
    source = job.manifest.source
    path, size = Path(source["path"]), parsed_size(str(settings.film.size), Size(1, 1))
    for file, told in ((path, "sha256"), (settings.video.mask, "mask_sha256")):
        if file is not None and sha256_of(file) != source[told]:
            raise ResumeError(
                f"{file}: is not what the job began with; put it back, or start anew "
                "with --overwrite"
            )
    film, background = media.probe(path), media.colour_of(settings.picture.background)
    first = int(source["first"])

    def opened(start: int) -> Iterator[np.ndarray]:
        options = {"strict": settings.video.strict, "background": background, "say": say}
        return film_frames(path, film, size, settings.film.rate, first + start, **options)

    mask = settings.video.mask
    masks = None if mask is None else masks_of(mask, size, settings.film.rate, first)
    follows = mask is not None and settings.video.mask_follows and is_picture(mask)
    needed = settings.carry["name"] == "flow" or follows
    frames = FilmSource(
        opened,
        device,
        method=method_for(settings.flow) if needed else None,
        check=check_for(settings.flow),
        masks=masks,
        follows=follows,
    )
    return Parts(
        frames,
        carry_for(settings.carry, Timeline(settings)),
        finish_for(settings),
        alike=settings.carry["name"] == "none" and settings.carry.get("jitter") != "free",
    )


def parts_of(job: Job, settings: Settings, device: torch.device, say: Say) -> Parts:
    """What the frames of `job` are made from, by its settings at the length asked for now."""
    return kinds[job.manifest.kind](job, settings, device, say)


def sound_of(job: Job, frames: int, say: Say) -> media.Sound | None:
    """What of the input's sound belongs to the first `frames` frames of the job's film."""
    settings, source = job.manifest.settings, job.manifest.source
    if job.manifest.kind != "video" or not settings.video.sound:
        return None
    path, rate = Path(source["path"]), settings.film.rate
    try:
        if media.probe(path).sound is None:
            return None
    except MediaError as error:
        say(f"no sound: {error}")
        return None
    track = settings.video.sound_track
    return media.Sound(path, int(source["first"]) / rate, frames / rate, track)


def film_frames(
    path: Path, film: media.Film, size: Size, rate: Fraction, start: int, **options: Any
) -> Generator[np.ndarray]:
    """A film's frames from `start` on, filling `size`: their middle, where the shapes differ."""
    scale = max(size.height / film.size.height, size.width / film.size.width)
    covering = Size(*(max(a, round(b * scale)) for a, b in zip(size, film.size, strict=True)))
    top, left = (covering.height - size.height) // 2, (covering.width - size.width) // 2
    decoded = media.decoded(path, film, size=covering, rate=rate, start=start, **options)
    with closing(decoded):
        for pixels in decoded:
            yield pixels[top : top + size.height, left : left + size.width]


def is_picture(path: Path) -> bool:
    """Whether a mask is one picture rather than a film."""
    return media.is_still(path)


def masks_of(path: Path, size: Size, rate: Fraction, first: int) -> Opened:
    """A mask's pictures, frame by frame; those of a film keep time with the film dreamed over.

    Raises:
        MediaError: it cannot be read.
    """
    if is_picture(path):
        picture = media.read_picture(path, background=media.BLACK)
        pixels = to_pixels(covered(picture, size), depth=16)
        return lambda start: iter([pixels])
    film = media.probe(path)
    return lambda start: film_frames(path, film, size, rate, first + start)


def finish_for(settings: Settings) -> Finish | None:
    """What becomes of each dream beside its frame: its colours kept, its mask laid on."""
    video = settings.video
    if not video.keep_color and video.mask is None:
        return None

    def finish(situation: Situation, dream: Frame) -> Frame:
        moment = situation.moment
        if video.keep_color:
            dream = keeping_colour(moment.frame, dream)
        return dream if moment.mask is None else masked(moment.frame, dream, moment.mask)

    return finish


def sha256_of(path: Path) -> str:
    """The hash of a file's bytes.

    Raises:
        MediaError: it is not there or cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise MediaError(f"{path}: cannot be read ({error.strerror}); put it back") from None


def seam_of(job: Job, turn: range) -> Seam:
    """The seam of a turn of a loop, along its own motion."""
    settings = job.manifest.settings
    motion, rate = Timeline(settings).motion, settings.film.rate

    def follow(index: int, before: Frame, after: Frame) -> Flow:
        points = grid(size_of(after))
        return traced_back(motion, points, index, 1, size_of(after), rate, len(turn)) - points

    return loop_seam((job.read(index) for index in turn), follow)


def whole_turn(frames: int, period: int) -> range | None:
    """The last whole turn among the first `frames` of a loop that has gone on from another."""
    turns = frames // period
    return range((turns - 1) * period, turns * period) if turns > 1 else None
