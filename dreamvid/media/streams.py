"""Which streams of a file are the film and its sound, and how large what they show is."""

import os
import re
import subprocess
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import av.error
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from dreamvid.errors import EncodeError, MediaError, SettingsError
from dreamvid.frames import Size
from dreamvid.media.ffmpeg import executable, killed, started
from dreamvid.media.formats import DEMUXERS, LARGEST_PICTURE

OPENED = {
    "options": {"protocol_whitelist": "file", "format_whitelist": DEMUXERS, "fflags": "+genpts"},
    # Titles are in any encoding; what cannot be read of them is no reason to refuse a film.
    "metadata_errors": "replace",
}
"""How PyAV opens a file: as a film and nothing else."""
_PICTURES = Disposition.attached_pic | Disposition.timed_thumbnails
_CROPPING = ("mov", "matroska")  # containers that may say that only a part is to be shown
_SECONDS = 20


def film_stream(path: Path, container: InputContainer) -> tuple[VideoStream, int | None, str]:
    """The stream that is the film, its alpha's number where that is a stream, and a remark.

    A film has more than one picture, is no thumbnail, and is marked as the default or comes first.

    Raises:
        MediaError: there is none.
    """
    streams = [each for each in container.streams.video if not each.disposition & _PICTURES]
    if not streams:
        what = "only a cover picture" if container.streams.video else "no video"
        raise MediaError(f"{path}: has {what} in it, expected a film")
    if len(streams) == 1:
        return streams[0], None, ""
    counts = _pictures_in(path, [each.index for each in streams])
    most = max(counts.values(), default=0)
    least = max(2, most / 10) if most > 1 else 0  # a few pictures of a film are its preview
    films = [each for each in streams if counts[each.index] >= least]
    films.sort(key=lambda each: not each.disposition & Disposition.default)
    coloured = [each for each in films if not _is_grey(each)]
    film = (coloured or films)[0]
    alphas = [each for each in films if _is_alpha(each, film, container)]
    others = [each for each in films if each is not film and each not in alphas]
    named = ", ".join(f"{each.index + 1} ({each.width}x{each.height})" for each in others)
    remark = f"{path.name}: of its films, stream {film.index + 1} is taken, left out: {named}"
    return film, alphas[0].index if alphas else None, remark if others else ""


def _pictures_in(path: Path, indices: Sequence[int]) -> Counter[int]:
    counts: Counter[int] = Counter()
    try:
        with av.open(os.fspath(path), **OPENED) as container:
            for packet in container.demux([container.streams[index] for index in indices]):
                counts[packet.stream.index] += bool(packet.size)
    except (av.error.FFmpegError, ValueError):
        pass  # a torn tail: what was found until there tells enough
    return counts


def _is_grey(stream: VideoStream) -> bool:
    return (stream.codec_context.pix_fmt or "").startswith("gray")


def _is_alpha(stream: VideoStream, film: VideoStream, container: InputContainer) -> bool:
    """Whether `stream` is the transparency of a picture sequence."""
    brands = " ".join(container.metadata.get(f"{name}_brand{s}", "") for name, s in
                      (("major", ""), ("compatible", "s")))  # fmt: skip
    alike = (stream.width, stream.height) == (film.width, film.height)
    return stream is not film and alike and _is_grey(stream) and bool(
        re.search("avis|msf1|hevc", brands)
    )  # fmt: skip


def shown_size(path: Path, stream: VideoStream, rotation: int) -> Size:
    """The size of the stream's pictures upright, cropped and with square pixels."""
    turned = rotation in (90, 270)
    size, aspect = Size(stream.height, stream.width), stream.sample_aspect_ratio or Fraction(1)
    if any(name in stream.container.format.name for name in _CROPPING):
        measured = _measured(path, stream.index)
        if measured:
            size, aspect = measured
            if turned:
                size, aspect = Size(size.width, size.height), 1 / aspect
    if not Fraction(1, 16) <= aspect <= 16:
        aspect = Fraction(1)  # nobody makes such pixels: a fault in the header
    size = Size(size.height, max(1, round(size.width * aspect)))
    return Size(size.width, size.height) if turned else size


def _measured(path: Path, index: int) -> tuple[Size, Fraction] | None:
    """The size and the shape of pixels of the first picture as ffmpeg shows it, upright.

    PyAV does not tell of the cropping that a container asks for, which ffmpeg heeds.
    """
    command = [
        *("-nostdin", "-v", "quiet", "-protocol_whitelist", "file", "-format_whitelist", DEMUXERS),
        *("-threads", "1", "-max_pixels", str(LARGEST_PICTURE)),
        *("-i", f"file:{path.absolute()}", "-map", f"0:{index}", "-frames:v", "1"),
        *("-pix_fmt", "yuv420p", "-f", "yuv4mpegpipe", "-protocol_whitelist", "pipe", "pipe:1"),
    ]
    nothing = subprocess.DEVNULL
    try:
        process = started([executable(), *command], stdin=nothing, stdout=subprocess.PIPE,
                          stderr=nothing)  # fmt: skip
    except EncodeError:
        return None  # that there is no ffmpeg is said where one is needed
    try:
        data, _ = process.communicate(timeout=_SECONDS)
    except subprocess.TimeoutExpired:
        return None
    finally:
        killed(process)
    found = re.match(rb"YUV4MPEG2 W(\d+) H(\d+) (?:.*? )?A(\d+):(\d+)", data)
    if not found:
        return None
    width, height, above, below = map(int, found.groups())
    return Size(height, width), Fraction(above, below) if above and below else Fraction(1)


@dataclass(frozen=True)
class Track:
    """One sound of a film.

    Attributes:
        number: from 1 on, as people count.
        codec: ffmpeg's name.
        channels: how many.
        default: whether the file marks it as the one to play.
        language: of three letters, empty where the file does not say.
        title: empty likewise.
    """

    number: int
    codec: str
    channels: int
    default: bool
    language: str = ""
    title: str = ""

    def __str__(self) -> str:
        words = [word for word in (self.title, self.language) if word]
        return f"{self.number} ({', '.join([*words, self.codec])})"


def tracks_of(container: InputContainer) -> tuple[Track, ...]:
    """The sounds of a film, in order."""
    return tuple(_track(number, stream) for number, stream in enumerate(container.streams.audio, 1))


def _track(number: int, stream: AudioStream) -> Track:
    context = stream.codec_context
    language = stream.metadata.get("language", "")
    return Track(
        number,
        context.codec.canonical_name if context else "unknown",
        context.channels if context else 0,
        bool(stream.disposition & Disposition.default),
        "" if language == "und" else language,
        stream.metadata.get("title", ""),
    )


def chosen_tracks(tracks: Sequence[Track], asked: int | None) -> tuple[Track, ...]:
    """The sounds to keep: one, or two of one channel each that a camera recorded side by side.

    Raises:
        SettingsError: there is no sound of the number `asked`.
    """
    if asked is not None:
        if not 1 <= asked <= len(tracks):
            have = ", ".join(map(str, tracks)) or "none"
            raise SettingsError(
                f"video.sound_track: got {asked}, the film's sound tracks are: {have}"
            )
        return (tracks[asked - 1],)
    if len(tracks) == 2 and _are_sides(*tracks):
        return tuple(tracks)
    marked = [track for track in tracks if track.default]
    return tuple((marked or list(tracks))[:1])


def _are_sides(left: Track, right: Track) -> bool:
    """Whether two sounds are the left and the right of one: nothing sets them apart."""
    alike = (left.codec, left.channels) == (right.codec, right.channels)
    named = left.title != right.title or left.language != right.language
    return alike and left.channels == 1 and not named and (left.default or not right.default)


def heard(path: Path, tracks: Sequence[Track], asked: int | None = None) -> str:
    """What to say of the sounds that are kept and left out; nothing where there is one."""
    if not tracks and asked is None:
        return ""
    chosen = chosen_tracks(tracks, asked)
    if len(chosen) == 2:
        return f"{path.name}: its two sound tracks of one channel are kept as left and right"
    left = ", ".join(str(track) for track in tracks if track not in chosen)
    return f"{path.name}: of its sound, track {chosen[0]} is kept, left out: {left}" if left else ""
