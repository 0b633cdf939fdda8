"""A dreamer whose octaves fit the pictures it is for."""

from collections.abc import Callable

from dreamvid.dream.dreamer import Dreamer
from dreamvid.dream.octaves import counted, largest_octaves
from dreamvid.frames import Size


def with_fitting_octaves(
    dreamer: Dreamer, size: Size, seed: Size | None, say: Callable[[str], None]
) -> Dreamer:
    """`dreamer` with the octaves of a picture of `size`, see `counted`, that can be dreamed.

    `say` is told of those that are left out, and of tiles that are larger than asked for. Raises
    `SettingsError` if not even the largest can be dreamed, or the seed cannot.
    """
    if dreamer.settings.octaves.smallest:
        dreamer = Dreamer(dreamer.network, dreamer.choices, counted(dreamer.settings, size))
    small, count = dreamer.too_small(size), dreamer.settings.octaves.count
    fits = count - (small[-1] + 1 if small else 0)
    if 0 < fits < count:
        say(f"{size} has room for {fits} of {count} octaves; the smallest are left out")
        dreamer = Dreamer(dreamer.network, dreamer.choices, largest_octaves(dreamer.settings, fits))
    dreamer.check(size, seed)
    if side := larger_tile(dreamer, size):
        taken = f"tiles of {side}" if side < max(size) else "the picture in one piece"
        asked = dreamer.settings.machine.tile
        say(f"machine.tile: {asked} would be mostly margin; {taken} instead")
    return dreamer


def larger_tile(dreamer: Dreamer, size: Size) -> int:
    """The side of the tiles of a picture where ``machine.tile`` is too small; 0 elsewhere."""
    tile = dreamer.settings.machine.tile
    choices = dreamer.plan.at().octaves[-1].choices
    if not tile or max(size) <= tile or not choices:
        return 0
    hill = dreamer.goal.hill(choices, size)
    least = dreamer.tiler(hill).least_side() if hill.local else 0
    return least if least > tile else 0
