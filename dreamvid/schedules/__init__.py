"""Schedules: values that change while a film runs, as numbers for each frame.

A schedule is an expression, ``1.2 + 0.1*sin(t)``, or keyframes as animators write them::

    0: (1.0), 2s: (1.3) smooth, 120: (1 + 0.02*sin(2*pi*t/4))

A key is a frame's number, seconds with an ``s``, or beats of the music with a ``b``. Between two
keys, numbers are interpolated, and expressions are cross-faded while both go on running. The word
after a value is the easing from that key to the next: linear (the default), smooth, ease-in,
ease-out or hold. The first key's value holds before it, and the last key's after it. A list is
handier in TOML: ``[[0, 1.0], ["2s", 1.3, "smooth"]]`` or
``[{at = "2s", value = 1.3, easing = "smooth"}]``.
"""

from dreamvid.schedules.chance import noise, random
from dreamvid.schedules.cues import Cue, places_of, read_cues, shares
from dreamvid.schedules.expressions import FUNCTIONS, NAMES
from dreamvid.schedules.music import CURVES, LISTENERS, Ask, Music
from dreamvid.schedules.schedule import EASINGS, Schedule
from dreamvid.schedules.span import Span

__all__ = [
    "CURVES",
    "EASINGS",
    "FUNCTIONS",
    "LISTENERS",
    "NAMES",
    "Ask",
    "Cue",
    "Music",
    "Schedule",
    "Span",
    "noise",
    "places_of",
    "random",
    "read_cues",
    "shares",
]
