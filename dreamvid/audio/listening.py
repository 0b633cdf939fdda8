"""Listening to a file: all that is kept of it, at no frame rate."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Self

import numpy as np

from dreamvid.audio.beats import beats
from dreamvid.audio.decoding import HERTZ, decoded
from dreamvid.audio.onsets import accented, onsets
from dreamvid.audio.scaling import scale_of
from dreamvid.audio.spectra import features
from dreamvid.errors import MediaError

SHORTEST = Fraction(1, 20)
"""Seconds; in less there is nothing to follow."""
SILENT = 1e-6
"""The loudness, of a full scale of 1, below which music is silent."""


@dataclass(frozen=True)
class Heard:
    """What was heard in a file; see `spectra.Features` for the series and their rates."""

    samples: int
    loudness: np.ndarray
    levels: np.ndarray
    notes: np.ndarray
    onset_times: np.ndarray
    """Seconds."""
    onset_strengths: np.ndarray
    """0 to 1."""
    beat_times: np.ndarray
    """Seconds."""
    extent: np.ndarray

    @property
    def seconds(self) -> Fraction:
        """How long it is."""
        return Fraction(self.samples, HERTZ)

    @property
    def silent(self) -> bool:
        """Whether nothing is heard in it."""
        return not self.volume < float("inf")

    @property
    def volume(self) -> float:
        """The loudness that is 1 in its curves; infinite where it is silent."""
        scale = scale_of(np.sqrt(self.loudness))
        return scale if scale > SILENT else float("inf")

    def arrays(self) -> dict[str, np.ndarray]:
        """All of it as arrays, which `from_arrays` takes back."""
        return {**vars(self), "samples": np.array([self.samples])}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """The inverse of `arrays`; `TypeError` where some are missing."""
        found = dict(arrays)
        return cls(int(found.pop("samples")[0]), **found)


def heard(path: Path, track: int = 1, origin: Fraction | None = None) -> Heard:
    """Listen to a file; see `decoding.decoded` for the arguments and the errors."""
    found = features(decoded(path, track, origin))
    if found.samples < SHORTEST * HERTZ:
        raise MediaError(
            f"{path}: holds {found.samples / HERTZ:.3g} s of sound, expected "
            f"{float(SHORTEST):g} s or more; choose another file"
        )
    nothing = np.zeros(0)
    result = Heard(
        found.samples,
        found.loudness,
        found.levels,
        found.notes,
        nothing,
        nothing,
        nothing,
        found.extent,
    )
    if result.silent:
        return result
    times, strengths = onsets(found.flux, found.fine)
    accents = accented(times, strengths, found.levels)
    pulse = beats(times, strengths, accents, found.samples / HERTZ)
    return Heard(**{**vars(result), "onset_times": times, "onset_strengths": strengths,
                    "beat_times": pulse})  # fmt: skip
