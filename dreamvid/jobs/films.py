"""Making things out of a seed: a film, a picture. What both doors open onto."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any

from dreamvid import media
from dreamvid.dream.dreamer import Dreamer, dreamer_for
from dreamvid.dream.timeline import Timeline, check_schedules
from dreamvid.errors import MediaError, ResumeError, SettingsError
from dreamvid.film import loops
from dreamvid.film.carries import carry_for
from dreamvid.film.footage import masks_of
from dreamvid.frames import Frame, Size, covered, quantised, size_of
from dreamvid.jobs import logs
from dreamvid.jobs.configs import read_config
from dreamvid.jobs.disk import bytes_from
from dreamvid.jobs.folder import SUFFIX, Job
from dreamvid.jobs.kinds import kind_of
from dreamvid.jobs.making import Request, made
from dreamvid.jobs.progress import Progress, Silence
from dreamvid.jobs.provenance import described
from dreamvid.jobs.stopping import stoppable
from dreamvid.machine.hashing import input_hash
from dreamvid.media import encoders
from dreamvid.motion.optical_flow import method_for
from dreamvid.networks import absolute_weights
from dreamvid.objectives import absolute
from dreamvid.registry import Within, checked_value
from dreamvid.settings import FILM_SIDE, Settings, Tree, presets
from dreamvid.sizes import film_seconds, parsed_size

DEFAULT_MOTION: Tree = {"zoom": {}}
SQUARE = Size(1, 1)
"""The shape of a film for which neither a seed nor a size gives one."""


def settings_for(
    preset: str = "default",
    config: Path | None = None,
    flags: Tree | None = None,
    assigned: Tree | None = None,
) -> Settings:
    """Settings laid over each other: defaults < preset < config < flags < assignments."""
    return presets.settings_over(preset, read_config(config), flags, assigned)


def image(
    seed: Path,
    out: Path,
    settings: Settings,
    *,
    log: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Dream one picture, at its own size unless one is asked for, and return where it is.

    With `log`, the objective at every step is written beside it; see `logs`.
    """
    encoders.check_picture(out, overwrite, settings.film.depth)
    if log:
        logs.check_log(out, overwrite)
    _must_differ(seed, out)
    check_schedules(settings)
    progress = progress or Silence()
    picture = _read(seed, settings, progress)
    size = parsed_size(settings.film.size, size_of(picture)) if settings.film.size else None
    alpha = None
    if settings.picture.keep_alpha:
        encoders.check_alpha(out)
        alpha = media.read_alpha(seed, size or size_of(picture))
    words = {"comment": described("image", settings)}
    with stoppable(out.parent, "the same command again"):
        dreamer = dreamer_for(settings)
        dreamer.check(size or size_of(picture), seed=size_of(picture))
        if size:
            picture = covered(picture, size)
        progress.begin(0, dreamer.total_steps)
        dreamer.watch = lambda steps, _: progress.frame(steps - 1, {})
        frame = dreamer.still(picture)
        if skipped := dreamer.report.skipped:
            progress.say(f"{skipped} steps skipped, gradient not finite")
        media.write_picture(frame, out, settings.film.depth, words, alpha)
        if log:
            logs.write_log({out.name: dreamer.report.noted()}, out)
    return out


def zoom(
    seed: Path,
    out: Path,
    settings: Settings,
    *,
    job: Path | None = None,
    overwrite: bool = False,
    preview: bool = False,
    progress: Progress | None = None,
    dreamer: Dreamer | None = None,
) -> Path:
    """Make a film that falls into a still, and return where it is.

    Everything that can be wrong with the input or the settings is found before the job folder
    is made. With `preview`, the motion alone and a quarter of the size come first. `dreamer` is
    one for just these settings, where there is one already.
    """
    _check_out(seed, out, settings, overwrite)
    picture = _read(seed, settings, progress)
    settings = _settled_motion(settings, size_of(picture))
    size = settings.film.pixels
    dreamer = dreamer or dreamer_for(settings)
    dreamer.check(size, seed=size_of(picture))
    source = {"path": str(seed.absolute()), "sha256": input_hash(seed)}
    return made(
        Request(
            kind="zoom",
            out=out,
            settings=settings,
            dreamer=dreamer,
            source=source,
            start=quantised(covered(picture, size), settings.film.depth),
            job=job,
            overwrite=overwrite,
            preview=preview,
            progress=progress or Silence(),
        )
    )


def loop(
    seed: Path | None,
    out: Path,
    settings: Settings,
    *,
    job: Path | None = None,
    overwrite: bool = False,
    preview: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Make a film whose last frame flows into its first, and return where it is.

    `seed` is a picture, a job folder, whose last frame is taken, or None for noise. Otherwise
    like `zoom`.
    """
    if seed is not None and seed.is_dir():
        seed = _last_frame(seed)
    _check_out(seed, out, settings, overwrite)
    kind_of("loop").check(settings)
    picture = None if seed is None else _read(seed, settings, progress)
    settings = _settled_motion(settings, SQUARE if picture is None else size_of(picture))
    size = settings.film.pixels
    dreamer = dreamer_for(settings)
    dreamer.check(size, seed=None if picture is None else size_of(picture))
    source = {"path": "", "sha256": "", "frames": str(settings.film.length)}
    if seed is not None:
        source |= {"path": str(seed.absolute()), "sha256": input_hash(seed)}
    if picture is None:
        start = loops.cloud(size, (settings.film.seed, 0), loops.AROUND_NOISE)
    else:
        start = covered(picture, size)
    return made(
        Request(
            kind="loop",
            out=out,
            settings=settings,
            dreamer=dreamer,
            source=source,
            start=quantised(start, settings.film.depth),
            job=job,
            overwrite=overwrite,
            preview=preview,
            progress=progress or Silence(),
        )
    )


def _last_frame(folder: Path) -> Path:
    """The last finished frame of a job."""
    job = Job.open(folder)
    done = job.finished()
    if not done:
        raise ResumeError(f"{folder}: has no finished frame yet; `dreamvid resume` it first")
    return job.frame_path(done - 1)


def lasting(settings: Settings, seconds: Any, frames: Any = None) -> Settings:
    """`settings` for a film of so many seconds, to the nearest frame."""
    if frames is not None:
        raise SettingsError("--seconds and --frames: got both, wanted one of them")
    number = checked_value(seconds, Annotated[Fraction, Within(0, 10**6, above=True)], "--seconds")
    return settings.changed("film", frames=max(1, round(number * settings.film.rate)))


def named(seed: Path | None, kind: str) -> Path:
    """What a film of that kind is called where no name is given."""
    if seed is None:
        return Path(f"noise-{kind}.mp4")
    # A job is called after its film.
    return Path(f"{Path(seed.absolute().name.removesuffix(SUFFIX)).stem}-{kind}.mp4")


def dream_of(seed: Path) -> Path:
    """What the dream of a picture, or of a folder of them, is called where no name is given."""
    if seed.is_dir():
        seed = seed.absolute()
        return seed.with_name(f"{seed.name}-dream")
    return Path(f"{seed.stem}-dream.png")


def video(
    source: Path,
    out: Path,
    settings: Settings,
    *,
    job: Path | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Dream over a film, its motion, rate and sound kept, and return where the new film is.

    Like `zoom`, it finds everything that can be wrong before the job folder is made.
    """
    _check_out(source, out, settings, overwrite)
    kind_of("video").check(settings)
    film, progress = media.probe(source), progress or Silence()
    for line in film.remarks:
        progress.say(line)
    line = media.heard(source, film.tracks, settings.video.sound_track)
    if settings.video.sound and line:
        progress.say(line)
    rate = settings.film.fps or film.rate
    first, frames = _range(film, rate, settings)
    longer = min(FILM_SIDE, max(film.size))
    size = parsed_size(settings.film.size or longer, film.size)
    settings = _settled_film(settings, size, rate, frames)
    if settings.video.mask:
        mask = settings.video.mask.absolute()
        settings = settings.changed("video", mask=mask)
        masks_of(mask, size, rate, first)
    carry_for(settings.carry, Timeline(settings))
    method_for(settings.flow)
    dreamer = dreamer_for(settings)
    dreamer.check(size)
    if settings.video.strict:
        media.check_whole(source, film)
    known = {"path": str(source.absolute()), "sha256": input_hash(source), "first": str(first)}
    if settings.video.mask:
        known["mask_sha256"] = input_hash(settings.video.mask)
    return made(
        Request(
            kind="video",
            out=out,
            settings=settings,
            dreamer=dreamer,
            source=known,
            job=job,
            overwrite=overwrite,
            progress=progress or Silence(),
        )
    )


def _range(film: media.Film, rate: Fraction, settings: Settings) -> tuple[int, int]:
    """The first frame to dream over, counted at `rate`, and how many."""
    video = settings.video
    length = film.frames_at(rate)
    first = round(film_seconds(video.start, film.rate, "video.start") * rate)
    last = length
    if video.end is not None:
        last = min(length, round(film_seconds(video.end, film.rate, "video.end") * rate))
    if first >= last:
        raise SettingsError(
            f"video.start: {video.start} is not before the end "
            f"({video.end if last < length else f'the film has {film.frames} frames'})"
        )
    asked = settings.film.frames
    return first, last - first if asked is None else min(asked, last - first)


def _check_out(seed: Path | None, out: Path, settings: Settings, overwrite: bool) -> None:
    encoders.check_output(out, overwrite)
    encoders.encoding_for(out, settings.encode)
    if seed is not None:
        _must_differ(seed, out)


def _settled_motion(settings: Settings, shape: Size) -> Settings:
    """Settings of a film that moves by itself, made of something of that shape."""
    if not settings.motion:
        settings = replace(settings, motion=DEFAULT_MOTION)
    check_schedules(settings)
    size = parsed_size(settings.film.size or FILM_SIDE, shape)
    return _settled_film(settings, size, settings.film.rate, settings.film.length)


def _settled_film(settings: Settings, size: Size, rate: Fraction, frames: int) -> Settings:
    """Settings in which nothing is left to the input or the place where a command was given."""
    bytes_from(settings.machine.min_free, "machine.min_free")
    if settings.picture.keep_alpha:
        raise SettingsError(
            "picture.keep_alpha: films are made without transparency, only `dreamvid image` keeps "
            "it; leave it out"
        )
    settings = settings.changed("network", weights=absolute_weights(settings.network))
    settings = replace(settings, objective=absolute(settings.objective))
    return settings.changed("film", size=size, fps=rate, frames=frames)


def _read(seed: Path, settings: Settings, progress: Progress | None) -> Frame:
    """The picture to begin with; what becomes of its transparency is said."""
    background = media.colour_of(settings.picture.background)
    say = (progress or Silence()).say
    return media.read_picture(seed, background=background, say=say)


def _must_differ(seed: Path, out: Path) -> None:
    if out.exists() and seed.exists() and out.samefile(seed):
        raise MediaError(f"{out}: is the input itself; choose another name for the result")
