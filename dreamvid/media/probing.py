"""What a film is: found from its packets and first pictures, not believed of its header."""

import itertools
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.error
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from dreamvid.errors import MediaError
from dreamvid.frames import Size
from dreamvid.media.animations import Animation, animation_of, read_animation
from dreamvid.media.formats import check_pixels, head_of, no_film
from dreamvid.media.streams import (
    OPENED,
    Track,
    chosen_tracks,
    film_stream,
    shown_size,
    tracks_of,
)
from dreamvid.media.timing import Timing, even_timing, timing_of

_UNSPECIFIED = 2  # of a matrix, primaries or transfer in ITU-T H.273
_SAMPLED = 8  # pictures decoded to learn how a film is turned and scanned
_JUMPS = 0x0200  # AVFMT_TS_DISCONT: the clock of such a container may jump


@dataclass(frozen=True, kw_only=True)
class Film(Timing):
    """What a film is. Colour tags are the numbers of ITU-T H.273; 1 is BT.709.

    Attributes:
        width: of the stored pictures.
        height: of the stored pictures.
        size: as the film is to be shown: turned upright, with square pixels.
        missing: seconds that the header promises and the file does not hold.
        interlaced: whether pictures are two fields.
        depth: bits a channel.
        rotation: degrees that the stored pictures are turned by to be shown, counterclockwise.
        alpha: whether pixels may be transparent.
        tracks: the sounds.
        codec: of the pictures.
        decoder: ffmpeg's, where its usual one would lose the transparency.
        container: ffmpeg's name of the demuxer.
        stream: number of the video stream in the file.
        alpha_stream: number of the stream that holds its transparency, where that is one.
        pixel_format: ffmpeg's name.
        matrix: of the colours, 2 where the film does not say.
        primaries: of the colours, likewise.
        transfer: of the colours, likewise.
        full_range: whether black is 0 and white the largest value.
        animation: for a GIF, APNG or WebP, how it is read.
        stills: of pictures in a row, a file for each frame; None where one is missing.
        numbering: of pictures in a row, the number of the first and the step to the next.
    """

    width: int
    height: int
    size: Size
    missing: Fraction = Fraction(0)
    interlaced: bool = False
    depth: int = 8
    rotation: int = 0
    alpha: bool = False
    tracks: tuple[Track, ...] = ()
    codec: str
    decoder: str | None = None
    container: str
    stream: int = 0
    alpha_stream: int | None = None
    pixel_format: str
    matrix: int = _UNSPECIFIED
    primaries: int = _UNSPECIFIED
    transfer: int = _UNSPECIFIED
    full_range: bool = False
    animation: Animation | None = None
    stills: tuple[Path | None, ...] = ()
    numbering: tuple[int, int] = (0, 1)

    @property
    def sound(self) -> str | None:
        """The codec of the sound that is kept where none is asked for; None without one."""
        chosen = chosen_tracks(self.tracks, None)
        return chosen[0].codec if chosen else None


def probe(path: Path) -> Film:
    """What the film at `path` is; reads all of its packets, but decodes few.

    Raises:
        MediaError: the file is missing, damaged beyond use, holds no video, or too large a one.
    """
    head = head_of(path)
    kind = animation_of(head)
    if kind:
        return _probed_animation(path, kind)
    try:
        with av.open(os.fspath(path), **OPENED) as container:
            return _probed(path, container)
    except (av.error.FFmpegError, ValueError) as error:
        raise no_film(path, head) from error


def _probed(path: Path, container: InputContainer) -> Film:
    stream, alpha_stream, remark = film_stream(path, container)
    context = stream.codec_context
    check_pixels(path, Size(context.height, context.width))
    samples: list[VideoFrame] = []
    timing, held = _timing(path, container, stream, samples)
    sample = samples[0] if samples else None
    rotation = round(sample.rotation) % 360 if sample else 0
    parts = av.VideoFormat(context.pix_fmt).components if context.pix_fmt else ()
    tracks = tracks_of(container)
    with_alpha = stream.metadata.get("alpha_mode") == "1"
    decoder = {"vp8": "libvpx", "vp9": "libvpx-vp9"}.get(context.name) if with_alpha else None
    promised = (stream.duration or 0) * (stream.time_base or Fraction(0))
    lacking = promised - max(timing.duration, timing.last + held)
    size = shown_size(path, stream, rotation)
    check_pixels(path, size)
    return Film(
        **_told(path, timing, remark),
        width=context.width,
        height=context.height,
        size=size,
        missing=lacking if lacking > 2 / timing.rate else Fraction(0),
        interlaced=any(each.interlaced_frame for each in samples),
        depth=max((part.bits for part in parts), default=8),
        rotation=rotation,
        alpha=bool(decoder) or any(part.is_alpha for part in parts),
        tracks=tracks,
        codec=context.name,
        decoder=decoder,
        container=container.format.name,
        stream=stream.index,
        alpha_stream=alpha_stream,
        pixel_format=context.pix_fmt or "unknown",
        matrix=int(context.colorspace),
        primaries=int(context.color_primaries),
        transfer=int(context.color_trc),
        full_range=int(context.color_range) == 2,
    )


def _told(path: Path, timing: Timing, remark: str = "") -> dict[str, Any]:
    """What a film has of its timing; its remarks name the file."""
    remarks = [f"{path.name}: {each}" for each in timing.remarks] + ([remark] if remark else [])
    return {**vars(timing), "remarks": tuple(remarks)}


def _timing(
    path: Path, container: InputContainer, stream: VideoStream, samples: list[VideoFrame]
) -> tuple[Timing, Fraction]:
    """The timing of all packets of `stream`, and for how long the last one says it is shown.

    Puts the first pictures into `samples`.
    """
    jumps = container.format.flags & _JUMPS
    base = stream.time_base or Fraction(1, 1000)
    ticks: list[int] = []
    latest, held, before = -(2**62), 0, None
    # AVI keeps no times of pictures; what readers make up for those out of order is wrong.
    timed, coded, delay = container.format.name != "avi", [], 0
    for packet in _packets(container, stream):
        if len(samples) < _SAMPLED:
            samples += _pictures_in(packet)
            delay += bool(packet.size and not samples)
        if packet.dts is not None:
            if jumps and before is not None:
                timed &= 0 <= (packet.dts - before) * base < 10
            before = packet.dts
        if not packet.size or packet.is_discard or _is_hidden(packet, stream):
            continue
        timed &= packet.pts is not None
        ticks.append(packet.pts or 0)
        coded.append(packet.dts)
        if ticks[-1] > latest:
            latest, held = ticks[-1], packet.duration or 0
    if not ticks:
        raise MediaError(f"{path}: holds no frames, expected at least one; fetch or save it again")
    guesses = (stream.guessed_rate, stream.average_rate, stream.base_rate)
    if timed:
        return timing_of(ticks, held, base, guesses), held * base
    if None not in coded and container.format.name == "avi":
        # Its pictures come out in order, but as much later as the decoder holds them back.
        delay = delay if delay < len(coded) else 0
        shown = [place - (coded[delay] - coded[0]) for place in coded[delay:]]
        shown += range(shown[-1] + 1, shown[-1] + 1 + len(coded) - len(shown))
        return replace(timing_of(shown, held, base, guesses), timed=False), held * base
    return even_timing(len(ticks), guesses), Fraction(0)


def _packets(container: InputContainer, stream: VideoStream) -> Iterator[av.Packet]:
    packets = container.demux(stream)
    while True:
        try:
            yield next(packets)
        except (StopIteration, av.error.FFmpegError, ValueError):
            return  # a torn tail is told of by `missing` and by the decoder


def _pictures_in(packet: av.Packet) -> list[VideoFrame]:
    try:
        return [each for each in packet.decode() if isinstance(each, VideoFrame)]
    except (av.error.FFmpegError, ValueError):
        return []


def _is_hidden(packet: av.Packet, stream: VideoStream) -> bool:
    """Whether a packet only helps to make other pictures, which in VP8 a bit of it tells."""
    return stream.codec_context.name == "vp8" and not bytes(packet)[0] & 0x10


def _probed_animation(path: Path, kind: str) -> Film:
    """GIF, APNG and WebP tell how long each of their pictures is shown."""
    animation = read_animation(path, kind)
    waits, origin = animation.waits, Fraction(0)
    base = Fraction(1, math.lcm(*(wait.denominator for wait in waits)))
    if base < Fraction(1, 10**9):
        base = Fraction(1, 90_000)
    ticks = [round(end / base) for end in itertools.accumulate(waits, initial=origin)]
    usual, average = 1 / min(waits), len(waits) / sum(waits, Fraction(0))
    timing = timing_of(ticks[:-1], ticks[-1] - ticks[-2], base, (usual, average))
    return Film(
        **_told(path, timing),
        width=animation.size.width,
        height=animation.size.height,
        size=animation.size,
        alpha=True,
        codec=animation.kind,
        container=animation.kind,
        pixel_format="rgba",
        animation=animation,
    )
