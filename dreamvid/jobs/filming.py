"""The film that a job dreams over: its frames, and a camera that travels through them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from dreamvid import media
from dreamvid.dream.timeline import CAMERA, Timeline
from dreamvid.errors import SettingsError, did_you_mean
from dreamvid.film.bars import Bars
from dreamvid.film.filming import WHOLE, Part, filmed
from dreamvid.film.footage import film_frames
from dreamvid.film.sources import Opened
from dreamvid.jobs.unchanged import must_be_what_it_was
from dreamvid.motion.camera import VIEWS
from dreamvid.motion.depths import (
    LAYERS,
    check_shape,
    depths_there,
    film_surface,
    layered,
    must_have_shape,
    standing,
)
from dreamvid.motion.scenes import Scene
from dreamvid.settings import Settings

MADE_UP = (*VIEWS, LAYERS)
Say = Callable[[str], None]


def opened_film(
    source: Mapping[str, str], settings: Settings, say: Say, scene: Scene | None
) -> Opened:
    """The frames of the film that a job dreams over, from any of them on.

    `source` is what the job records of its input, and `scene` what `camera_over` gives.
    """
    path, film = Path(source["path"]), settings.film
    known = media.probe(path, film.rate)
    background = media.colour_of(settings.picture.background)

    def opened(start: int) -> Iterator[np.ndarray]:
        return film_frames(
            path,
            known,
            film.pixels,
            film.rate,
            int(source["first"]) + start,
            fit=film.fit,
            padding=film.padding,
            strict=settings.video.strict,
            background=background,
            say=say,
        )

    return filmed(opened, scene, part_of(source, settings)) if scene else opened


def part_of(source: Mapping[str, str], settings: Settings) -> Part:
    """The rows and columns of the picture between the bars that stay."""
    return (
        Bars.from_text(source["bars"]).inside(settings.film.pixels) if "bars" in source else WHOLE
    )


def camera_over(source: Mapping[str, str], settings: Settings) -> Scene | None:
    """What the settings' camera travels through, over a film; None where there is none.

    Raises:
        SettingsError: another motion stands beside it.
        ResumeError: its depth is not what the job began with.
    """
    if "camera" not in settings.motion:
        return None
    options = {**CAMERA, **settings.motion["camera"]}
    if others := [name for name in settings.motion if name != "camera"]:
        raise SettingsError(
            f"motion.{others[0]}: has no place beside a camera over a film; give --motion camera "
            "alone, it turns and pans by itself"
        )
    depth, white, far = options["depth"], options["white"], options["far"]
    timeline = Timeline(settings)
    if depth in VIEWS:
        fov = timeline.at(0).motion["camera"].get("fov", options["fov"])
        return timeline.through(lambda size, index: standing(depth, size, fov, far))
    if depth == LAYERS:
        return timeline.through(lambda size, index: layered(size, options["layers"], far))
    if "depth_sha256" in source:
        must_be_what_it_was(Path(depth), source["depth_sha256"])
    surface = film_surface(
        Path(depth),
        white,
        far,
        rate=settings.film.rate,
        own=Fraction(source.get("rate", settings.film.rate)),
        first=int(source["first"]),
    )
    return timeline.through(surface, moves=True)


def settled_camera(
    settings: Settings, source: dict[str, str], film: media.Film
) -> tuple[Settings, dict[str, str]]:
    """Settings with the whole path of the depth of a camera over a film, and what is recorded.

    All that can be wrong with it is found.
    """
    if "camera" not in settings.motion and settings.film.speed != 1:
        raise SettingsError(
            "film.speed: changes nothing over a film without a camera; give --motion camera, or "
            "leave it out"
        )
    options = settings.motion.get("camera", {})
    depth = options.get("depth", CAMERA["depth"])
    if depth in MADE_UP:
        camera_over(source, settings)
        return settings, source
    path, rate = Path(depth).absolute(), settings.film.rate
    if not (path.exists() or media.is_sequence(path)):
        raise SettingsError(
            f"motion.camera.depth: got {depth}, expected {', '.join(MADE_UP)}, or pictures or a "
            f"film that are there{did_you_mean(depth, MADE_UP)}"
        )
    source = {**source, "rate": str(rate if film.stills else film.rate)}
    there = depths_there(path, rate, Fraction(source["rate"]))
    ends = int(source["first"]) + settings.film.length
    if there is not None and there < ends:
        raise SettingsError(
            f"motion.camera.depth: {path} tells of {there} frames, and {ends} are needed; "
            "make the others, or give --end"
        )
    if there is None:
        check_shape(path, film.size, "film")
    else:
        must_have_shape(path, media.probe(path, rate).size, film.size, "film")
    settings = replace(settings, motion={"camera": {**options, "depth": str(path)}})
    made = camera_over(source, settings)
    assert made is not None
    made.view(0, settings.film.pixels)
    return settings, {**source, "depth_sha256": media.content_hash(path)}
