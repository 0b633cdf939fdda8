"""The sound card: how loud the bass is, said as ``heard`` from 0 to 1, so that the dream pulses."""

from collections import deque
from typing import Any, Self

import numpy as np

from dreamvid.errors import SettingsError
from dreamvid.live.control import Post

BASS = 150.0
"""Hertz; what is lower is listened to."""
BLOCK, WINDOW = 0.02, 4
"""Seconds of sound that come at once, and how many of these are looked at together."""
HALF = 8.0
"""Seconds in which the loudest that was heard counts half."""
RELEASE = 0.3
"""Seconds in which a beat dies away."""
SILENT = 1e-3
"""Root mean square of full scale, below which nothing is loud."""


class Loudness:
    """How loud the bass is beside the loudest of the last seconds, so that no gain is to be set."""

    def __init__(self, rate: float) -> None:
        """`rate` is in samples a second."""
        self.rate = rate
        self.heard = 0.0
        self._loudest = 0.0
        self._blocks: deque[np.ndarray] = deque(maxlen=WINDOW)

    def __call__(self, samples: np.ndarray) -> float:
        """Sound goes on with samples (n,) from -1 to 1: how loud it is now, from 0 to 1."""
        self._blocks.append(samples)
        seconds = len(samples) / self.rate
        level = self._bass(np.concatenate(self._blocks))
        self._loudest = max(level, self._loudest * 0.5 ** (seconds / HALF))
        now = level / self._loudest if self._loudest > SILENT else 0.0
        self.heard = max(now, self.heard - seconds / RELEASE, 0.0)
        return self.heard

    def _bass(self, samples: np.ndarray) -> float:
        """Root mean square of what is lower than `BASS`, without a steady offset."""
        window = np.hanning(len(samples))
        swinging = (samples - samples.mean()) * window
        bins = np.fft.rfft(swinging)[1 : 1 + int(BASS * len(samples) / self.rate)]
        energy = 2 * np.square(np.abs(bins)).sum() / len(samples)
        return float(np.sqrt(energy / np.square(window).sum()))


class Ears:
    """A sound input that is listened to while a live dream runs."""

    def __init__(self, device: str, post: Post) -> None:
        """`device` is a name or a part of it, a number, or ``default``."""
        self.device, self.post = device, post
        self._stream: Any = None
        self._loudness: Loudness | None = None

    def _came(self, samples: np.ndarray, frames: int, time: Any, status: Any) -> None:
        """One block (n, channels), in a thread of the sound library."""
        if self._loudness is not None:
            self.post("heard", self._loudness(samples.mean(1)))

    def __enter__(self) -> Self:
        try:
            import sounddevice  # pyright: ignore[reportMissingImports]
        except ImportError:
            raise SettingsError(
                "--hear: needs sounddevice; install it with pip install 'dreamvid[live]'"
            ) from None
        except OSError as error:
            raise SettingsError(
                f"--hear: no sound library ({error}); on Linux install libportaudio2"
            ) from None
        number = int(self.device) if self.device.isdigit() else self.device
        device = None if self.device == "default" else number
        try:
            rate = sounddevice.query_devices(device, "input")["default_samplerate"]
            self._loudness = Loudness(rate)
            self._stream = sounddevice.InputStream(
                rate, round(BLOCK * rate), device, callback=self._came
            )
            self._stream.start()
        except (ValueError, sounddevice.PortAudioError) as error:
            known = [each["name"] for each in sounddevice.query_devices()
                     if each["max_input_channels"]]  # fmt: skip
            raise SettingsError(
                f"--hear: {self.device} cannot be listened to ({error}); expected default or some "
                f"of {', '.join(known) or 'the sound inputs, of which there are none'}"
            ) from None
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()
