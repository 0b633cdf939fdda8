"""What a sound is like from moment to moment, computed block by block as it is decoded."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from dreamvid.audio.decoding import HERTZ

LOUDNESS_RATE, LEVEL_RATE, NOTE_RATE, FLUX_RATE, FINE_RATE = 200, 50, 10, 200, 1000
"""How many values a second the features have."""
EDGES = 20.0 * 2.0 ** (np.arange(9 * 6 + 1) / 6)
"""The frequencies between the bands of `levels`, in Hz: six an octave."""
NOTES = 12
_LOWEST_NOTE, _HIGHEST_NOTE, _A4, _ABOVE_C = 110.0, 3520.0, 440.0, 9
_LAG = 3  # steps of the flux, 15 ms
_PREEMPHASIS = np.float32(0.97)
_BLOCK = 4 * HERTZ


class Features(NamedTuple):
    """Series over a whole sound, float32. Where their value k is, at r a second, is said of each.

    In seconds, "from k" is from k/r to (k+1)/r, and "around k" is a window around k/r.
    """

    samples: int
    loudness: np.ndarray
    """Mean square, (n,), from k."""
    levels: np.ndarray
    """Mean square in each band, (n, bands), around k."""
    notes: np.ndarray
    """Mean square of each note from C to B, all octaves together, (n, 12), around k."""
    flux: np.ndarray
    """How much the spectrum rises, (n,), around k."""
    fine: np.ndarray
    """Mean square of the sound with its treble raised, (n,), from k."""
    extent: np.ndarray
    """Least and greatest sample, (n, 2), from k of `levels`."""


def features(blocks: Iterator[np.ndarray]) -> Features:
    """The features of sound that comes in blocks of float32 (samples,) at `HERTZ`."""
    loudness = _Boxes(LOUDNESS_RATE, _mean_square)
    fine = _Boxes(FINE_RATE, _mean_square)
    extent = _Boxes(LEVEL_RATE, _extent)
    streams = [
        _Stream(2048, LEVEL_RATE, _bank(2048, EDGES)),
        _Stream(8192, NOTE_RATE, _note_bank(8192)),
        _Stream(512, FLUX_RATE, _bank(512, _rising_edges(512)), _Flux()),
    ]
    samples, last = 0, np.zeros(1, np.float32)
    for block in _even(blocks):
        samples += len(block)
        raised = block - _PREEMPHASIS * np.concatenate([last, block[:-1]])
        last = block[-1:]
        for take, what in ((loudness, block), (fine, raised), (extent, block)):
            take(what)
        for stream in streams:
            stream(block)
    levels, notes, flux = (stream.end() for stream in streams)
    return Features(samples, loudness.end(), levels, notes, flux, fine.end(), extent.end())


def _even(blocks: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    """The same samples in blocks of `_BLOCK`, the last one shorter."""
    waiting: list[np.ndarray] = []
    for block in blocks:
        waiting.append(block)
        if sum(map(len, waiting)) >= _BLOCK:
            joined = np.concatenate(waiting)
            whole = len(joined) // _BLOCK * _BLOCK
            yield from np.split(joined[:whole], whole // _BLOCK)
            waiting = [joined[whole:]]
    rest = np.concatenate(waiting) if waiting else np.zeros(0, np.float32)
    if len(rest):
        yield rest


class _Boxes:
    """Something of each step of the sound, steps side by side."""

    def __init__(self, rate: int, reduce: Callable[[np.ndarray], np.ndarray]) -> None:
        self.step, self.reduce = HERTZ // rate, reduce
        self.done: list[np.ndarray] = []

    def __call__(self, block: np.ndarray) -> None:
        short = -len(block) % self.step  # only at the end
        self.done.append(self.reduce(np.pad(block, (0, short)).reshape(-1, self.step)))

    def end(self) -> np.ndarray:
        return np.concatenate(self.done)


def _mean_square(steps: np.ndarray) -> np.ndarray:
    return np.square(steps).mean(axis=1)


def _extent(steps: np.ndarray) -> np.ndarray:
    return np.stack([steps.min(axis=1), steps.max(axis=1)], axis=1)


class _Stream:
    """The spectrum around each step, in bands."""

    def __init__(
        self,
        window: int,
        rate: int,
        bank: np.ndarray,
        turn: Callable[[np.ndarray], np.ndarray] = lambda power: power,
    ) -> None:
        self.window, self.step, self.bank, self.turn = window, HERTZ // rate, bank, turn
        self.weights = np.hanning(window + 1)[:-1].astype(np.float32)
        self.rest = np.zeros(window // 2, np.float32)
        self.samples = 0
        self.done: list[np.ndarray] = []

    def __call__(self, block: np.ndarray) -> None:
        self.samples += len(block)
        self._take(np.concatenate([self.rest, block]))

    def _take(self, sound: np.ndarray) -> None:
        count = max(0, (len(sound) - self.window) // self.step + 1)
        if count:
            windows = np.lib.stride_tricks.sliding_window_view(sound, self.window)
            spectrum = np.fft.rfft(windows[:: self.step][:count] * self.weights)
            power = np.square(spectrum.real) + np.square(spectrum.imag)
            self.done.append(self.turn(power @ self.bank))
        self.rest = sound[count * self.step :]

    def end(self) -> np.ndarray:
        """One value for each step that begins within the sound."""
        wanted = -(-self.samples // self.step)
        self._take(np.concatenate([self.rest, np.zeros(self.window, np.float32)]))
        return np.concatenate(self.done)[:wanted].astype(np.float32)


def _bank(window: int, edges: np.ndarray) -> np.ndarray:
    """(bins, bands): the share of each bin of a spectrum in each band, giving mean squares."""
    width = HERTZ / window
    middles = np.arange(window // 2 + 1) * width
    low, high = middles[:, None] - width / 2, middles[:, None] + width / 2
    shared = np.minimum(high, edges[1:]) - np.maximum(low, edges[:-1])
    return _scaled(np.clip(shared, 0, None) / width, window)


def _note_bank(window: int) -> np.ndarray:
    middles = np.arange(1, window // 2 + 1) * (HERTZ / window)
    semitones = np.rint(12 * np.log2(middles / _A4)).astype(int)
    notes = (semitones + _ABOVE_C) % NOTES
    heard = (middles > _LOWEST_NOTE) & (middles < _HIGHEST_NOTE)
    bank = np.zeros((window // 2 + 1, NOTES))
    bank[np.arange(1, window // 2 + 1)[heard], notes[heard]] = 1
    return _scaled(bank, window)


def _scaled(bank: np.ndarray, window: int) -> np.ndarray:
    squares = np.square(np.hanning(window + 1)[:-1]).sum()
    return (bank * (2 / (window * squares))).astype(np.float32)


def _rising_edges(window: int) -> np.ndarray:
    """Bands in which a rise is looked for: no narrower than a bin of the spectrum."""
    width = HERTZ / window
    edges = [width / 2]
    while edges[-1] < HERTZ / 2 - width:
        edges.append(max(edges[-1] + width, edges[-1] * 2 ** (1 / 6)))
    return np.array(edges)


class _Flux:
    """The rise of the spectrum over `_LAG` steps, summed over the bands.

    Each band is compared with the loudest of its neighbours then, so that a vibrato is no rise:
    Böck and Widmer 2013, "Maximum filter vibrato suppression for onset detection". Its power is
    compressed by a fourth root, so that a louder copy of the music rises by the same shares.
    """

    def __init__(self) -> None:
        self.before: np.ndarray | None = None

    def __call__(self, power: np.ndarray) -> np.ndarray:
        now = np.sqrt(np.sqrt(power))
        if self.before is None:
            self.before = np.zeros((_LAG, now.shape[1]), np.float32)
        joined = np.concatenate([self.before, now])
        self.before = joined[-_LAG:]
        then = joined[:-_LAG]
        loudest = then.copy()
        np.maximum(loudest[:, 1:], then[:, :-1], out=loudest[:, 1:])
        np.maximum(loudest[:, :-1], then[:, 1:], out=loudest[:, :-1])
        return np.maximum(now - loudest, 0).sum(axis=1)
