"""What a film needs settled before its job begins: names, sizes, masks, the first picture."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from dreamvid import media
from dreamvid.dream.spaces import moved_files
from dreamvid.dream.timeline import Timeline, check_schedules
from dreamvid.dream.turbo.adding import absolute_turbo
from dreamvid.errors import MediaError, SettingsError, did_you_mean
from dreamvid.film.bars import Bars, bars_of
from dreamvid.film.footage import masks_of
from dreamvid.frames import Frame, Size, fitted
from dreamvid.jobs.disk import bytes_from
from dreamvid.jobs.progress import Progress, Silence
from dreamvid.jobs.seeds import read_seed
from dreamvid.media import encoders
from dreamvid.motion.camera import VIEWS
from dreamvid.motion.depths import LAYERS, check_shape
from dreamvid.networks import absolute_weights
from dreamvid.objectives import absolute
from dreamvid.settings import FILM_SIDE, Settings, Tree
from dreamvid.sizes import parsed_size

SLOW = 0.06
"""A zoom that grows by less in a second looks like one whose rate was meant for each frame."""
DEFAULT_MOTION: Tree = {"zoom": {}}


def check_out(seed: Path | None, out: Path, settings: Settings, overwrite: bool) -> None:
    """Raise a `DreamvidError` where a film cannot be written to `out`."""
    encoders.check_output(out, overwrite)
    encoders.encoding_for(out, settings.encode)
    if seed is not None:
        must_differ(seed, out)


def settled_motion(settings: Settings, shape: Size, out: Path, progress: Progress) -> Settings:
    """Settings of a film that moves by itself, made of something of that shape."""
    if not settings.motion:
        settings = replace(settings, motion=DEFAULT_MOTION)
    check_schedules(settings)
    if hint := hint_of_rates(settings):
        progress.say(hint)
    block = encoders.encoding_for(out, settings.encode).block
    size = parsed_size(settings.film.size or FILM_SIDE, shape, block)
    return settled_film(settings, size, settings.film.rate, settings.film.length)


def hint_of_rates(settings: Settings) -> str:
    """A line where a zoom is so slow that its rate may be meant for each frame; or nothing."""
    options = settings.motion.get("zoom", {})
    if "rate" not in options:
        return ""
    scheduled = Timeline(settings).values.get("motion.zoom.rate")
    rates = [float(options["rate"])] if scheduled is None else scheduled.tolist()
    far = max(rates, key=lambda rate: abs(rate - 1))
    if far == 1 or abs(far - 1) > SLOW:
        return ""
    return (
        f"motion.zoom.rate: {far:.4g} is the growth in a second, {far**10:.2f} times in ten; "
        f"for a growth in each frame write {far:.4g}/frame"
    )


def settled_film(settings: Settings, size: Size, rate: Fraction, frames: int) -> Settings:
    """Settings in which nothing is left to the input or the place where a command was given."""
    bytes_from(settings.machine.min_free, "machine.min_free")
    if settings.picture.keep_alpha:
        raise SettingsError(
            "picture.keep_alpha: films are made without transparency, only `dreamvid image` keeps "
            "it; leave it out"
        )
    if settings.space.get("alpha"):
        raise SettingsError("space.alpha: films are made without transparency; leave it out")
    settings = settings.changed("network", weights=absolute_weights(settings.network))
    space = moved_files(settings.space, lambda where, path: path.absolute())
    settings = replace(settings, objective=absolute(settings.objective), space=space)
    settings = absolute_turbo(settings)
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


def settled_depth(
    settings: Settings, source: dict[str, str], seed: Size | None
) -> tuple[Settings, dict[str, str]]:
    """Settings with the whole path of the camera's depth, once it was read, and what is recorded.

    `seed` is the size of what the film begins with; None where it is noise.
    """
    scene, options = Timeline(settings).scene, settings.motion.get("camera", {})
    if scene is None or options["depth"] == LAYERS:
        return settings, source
    path = Path(options["depth"]).absolute()
    if not path.exists():
        raise SettingsError(
            f"motion.camera.depth: got {options['depth']}, expected {', '.join((*VIEWS, LAYERS))} "
            f"or a picture that is there{did_you_mean(options['depth'], (*VIEWS, LAYERS))}"
        )
    if seed is not None:
        check_shape(path, seed, "seed")
    camera = {**options, "depth": str(path)}
    settings = replace(settings, motion={"camera": camera})
    scene = Timeline(settings).scene
    assert scene is not None
    scene.view(0, settings.film.pixels)
    return settings, {**source, "depth_sha256": media.content_hash(path)}


def settled_bars(
    path: Path, film: media.Film, settings: Settings, source: dict[str, str], progress: Progress
) -> Bars | None:
    """The black bars that stay, measured once and added to what a job records of its `source`."""
    if settings.video.bars != "keep":
        return None
    made, first = settings.film, int(source["first"])
    bars = bars_of(path, film, made.pixels, made.rate, first, made.length, made.fit)
    if bars is None:
        return None
    source["bars"] = str(bars)
    sides = ", ".join(f"{each} {name}" for name, each in bars._asdict().items() if each)
    progress.say(
        f"{path.name}: black bars stay as they are ({sides}, of {made.pixels}); "
        "--bars dream dreams over them"
    )
    return bars


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
