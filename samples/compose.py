"""Music out of nothing: drums, bass and chords, synthesised, with beats at known times.

    python samples/compose.py OUT.wav [STYLE]

`compose` gives the samples and the beats of one of `STYLES`. The tests listen to them all.
"""

import sys
import wave
from pathlib import Path
from typing import NamedTuple

import numpy as np

HERTZ = 44_100


class Style(NamedTuple):
    """A piece: its tempo, and what is played at which sixteenths of a bar of four beats."""

    bpm: float
    kick: str = ""
    snare: str = ""
    hat: str = ""
    bass: str = ""
    chords: str = ""
    lead: str = ""
    swing: float = 0.0
    """How much later the even sixteenths come, in sixteenths."""
    humanised: float = 0.0
    """Standard deviation of each stroke, in seconds."""
    later_bpm: float = 0.0
    """The tempo at the end, where it changes."""
    key: int = 45
    """The MIDI number of the lowest root."""


STYLES = {
    "house": Style(124, "x...x...x...x...", "....x.......x...", "..x...x...x...x.",
                   "..x...x...x...x.", "x.....x.....x...", key=45),
    "rock": Style(112, "x.......x.x.....", "....x.......x...", "x.x.x.x.x.x.x.x.",
                  "x.x.x.x.x.x.x.x.", "x.......x.......", humanised=0.006, key=40),
    "hiphop": Style(88, "x......x..x.....", "....x.......x...", "x.x.x.x.x.x.x.xx",
                    "x.........x.....", "x...............", swing=0.3, key=41),
    "drumnbass": Style(174, "x.........x.....", "....x.......x...", "x.x.x.x.x.x.x.x.",
                       "x.....x...x.....", "x...............", key=43),
    "waltzless": Style(96, "x.......x.......", "", "x...x...x...x...", "x...x...x...x...",
                       "....x.......x...", "x.x.x.xxx.x.x.x.", key=48),
    "techno": Style(136, "x...x...x...x...", "....x.......x..x", "x.xxx.xxx.xxx.xx",
                    "..xx..xx..xx..xx", "", "x..x..x...x..x..", key=33),
    "reggae": Style(76, "........x.......", "........x.......", "x.x.x.x.x.x.x.x.",
                    "x..x..x.x..x....", "....x.......x...", swing=0.2, key=43),
    "ballad": Style(66, "x.......x.......", "....x.......x...", "x...x...x...x...",
                    "x.......x.......", "x...............", "x...x...x...x...", key=48),
    "rush": Style(100, "x...x...x...x...", "....x.......x...", "..x...x...x...x.",
                  "x...x...x...x...", "x.......x.......", later_bpm=140, key=45),
    "bare": Style(108, "", "", "", "x...x...x...x...", "x...x...x...x...", "..x...x...x...x.",
                  humanised=0.004, key=50),
}  # fmt: skip
_MINOR = ((0, 3, 7), (8, 12, 15), (3, 7, 10), (10, 14, 17))
"""The chords of four bars, in semitones above the root."""


def compose(style: str, seconds: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """The samples of a piece, float64 (n,) at `HERTZ`, -1 to 1, and the times of its beats."""
    piece, random = STYLES[style], np.random.default_rng(seed)
    sixteenths = _sixteenths(piece, seconds)
    sound = np.zeros(int(seconds * HERTZ))
    for number, time in enumerate(sixteenths):
        step, bar = number % 16, number // 16
        late = piece.swing * (step % 2) * 15 / piece.bpm
        root = piece.key + _MINOR[bar % 4][0]
        chord = [piece.key + 24 + each for each in _MINOR[bar % 4]]
        for pattern, volume, voice in (
            (piece.kick, 0.9, _kick),
            (piece.snare, 0.5, _snare),
            (piece.hat, 0.22 if step % 4 else 0.3, _hat),
            (piece.bass, 0.4, lambda root=root: _bass(root)),
            (piece.chords, 0.14, lambda chord=chord: sum(_string(note, 1.2) for note in chord)),
            (piece.lead, 0.16, lambda chord=chord, n=number: _string(chord[n % 3] + 12, 0.5)),
        ):
            if pattern and pattern[step] == "x":
                moved = late + piece.humanised * random.standard_normal()
                _add(sound, time + moved, volume * random.uniform(0.9, 1) * voice())
    sound += 0.002 * random.standard_normal(len(sound))
    return np.tanh(sound), sixteenths[::4]


def _sixteenths(piece: Style, seconds: float) -> np.ndarray:
    """The times of all sixteenths that end before the piece does, from half a second on."""
    times = [0.5]
    while times[-1] < seconds - 0.3:
        share = times[-1] / seconds
        bpm = piece.bpm + (piece.later_bpm - piece.bpm) * share if piece.later_bpm else piece.bpm
        times.append(times[-1] + 15 / bpm)
    return np.array(times[:-1])


def _add(sound: np.ndarray, time: float, voice: np.ndarray) -> None:
    place = max(0, round(time * HERTZ))
    end = min(len(sound), place + len(voice))
    sound[place:end] += voice[: max(0, end - place)]


def _time(seconds: float) -> np.ndarray:
    return np.arange(int(seconds * HERTZ)) / HERTZ


def _kick() -> np.ndarray:
    t = _time(0.35)
    sweep = 2 * np.pi * (48 * t + 110 * 0.035 * (1 - np.exp(-t / 0.035)))
    return np.sin(sweep) * np.exp(-t / 0.11)


def _snare() -> np.ndarray:
    t = _time(0.25)
    noise = np.random.default_rng(1).standard_normal(len(t))
    return 0.6 * noise * np.exp(-t / 0.06) + 0.7 * np.sin(2 * np.pi * 190 * t) * np.exp(-t / 0.05)


def _hat() -> np.ndarray:
    t = _time(0.08)
    noise = np.random.default_rng(2).standard_normal(len(t) + 1)
    return np.diff(noise) * np.exp(-t / 0.018)


def _bass(note: int) -> np.ndarray:
    t = _time(0.4)
    wave_ = sum(np.sin(2 * np.pi * _hertz(note) * n * t) / n for n in range(1, 6))
    return wave_ * np.minimum(1, t / 0.004) * np.exp(-t / 0.2)


def _string(note: int, seconds: float) -> np.ndarray:
    t = _time(seconds)
    wave_ = sum(np.sin(2 * np.pi * _hertz(note) * n * t) * np.exp(-n * t) / n for n in range(1, 8))
    return wave_ * np.minimum(1, t / 0.008) * np.exp(-2.5 * t / seconds)


def _hertz(note: int) -> float:
    return 440 * 2 ** ((note - 69) / 12)


def write_wav(path: Path, sound: np.ndarray, hertz: int = HERTZ) -> None:
    """Samples (n,) or (n, channels), -1 to 1, as a WAV of 16 bits."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1 if sound.ndim == 1 else sound.shape[1])
        file.setsampwidth(2)
        file.setframerate(hertz)
        file.writeframes((np.clip(sound, -1, 1) * 32767).round().astype("<i2").tobytes())


if __name__ == "__main__":
    write_wav(Path(sys.argv[1]), compose(sys.argv[2] if len(sys.argv) > 2 else "house", 15)[0])
