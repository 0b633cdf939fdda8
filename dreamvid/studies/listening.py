"""What is heard in a song: a picture, a table of all its curves, a film of the motion alone."""

import csv
from collections.abc import Callable, Iterator
from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from dreamvid import media
from dreamvid.audio import Soundtrack
from dreamvid.audio.spectra import LEVEL_RATE
from dreamvid.dream.timeline import Timeline
from dreamvid.errors import SettingsError
from dreamvid.film import loops
from dreamvid.film.carries import Situation, by_motion, refreshing
from dreamvid.film.sources import StillSource
from dreamvid.frames import Frame, Size
from dreamvid.jobs.music import lasting, with_music
from dreamvid.media import encoders
from dreamvid.media.film_writing import encode_film
from dreamvid.schedules import CURVES, Ask
from dreamvid.settings import Settings

NOTES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
PREVIEW = Size(180, 320)
FRESH = 0.12
"""How much of the still picture each frame of the preview is refreshed with."""
MOST_ROWS = 5_000_000
_CONTRAST = 0.3


def listen(
    song: Path,
    out: Path,
    settings: Settings,
    *,
    preview: bool = False,
    overwrite: bool = False,
    say: Callable[[str], None] = lambda text: None,
) -> str:
    """Draw what is heard in `song` to `out`, write its curves beside it, and tell its tempo.

    Args:
        song: any file with sound.
        out: the picture; the CSV and the preview have its name.
        settings: the rate of the rows, what is known of the rhythm, the motion of the preview.
        preview: whether to make ``OUT-preview.mp4``.
        overwrite: whether older files of these names may be replaced.
        say: takes a line that the user should read.

    Raises:
        MediaError: the song cannot be read, or a file cannot be written.
    """
    table, film = out.with_suffix(".csv"), out.with_name(f"{out.stem}-preview.mp4")
    for place in (out, table, *([film] if preview else [])):
        encoders.check_place(place, overwrite)
    settings = settings.changed("audio", files=(str(song),)).changed("film", frames=None)
    settings, _ = with_music(settings, say)
    music = settings.music
    assert isinstance(music, Soundtrack)
    settings = lasting(settings)
    if preview:
        Timeline(settings)
    write_csv(music, settings.film.rate, table)
    write_picture(music, out, song.name)
    if preview:
        write_preview(settings, film, say)
    return tempo(music)


def tempo(music: Soundtrack) -> str:
    """The tempo of music in a line."""
    song, rhythm = next(iter(music.songs.values())), music.rhythm()
    length = f"{float(song.seconds):.1f} s"
    if not rhythm.known:
        return f"no beats are heard; {length}"
    gaps = np.diff(rhythm.times)
    bpm = 60 / float(np.median(gaps))
    ends = [60 / float(np.median(part)) for part in (gaps[:8], gaps[-8:])]
    changes = abs(ends[1] / ends[0] - 1) > 0.04
    told = f"{ends[0]:.0f} bpm, then {ends[1]:.0f}" if changes else f"{bpm:.1f} bpm"
    return f"{told}; {len(rhythm.times)} beats, the first at {rhythm.times[0]:.3f} s; {length}"


def asks() -> dict[str, Ask]:
    """Every curve that needs no choice, by its name in expressions."""
    curves = {name: Ask("", name) for name in CURVES}
    notes = [Ask("", "note", (float(note),)) for note in range(len(NOTES))]
    return curves | {str(note): note for note in notes}


def write_csv(music: Soundtrack, fps: Fraction, path: Path) -> None:
    """A row for each frame at `fps`: when it begins, and every curve there."""
    frames = ceil(music.seconds * fps)
    if frames > MOST_ROWS:
        raise SettingsError(f"film.fps: makes {frames} rows, expected {MOST_ROWS} at most")
    columns = [music.curve(ask, frames, fps) for ask in asks().values()]
    with media.atomic_write(path) as part, part.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["time", *asks()])
        for index, values in enumerate(zip(*columns, strict=True)):
            writer.writerow([f"{float(index / fps):.6f}", *(f"{each:.6f}" for each in values)])


def write_picture(music: Soundtrack, path: Path, title: str) -> None:
    """Waveform, bands, onsets and notes over time, with the beats."""
    figure = Figure(figsize=(12, 9), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(4, 1, sharex=True, height_ratios=[2, 2, 1.5, 1.5])
    fps = Fraction(LEVEL_RATE)
    frames = ceil(music.seconds * fps)
    times = np.arange(frames) / float(fps)
    _draw_waveform(axes[0], music)
    for name, colour in (("bass", "tab:red"), ("mid", "tab:green"), ("high", "tab:blue")):
        axes[1].plot(times, music.curve(Ask("", name), frames, fps), colour, label=name, lw=0.9)
    axes[1].legend(loc="upper right", ncols=3, fontsize=8)
    axes[2].plot(times, music.curve(Ask("", "onset"), frames, fps), "tab:orange", lw=0.9)
    notes = [music.curve(ask, frames, fps) for name, ask in asks().items() if "note" in name]
    extent = (0, float(frames / fps), -0.5, len(NOTES) - 0.5)
    axes[3].imshow(notes, aspect="auto", origin="lower", extent=extent, cmap="magma")
    axes[3].set_yticks(range(len(NOTES)), NOTES, fontsize=7)
    for axis, words in zip(
        axes, ("waveform, beats and bars", "bands", "onset", "note"), strict=True
    ):
        axis.set_title(words, fontsize=9, loc="left")
        _draw_beats(axis, music)
    axes[-1].set_xlabel("seconds")
    axes[-1].set_xlim(0, float(music.seconds))
    figure.suptitle(f"{title}: {tempo(music)}", fontsize=10)
    with media.atomic_write(path) as part:
        figure.savefig(part, format="png", dpi=100)


def _draw_waveform(axis: Any, music: Soundtrack) -> None:
    extent = next(iter(music.songs.values())).extent
    times = np.arange(len(extent)) / LEVEL_RATE - float(music.start)
    axis.fill_between(times, extent[:, 0], extent[:, 1], color="0.6", lw=0)
    axis.set_yticks([])


def _draw_beats(axis: Any, music: Soundtrack) -> None:
    """A line at each beat, a stronger one where a bar begins."""
    rhythm = music.rhythm()
    for time, number in zip(rhythm.times, rhythm.numbers, strict=True):
        bar = number % music.meter == 0
        axis.axvline(time - float(music.start), color="black", lw=0.9 if bar else 0.4, alpha=0.45)


def write_preview(settings: Settings, path: Path, say: Callable[[str], None]) -> None:
    """A small film of the settings' motion alone, with the sound."""
    film, timeline = settings.film, Timeline(settings)
    song = Path(settings.audio.files[0])
    sound = media.Sound(
        song, Fraction(str(settings.audio.offset)), film.length / film.rate, 1, alone=True
    )
    picture = loops.cloud(PREVIEW, (film.seed, 0), _CONTRAST)
    carry = refreshing(by_motion(timeline.motion, film.rate), FRESH)

    def frames() -> Iterator[Frame]:
        previous: Frame | None = None
        for index, moment in zip(range(film.length), StillSource(picture).moments(0), strict=False):
            with torch.inference_mode():
                previous = carry(Situation(index, moment, previous)).frame
            yield previous

    encode_film(frames(), path, film.rate, sound=sound, say=say)
