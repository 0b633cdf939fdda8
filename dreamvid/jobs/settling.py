"""What a film needs settled before its job begins: names, sizes, masks, the first picture."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from dreamvid import media
from dreamvid.dream.timeline import check_schedules
from dreamvid.errors import MediaError, SettingsError
from dreamvid.film.footage import masks_of
from dreamvid.frames import Frame, Size, fitted
from dreamvid.jobs.disk import bytes_from
from dreamvid.jobs.progress import Progress, Silence
from dreamvid.jobs.seeds import read_seed
from dreamvid.media import encoders
from dreamvid.networks import absolute_weights
from dreamvid.objectives import absolute
from dreamvid.settings import FILM_SIDE, Settings, Tree
from dreamvid.sizes import parsed_size

DEFAULT_MOTION: Tree = {"zoom": {}}


def check_out(seed: Path | None, out: Path, settings: Settings, overwrite: bool) -> None:
    """Raise a `DreamvidError` where a film cannot be written to `out`."""
    encoders.check_output(out, overwrite)
    encoders.encoding_for(out, settings.encode)
    if seed is not None:
        must_differ(seed, out)


def settled_motion(settings: Settings, shape: Size, out: Path) -> Settings:
    """Settings of a film that moves by itself, made of something of that shape."""
    if not settings.motion:
        settings = replace(settings, motion=DEFAULT_MOTION)
    check_schedules(settings)
    block = encoders.encoding_for(out, settings.encode).block
    size = parsed_size(settings.film.size or FILM_SIDE, shape, block)
    return settled_film(settings, size, settings.film.rate, settings.film.length)


def settled_film(settings: Settings, size: Size, rate: Fraction, frames: int) -> Settings:
    """Settings in which nothing is left to the input or the place where a command was given."""
    bytes_from(settings.machine.min_free, "machine.min_free")
    if settings.picture.keep_alpha:
        raise SettingsError(
            "picture.keep_alpha: films are made without transparency, only `dreamvid image` keeps "
            "it; leave it out"
        )
    settings = settings.changed("network", weights=absolute_weights(settings.network))
    settings = replace(settings, objective=absolute(settings.objective))
    settings = settings.changed("film", size=size, fps=rate, frames=frames)
    if sum(settings.film.fades) > frames:
        raise SettingsError(
            f"film.fade_in: fades of {settings.film.fades[0]} and {settings.film.fades[1]} frames "
            f"do not fit into a film of {frames}; give shorter ones"
        )
    return settings


def settled_mask(settings: Settings, source: dict[str, str]) -> tuple[Settings, dict[str, str]]:
    """Settings with the mask's whole path, once it was read, and what a job records."""
    mask = settings.video.mask
    if mask is None:
        return settings, source
    mask, film = mask.absolute(), settings.film
    masks_of(mask, film.pixels, film.rate, int(source.get("first", 0)), film.fit)
    source = {**source, "mask_sha256": media.content_hash(mask)}
    return settings.changed("video", mask=mask), source


def fitted_to(picture: Frame, size: Size, settings: Settings) -> Frame:
    """`picture` at another size, as `film.fit` and `film.padding` say."""
    return fitted(picture, size, settings.film.fit, settings.film.padding)


def read_start(
    seed: Path, at: int | str | None, settings: Settings, progress: Progress | None
) -> Frame:
    """The picture to begin with; what becomes of its transparency is said."""
    background = media.colour_of(settings.picture.background)
    say = (progress or Silence()).say
    return read_seed(seed, at, background=background, say=say)


def must_differ(seed: Path, out: Path) -> None:
    """Raise `MediaError` where the result would replace its input, or a picture of it."""
    same = out.exists() and seed.exists() and out.samefile(seed)
    if not same and (out.is_dir() or encoders.is_sequence_of_pictures(out)):
        inputs = media.stills_of(seed).paths if media.is_sequence(seed) else (seed,)
        lost = set(out.iterdir() if out.is_dir() else media.of_pattern(out))
        names = {each.resolve() for each in lost}
        same = any(each is not None and each.resolve() in names for each in inputs)
    if same:
        raise MediaError(f"{out}: is the input itself; choose another name for the result")
