"""The music of a job: listened to before it begins, kept in its folder, laid under its film."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from dreamvid import media
from dreamvid.audio import Soundtrack, heard, read_table
from dreamvid.errors import MediaError, ResumeError, SettingsError
from dreamvid.machine.hashing import input_hash
from dreamvid.media.streams import chosen_tracks
from dreamvid.schedules import Schedule
from dreamvid.settings import Settings

Say = Callable[[str], None]
FILES, ANALYSIS = "music_sha256", "analysis_sha256"
"""What a job records: the hashes of the files that are heard, and of what was heard in them."""
_TABLE = ".csv"
_LEAST_ERROR = Fraction(1, 50)
"""The share of a bar by which a loop's music may miss its last bar and is still whole."""


def with_music(settings: Settings, say: Say) -> tuple[Settings, dict[str, str]]:
    """Settings with the music that they name, and what a job records of it.

    Raises:
        SettingsError: two files have the same name.
        MediaError: a file cannot be read, or holds no sound.
    """
    if not settings.audio.files:
        return settings, {}
    files = named_files(settings)
    songs = {name: heard(path) for name, path in files.items() if not _is_table(path)}
    tables = {name: read_table(path) for name, path in files.items() if _is_table(path)}
    settings = settings.changed("audio", files=tuple(_told(files)))
    music = Soundtrack(songs, tables, **options_of(settings, {}))
    for name, song in songs.items():
        if song.silent:
            say(f"{files[name].name}: is silent, so its curves are 0")
    return replace(settings, music=music), {FILES: files_told(settings), ANALYSIS: music.sha256()}


def with_own_sound(
    settings: Settings, path: Path, film: media.Film, first: int
) -> tuple[Settings, dict[str, str]]:
    """Settings with the sound of the film that is dreamed over, where they follow any music."""
    if settings.music is not None or not film.tracks or not follows_music(settings):
        return settings, {}
    track = chosen_tracks(film.tracks, settings.video.sound_track)[0].number
    song = heard(path, track, film.origin)
    music = Soundtrack({"": song}, {}, **options_of(settings, {"first": str(first)}))
    return replace(settings, music=music), {ANALYSIS: music.sha256()}


def lasting(settings: Settings) -> Settings:
    """Settings of a film that is as long as its music, unless they say how long it is."""
    music = settings.music
    if not isinstance(music, Soundtrack) or settings.film.frames is not None or not music.songs:
        return settings
    frames = round(music.seconds * settings.film.rate)
    if frames < 1:
        raise SettingsError(
            f"audio.offset: got {settings.audio.offset:g}, which is past the end of the music "
            f"({float(music.seconds + music.start):.3g} s); give less"
        )
    return settings.changed("film", frames=frames)


def closing_on_a_bar(settings: Settings, say: Say) -> Settings:
    """Settings of a loop that is as many whole bars long as its music has, unless they say it."""
    music = settings.music
    if not isinstance(music, Soundtrack) or not music.songs:
        return settings
    rhythm, film, meter = music.rhythm(), settings.film, settings.audio.meter
    if not rhythm.known:
        say("no beats are heard in the music, so the loop is as long as the music")
        return lasting(settings)
    bar = meter * Fraction(float(rhythm.times[-1] - rhythm.times[0])) / (len(rhythm.times) - 1)
    if film.frames is not None:
        bars = float(film.length / film.rate / bar)
        if abs(bars - round(bars)) * float(bar * film.rate) > 1:
            say(f"the loop is {bars:.2f} bars long, so the music does not close on the bar")
        return settings
    bars = music.seconds / bar
    whole = round(bars) if abs(bars - round(bars)) < _LEAST_ERROR else int(bars)
    if whole < 1:
        say("the music is shorter than a bar, so the loop is as long as the music")
        return lasting(settings)
    seconds = music.seconds if abs(bars - whole) < _LEAST_ERROR else whole * bar
    say(f"the loop is {whole} bars of the music long, {float(seconds):.3f} s")
    return settings.changed("film", frames=max(1, round(seconds * film.rate)))


def named_files(settings: Settings) -> dict[str, Path]:
    """The absolute paths of the files of `audio`, by their names; that of the song is empty."""
    files: dict[str, Path] = {}
    for text in settings.audio.files:
        match = re.fullmatch(r"\s*([A-Za-z_]\w*)=(.+)", text)
        name, path = (match[1], Path(match[2])) if match else ("", Path(text))
        if match and Path(text).exists():
            name, path = "", Path(text)
        if not name and _is_table(path):
            name = re.sub(r"\W", "_", path.stem)
        if name in files:
            raise SettingsError(
                f"audio.files: got {path} and {files[name]}, both of them "
                f"{f'called {name}' if name else 'the song'}; expected NAME=FILE for one of them"
            )
        files[name] = path.absolute()
    return files


def _told(files: Mapping[str, Path]) -> list[str]:
    return [f"{name}={path}" if name else str(path) for name, path in files.items()]


def _is_table(path: Path) -> bool:
    return path.suffix.lower() == _TABLE


def moved_files(
    settings: Settings, source: Mapping[str, str], move: Callable[[Path, str], Path]
) -> Settings:
    """Settings whose music is where `move` says, by each file's path and hash."""
    hashes = dict(told.split("=") for told in source.get(FILES, "").split())
    files = {name: move(path, hashes.get(name, "")) for name, path in named_files(settings).items()}
    return settings.changed("audio", files=tuple(_told(files))) if files else settings


def options_of(settings: Settings, source: Mapping[str, str]) -> dict[str, Any]:
    """The fields of a `Soundtrack` that a job's settings and source decide."""
    audio, start = settings.audio, Fraction(str(settings.audio.offset))
    if not audio.files and "first" in source:
        start += int(source["first"]) / settings.film.rate
    return {
        "start": start,
        "bpm": audio.bpm,
        "beat_offset": audio.beat_offset,
        "meter": audio.meter,
    }


def files_told(settings: Settings) -> str:
    """The files of `audio` by their names and hashes, wherever they lie."""
    return " ".join(f"{name}={input_hash(path)}" for name, path in named_files(settings).items())


def keep(settings: Settings, path: Path) -> None:
    """Write what was heard in the music of a film, where there is any."""
    if isinstance(settings.music, Soundtrack):
        settings.music.write(path)


def kept(path: Path, settings: Settings, source: Mapping[str, str]) -> Settings:
    """Settings with the music that a job keeps; a `ResumeError` where that is damaged."""
    if ANALYSIS not in source:
        return settings
    try:
        music = Soundtrack.read(path, **options_of(settings, source))
    except MediaError as error:
        raise ResumeError(str(error)) from None
    if music.sha256() != source[ANALYSIS]:
        raise ResumeError(f"{path}: is damaged; begin anew with --overwrite")
    return replace(settings, music=music)


def sound_of(settings: Settings, source: Mapping[str, str], frames: int) -> media.Sound | None:
    """The music under the first so many frames of a film; None where it has none.

    Raises:
        ResumeError: the files are not what the job began with.
    """
    songs = [path for path in named_files(settings).values() if not _is_table(path)]
    if not songs:
        return None
    must_be_the_same(settings, source)
    start = Fraction(str(settings.audio.offset))
    return media.Sound(songs[0], start, frames / settings.film.rate, track=1, alone=True)


def must_be_the_same(settings: Settings, source: Mapping[str, str]) -> None:
    """Raise `ResumeError` where the files of `audio` are not what the job began with."""
    for path in named_files(settings).values():
        if not path.is_file():
            raise ResumeError(
                f"{path}: the music is not there; put it back, or begin anew with --overwrite"
            )
    if settings.audio.files and files_told(settings) != source.get(FILES):
        shown = ", ".join(path.name for path in named_files(settings).values())
        raise ResumeError(
            f"{shown}: is not the music that the job began with; put that back, or begin anew "
            "with --overwrite"
        )


def follows_music(settings: Settings) -> bool:
    """Whether any schedule in the settings follows music."""
    return any(_hears(text) for text in _texts(settings.tree()))


def _texts(tree: Any) -> list[str]:
    if isinstance(tree, str):
        # A layer's weight is a schedule behind the layer's name.
        return [tree, tree.partition("=")[2]]
    inner = tree.values() if isinstance(tree, Mapping) else tree if isinstance(tree, list) else ()
    return [text for each in inner for text in _texts(each)]


def _hears(text: str) -> bool:
    if re.fullmatch(r"\s*[\d.]+\s*b\s*", text):
        return True  # the place of a key in a list
    try:
        return bool(text) and Schedule(text, "").hears
    except SettingsError:
        return False
