"""The pyramid of sizes that a picture is dreamed at, and what is enlarged from each to the next.

Source: the 2015 notebook. Its small octaves lay out large shapes, and only the detail dreamed
there is enlarged and added to the next larger version of the original.
"""

import math
from collections.abc import Callable, Sequence
from typing import TypeVar

from torch import Tensor

from dreamvid.dream.blur import gaussian_blurred
from dreamvid.errors import SettingsError
from dreamvid.frames import Size, resized, size_of
from dreamvid.settings import OctaveSettings, Settings

T = TypeVar("T")
MOST = 20
"""Octaves of a picture."""


def octave_sizes(size: Size, settings: OctaveSettings) -> list[Size]:
    """The sizes of the octaves, smallest first, by the rule `settings.sizes`."""
    whole = int if settings.sizes == "truncated" else round
    sizes = [size]
    for step in range(1, settings.count):
        if settings.sizes == "rounded":
            exact = [side / settings.scale**step for side in size]
        else:
            exact = [side / settings.scale for side in sizes[-1]]
        sizes.append(Size(*(max(1, whole(side)) for side in exact)))
    return sizes[::-1]


def counted(settings: Settings, size: Size) -> Settings:
    """`settings` with as many octaves as `octaves.smallest` asks for in a picture of `size`.

    Lists of values for octaves are never too short for them.
    """
    octaves, ascent = settings.octaves, settings.ascent
    if not octaves.smallest:
        return settings
    steps = math.log(min(size) / octaves.smallest) / math.log(octaves.scale)
    lists = (ascent.iterations, ascent.step_size, octaves.layers)
    most = min((len(each) for each in lists if isinstance(each, tuple) and each), default=MOST)
    return settings.changed("octaves", count=max(1, min(most, MOST, 1 + round(steps))), smallest=0)


def for_each_octave(value: T | Sequence[T], count: int, where: str) -> list[T]:
    """`value` for each of `count` octaves: the same for all, or the last values of a list."""
    if not isinstance(value, tuple | list):
        return [value] * count  # pyright: ignore[reportReturnType]
    if len(value) < count:
        raise SettingsError(
            f"{where}: {len(value)} values for {count} octaves; give one for each, or fewer octaves"
        )
    return list(value[-count:])


def largest_octaves(settings: Settings, count: int) -> Settings:
    """The same dream without its smallest octaves, so that `count` are left."""
    octaves = settings.octaves
    weights = octave_weights(octaves)[-count:] if octaves.weights else ()
    return settings.changed("octaves", count=count, weights=tuple(weights))


def smallest_octaves(settings: Settings, count: int) -> Settings:
    """The same dream without its largest octaves, so that `count` are left."""
    octaves, ascent = settings.octaves, settings.ascent

    def first(values: T, where: str) -> T:
        if not isinstance(values, tuple | list) or not values:
            return values
        return tuple(for_each_octave(values, octaves.count, where)[:count])  # pyright: ignore

    settings = settings.changed(
        "ascent",
        iterations=first(ascent.iterations, "ascent.iterations"),
        step_size=first(ascent.step_size, "ascent.step_size"),
    )
    layers = first(octaves.layers, "octaves.layers")
    return settings.changed("octaves", count=count, weights=octaves.weights[:count], layers=layers)


def octave_weights(settings: OctaveSettings) -> list[float]:
    """What each octave's step size is multiplied by, smallest octave first."""
    return [*settings.weights, *[1.0] * settings.count][: settings.count]


def climbed(
    image: Tensor, dream: Callable[[Tensor, int], Tensor], settings: OctaveSettings
) -> Tensor:
    """`image` (N, 3, H, W) dreamed at every octave, smallest first.

    Args:
        image: the picture at its full size, in whatever units `dream` takes.
        dream: from a picture and the octave's number (0 is the smallest) to a dreamed picture.
        settings: see `OctaveSettings`. The pyramid is climbed once, whatever its `passes`.
    """
    corners = settings.align == "corners"
    sizes = octave_sizes(size_of(image), settings)
    bases = [image]
    for size in sizes[-2::-1]:
        bases.append(resized(gaussian_blurred(bases[-1], settings.blur), size, corners))
    bases.reverse()

    dreamed = dream(bases[0], 0)
    for octave in range(1, len(bases)):
        base, size = bases[octave], sizes[octave]
        if settings.enlarge == "detail":
            start = base + resized(dreamed - bases[octave - 1], size, corners)
        elif settings.enlarge == "merged":
            start = base.lerp(resized(dreamed, size, corners), 1 - settings.alpha)
        else:
            start = resized(dreamed, size, corners)
        dreamed = dream(start, octave)
    return dreamed
