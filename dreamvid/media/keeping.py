"""What a film has beside pictures and sound: title, date, chapters and subtitles, kept."""

import contextlib
import hashlib
import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import av.error

from dreamvid.errors import EncodeError
from dreamvid.media.atomic import storage_error
from dreamvid.media.ffmpeg import (
    QUIETLY,
    executable,
    killed,
    last_words,
    packets_in,
    ran,
    started,
    storage_reason,
)
from dreamvid.media.formats import DEMUXERS
from dreamvid.media.streams import OPENED

WORDS = ("title", "date", "creation_time", "artist", "album", "genre", "copyright", "description")
"""What is kept of a film's words."""
_SECONDS = 600
_UNKNOWN = "unknown"
_PICTURES = frozenset({"hdmv_pgs_subtitle", "dvd_subtitle", "dvb_subtitle", "xsub", "dvb_teletext"})
_DIALOGUE = re.compile(r"^(Dialogue: [^,]*,)([^,]+),([^,]+)(,.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Keeps:
    """What a container can hold beside pictures and sound.

    Attributes:
        words: a title and a date.
        moment: the time of day of that date too.
        chapters: chapters.
        subtitles: ffmpeg's codec of subtitles that are text; None where there are none.
        copied: codecs of subtitles that may stay as they are.
    """

    words: bool = False
    moment: bool = True
    chapters: bool = False
    subtitles: str | None = None
    copied: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Extras:
    """What a film, or a part of it, has beside pictures and sound.

    `start` and `duration` are in seconds, from the film's first picture. `origin` is the
    container's time of that. Without `timed`, only words are kept.
    """

    path: Path
    origin: Fraction
    start: Fraction
    duration: Fraction
    whole: bool
    timed: bool = True


@dataclass(frozen=True)
class _Subtitle:
    number: int
    codec: str
    language: str
    title: str

    def __str__(self) -> str:
        words = [word for word in (self.title, self.language) if word]
        return ", ".join([*words, self.codec])


def words_of(extras: Extras | None, keeps: Keeps) -> dict[str, str]:
    """The words of a film that a container can hold, by ffmpeg's names."""
    if extras is None or not keeps.words:
        return {}
    found = _opened(extras.path)[0]
    if not keeps.moment and (moment := found.pop("creation_time", "")):
        found.setdefault("date", moment[:10])
    return {name: found[name] for name in WORDS if found.get(name)}


def _opened(path: Path) -> tuple[dict[str, str], list[_Subtitle]]:
    try:
        with av.open(os.fspath(path), **OPENED) as container:
            words = {key.lower(): text for key, text in container.metadata.items()}
            return words, [
                _Subtitle(
                    number,
                    stream.codec_context.codec.canonical_name if stream.codec_context else _UNKNOWN,
                    stream.metadata.get("language", ""),
                    stream.metadata.get("title", ""),
                )
                for number, stream in enumerate(container.streams.subtitles)
            ]
    except (av.error.FFmpegError, ValueError):
        return {}, []


def add_extras(
    part: Path,
    path: Path,
    extras: Extras,
    keeps: Keeps,
    container: Sequence[str],
    say: Callable[[str], None],
    stall_seconds: float,
) -> None:
    """Put a film's chapters and subtitles into the finished film at `part`.

    What the container cannot hold is told; where anything fails the film stays without.

    Args:
        part: the film, which is replaced.
        path: what it will be called, for messages.
        extras: what to put into it.
        keeps: what the container can hold.
        container: ffmpeg's options for it.
        say: takes a line about what is lost.
        stall_seconds: how long ffmpeg may show no sign of life before it is stopped.

    Raises:
        StorageError: the disk is full, read-only or broken.
    """
    subtitles = _opened(extras.path)[1] if extras.timed and keeps.subtitles else []
    chapters = _chapters(extras) if extras.timed and keeps.chapters else ""
    fit = [each for each in subtitles if _fits(each, extras, keeps)]
    if not fit and not chapters:
        return
    digest = hashlib.blake2b(os.fsencode(path.name), digest_size=6).hexdigest()
    with_extras = part.with_name(f".{digest}.part")
    try:
        with tempfile.TemporaryDirectory(prefix="dreamvid-") as folder:
            inputs = _inputs(Path(folder), extras, fit, chapters, keeps)
            command = [
                *(executable(), *QUIETLY, "-y", "-progress", "pipe:2", "-stats_period", "0.5"),
                *("-protocol_whitelist", "file", "-i", f"file:{part}"),
                *(*inputs, "-fflags", "+bitexact", *container, f"file:{with_extras}"),
            ]
            status, lines = ran(command, with_extras, stall_seconds)
        if full := storage_reason(lines, status):
            raise storage_error(path, full)
        reason = last_words(lines, status) if status else ""
        if not reason and packets_in(with_extras, "0:v") == packets_in(part, "0:v"):
            with_extras.replace(part)
            return
    except EncodeError as error:
        reason = str(error)
    finally:
        with contextlib.suppress(OSError):
            with_extras.unlink()
    say(f"{path.name}: the chapters and subtitles of {extras.path.name} are lost ({reason})")


def lost(extras: Extras, keeps: Keeps, path: Path, name: str) -> str:
    """A line that names what a film has and its dream cannot hold; nothing where all is kept."""
    words, subtitles = _opened(extras.path)
    gone = []
    if not keeps.words:
        gone += ["its title"] * bool(words.get("title"))
        gone += ["its date"] * bool(words.get("date") or words.get("creation_time"))
    if not (keeps.chapters and extras.timed) and _metadata(extras.path).count("[CHAPTER]"):
        gone.append("its chapters")
    left = [each for each in subtitles if not (extras.timed and _fits(each, extras, keeps))]
    gone += [f"subtitles ({each})" for each in left]
    if not gone:
        return ""
    why = f"{name} cannot keep" if extras.timed else "no longer fit the pictures and are left out:"
    return f"{path.name}: {why} of {extras.path.name}: {', '.join(gone)}"


def _fits(subtitle: _Subtitle, extras: Extras, keeps: Keeps) -> bool:
    if keeps.subtitles is None or subtitle.codec == _UNKNOWN:
        return False
    if subtitle.codec in _PICTURES:
        return extras.whole and subtitle.codec in keeps.copied
    return True


def _inputs(
    folder: Path, extras: Extras, subtitles: Sequence[_Subtitle], chapters: str, keeps: Keeps
) -> list[str]:
    """Ffmpeg's options that add subtitles and chapters to its first input."""
    told, maps, options = folder / "chapters", [], []
    told.write_text(";FFMETADATA1\n" + chapters, "utf-8")
    inputs = ["-f", "ffmetadata", "-i", f"file:{told}"]
    for each in subtitles:
        place = len(maps) // 2
        if extras.whole and each.codec in keeps.copied:
            source = ("-protocol_whitelist", "file", "-format_whitelist", DEMUXERS)
            shift = f"{-float(extras.origin):.6f}"
            inputs += ["-copyts", *source, "-itsoffset", shift]
            inputs += ["-i", f"file:{extras.path.absolute()}"]
            maps += ["-map", f"{place + 2}:s:{each.number}"]
            options += [f"-c:s:{place}", "copy"]
        else:
            lines = _cut(_as_text(extras.path, each), extras)
            if not _DIALOGUE.search(lines):
                continue  # nothing is said in this part
            text = folder / f"{place}.ass"
            text.write_text(lines, "utf-8")
            inputs += ["-f", "ass", "-i", f"file:{text}"]
            maps += ["-map", f"{place + 2}:s:0"]
            options += [f"-c:s:{place}", str(keeps.subtitles)]
        for key, word in (("language", each.language), ("title", each.title)):
            options += [f"-metadata:s:s:{place}", f"{key}={word}"] if word else []
    chaptered = ("-map_chapters", "1" if chapters else "-1")
    copied = ("-c:v", "copy", "-c:a", "copy", "-map_metadata", "0")
    return [*inputs, "-map", "0:v", "-map", "0:a?", *maps, *copied, *options, *chaptered]


def _read(command: Sequence[str]) -> str:
    nothing, pipe = subprocess.DEVNULL, subprocess.PIPE
    process = started([executable(), *command], stdin=nothing, stdout=pipe, stderr=nothing)
    try:
        data, _ = process.communicate(timeout=_SECONDS)
    except subprocess.TimeoutExpired:
        return ""
    finally:
        killed(process)
    return data.decode("utf-8", "replace")


def _source(path: Path) -> tuple[str, ...]:
    return ("-nostdin", "-v", "quiet", "-protocol_whitelist", "file,pipe", "-format_whitelist",
            DEMUXERS, "-copyts", "-i", f"file:{path.absolute()}")  # fmt: skip


def _as_text(path: Path, subtitle: _Subtitle) -> str:
    """A subtitle in the format of Advanced SubStation, with the container's times."""
    which = ("-map", f"0:s:{subtitle.number}", "-c:s", "ass", "-f", "ass", "pipe:1")
    return _read([*_source(path), *which])


def _cut(text: str, extras: Extras) -> str:
    """Those lines of a subtitle that are seen in the part, at their times there."""
    begin = extras.origin + extras.start

    def shifted(line: re.Match[str]) -> str:
        start, end = (_seconds(line[n]) - begin for n in (2, 3))
        if end <= 0 or start >= extras.duration:
            return ""
        start, end = max(start, Fraction(0)), min(end, extras.duration)
        return f"{line[1]}{_clock(start)},{_clock(end)}{line[4]}"

    return _DIALOGUE.sub(shifted, text)


def _seconds(clock: str) -> Fraction:
    hours, minutes, seconds = clock.strip().split(":")
    return 3600 * int(hours) + 60 * int(minutes) + Fraction(seconds)


def _clock(seconds: Fraction) -> str:
    hundredths = round(seconds * 100)
    minutes, rest = divmod(hundredths, 6000)
    return f"{minutes // 60}:{minutes % 60:02}:{rest // 100:02}.{rest % 100:02}"


def _metadata(path: Path) -> str:
    return _read([*_source(path), "-f", "ffmetadata", "pipe:1"])


def _chapters(extras: Extras) -> str:
    """The chapters of a part, in ffmpeg's own format of metadata."""
    begin, kept = extras.origin + extras.start, []
    for body in _metadata(extras.path).split("[CHAPTER]")[1:]:
        values = _values(body)
        base = Fraction(values.get("TIMEBASE", "1/1000000000"))
        start, end = (int(values.get(key, 0)) * base - begin for key in ("START", "END"))
        if end <= 0 or start >= extras.duration:
            continue
        times = [
            round(1000 * each) for each in (max(start, Fraction(0)), min(end, extras.duration))
        ]
        title = f"title={values['title']}\n" if "title" in values else ""
        kept.append(f"[CHAPTER]\nTIMEBASE=1/1000\nSTART={times[0]}\nEND={times[1]}\n{title}")
    return "".join(kept)


def _values(body: str) -> Mapping[str, str]:
    """The values of a part of ffmpeg's metadata; those of several lines stay escaped."""
    lines = re.findall(r"^(\w+)=((?:[^\n\\]|\\.)*)", body, re.MULTILINE | re.DOTALL)
    return dict(lines)
