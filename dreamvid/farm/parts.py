"""A film over an input, cut into parts that are dreamed alone and equal the whole."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import NamedTuple

from dreamvid.errors import SettingsError
from dreamvid.film.carries import carries
from dreamvid.film.cuts import cuts_in
from dreamvid.jobs.filming import camera_over, opened_film
from dreamvid.jobs.making import Request
from dreamvid.motion.optical_flow import check_for, method_for

USUAL = 100
"""Frames that make a unit, where a film can be cut anywhere near."""
WARM_UP, BLEND = 48, 12
"""Frames that a chunk is dreamed before its own, and the last of them that are blended in."""


class Part(NamedTuple):
    """Some frames of a film, dreamed alone."""

    begin: int
    """The first one that is dreamed."""
    keeps: int
    """The first one that belongs to the film."""
    end: int
    blend: int = 0
    """The frames before `keeps` in which this part fades in over the one before."""


@dataclass(frozen=True)
class Cutting:
    """How a film is to be cut."""

    least: int | None = None
    """Frames that a part has at least, where the film is long enough."""
    chunks: int | None = None
    """Frames above which a shot is cut into chunks, which no longer equal the whole; None: never.
    """


def parts_of(asked: Request, how: Cutting, say: Callable[[str], None]) -> list[Part]:
    """The parts of a film over an input, which together are all of its frames.

    Raises:
        SettingsError: chunks are asked of a film that looks at all frames before.
    """
    settings, length = asked.settings, asked.settings.film.length
    least = how.least or USUAL
    calmed = settings.music is not None and not settings.audio.flashes
    if calmed and how.chunks:
        raise SettingsError(
            "--chunks: a film that follows music holds flashes back by all frames before; leave "
            "it out, or allow flashes with --flashes"
        )
    forgets = "never" if calmed else carries.forgets(settings.carry)
    if forgets == "always":
        together = asked.dreamer.together(settings.film.pixels)
        step = -(-least // together) * together
        bounds = [*range(0, length, step), length]
    else:
        bounds = [0, length]
        if forgets == "cuts":
            say(f"looking for the cuts in {length} frames")
            bounds = [*islice(_shots(asked), length), length]
            shots = len(bounds) - 1
            say(f"{shots} shots" if shots > 1 else "no cut was found: it is all one shot")
        if how.chunks:
            shots = pairwise(bounds)
            return [part for shot in shots for part in _chunks(*shot, how.chunks)]
        bounds = _gathered(bounds, least)
    return [Part(a, a, b) for a, b in pairwise(bounds)]


def _shots(asked: Request) -> Iterator[int]:
    """The first frames of the shots."""
    settings = asked.settings
    scene = camera_over(asked.source, settings)
    frames = opened_film(asked.source, settings, lambda line: None, scene)(0)
    method, check = method_for(settings.flow), check_for(settings.flow)
    length = settings.film.length
    with closing(frames):  # pyright: ignore[reportArgumentType]
        for index, begins in cuts_in(islice(frames, length), method, check):
            if begins:
                yield index


def _gathered(bounds: list[int], least: int) -> list[int]:
    """Bounds of parts that have `least` frames each, the last one apart."""
    kept = [bounds[0]]
    for bound in bounds[1:-1]:
        if bound - kept[-1] >= least:
            kept.append(bound)
    return [*kept, bounds[-1]]


def _chunks(start: int, stop: int, most: int) -> Iterator[Part]:
    """A shot in chunks of as many frames each, `most` at most."""
    count = -(-(stop - start) // most)
    bounds = [start + (stop - start) * each // count for each in range(count + 1)]
    for keeps, end in pairwise(bounds):
        begin = max(start, keeps - WARM_UP)
        # What begins where the shot does equals the whole.
        yield Part(begin, keeps, end, 0 if begin == start else min(BLEND, keeps - begin))
