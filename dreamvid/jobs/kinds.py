"""The kinds of job, and all that differs between them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from dreamvid import media
from dreamvid.dream.timeline import Timeline
from dreamvid.errors import ResumeError, SettingsError
from dreamvid.film import loops
from dreamvid.film.bars import Bars, keeping_bars
from dreamvid.film.cadence import Between, between
from dreamvid.film.carries import (
    Carry,
    anchoring,
    by_motion,
    carries,
    carry_for,
    refreshing,
    traced_back,
)
from dreamvid.film.fading import Undreamed
from dreamvid.film.filming import filmed, nearer
from dreamvid.film.finishing import check_picture_mask, finish_for, finished_between, in_turn
from dreamvid.film.flashes import calm_for
from dreamvid.film.footage import is_picture, masks_of
from dreamvid.film.interpolating import Filling
from dreamvid.film.pipeline import Finish
from dreamvid.film.seams import CLOSED, Seam, loop_seam
from dreamvid.film.sources import FilmSource, FrameSource, StillSource
from dreamvid.frames import Flow, Frame, size_of
from dreamvid.jobs.fillings import by_flow, by_own_motion
from dreamvid.jobs.filming import camera_over, opened_film, part_of
from dreamvid.jobs.folder import Job
from dreamvid.jobs.inputs import input_extras, input_sound
from dreamvid.jobs.music import sound_of
from dreamvid.jobs.unchanged import must_be_what_it_was, travelling, with_mask
from dreamvid.jobs.undreamed import film_undreamed, still_undreamed
from dreamvid.media import encoders
from dreamvid.motion.optical_flow import check_for, method_for, works_here
from dreamvid.motion.searching import search_for
from dreamvid.motion.warp import grid
from dreamvid.registry import did_you_mean
from dreamvid.settings import Settings

Say = Callable[[str], None]
Dream = Callable[[int], int]
"""Makes the frames that are lacking up to a number of frames; how many there are then."""


@dataclass(frozen=True)
class Parts:
    """What the loop in `pipeline` is given."""

    source: FrameSource
    carry: Carry
    finish: Finish | None = None
    between: Between | None = None
    period: int | None = None
    bars: Bars | None = None
    """What is left as it is around the picture."""
    independent: bool = False
    """Whether no frame needs the dream before it, and all are dreamed with the same key."""


def _all_at_once(job: Job, settings: Settings, dream: Dream, say: Say) -> range:
    return range(dream(settings.film.length))


def _music(job: Job, frames: int, say: Say) -> media.Sound | None:
    """The music that belongs to the first `frames` frames of the job's film."""
    return sound_of(job.manifest.settings, job.manifest.source, frames)


@dataclass(frozen=True)
class Kind:
    """A kind of job."""

    parts: Callable[[Job, Settings, torch.device, Say], Parts]
    """What its frames are made from, by its settings at the length that is asked for now."""
    check: Callable[[Settings], None] = lambda settings: None
    """Raises `SettingsError` for settings that this kind cannot have."""
    complete: Callable[[Job, Settings, Dream, Say], range] = _all_at_once
    """Has all frames dreamed that the film needs; which of the job's frames are the film."""
    encodable: Callable[[int, int], tuple[range, int]] = lambda done, length: (range(done), length)
    """From how many frames are finished, and the film's length: which of them can be encoded as a
    film, and how many must be finished for a whole one."""
    sound: Callable[[Job, int, Say], media.Sound | None] = _music
    """What sound belongs to the first so many frames of the film."""
    extras: Callable[[Job, int], media.Extras | None] = lambda job, frames: None
    """What else belongs to them: title, date, chapters and subtitles."""
    undreamed: Callable[[Job, Settings, Say], Undreamed] | None = None
    """The frames without a dream, for fades; None where there are none."""
    filling: Callable[[Job], Filling] = by_own_motion
    """What makes the frames between two of its frames."""
    encoding: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Options of encoders, by name, where none are given."""
    straight: bool = True
    """Whether its film is all its frames in order, so that it can be encoded as they come."""
    length_is_fixed: bool = False
    """Whether a job that was begun can no longer become longer or shorter."""


def _silent(line: str) -> None:
    pass


def kind_of(name: str) -> Kind:
    """A kind by its name; `SettingsError` where there is none."""
    if name in KINDS:
        return KINDS[name]
    raise SettingsError(
        f"no kind of job {name!r}{did_you_mean(name, KINDS)} (kinds: {', '.join(KINDS)})"
    )


def _zoom(job: Job, settings: Settings, device: torch.device, say: Say) -> Parts:
    """A still that moves."""
    film, timeline = settings.film, Timeline(settings)
    motion, way = timeline.motion, travelling(job, timeline)
    carry = by_motion(
        motion, film.rate, job.read, stride=film.cadence, seed=film.seed, travelling=way
    )
    picture = job.read_source().to(device)
    source = with_mask(StillSource(picture), job, settings, device)
    finish = in_turn(calm_for(settings, job.read), finish_for(settings, picture))
    fill = between(motion, film.rate, film.cadence, scene=timeline.scene)
    if settings.loop.breath:
        carry = refreshing(carry, settings.loop.breath)
    return Parts(
        source,
        anchoring(carry, film.anchor, film.cadence / film.rate),
        finish,
        finished_between(fill, finish_for(settings, picture), source, film.cadence),
    )


def _loop(job: Job, settings: Settings, device: torch.device, say: Say) -> Parts:
    """A still, or noise, that moves and comes back."""
    film, timeline, period = settings.film, Timeline(settings), settings.film.length
    motion, way, cadence = timeline.motion, travelling(job, timeline), film.cadence
    carry = by_motion(motion, film.rate, job.read, stride=cadence, period=period, seed=film.seed,
                      travelling=way)  # fmt: skip
    breath = settings.loop.breath
    if breath is None:
        still = loops.stands_still(motion, film.rate, period)
        breath = loops.BREATH if still else 0.0
    around = loops.AROUND_STILL if job.manifest.source["path"] else loops.AROUND_NOISE
    picture = job.read_source().to(device)
    walk = loops.Walk(picture, period, film.seed, around)
    source = with_mask(walk, job, settings, device)
    finish = finish_for(settings, picture)
    fill = between(motion, film.rate, cadence, period, timeline.scene)
    return Parts(
        source,
        anchoring(refreshing(carry, breath), film.anchor, film.cadence / film.rate),
        in_turn(calm_for(settings, job.read), in_turn(loops.closing(settings, job.read), finish)),
        finished_between(fill, finish, source, film.cadence),
        period,
    )


def _until_closed(job: Job, settings: Settings, dream: Dream, say: Say) -> range:
    """Dream turns of a loop until it is closed; which frames are the last of them."""
    number, most, period = 2, settings.loop.turns, settings.film.length
    while True:
        turn = range((number - 1) * period, number * period)
        dream(turn.stop)
        seam = seam_of(job, turn)
        if seam.ratio <= CLOSED:
            say(f"the loop closes well, after {number} turns: no jump from its end to its start")
            return turn
        if number >= most:
            say(
                f"the loop does not close well after {number} turns: a jump may show where it "
                f"starts again (`dreamvid measure --loop` gives figures); the same command with "
                f"--set loop.turns={number + 2} goes on"
            )
            return turn
        number += 1


def seam_of(job: Job, turn: range) -> Seam:
    """The seam of a turn of a loop, along its own motion."""
    settings = job.manifest.settings
    motion, rate = Timeline(settings).motion, settings.film.rate

    def follow(index: int, before: Frame, after: Frame) -> Flow:
        points = grid(size_of(after))
        return traced_back(motion, points, index, 1, size_of(after), rate, len(turn)) - points

    return loop_seam((job.read(index) for index in turn), follow)


def _last_turn(done: int, period: int) -> tuple[range, int]:
    """The last whole turn that followed another one; it takes two turns to have one."""
    turns = done // period
    return range((turns - 1) * period, turns * period) if turns > 1 else range(done), 2 * period


def _video(job: Job, settings: Settings, device: torch.device, say: Say) -> Parts:
    """A film, dreamed over."""
    source = job.manifest.source
    path, size, rate = Path(source["path"]), settings.film.pixels, settings.film.rate
    if not (path.exists() or media.is_sequence(path)):
        raise ResumeError(
            f"{path}: is not there, and no file beside {job.folder} has its content; put it back, "
            "or say where it is with `dreamvid resume --source FILE`"
        )
    for file, told in ((path, "sha256"), (settings.video.mask, "mask_sha256")):
        if file is not None:
            must_be_what_it_was(file, source[told])
    scene, dreams = camera_over(source, settings), settings.motion.get("camera", {}).get("dreams")
    first, opened = int(source["first"]), opened_film(source, settings, say, scene)
    mask = settings.video.mask
    masks = None if mask is None else masks_of(mask, size, rate, first, settings.film.fit)
    if mask is not None and masks and scene and not is_picture(mask):
        masks = filmed(masks, scene, part_of(source, settings))
    follows = mask is not None and settings.video.mask_follows and is_picture(mask)
    needed = carries.needs_flow(settings.carry) or follows
    frames = FilmSource(
        opened,
        device,
        method=method_for(settings.flow) if needed else None,
        check=check_for(settings.flow),
        search=search_for(settings.flow),
        masks=masks,
        follows=follows,
        here=works_here(settings.flow),
        memory=round(carries.memory(settings.carry) * rate),
        rate=rate,
    )
    carry = carry_for(settings.carry, Timeline(settings))
    everywhere = dreams not in ("near", "far")
    if scene and not everywhere:
        carry = nearer(carry, scene, dreams, part_of(source, settings))
    bars = Bars.from_text(source["bars"]) if "bars" in source else None
    calm = calm_for(settings, job.read)
    return Parts(
        frames,
        carry,
        in_turn(in_turn(calm, finish_for(settings)), keeping_bars(bars) if bars else None),
        bars=bars,
        independent=carries.independent(settings.carry) and calm is None and everywhere,
    )


def _check_zoom(settings: Settings) -> None:
    mask, cadence = settings.video.mask, settings.film.cadence
    if mask is not None and not is_picture(mask) and cadence > 1:
        raise SettingsError(
            f"film.cadence: got {cadence}, a mask that is a film needs every frame; "
            "leave it at 1, or give a picture"
        )


def _check_loop(settings: Settings) -> None:
    loops.check(settings)
    check_picture_mask(settings)


def _check_video(settings: Settings) -> None:
    if settings.film.cadence > 1:
        raise SettingsError(
            f"film.cadence: got {settings.film.cadence}, dreams over films follow every frame; "
            "leave it at 1"
        )


def _recorded(job: Job, *_: object) -> Any:
    raise ResumeError(
        f"{job.folder}: is a recording of a live dream, which cannot go on; make its film with "
        f"`dreamvid encode {job.folder}`"
    )


KINDS = {
    "live": Kind(_recorded, complete=_recorded, length_is_fixed=True),
    "zoom": Kind(_zoom, check=_check_zoom, undreamed=still_undreamed),
    "loop": Kind(
        _loop,
        check=_check_loop,
        complete=_until_closed,
        encodable=_last_turn,
        encoding=encoders.LOOPED,
        straight=False,
        length_is_fixed=True,
    ),
    "video": Kind(
        _video,
        check=_check_video,
        sound=input_sound,
        extras=input_extras,
        undreamed=film_undreamed,
        filling=lambda job: by_flow(job, film_undreamed(job, job.manifest.settings, _silent)),
    ),
}
