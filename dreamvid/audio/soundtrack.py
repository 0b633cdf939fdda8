"""The soundtrack of a film: its music, in the time of its frames."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Self

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from dreamvid.audio import frames as at_frames
from dreamvid.audio.listening import Heard
from dreamvid.audio.rhythm import Rhythm, rhythm_of
from dreamvid.audio.scaling import FAINT, scale_of
from dreamvid.audio.spectra import EDGES, LEVEL_RATE, LOUDNESS_RATE, NOTE_RATE, NOTES
from dreamvid.errors import MediaError, did_you_mean
from dreamvid.media import atomic_write
from dreamvid.schedules import Ask

BANDS = {"bass": (20.0, 150.0), "mid": (150.0, 2000.0), "high": (2000.0, 8000.0)}
"""The bands that have names, in Hz."""
LEAST_BEATS = 1 / 16
"""The shortest step of `every`, in beats."""
_SONG = ""
_NO_BEATS = "no beats are heard in the music; give the tempo with --bpm"


@dataclass(frozen=True)
class Soundtrack:
    """Music in the time of a film; a `schedules.Music`."""

    songs: Mapping[str, Heard]
    """By the names of stems; the song itself, or else the first stem, has no name too."""
    tables: Mapping[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)
    """Times and values by name."""
    start: Fraction = Fraction(0)
    """Where the film begins in the music, in seconds."""
    bpm: float | None = None
    beat_offset: float | None = None
    meter: int = 4
    _curves: dict[Any, np.ndarray] = field(default_factory=dict, compare=False, repr=False)
    _rhythms: dict[str, Rhythm] = field(default_factory=dict, compare=False, repr=False)

    @property
    def seconds(self) -> Fraction:
        """How long it is heard in the film."""
        return max(Fraction(0), self._song(_SONG).seconds - self.start)

    @property
    def stems(self) -> list[str]:
        """The names of its files."""
        return [name for name in self.songs if name]

    def rhythm(self, stem: str = _SONG) -> Rhythm:
        """The beats of a song or a stem."""
        if stem not in self._rhythms:
            self._rhythms[stem] = rhythm_of(
                self._song(stem), self.bpm, self.beat_offset, self.meter
            )
        return self._rhythms[stem]

    def beat_time(self, beat: float) -> float:
        """When a beat is, in seconds of the film; `ValueError` where no beats were found."""
        if not self.rhythm().known:
            raise ValueError(_NO_BEATS)
        return self.rhythm().time(beat) - float(self.start)

    def refusal(self, ask: Ask) -> str | None:
        """Why it has no such curve, in words; None: it has."""
        if ask.name == "curve":
            if ask.arguments[0] in self.tables:
                return None
            known = ", ".join(self.tables) or "none; --audio NAME=FILE.csv adds one"
            near = did_you_mean(str(ask.arguments[0]), self.tables)
            return f"no curve {ask.arguments[0]!r} (curves: {known}){near}"
        if ask.stem and ask.stem not in self.songs:
            known = ", ".join(self.stems) or "none; --audio NAME=FILE adds one"
            return f"no stem {ask.stem!r} (stems: {known}){did_you_mean(ask.stem, self.stems)}"
        values = [each for each in ask.arguments if isinstance(each, float)]
        if ask.name == "note" and (values[0] % 1 or not 0 <= values[0] < NOTES):
            return f"{ask}: expected a note from 0 (C) to {NOTES - 1} (B)"
        if ask.name == "band" and not EDGES[0] <= values[0] < values[1] <= EDGES[-1]:
            return f"{ask}: expected two rising frequencies from {EDGES[0]:g} to {EDGES[-1]:g} Hz"
        if ask.name == "every" and values[0] < LEAST_BEATS:
            return f"{ask}: expected {LEAST_BEATS:g} beats or more"
        return None

    def curve(self, ask: Ask, frames: int, fps: Fraction) -> np.ndarray:
        """A curve at each of the first `frames` frames, float64 (frames,)."""
        key = (ask, frames, fps)
        if key not in self._curves:
            self._curves[key] = self._curve(ask, frames, fps)
        return self._curves[key]

    def _curve(self, ask: Ask, frames: int, fps: Fraction) -> np.ndarray:
        if ask.name == "curve":
            times, values = self.tables[str(ask.arguments[0])]
            return np.interp(at_frames.times(frames, fps, Fraction(0)), times, values)
        song = self._song(ask.stem)
        values = [float(each) for each in ask.arguments]
        span = (frames, fps, self.start)
        if song.silent:
            return np.zeros(frames)
        match ask.name:
            case "rms":
                return _loudness(song.loudness, song.volume, LOUDNESS_RATE, *span, centred=False)
            case "bass" | "mid" | "high" | "band":
                low, high = BANDS.get(ask.name) or values
                power = song.levels @ _shares(low, high)
                scale = scale_of(np.sqrt(power), FAINT * song.volume)
                return _loudness(power, scale, LEVEL_RATE, *span, centred=True)
            case "centroid":
                return _mean(brightness(song), LEVEL_RATE, *span)
            case "note":
                scale = scale_of(np.sqrt(song.notes.max(axis=1)), FAINT * song.volume)
                return _loudness(song.notes[:, int(values[0])], scale, NOTE_RATE, *span,
                                 centred=True)  # fmt: skip
            case "onset":
                return at_frames.pulses(song.onset_times, song.onset_strengths, *span)
            case _:
                return self._rhythmic(ask, *span)

    def _rhythmic(self, ask: Ask, frames: int, fps: Fraction, start: Fraction) -> np.ndarray:
        rhythm = self.rhythm(ask.stem)
        if not rhythm.known:
            return np.zeros(frames)
        times = at_frames.times(frames, fps, start)
        match ask.name:
            case "phase":
                return rhythm.count(times) % 1
            case "bar":
                return rhythm.count(times) / self.meter
            case "bpm":
                return rhythm.tempo(times)
        beats = rhythm.every(float(ask.arguments[0])) if ask.arguments else rhythm.times
        return at_frames.pulses(beats, np.ones(len(beats)), frames, fps, start)

    def _song(self, stem: str) -> Heard:
        return self.songs[stem] if stem in self.songs else next(iter(self.songs.values()))

    def _arrays(self) -> dict[str, np.ndarray]:
        arrays = {
            f"song/{stem}/{name}": np.ascontiguousarray(array)
            for stem, song in self.songs.items()
            for name, array in song.arrays().items()
        }
        for name, (times, values) in self.tables.items():
            arrays[f"table/{name}/times"] = np.ascontiguousarray(times)
            arrays[f"table/{name}/values"] = np.ascontiguousarray(values)
        return arrays

    def sha256(self) -> str:
        """The hash of all that was heard."""
        digest = hashlib.sha256()
        for name, array in sorted(self._arrays().items()):
            digest.update(f"{name} {array.dtype} {array.shape}\n".encode())
            digest.update(array.tobytes())
        return digest.hexdigest()

    def write(self, path: Path) -> None:
        """Keep what was heard in a file; `read` takes it back, with the same options."""
        order = {"stems": list(self.songs), "tables": list(self.tables)}
        with atomic_write(path) as part:
            part.write_bytes(save(self._arrays(), {"order": json.dumps(order)}))

    @classmethod
    def read(cls, path: Path, **options: Any) -> Self:
        """What `write` kept; `options` are the fields that a film's settings decide.

        Raises:
            MediaError: the file is missing or damaged.
        """
        try:
            with safe_open(path, "numpy") as file:
                order = json.loads(file.metadata()["order"])
                arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            songs = {
                stem: Heard.from_arrays(
                    {
                        name.rpartition("/")[2]: array
                        for name, array in arrays.items()
                        if name.startswith(f"song/{stem}/")
                    }
                )
                for stem in order["stems"]
            }
            tables = {
                name: (arrays[f"table/{name}/times"], arrays[f"table/{name}/values"])
                for name in order["tables"]
            }
        except (OSError, SafetensorError, ValueError, KeyError, TypeError, IndexError) as error:
            raise MediaError(f"{path}: cannot be read ({error}); begin the film anew") from None
        return cls(songs, tables, **options)


def brightness(song: Heard) -> np.ndarray:
    """The centre of the spectrum at each step of `levels`, in octaves, 0 to 1 over the music."""
    amplitudes = np.sqrt(song.levels)
    total = amplitudes.sum(axis=1)
    centres = amplitudes @ np.arange(amplitudes.shape[1]) / np.maximum(total, 1e-30)
    centres = np.where(np.sqrt(song.levels.sum(axis=1)) > FAINT * song.volume, centres, 0.0)
    return np.clip(centres / scale_of(centres), 0, 1)


def _shares(low: float, high: float) -> np.ndarray:
    """The share of each band of `levels` that lies between two frequencies, in octaves."""
    edges = np.log2(EDGES)
    shared = np.minimum(edges[1:], np.log2(high)) - np.maximum(edges[:-1], np.log2(low))
    return np.clip(shared, 0, None) / np.diff(edges)


def _loudness(
    power: np.ndarray,
    scale: float,
    rate: int,
    frames: int,
    fps: Fraction,
    start: Fraction,
    *,
    centred: bool,
) -> np.ndarray:
    """The amplitude of a power at each frame, 0 to 1."""
    mean = at_frames.means(power, rate, frames, fps, start, centred)
    return np.clip(np.sqrt(np.maximum(mean, 0)) / scale, 0, 1)


def _mean(series: np.ndarray, rate: int, frames: int, fps: Fraction, start: Fraction) -> np.ndarray:
    return at_frames.means(series, rate, frames, fps, start, True)
