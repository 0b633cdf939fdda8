"""When the pictures of a film are shown, and the constant rate that has a frame for each."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import floor

import numpy as np

SLOWEST, FASTEST = Fraction(1, 1000), Fraction(1000)
"""The frames a second that are believed of a film."""
_FINEST = Fraction(240)  # frames a second, of an uneven film: phones let two pictures nearly meet
_COARSE = Fraction(10)  # frames a second that a slide show may cost to be exact
_LONGEST = Fraction(60)  # seconds that a last picture is believed to be shown

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
        times: film times of the pictures in order, where they carry none and come unevenly.
        remarks: lines to say of what was not taken as it is.
    """

    rate: Fraction
    frames: int
    pictures: int
    duration: Fraction
    last: Fraction
    variable: bool
    timed: bool
    origin: Fraction
    times: tuple[Fraction, ...] = ()
    remarks: tuple[str, ...] = ()

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
    if pictures > 1 and np.array_equal(since, np.arange(pictures)):
        believed = [*_believed([1 / base]), *believed]  # a clock that counts pictures
    for rate in believed:
        even = np.array_equal(_places(since, base * rate), np.arange(pictures))
        # A last picture that stays on makes an uneven film of one that is even so far.
        if even and held * base * rate < 2:
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
    shown = held * base or longest
    remarks = []
    if shown > max(longest, _LONGEST):
        remarks.append(
            f"the last picture is said to stay for {float(shown):.0f} s; "
            f"it stays for {float(max(longest, _LONGEST)):.0f}"
        )
    duration = last + min(shown, max(longest, _LONGEST))
    rate, kept = _separating(since, held, base, believed)
    if kept < pictures:
        remarks.append(
            f"{pictures - kept} of {pictures} pictures are shown for less than "
            f"{float(1 / rate):.3g} s and are left out"
        )
    return Timing(
        rate=rate,
        frames=max(placed(last, rate) + 1, placed(duration, rate)),
        pictures=pictures,
        duration=duration,
        last=last,
        variable=True,
        timed=True,
        origin=origin,
        times=tuple(int(tick) * base for tick in since),
        remarks=tuple(remarks),
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


def _separating(
    since: np.ndarray, held: int, base: Fraction, believed: Sequence[Fraction]
) -> tuple[Fraction, int]:
    """The slowest rate that gives as many pictures a frame of their own as the finest does.

    And how many these are.
    """

    def kept(rate: Fraction) -> int:
        return len(np.unique(_places(since, base * rate)))

    finest = max(_FINEST, *(rate for rate in believed))
    most = kept(finest)
    if 1 <= believed[0] <= 60 and kept(believed[0]) == most:
        return believed[0], most  # a grid that the container's times lie on
    usual = sorted({*believed, *_USUAL, finest})
    rate = next(rate for rate in usual if rate >= 1 and kept(rate) == most)
    # Times that are all multiples of one: of a slide show, say, every 2.5 seconds.
    exact = 1 / Fraction(int(np.gcd.reduce(np.append(np.diff(since), held))) * base or 1)
    if SLOWEST <= exact <= max(rate, _COARSE):
        return exact, most
    return rate, most
