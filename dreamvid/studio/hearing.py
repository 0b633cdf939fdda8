"""Schedules and music for the time line: keys and values of curves, the waveform, the beats."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from dreamvid.audio import Soundtrack
from dreamvid.audio.spectra import LEVEL_RATE
from dreamvid.dream.timeline import Timeline
from dreamvid.errors import DreamvidError, SettingsError
from dreamvid.jobs.music import lasting, named_files, with_music
from dreamvid.schedules import Schedule, Span
from dreamvid.settings import Settings
from dreamvid.sizes import Size, parsed_size
from dreamvid.studio.drafts import Draft

POINTS = 1200
"""The most points of a curve or a waveform; more than a screen has columns."""


class Ears:
    """Music that was listened to, kept until another song is chosen."""

    def __init__(self) -> None:
        self._heard: tuple[Any, Any] | None = None

    def hearing(self, settings: Settings) -> Settings:
        """Settings with the music that they name, listened to once."""
        if not settings.audio.files:
            return settings
        times = [
            path.stat().st_mtime_ns for path in named_files(settings).values() if path.exists()
        ]
        key = (settings.audio, times)
        if self._heard is None or self._heard[0] != key:
            self._heard = None
            found, _ = with_music(settings, lambda text: None)
            self._heard = key, found.music
        return replace(settings, music=self._heard[1])


def span_of(settings: Settings) -> Span:
    """The film that the draft's schedules run through."""
    film = lasting(settings).film
    return Span(film.length, film.rate, film.seed, settings.music)


def checked(draft: Draft, settings: Settings) -> dict[str, Any]:
    """What the whole film is by now; `SettingsError` for a value no frame can have."""
    settings = lasting(settings)
    Timeline(settings)
    if settings.film.size is not None:
        try:
            parsed_size(settings.film.size, Size(360, 640))
        except SettingsError as error:
            raise SettingsError(f"film.{error}") from None
    film = settings.film
    return {"frames": film.length, "fps": float(film.rate), "fades": film.fades}


def curves(names: Sequence[str], texts: Sequence[str], film: Span) -> list[dict[str, Any]]:
    """The keys of schedules and their values over the film.

    Where one cannot be computed, its `error` says why, and its keys are there if they can be read.
    """
    return [_curve(name, text, film) for name, text in zip(names, texts, strict=True)]


def _curve(name: str, text: str, film: Span) -> dict[str, Any]:
    found: dict[str, Any] = {"name": name, "keys": [], "values": [], "error": ""}
    try:
        schedule = Schedule(text, name)
        found["keys"] = [
            {"place": key.place, "unit": key.unit, "value": key.expression.text,
             "easing": key.easing, "frame": key.frame(film)}
            for key in schedule.keys
        ]  # fmt: skip
        values = schedule.over(film)
    except (DreamvidError, ValueError, AssertionError) as error:
        found["error"] = str(error)
        return found
    places = np.unique(np.linspace(0, film.frames - 1, min(film.frames, POINTS)).round())
    picked = values[places.astype(int)]
    found["values"] = [
        [int(at), float(f"{value:.6g}")] for at, value in zip(places, picked, strict=True)
    ]
    return found


def music(settings: Settings) -> dict[str, Any]:
    """The waveform and the beats of the music, in the time of the film."""
    heard = settings.music
    if not isinstance(heard, Soundtrack) or not heard.songs:
        return {"peaks": [], "beats": [], "bars": [], "seconds": 0}
    film = span_of(settings)
    seconds = float(Fraction(film.frames) / film.fps)
    song = next(iter(heard.songs.values()))
    edges = np.linspace(0, seconds, POINTS // 2 + 1) + float(heard.start)
    slots = np.clip((edges * LEVEL_RATE).astype(int), 0, len(song.extent))
    peaks = [
        float(np.abs(song.extent[begin:end]).max()) if end > begin else 0.0
        for begin, end in zip(slots, np.maximum(slots[1:], slots[:-1] + 1), strict=False)
    ]
    top = max(peaks, default=0) or 1
    rhythm = heard.rhythm()
    times = rhythm.times - float(heard.start) if rhythm.known else np.zeros(0)
    shown = (times >= 0) & (times <= seconds)
    bars = rhythm.numbers % heard.meter == 0 if rhythm.known else shown
    return {
        "peaks": [round(each / top, 3) for each in peaks],
        "beats": [round(float(each), 4) for each in times[shown & ~bars]],
        "bars": [round(float(each), 4) for each in times[shown & bars]],
        "seconds": seconds,
    }


def kind_of(path: Path) -> dict[str, Any]:
    """What an upload is, by dreamvid's own readers; a `DreamvidError` where it is nothing."""
    from dreamvid import media
    from dreamvid.audio import heard
    from dreamvid.frames import size_of

    if media.is_picture_file(path):
        size = size_of(media.read_picture(path))
        return {"kind": "picture", "width": size.width, "height": size.height}
    try:
        film = media.probe(path)
        return {"kind": "clip", "width": film.size.width, "height": film.size.height,
                "seconds": float(film.duration)}  # fmt: skip
    except DreamvidError as error:
        no_film = error
    try:
        return {"kind": "sound", "seconds": float(heard(path).seconds)}
    except DreamvidError:
        raise no_film from None
