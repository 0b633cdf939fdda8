"""Sound decoded to mono, from its exact beginning on."""

import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import av.error
import numpy as np
from av.audio.frame import AudioFrame

from dreamvid.errors import MediaError
from dreamvid.media.formats import head_of
from dreamvid.media.sound import HEARD, begins

HERTZ = 24_000
"""Samples a second of what is listened to."""
_OPENED = {
    "options": {"protocol_whitelist": "file", "format_whitelist": HEARD},
    "metadata_errors": "replace",
}
_JITTER = Fraction(1, 100)  # seconds; clocks of containers are rounded
_LONGEST = 3600  # seconds; a longer gap is no gap but a broken clock
_LOUDEST = 1e6


def decoded(path: Path, track: int = 1, origin: Fraction | None = None) -> Iterator[np.ndarray]:
    """The sound of a file, in blocks of float32 (samples,) at `HERTZ`, mono.

    Gaps are silent. A torn tail ends it.

    Args:
        path: any file with sound that PyAV opens.
        track: the number of the sound, from 1 on.
        origin: what is time 0 on the file's clock, in seconds; None: where its sound begins, after
            the samples that an encoder has put before it.

    Raises:
        MediaError: there is no sound; it cannot be read; or a sample of it is no number.
    """
    head_of(path)
    try:
        with av.open(os.fspath(path), **_OPENED) as container:
            if not container.streams.audio:
                raise MediaError(
                    f"{path}: has no sound in it; expected music, such as a WAV or MP3"
                )
            zero = begins(container) if origin is None else origin
            stream = container.streams.audio[track - 1]
            frames = _Frames(container.decode(stream), path)
            yield from _resampled(_continuous(frames, zero, path), path)
    except (av.error.FFmpegError, ValueError, IndexError) as error:
        reason = getattr(error, "strerror", None) or error
        raise MediaError(f"{path}: is no sound that can be read ({reason})") from error


class _Frames:
    """Decoded frames up to a torn tail."""

    def __init__(self, frames: Iterator[AudioFrame], path: Path) -> None:
        self.frames, self.path, self.any = frames, path, False

    def __iter__(self) -> Iterator[AudioFrame]:
        while True:
            try:
                frame = next(self.frames)
            except StopIteration:
                return
            except (av.error.FFmpegError, ValueError):
                if self.any:
                    return
                raise
            self.any = True
            yield frame


def _continuous(frames: _Frames, zero: Fraction, path: Path) -> Iterator[tuple[int, np.ndarray]]:
    """Rates and mono samples (n,) from the time `zero` on, without gaps and overlaps."""
    following = zero
    for frame in frames:
        rate, samples = frame.sample_rate, _mono(frame)
        time = following
        if frame.pts is not None and frame.time_base is not None:
            time = frame.pts * frame.time_base
        gap = time - following
        if following == zero or abs(gap) > _JITTER:
            if 0 < gap < _LONGEST:
                yield rate, np.zeros(round(gap * rate), np.float32)
                following += Fraction(round(gap * rate), rate)
            elif gap < 0:
                samples = samples[min(len(samples), round(-gap * rate)) :]
        if not (np.abs(samples) < _LOUDEST).all():
            raise MediaError(
                f"{path}: a sample at {float(following - zero):.3f} s is no number or far too "
                "loud; save the sound again"
            )
        yield rate, samples
        following += Fraction(len(samples), rate)


def _mono(frame: AudioFrame) -> np.ndarray:
    """The mean of the channels, float32 (samples,), -1 to 1."""
    samples = frame.to_ndarray()
    if not frame.format.is_planar:
        samples = samples.reshape(-1, frame.layout.nb_channels).T
    if samples.dtype.kind == "u":
        samples = (samples.astype(np.float32) - 128) / 128
    elif samples.dtype.kind == "i":
        samples = samples / np.float32(2.0 ** (8 * samples.dtype.itemsize - 1))
    with np.errstate(all="ignore"):
        return samples.astype(np.float32).mean(axis=0)


def _resampled(pieces: Iterator[tuple[int, np.ndarray]], path: Path) -> Iterator[np.ndarray]:
    """The pieces at `HERTZ`; a piece of another rate than the one before begins anew."""
    resampler, before, place, any_sound = None, 0, 0, False
    for rate, samples in pieces:
        if not len(samples):
            continue
        any_sound = True
        if rate == HERTZ:
            yield samples
            continue
        if resampler is None or rate != before:
            if resampler is not None:
                yield from _drained(resampler)
            resampler, before, place = av.AudioResampler("flt", "mono", HERTZ), rate, 0
        frame = AudioFrame.from_ndarray(np.ascontiguousarray(samples[None]), "flt", "mono")
        frame.sample_rate, frame.pts, frame.time_base = rate, place, Fraction(1, rate)
        place += len(samples)
        for made in resampler.resample(frame):
            yield made.to_ndarray()[0]
    if resampler is not None:
        yield from _drained(resampler)
    if not any_sound:
        raise MediaError(f"{path}: holds no sound, expected some; record or save it again")


def _drained(resampler: av.AudioResampler) -> Iterator[np.ndarray]:
    for made in resampler.resample(None):
        yield made.to_ndarray()[0]
