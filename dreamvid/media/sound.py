"""The sound of a source film, laid under a film of ours."""

import contextlib
import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import av.error
from av.container import InputContainer

from dreamvid.errors import EncodeError, MediaError
from dreamvid.frames import Size
from dreamvid.media.atomic import storage_error
from dreamvid.media.ffmpeg import (
    QUIETLY,
    executable,
    is_complaint,
    last_words,
    packets_in,
    ran,
    storage_reason,
)
from dreamvid.media.formats import DEMUXERS, EXACT_SEEKING, head_of
from dreamvid.media.probing import Film, probe
from dreamvid.media.streams import OPENED, Track, chosen_tracks, tracks_of
from dreamvid.media.timing import even_timing

HEARD = f"{DEMUXERS},wav,w64,mp3,flac,aac,aiff,caf,au,ac3,eac3,wv,tta,ape"
"""The containers of files that are only heard."""
_EARLY = Fraction(1, 10)  # seconds: more than any codec's start-up, which players skip
_LAYOUTS = "aformat=channel_layouts=mono|stereo|5.1|7.1"  # that every encoder here knows
_PRIMING = 1024  # samples of a packet of AAC
_LEAD = 10  # seconds before the range at which reading begins


@dataclass(frozen=True)
class Sound:
    """The sound of a film or a part of it, in seconds from the film's first picture.

    `track` is its number, from 1 on; None takes what `chosen_tracks` chooses.
    """

    path: Path
    start: Fraction
    duration: Fraction
    track: int | None = None
    alone: bool = False
    """Whether the file is only heard: it need not be a film, and its times are its own."""


@dataclass(frozen=True)
class SoundFormat:
    """What a container takes: codecs that may stay as they are, and how others are encoded."""

    copied: frozenset[str]
    arguments: tuple[str, ...]


def add_sound(
    part: Path,
    path: Path,
    sound: Sound,
    form: SoundFormat,
    container: Sequence[str],
    say: Callable[[str], None],
    stall_seconds: float,
) -> None:
    """Lay `sound` under the finished film at `part`; where that fails it stays silent.

    A track is copied packet by packet where the container takes its codec and all of it is
    wanted, else it is encoded.

    Args:
        part: the film, which is replaced.
        path: what it will be called, for messages.
        sound: what to lay under it.
        form: of the sound in this container.
        container: ffmpeg's options for it.
        say: takes a line where the sound is lost or damaged.
        stall_seconds: how long ffmpeg may show no sign of life before it is stopped.

    Raises:
        StorageError: the disk is full, read-only or broken.
    """
    # A name of its own, as short as any, beside the film: it must be on the same disk.
    digest = hashlib.blake2b(os.fsencode(path.name), digest_size=6).hexdigest()
    heard = part.with_name(f".{digest}.part")
    pictures = packets_in(part, "0:v")
    reason = "it holds none that can be read"
    try:
        source = _heard_only(sound.path) if sound.alone else probe(sound.path)
        if not source.tracks:
            return
        tracks = chosen_tracks(source.tracks, sound.track)
        for arguments in _ways(sound, source, form, tracks):
            command = _command(part, heard, sound, source, arguments, container)
            status, lines = ran(command, heard, stall_seconds)
            full = storage_reason(lines, status)
            if full:
                raise storage_error(path, full)
            if status:
                reason = last_words(lines, status)
            elif packets_in(heard, "0:v") == pictures and packets_in(heard, "0:a"):
                complaints = sum(map(is_complaint, lines))
                if complaints:
                    say(f"{path.name}: the sound is damaged ({complaints} complaints of ffmpeg)")
                heard.replace(part)
                return
    except (MediaError, EncodeError) as error:
        reason = str(error)
    finally:
        with contextlib.suppress(OSError):
            heard.unlink()
    say(f"{path.name}: the sound of {sound.path.name} cannot be kept ({reason}); it is silent")


def check_sound(path: Path) -> None:
    """Raise `MediaError` where there is no sound in a file that ffmpeg could lay under a film."""
    head_of(path)
    _heard_only(path)


def begins(container: InputContainer) -> Fraction:
    """When the sound of a file that is only heard begins on its clock, in seconds.

    Encoders put samples before the sound, which players leave out. MP3 tells of them by a clock
    that begins late; a bare AAC stream does not tell, and has at least a packet of them.
    """
    if container.format.name == "aac":
        return Fraction(_PRIMING, container.streams.audio[0].rate or 44100)
    return Fraction(container.start_time or 0, av.time_base)


def _heard_only(path: Path) -> Film:
    """What `add_sound` must know of a file that is only heard."""
    options = {"protocol_whitelist": "file", "format_whitelist": HEARD}
    try:
        with av.open(os.fspath(path), options=options, metadata_errors="replace") as container:
            tracks, name = tracks_of(container), container.format.name
            origin = begins(container) if tracks else Fraction(0)
    except (av.error.FFmpegError, ValueError) as error:
        raise MediaError(
            f"{path}: holds no sound that can be read; expected a sound file"
        ) from error
    if not tracks:
        raise MediaError(f"{path}: holds no sound that can be read; expected a sound file")
    return Film(
        **{**vars(even_timing(1, ())), "origin": origin},
        width=1,
        height=1,
        size=Size(1, 1),
        tracks=tracks,
        codec="",
        container=name,
        pixel_format="",
    )


def _ways(
    sound: Sound, source: Film, form: SoundFormat, tracks: Sequence[Track]
) -> list[tuple[str, ...]]:
    """Ffmpeg's options for the sound, the best first."""
    frame = 1 / source.rate
    whole = not sound.alone and sound.start == 0 and sound.duration > source.duration - frame
    encoded = _encoded(sound, source, form, tracks)
    if not whole or len(tracks) > 1 or tracks[0].codec not in form.copied:
        return [encoded]
    if _begins(sound.path, tracks[0]) < source.origin - _EARLY:
        return [encoded]
    end = sound.duration + Fraction(1, 1000)  # so that rounding never takes the last packet
    copied = ("-map", f"1:a:{tracks[0].number - 1}", "-c:a", "copy", "-t", f"{float(end):.6f}")
    return [copied, encoded]


def _encoded(
    sound: Sound, source: Film, form: SoundFormat, tracks: Sequence[Track]
) -> tuple[str, ...]:
    shift, end = source.origin + sound.start, float(sound.duration)
    # Silence before a late beginning and in gaps; nothing is ever stretched.
    timed = f"asetpts=PTS-({shift})/TB,atrim=start=0:end={end:.6f},aresample=async=1:first_pts=0"
    sides = [f"[1:a:{track.number - 1}]{timed}" for track in tracks]
    if len(tracks) == 1:
        graph = f"{sides[0]},{_LAYOUTS}[sound]"
    else:
        joined = "[left][right]join=inputs=2:channel_layout=stereo[sound]"
        graph = f"{sides[0]}[left];{sides[1]}[right];{joined}"
    return ("-filter_complex", graph, "-map", "[sound]", *form.arguments)


def _begins(path: Path, track: Track) -> Fraction:
    """When a sound of a film begins on the container's clock, in seconds."""
    try:
        with av.open(os.fspath(path), **OPENED) as container:
            stream = container.streams.audio[track.number - 1]
            return (stream.start_time or 0) * (stream.time_base or Fraction(0))
    except (av.error.FFmpegError, IndexError, ValueError) as error:
        raise MediaError(f"{path}: its sound cannot be read ({error})") from error


def _command(
    part: Path,
    heard: Path,
    sound: Sound,
    source: Film,
    arguments: Sequence[str],
    container: Sequence[str],
) -> list[str]:
    copied = "copy" in arguments
    shift = ("-itsoffset", f"{-float(source.origin):.6f}") if copied else ()
    seek: tuple[str, ...] = ()
    if not copied and sound.start > _LEAD and any(n in source.container for n in EXACT_SEEKING):
        early = float(source.origin + sound.start - _LEAD)
        seek = ("-seek_timestamp", "1", "-noaccurate_seek", "-ss", f"{early:.6f}")
    return [
        *(executable(), *QUIETLY, "-y", "-progress", "pipe:2", "-stats_period", "0.5", "-copyts"),
        *("-protocol_whitelist", "file", "-i", f"file:{part}"),
        *("-protocol_whitelist", "file", "-format_whitelist", HEARD if sound.alone else DEMUXERS),
        *(*shift, *seek, "-i", f"file:{sound.path.absolute()}", "-map", "0:v"),
        *("-c:v", "copy", *arguments, "-map_metadata", "0", "-map_metadata:s:a", "-1"),
        *("-fflags", "+bitexact", "-flags:a", "+bitexact", *container, f"file:{heard}"),
    ]
