"""Beats: a pulse that the onsets of music agree with, at a tempo that may change.

How likely each tempo is comes from windows of some seconds: the autocorrelation of the onsets also
answers at multiples of a period, their Fourier transform at its fractions, and only at the period
itself both do (Peeters 2006). Then the beats are those that lie on onsets, at likely tempos, with
few changes of tempo, found by dynamic programming over time and period (after Ellis 2007).
"""

import numpy as np

RATE = 100
"""Steps a second in which beats are looked for."""
SLOWEST, FASTEST = 50, 220
"""Beats a minute."""
_USUAL, _SPREAD = 120.0, 0.7  # beats a minute; octaves
_WINDOW, _STEP = 8 * RATE, RATE
_WIDTH = 1.5  # steps, of an onset
_TEMPO = 0.4  # how much a likely tempo counts beside a beat on an onset, in each second
_NUDGE, _NUDGES = 4.0, 3  # cost of a slightly other period; how many steps are that
_JUMP = 2.0  # cost of any other
_SNAP = 0.04  # seconds from a beat to an onset that is the same
_PERIODS = np.arange(60 * RATE // FASTEST, 60 * RATE // SLOWEST + 1)


def beats(
    times: np.ndarray, strengths: np.ndarray, accents: np.ndarray, seconds: float
) -> np.ndarray:
    """The times of the beats, in seconds, float64 (n,), from those of the onsets.

    Args:
        times: of the onsets, in seconds.
        strengths: of the onsets, 0 to 1; they tell the tempo.
        accents: how likely each onset is a beat, 0 to 1, apart from the tempo.
        seconds: how long the music is.
    """
    if len(times) < 3:
        return np.zeros(0)
    steps = int(seconds * RATE) + 2
    likelihood = _likelihood(_salience(times, strengths, steps))
    places = _path(_salience(times, accents, steps), likelihood)
    found = np.array([_snapped(place / RATE, times) for place in places])
    inside = (found > times[0] - _SNAP) & (found < times[-1] + _SNAP)
    return np.unique(found[inside])


def _salience(times: np.ndarray, strengths: np.ndarray, steps: int) -> np.ndarray:
    """The strength of an onset at each step, 0 to 1, spread over its neighbours."""
    salience = np.zeros(steps, np.float32)
    reach = int(4 * _WIDTH)
    for time, strength in zip(times, strengths, strict=True):
        place = round(time * RATE)
        near = np.arange(max(0, place - reach), min(steps, place + reach + 1))
        bump = strength * np.exp(-0.5 * ((near - time * RATE) / _WIDTH) ** 2)
        salience[near] = np.maximum(salience[near], bump)
    return salience


def _likelihood(salience: np.ndarray) -> np.ndarray:
    """How likely each period is around each second, 0 to 1, (seconds, periods)."""
    weights = np.hanning(_WINDOW).astype(np.float32)
    turns = np.exp(-2j * np.pi * np.outer(np.arange(_WINDOW), 1 / _PERIODS)).astype(np.complex64)
    prior = np.exp(-0.5 * (np.log2(60 * RATE / _PERIODS / _USUAL) / _SPREAD) ** 2)
    padded = np.pad(salience, (_WINDOW // 2, _WINDOW))
    parts = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[: len(salience) : _STEP]
    parts = (parts - parts.mean(axis=1, keepdims=True)) * weights
    repeats = np.fft.irfft(np.abs(np.fft.rfft(parts, 2 * _WINDOW)) ** 2)[:, _PERIODS]
    turning = np.hypot(parts @ turns.real, parts @ turns.imag)
    both = np.maximum(repeats, 0) * turning * prior
    return (both / np.maximum(both.max(axis=1, keepdims=True), 1e-12)).astype(np.float32)


def _path(salience: np.ndarray, likelihood: np.ndarray) -> list[int]:
    """The steps of the best beats."""
    count, longest = len(_PERIODS), int(_PERIODS[-1])
    scores = np.zeros((longest + 1, count), np.float32)  # of the last steps, in a ring
    came = np.zeros((len(salience), count), np.int16)
    rows = np.arange(count)
    shifts = np.arange(-_NUDGES, _NUDGES + 1)
    near = np.clip(rows[:, None] + shifts, 0, count - 1)
    change = np.abs(np.log(_PERIODS[near] / _PERIODS[:, None]))
    cost = (_NUDGE * np.minimum(change, 10 * change**2)).astype(np.float32)
    seconds = (_PERIODS / RATE).astype(np.float32)
    best, any_best = np.zeros(longest + 1, np.float32), np.zeros(longest + 1, np.int16)
    for step, onset in enumerate(salience):
        ring = (step - _PERIODS) % (longest + 1)
        reached = scores[ring[:, None], near] - cost
        choice = reached.argmax(axis=1)
        score, before = reached[rows, choice], near[rows, choice]
        jump = best[ring] - _JUMP
        jumps = jump > score
        score, before = np.where(jumps, jump, score), np.where(jumps, any_best[ring], before)
        reward = onset + _TEMPO * likelihood[min(step // _STEP, len(likelihood) - 1)]
        came[step] = before
        place = step % (longest + 1)
        scores[place] = score + seconds * reward
        any_best[place] = scores[place].argmax()
        best[place] = scores[place, any_best[place]]
    return _traced(came, len(salience) - 1 - _last(best, len(salience), longest), any_best)


def _last(best: np.ndarray, steps: int, longest: int) -> int:
    """How many steps before the end the best last beat is."""
    order = (steps - 1 - np.arange(min(steps, longest))) % (longest + 1)
    return int(best[order].argmax())


def _traced(came: np.ndarray, step: int, any_best: np.ndarray) -> list[int]:
    """The steps of the beats that lead to the last one."""
    places, row = [], int(any_best[step % len(any_best)])
    while step >= 0:
        places.append(step)
        step, row = step - int(_PERIODS[row]), int(came[step, row])
    return places[::-1]


def _snapped(time: float, onsets: np.ndarray) -> float:
    """The onset near `time`, if there is one."""
    place = int(np.searchsorted(onsets, time))
    near = onsets[max(0, place - 1) : place + 1]
    nearest = near[np.abs(near - time).argmin()]
    return float(nearest) if abs(nearest - time) < _SNAP else time
