"""A song composed by code, and a film that follows it: it falls on each beat, and turns.

::

    python examples/music_film.py samples/seed.jpg film.mp4 [SECONDS]
"""

import sys
import wave
from pathlib import Path

import numpy as np

import dreamvid

HERTZ, BEAT = 22_050, 0.5


def song(seconds: float) -> np.ndarray:
    """A drum on each beat, a tone above it that rises each bar: samples from -1 to 1."""
    time = np.arange(int(seconds * HERTZ)) / HERTZ
    since = time % BEAT
    drum = np.sin(2 * np.pi * 60 * since) * np.exp(-since / 0.08)
    bar = np.floor(time / (4 * BEAT)) % 4
    tone = np.sin(2 * np.pi * 220 * 2 ** (bar * 3 / 12) * time) * (1 - since)
    return 0.7 * drum + 0.15 * tone


def write(path: Path, samples: np.ndarray) -> None:
    """The samples as a sound file."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(HERTZ)
        file.writeframes((samples * 32767).astype("<i2").tobytes())


def main(seed: str, out: str, seconds: float = 8.0, **flags: object) -> Path:
    """Make the film; `flags` are those of ``dreamvid zoom``."""
    music = Path(out).with_suffix(".wav")
    write(music, song(seconds))
    return dreamvid.zoom(
        seed,
        out,
        audio=music,
        motion="zoom,spin",
        settings={
            "motion": {"zoom": {"rate": "1.05 + 1.5*onset"}, "spin": {"rate": "10*sin(t)"}},
            "ascent": {"later_step_size": "0.5 + 2*beat"},
        },
        **flags,
    )


if __name__ == "__main__":
    seed, out, *rest = sys.argv[1:]
    print(main(seed, out, *map(float, rest)))
