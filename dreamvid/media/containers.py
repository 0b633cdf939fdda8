"""Encoders of films: MP4, M4V, MOV, MKV, AVI, WebM and Y4M."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

from dreamvid.media.codecs import Coded, Preset, coded, in_bt709
from dreamvid.media.keeping import Keeps
from dreamvid.media.registered import Encoding, encoders
from dreamvid.media.sound import SoundFormat
from dreamvid.registry import Within

_AAC = ("-c:a", "aac", "-b:a", "192k")
_COMMON = frozenset({"aac", "mp3", "ac3", "eac3", "alac"})
_PCM = frozenset(f"pcm_s{bits}le" for bits in (16, 24, 32))
_MP4_SOUND = SoundFormat(_COMMON | {"opus", "flac"}, _AAC)
_MOV_SOUND = SoundFormat(_COMMON | _PCM, _AAC)
_MKV_SOUND = SoundFormat(_COMMON | _PCM | {"opus", "vorbis", "flac", "dts", "truehd"}, _AAC)
_AVI_SOUND = SoundFormat(frozenset({"mp3", "ac3"}), ("-c:a", "libmp3lame", "-b:a", "192k"))
_WEBM_SOUND = SoundFormat(frozenset({"opus", "vorbis"}), ("-c:a", "libopus", "-b:a", "160k"))

_MP4 = ("-movflags", "+faststart", "-f", "mp4")
_MP4_KEEPS = Keeps(words=True, chapters=True, subtitles="mov_text")
_MKV_KEEPS = Keeps(
    words=True,
    chapters=True,
    subtitles="srt",
    copied=frozenset({"subrip", "ass", "webvtt", "hdmv_pgs_subtitle", "dvd_subtitle"}),
)
_WEBM_KEEPS = Keeps(words=True, chapters=True, subtitles="webvtt")

Crf = Annotated[int, Within(0, 63)]
Mp4Codec = Literal["h264", "hevc", "av1", "nvenc", "auto", "x264"]
MovCodec = Literal["prores", "h264", "hevc"]
MkvCodec = Literal["h264", "hevc", "av1", "vp9", "prores", "ffv1"]
AviCodec = Literal["h264", "ffv1"]
WebmCodec = Literal["vp9", "av1"]

LOOPED: Mapping[str, Mapping[str, Any]] = {
    name: {"crf": 13, "steady": True} for name in ("mp4", "m4v")
}
"""Options of encoders for films that are played over and over, where none are given."""


@encoders.register
def mp4(
    *,
    crf: Annotated[int, Within(0, 51)] = 16,
    preset: Preset = "medium",
    steady: bool = False,
    codec: Mp4Codec = "h264",
) -> Encoding:
    """H.264 that plays everywhere; a lower crf keeps more detail, steady as much at the end.

    The codecs hevc and av1 make smaller files that fewer programs play. The codec nvenc is H.264
    by an NVIDIA GPU, auto takes it where it works; only h264, also called x264, gives the same
    bytes again elsewhere, and it keeps more detail in as many.
    """
    film = coded(codec, get_args(Mp4Codec), crf=crf, preset=preset, steady=steady, tagged=True)
    return _encoding(film, _MP4, _MP4_SOUND, _MP4_KEEPS)


@encoders.register
def m4v(
    *,
    crf: Annotated[int, Within(0, 51)] = 16,
    preset: Preset = "medium",
    steady: bool = False,
    codec: Mp4Codec = "h264",
) -> Encoding:
    """An MP4 under the name that Apple's programs use; see mp4."""
    return mp4(crf=crf, preset=preset, steady=steady, codec=codec)


@encoders.register
def webm(
    *,
    crf: Crf = 24,
    speed: Annotated[int, Within(0, 5)] = 2,
    codec: WebmCodec = "vp9",
    preset: Preset = "medium",
) -> Encoding:
    """VP9 for the web; a lower crf keeps more detail, a higher speed less; or av1, by preset."""
    film = coded(codec, get_args(WebmCodec), crf=crf, speed=speed, preset=preset)
    return _encoding(film, ("-f", "webm"), _WEBM_SOUND, _WEBM_KEEPS)


@encoders.register
def mov(
    *,
    profile: Literal["standard", "hq"] = "hq",
    codec: MovCodec = "prores",
    crf: Annotated[int, Within(0, 51)] = 16,
    preset: Preset = "medium",
) -> Encoding:
    """ProRes 422 with 10 bits, for editing; or h264 or hevc, by crf and preset."""
    film = coded(codec, get_args(MovCodec), profile=profile, crf=crf, preset=preset, tagged=True)
    return _encoding(film, ("-f", "mov"), _MOV_SOUND, _MP4_KEEPS)


@encoders.register
def mkv(*, codec: MkvCodec = "h264", crf: Crf = 16, preset: Preset = "medium") -> Encoding:
    """Matroska, which holds any codec; ffv1 loses nothing of the frames, whatever their depth."""
    film = coded(codec, get_args(MkvCodec), crf=crf, preset=preset)
    return _encoding(film, ("-f", "matroska"), _MKV_SOUND, _MKV_KEEPS)


@encoders.register
def avi(*, codec: AviCodec = "h264", crf: Crf = 16, preset: Preset = "medium") -> Encoding:
    """AVI, for old programs; ffv1 loses nothing of the frames, whatever their depth."""
    film = coded(codec, get_args(AviCodec), crf=crf, preset=preset)
    # AVI keeps no times, and readers differ over pictures that come out of order.
    in_order = ("-bf", "0") if codec == "h264" else ()
    return _encoding(film, (*in_order, "-f", "avi"), _AVI_SOUND, Keeps(words=True, moment=False))


@encoders.register
def y4m() -> Encoding:
    """Raw pictures for other programs, as a file or, with -o -, through a pipe."""
    # It names no matrix of its colours: readers take old television's below 720 lines.
    container = ("-f", "yuv4mpegpipe")
    return Encoding(
        (*in_bt709("yuv444p"), *container), small=(*in_bt709("yuv444p", "bt601"), *container)
    )


def _encoding(
    film: Coded, container: tuple[str, ...], sound: SoundFormat, keeps: Keeps
) -> Encoding:
    return Encoding(
        (*film.arguments, *container),
        film.block,
        depth=film.depth,
        limit=film.limit,
        largest=film.largest,
        smallest=film.smallest,
        otherwise=(*film.otherwise, *container) if film.otherwise else (),
        sound=sound,
        keeps=keeps,
    )
