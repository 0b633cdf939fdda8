"""Making things out of a seed: a film, a picture. What both doors open onto."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

from dreamvid import media
from dreamvid.dream.dreamer import Dreamer, dreamer_for
from dreamvid.dream.fitting import with_fitting_octaves
from dreamvid.dream.timeline import Timeline
from dreamvid.errors import SettingsError
from dreamvid.film import loops
from dreamvid.film.carries import carry_for
from dreamvid.film.living import living
from dreamvid.film.wandering import wandering
from dreamvid.frames import Size, quantised, size_of
from dreamvid.jobs import logs, previews, stills
from dreamvid.jobs.configs import read_config
from dreamvid.jobs.filming import settled_camera
from dreamvid.jobs.kinds import kind_of
from dreamvid.jobs.making import Request, made
from dreamvid.jobs.music import closing_on_a_bar, lasting, with_music, with_own_sound
from dreamvid.jobs.naming import job_folder
from dreamvid.jobs.piping import piped
from dreamvid.jobs.progress import Progress, Silence
from dreamvid.jobs.provenance import described
from dreamvid.jobs.seeds import known_numbers, known_place, last_frame, probe_film
from dreamvid.jobs.settling import (
    check_out,
    fitted_to,
    must_differ,
    read_start,
    settled_bars,
    settled_depth,
    settled_film,
    settled_mask,
    settled_motion,
)
from dreamvid.jobs.stopping import stoppable
from dreamvid.media import encoders
from dreamvid.motion.optical_flow import method_for
from dreamvid.settings import FILM_SIDE, Settings, Tree, presets
from dreamvid.sizes import Duration, film_seconds, parsed_size

Make = Callable[[Request], Path]
"""What becomes of a film in which all is settled: it is made, or only looked at."""
SQUARE = Size(1, 1)
"""The shape of a film for which neither a seed nor a size gives one."""


def settings_for(
    preset: str = "default",
    config: Path | None = None,
    flags: Tree | None = None,
    assigned: Tree | None = None,
    *,
    sized: bool = False,
) -> Settings:
    """Settings laid over each other: defaults < preset < config < flags < assignments.

    With `sized`, the size of a film that is the `config` is taken over too.
    """
    return presets.settings_over(preset, read_config(config, sized), flags, assigned)


def image(
    seed: Path,
    out: Path,
    settings: Settings,
    *,
    at: int | str | None = None,
    log: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Dream one picture, at its own size unless one is asked for, and return where it is.

    Where the seed is a film, `at` is the place of the frame in it. With `log`, the objective at
    every step is written beside it; see `logs`.
    """
    encoders.check_picture(out, overwrite, settings.film.depth)
    if log:
        logs.check_log(out, overwrite)
    must_differ(seed, out)
    stills.check(settings)
    progress = progress or Silence()
    picture = read_start(seed, at, settings, progress)
    if settings.picture.keep_alpha or settings.space.get("alpha"):
        encoders.check_alpha(out)
    size = parsed_size(settings.film.size, size_of(picture)) if settings.film.size else None
    kept = settings.picture.keep_alpha
    alpha = media.read_alpha(seed, size or size_of(picture)) if kept else None
    with stoppable(out.parent, "the same command again"):
        frame, dreamer = stills.dreamed(picture, settings, progress)
        settings = dreamer.settings
        words = {"comment": described("image", settings)}
        alpha = dreamer.report.opacity(0, alpha)
        media.write_picture(frame, out, settings.film.depth, words, alpha)
        if log:
            logs.write_log({out.name: dreamer.report.noted()}, out)
    return out


def zoom(
    seed: Path,
    out: Path,
    settings: Settings,
    *,
    at: int | str | None = None,
    job: Path | None = None,
    overwrite: bool = False,
    tidy: bool = False,
    preview: str | bool | None = False,
    progress: Progress | None = None,
    dreamer: Dreamer | None = None,
    make: Make = made,
) -> Path:
    """Make a film that falls into a still, and return where it is.

    Everything that can be wrong with the input or the settings is found before the job folder
    is made. Where the seed is a film, `at` is the place of the frame in it. With `preview`, small
    films come first, or alone, see `previews`; the last one is returned where it stays at them.
    `dreamer` is one for just these settings, where there is one already. `make` is called at last.
    """
    preview_kind = previews.kind_of(preview)
    check_out(seed, out, settings, overwrite)
    kind_of("zoom").check(settings)
    progress = progress or Silence()
    settings, heard = with_music(settings, progress.say)
    settings = lasting(settings)
    picture = read_start(seed, at, settings, progress)
    settings = settled_motion(settings, size_of(picture), out, progress)
    size = settings.film.pixels
    hashed = media.content_hash(seed)
    source = {"path": str(seed.absolute()), "sha256": hashed, **known_place(at), **heard}
    settings, source = settled_depth(*settled_mask(settings, source), size_of(picture))
    dreamer = with_fitting_octaves(
        dreamer or dreamer_for(settings), size, size_of(picture), progress.say
    )
    start = quantised(fitted_to(picture, size, settings), settings.film.depth)
    dreamer = wandering(dreamer, start)
    lively = living(dreamer.settings, dreamer, start)
    if lively != dreamer.settings:
        progress.say("nothing moves, so old dreams make room; --set loop.breath=0 keeps them")
        dreamer = dreamer_for(lively, net=dreamer.network)
    return make(
        Request(
            kind="zoom",
            out=out,
            settings=dreamer.settings,
            dreamer=dreamer,
            source=source,
            start=start,
            job=job,
            overwrite=overwrite,
            tidy=tidy,
            preview=preview_kind,
            progress=progress,
        )
    )


def loop(
    seed: Path | None,
    out: Path,
    settings: Settings,
    *,
    at: int | str | None = None,
    job: Path | None = None,
    overwrite: bool = False,
    tidy: bool = False,
    preview: str | bool | None = False,
    progress: Progress | None = None,
    make: Make = made,
) -> Path:
    """Make a film whose last frame flows into its first, and return where it is.

    `seed` is a picture, a job folder, whose last frame is taken, or None for noise. Otherwise
    like `zoom`.
    """
    preview_kind = previews.kind_of(preview)
    if seed is None and at is not None:
        raise SettingsError("--at: got a place, and no film that it is in; name one as the seed")
    if seed is not None and seed.is_dir():
        seed = last_frame(seed)
    check_out(seed, out, settings, overwrite)
    progress = progress or Silence()
    settings, heard = with_music(settings, progress.say)
    settings = closing_on_a_bar(settings, progress.say)
    kind_of("loop").check(settings)
    picture = None if seed is None else read_start(seed, at, settings, progress)
    shape = None if picture is None else size_of(picture)
    settings = settled_motion(settings, shape or SQUARE, out, progress)
    size = settings.film.pixels
    source = {"path": "", "sha256": "", "frames": str(settings.film.length), **heard}
    if seed is not None:
        hashed = media.content_hash(seed)
        source |= {"path": str(seed.absolute()), "sha256": hashed, **known_place(at)}
    settings, source = settled_depth(*settled_mask(settings, source), shape)
    dreamer = with_fitting_octaves(dreamer_for(settings), size, shape, progress.say)
    if picture is None:
        start = loops.cloud(size, (settings.film.seed, 0), loops.AROUND_NOISE)
    else:
        start = fitted_to(picture, size, settings)
    dreamer = wandering(dreamer, start, closes=True)
    return make(
        Request(
            kind="loop",
            out=out,
            settings=dreamer.settings,
            dreamer=dreamer,
            source=source,
            start=quantised(start, settings.film.depth),
            job=job,
            overwrite=overwrite,
            tidy=tidy,
            preview=preview_kind,
            progress=progress,
        )
    )


def video(
    source: Path,
    out: Path,
    settings: Settings,
    *,
    job: Path | None = None,
    overwrite: bool = False,
    tidy: bool = False,
    progress: Progress | None = None,
    make: Make = made,
) -> Path:
    """Dream over a film, its motion, rate and sound kept, and return where the new film is.

    Like `zoom`, it finds everything that can be wrong before the job folder is made.
    """
    check_out(source, out, settings, overwrite)
    kind_of("video").check(settings)
    progress = progress or Silence()
    if str(source) == encoders.PIPE:
        job = job_folder(job, out, source, "video")
        source = piped(job, out, overwrite, progress.say)
    film = probe_film(source, settings.film.fps)
    _tell_of(film, source, settings, progress)
    rate = settings.film.fps or film.rate
    settings, heard = with_music(settings.changed("film", fps=rate), progress.say)
    settings = lasting(settings)
    first, frames = _range(film, rate, settings)
    size = film.size
    if settings.film.size or max(size) > FILM_SIDE:
        block = encoders.encoding_for(out, settings.encode).block
        size = parsed_size(settings.film.size or FILM_SIDE, film.size, block)
    if not heard:
        settings, heard = with_own_sound(settings, source, film, first)
    settings = settled_film(settings, size, rate, frames)
    known = {
        "path": str(source.absolute()),
        "sha256": media.content_hash(source),
        "first": str(first),
        **known_numbers(film),
        **heard,
    }
    settings, known = settled_mask(settings, known)
    settings, known = settled_camera(settings, known, film)
    bars = settled_bars(source, film, settings, known, progress)
    carry_for(settings.carry, Timeline(settings))
    method_for(settings.flow)
    shown = bars.between(size) if bars else size
    dreamer = with_fitting_octaves(dreamer_for(settings), shown, None, progress.say)
    if settings.video.strict:
        media.check_whole(source, film)
    return make(
        Request(
            kind="video",
            out=out,
            settings=dreamer.settings,
            dreamer=dreamer,
            source=known,
            job=job,
            overwrite=overwrite,
            tidy=tidy,
            progress=progress,
        )
    )


def _tell_of(film: media.Film, path: Path, settings: Settings, progress: Progress) -> None:
    """Say what is special about a film, and what of its sound is left out."""
    for line in film.remarks:
        progress.say(line)
    line = media.heard(path, film.tracks, settings.video.sound_track)
    if settings.video.sound and line:
        progress.say(line)


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
    if isinstance(asked, Duration):
        asked = asked.frames(rate)
    return first, last - first if asked is None else min(asked, last - first)
