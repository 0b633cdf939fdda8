"""The pyramid of sizes that a picture is dreamed at, and what is carried up it.

Source: the 2015 notebook: the small octaves lay out large shapes, and only the detail dreamed
there is enlarged and added to the next larger version of the original.
"""

from collections.abc import Callable

from torch import Tensor

from dreamvid.frames import Size, resized, size_of
from dreamvid.settings import OctaveSettings


def octave_sizes(size: Size, settings: OctaveSettings) -> list[Size]:
    """The sizes of the octaves, smallest first; each is the next one over `scale`, rounded."""
    sizes = [size]
    for _ in range(settings.count - 1):
        sizes.append(Size(*(max(1, round(side / settings.scale)) for side in sizes[-1])))
    return sizes[::-1]


def climbed(
    image: Tensor, dream: Callable[[Tensor, int], Tensor], settings: OctaveSettings
) -> Tensor:
    """`image` (N, 3, H, W) dreamed at every octave, smallest first.

    Args:
        image: the picture at its full size, in whatever units `dream` takes.
        dream: from a picture and the octave's number (0 is the smallest) to a dreamed picture.
        settings: see `OctaveSettings`.
    """
    sizes = octave_sizes(size_of(image), settings)
    bases = [image]
    for size in sizes[-2::-1]:
        bases.append(resized(bases[-1], size))
    bases.reverse()

    dreamed = dream(bases[0], 0)
    for octave in range(1, len(bases)):
        if settings.carry == "detail":
            detail = dreamed - bases[octave - 1]
            start = bases[octave] + resized(detail, sizes[octave])
        else:
            start = resized(dreamed, sizes[octave])
        dreamed = dream(start, octave)
    return dreamed
