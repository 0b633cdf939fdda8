"""Films in which nothing moves, and that live all the same.

A picture that stays in its place is dreamed to its end within a dozen frames: its contrast still
grows, but nothing new comes. So such a film goes through the channels of its layers, and a little
of the picture comes back with every frame, so that what was dreamed before makes room.
"""

from dreamvid.dream.dreamer import Dreamer
from dreamvid.dream.timeline import Timeline
from dreamvid.film.loops import stands_still
from dreamvid.film.wandering import walks
from dreamvid.frames import Frame
from dreamvid.settings import Settings

RETURNING = 0.05
"""How much of the picture comes back with every frame."""
STAY = 1
"""Seconds from one channel to the next."""
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
    return settings.changed("network", layers=walks(dreamer, picture, settings, STAY))
