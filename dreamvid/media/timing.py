"""When the pictures of a film are shown, and the constant rate that has a frame for each."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import floor

import numpy as np

SLOWEST, FASTEST = Fraction(1), Fraction(240)
"""The frames a second that are believed of a film."""

_USUAL = [
    *(Fraction(whole) for whole in (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 24, 25, 30, 48, 50, 60)),
    *(Fraction(whole) for whole in (72, 90, 100, 120, 144, 200, 240)),
    *(Fraction(whole * 1000, 1001) for whole in (24, 30, 60, 120)),
]


@dataclass(frozen=True, kw_only=True)
class Timing:
    """The pictures of a film in film time: seconds from the first picture that is shown.

    Attributes:
        rate: frames a second at which every distinct picture has a frame of its own.
        frames: how many frames there are at that rate.
        pictures: how many distinct pictures there are.
        duration: from the first picture to the end of the last.
        last: film time of the last picture.
        variable: whether the pictures come unevenly, so that some fill several frames.
        timed: whether every picture carries its time; else they are evenly spaced.
        origin: the container's time of the first picture, in seconds.
    """

    rate: Fraction
    frames: int
    pictures: int
    duration: Fraction
    last: Fraction
    variable: bool
    timed: bool
    origin: Fraction

    def frames_at(self, rate: Fraction) -> int:
        """How many frames the film has at another rate, as many as ffmpeg's fps filter makes."""
        return self.frames if rate == self.rate else max(1, placed(self.duration, rate))


def placed(time: Fraction, rate: Fraction) -> int:
    """The frame that begins nearest to `time` in seconds; halves go up, as in ffmpeg's fps."""
    return floor(time * rate + Fraction(1, 2))


def timing_of(
    ticks: Sequence[int], held: int, base: Fraction, guesses: Iterable[Fraction | None]
) -> Timing:
    """The timing of pictures shown at `ticks`.

    A constant film keeps the first of `guesses` that fits it. Of a variable one, the slowest usual
    rate is found at which no two pictures fall on the same frame.

    Args:
        ticks: the container's times of the pictures, at least one, in any order.
        held: how long the last picture is shown, 0 where the container does not say.
        base: seconds a tick.
        guesses: rates that the container suggests, the best first.
    """
    believed = _believed(guesses)
    sorted_ticks = np.unique(np.asarray(ticks, np.int64))
    since, origin = sorted_ticks - sorted_ticks[0], int(sorted_ticks[0]) * base
    pictures, last = len(since), int(since[-1]) * base
    for rate in believed:
        if np.array_equal(_places(since, base * rate), np.arange(pictures)):
            return Timing(
                rate=rate,
                frames=pictures,
                pictures=pictures,
                duration=pictures / rate,
                last=last,
                variable=False,
                timed=True,
                origin=origin,
            )
    longest = int(np.diff(since).max(initial=0)) * base
    # A last picture held for longer than any other and than ten seconds is a fault of the file.
    duration = last + min(held * base or longest, max(longest, Fraction(10)))
    rate = _separating(since, base, believed)
    frames = max(placed(last, rate) + 1, placed(duration, rate))
    return Timing(
        rate=rate,
        frames=frames,
        pictures=pictures,
        duration=duration,
        last=last,
        variable=True,
        timed=True,
        origin=origin,
    )


def even_timing(pictures: int, guesses: Iterable[Fraction | None]) -> Timing:
    """The timing of pictures that carry no times: evenly spaced, at the rate guessed first."""
    rate = _believed(guesses)[0]
    return Timing(
        rate=rate,
        frames=pictures,
        pictures=pictures,
        duration=pictures / rate,
        last=(pictures - 1) / rate,
        variable=False,
        timed=False,
        origin=Fraction(0),
    )


def _believed(guesses: Iterable[Fraction | None]) -> list[Fraction]:
    sane = [Fraction(rate) for rate in guesses if rate and SLOWEST <= rate <= FASTEST]
    return sane or [Fraction(25)]


def _places(since: np.ndarray, step: Fraction) -> np.ndarray:
    """`placed` of each of `since` in ticks; `step` is frames a tick."""
    above, below = step.limit_denominator(2**31).as_integer_ratio()
    return (2 * since * above + below) // (2 * below)


def _separating(since: np.ndarray, base: Fraction, believed: Sequence[Fraction]) -> Fraction:
    """The slowest rate that gives as many pictures a frame of their own as the fastest does."""

    def kept(rate: Fraction) -> int:
        return len(np.unique(_places(since, base * rate)))

    most = kept(FASTEST)
    if believed[0] <= 60 and kept(believed[0]) == most:
        return believed[0]  # a grid that the container's times lie on
    return next(rate for rate in sorted({*believed, *_USUAL}) if kept(rate) == most)
