"""Rhythm: the beats of music, counted, and the tempo they make."""

import numpy as np

from dreamvid.audio.listening import Heard
from dreamvid.audio.spectra import EDGES, LEVEL_RATE

_BASS = EDGES[:-1] < 150
_CLEARLY = 1.2  # times as strong as the first beat must another be to begin the bar
_AROUND = 2  # beats to each side by which the tempo is told


class Rhythm:
    """Beats at `times` (n,) in seconds; the one at the index `first` is beat 0, and begins a bar.

    Beyond the first and the last, the count goes on at their tempo.
    """

    def __init__(self, times: np.ndarray, first: int = 0) -> None:
        self.times, self.first = times, first
        self.numbers = np.arange(len(times)) - first

    @property
    def known(self) -> bool:
        """Whether there are beats at all."""
        return len(self.times) > 1

    def count(self, times: np.ndarray) -> np.ndarray:
        """The number of beats since beat 0, with fractions, at `times` in seconds."""
        found = np.interp(times, self.times, self.numbers)
        begin, end = self.times[0], self.times[-1]
        early, late = self._gap(slice(None, 5)), self._gap(slice(-5, None))
        found = np.where(times < begin, self.numbers[0] + (times - begin) / early, found)
        return np.where(times > end, self.numbers[-1] + (times - end) / late, found)

    def time(self, beat: float) -> float:
        """When a beat is, in seconds; the inverse of `count`."""
        if beat < self.numbers[0]:
            return float(self.times[0] + (beat - self.numbers[0]) * self._gap(slice(None, 5)))
        if beat > self.numbers[-1]:
            return float(self.times[-1] + (beat - self.numbers[-1]) * self._gap(slice(-5, None)))
        return float(np.interp(beat, self.numbers, self.times))

    def tempo(self, times: np.ndarray) -> np.ndarray:
        """Beats a minute around `times`."""
        places = np.arange(len(self.times))
        first = np.maximum(places - _AROUND, 0)
        last = np.minimum(places + _AROUND, len(places) - 1)
        tempos = 60 * (last - first) / (self.times[last] - self.times[first])
        return np.interp(times, self.times, tempos)

    def every(self, beats: float) -> np.ndarray:
        """The times, in seconds, of each `beats`-th beat, counted from beat 0."""
        low, high = (self.numbers[end] / beats for end in (0, -1))
        counts = np.arange(np.ceil(low - 1e-9), np.floor(high + 1e-9) + 1) * beats
        return np.interp(counts, self.numbers, self.times)

    def _gap(self, part: slice) -> float:
        return float(np.median(np.diff(self.times[part])))


def rhythm_of(
    music: Heard, bpm: float | None = None, offset: float | None = None, meter: int = 4
) -> Rhythm:
    """The rhythm of music.

    Args:
        music: what was heard.
        bpm: the tempo, where it is known; the beats are then as even as a clock.
        offset: when a bar begins, in seconds, where that is known.
        meter: beats of a bar.
    """
    seconds = float(music.seconds)
    if bpm is not None and not music.silent:
        gap = 60 / bpm
        start = _fitting(music, gap) if offset is None else offset
        before = int(np.floor(start / gap + 1e-9))
        times = start + gap * np.arange(-before, int((seconds - start) / gap) + 1)
        return Rhythm(times, before if offset is not None else 0)
    times = music.beat_times
    if len(times) < 2:
        return Rhythm(np.zeros(0))
    if offset is None:
        return Rhythm(times, _first_of_bar(music, times, meter))
    nearest = int(np.abs(times - offset).argmin())
    return Rhythm(times + (offset - times[nearest]), nearest)


def _fitting(music: Heard, gap: float) -> float:
    """Where even beats begin that most onsets lie on, in seconds."""
    turns = np.exp(2j * np.pi * music.onset_times / gap)
    middle = (turns * music.onset_strengths).sum()
    return float(np.angle(middle) / (2 * np.pi) % 1 * gap)


def _first_of_bar(music: Heard, times: np.ndarray, meter: int) -> int:
    """Which of the first beats begins a bar: the one where the bass is strongest."""
    if meter < 2 or len(times) < 2 * meter:
        return 0
    bass = np.sqrt(music.levels[:, _BASS].sum(axis=1))
    places = np.minimum((times * LEVEL_RATE).astype(int) + 1, len(bass) - 1)
    accents = np.maximum(bass[places], bass[np.minimum(places + 2, len(bass) - 1)])
    strengths = [accents[first::meter].mean() for first in range(meter)]
    best = int(np.argmax(strengths))
    return best if strengths[best] > _CLEARLY * strengths[0] else 0
