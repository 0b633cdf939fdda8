"""Films in which nothing moves, and that live all the same.

A picture that stays in its place is dreamed to its end within a dozen frames: its contrast still
grows, but nothing new comes. So such a film goes through the channels of its layers, and a little
of the picture comes back with every frame, so that what was dreamed before makes room.
"""

import torch

from dreamvid.dream.dreamer import Dreamer
from dreamvid.dream.octaves import octave_sizes
from dreamvid.dream.timeline import Timeline
from dreamvid.film.loops import stands_still
from dreamvid.frames import Frame, photographic, size_of
from dreamvid.settings import Settings

RETURNING = 0.05
"""How much of the picture comes back with every frame."""
STAY = 1
"""Seconds from one channel to the next."""
MOST = 64
"""Channels of a layer, before the first comes again."""
LOOKED_AT = 20_000
"""Frames in which a film may begin to move."""


def living(settings: Settings, dreamer: Dreamer, picture: Frame) -> Settings:
    """`settings` with what makes a still film live, where it is one and nothing else is asked.

    What the layers, the channels or a schedule already do stays as it is.
    """
    film = settings.film
    timeline = Timeline(settings)
    if settings.loop.breath is not None or not stands_still(
        timeline.motion, film.rate, min(film.length, LOOKED_AT)
    ):
        return settings
    settings = settings.changed("loop", breath=RETURNING)
    chosen = any(choice.channels for choice in dreamer.choices)
    if dreamer.plan.changes or dreamer.plan.by_octave or chosen:
        return settings
    return settings.changed("network", layers=_walks(dreamer, picture, film.seed))


def _walks(dreamer: Dreamer, picture: Frame, seed: int) -> tuple[str, ...]:
    """The layers, each with a walk through those of its channels that see most in the picture."""
    net = dreamer.network
    size = octave_sizes(size_of(picture), dreamer.settings.octaves)[0]
    small = photographic(picture, size)[None].to(net.device)
    with torch.no_grad():
        found = net(net.preprocessing.to_input(small), dreamer.layers)
    walks = []
    for choice in dreamer.choices:
        seen = found[choice.layer].float()
        peaks = seen.flatten(2).amax((0, 2)) if seen.ndim > 2 else seen.amax(0)
        half = peaks.argsort(descending=True, stable=True)[: max(1, len(peaks) // 2)].cpu()
        # Another seed is another film.
        order = torch.randperm(len(half), generator=torch.Generator().manual_seed(seed % 2**62))
        channels = ",".join(str(int(number)) for number in half[order][:MOST])
        walks.append(f"{choice.layer}:walk({channels}, {STAY}s)={choice.weight!r}")
    return tuple(walks)
