"""Codecs of films: what ffmpeg is told of each, and what it must be given."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from dreamvid.errors import SettingsError
from dreamvid.frames import Size
from dreamvid.media.ffmpeg import lacking

Preset = Literal[
    "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow"
]
"""How long h264, hevc and av1 may look for what saves bits."""
LIBRARIES = {
    "h264": "libx264",
    "hevc": "libx265",
    "av1": "libsvtav1",
    "vp9": "libvpx-vp9",
    "prores": "prores_ks",
    "ffv1": "ffv1",
    "nvenc": "h264_nvenc",
}
"""What ffmpeg encodes each with."""
NVENC_LEAST = Size(49, 145)
"""The height and width of the smallest H.264 film that NVIDIA's encoder takes."""
_AV1_PRESETS = (12, 11, 10, 9, 8, 6, 5, 4, 3)  # in the order of `Preset`


@dataclass(frozen=True)
class Coded:
    """Ffmpeg's options, and what an `Encoding` tells of the same names."""

    arguments: tuple[str, ...]
    block: Size = Size(2, 2)  # noqa: RUF009 - a tuple
    depth: int | None = 8
    limit: int | None = None
    largest: Size | None = None
    smallest: Size | None = None
    otherwise: tuple[str, ...] = ()
    """The options for a film that is smaller than `smallest`."""


def in_bt709(pixels: str, matrix: str = "bt709") -> tuple[str, ...]:
    """Ffmpeg's options for pictures of a pixel format with the colours of BT.709.

    Without all of this a player shows other colours: ffmpeg converts with the matrix of old
    television unless told, and names no matrix in the file. Only setparams sets every tag.
    """
    scaled = f"scale=out_color_matrix={matrix}:out_range=tv:flags=accurate_rnd+full_chroma_int"
    tags = "setparams=colorspace=bt709:color_primaries=bt709:color_trc=bt709:range=tv"
    return ("-vf", f"{scaled},{tags},format={pixels}")


def coded(
    codec: str,
    choices: Sequence[str],
    *,
    crf: int,
    preset: Preset = "medium",
    steady: bool = False,
    profile: str = "hq",
    speed: int = 2,
    tagged: bool = False,
) -> Coded:
    """How frames are encoded with a codec.

    Args:
        codec: a name of `LIBRARIES`; x264 is another of h264, and auto is nvenc where it works.
        choices: the codecs of the container, to be named where this ffmpeg lacks one.
        crf: a lower one keeps more detail; without a meaning for prores and ffv1.
        preset: of h264, hevc and av1.
        steady: of h264, keep as much detail at the end.
        profile: of prores.
        speed: of vp9.
        tagged: name hevc as players of MP4 want it.

    Raises:
        SettingsError: this ffmpeg cannot encode with the codec.
    """
    automatic = codec == "auto"
    if automatic:
        codec = "h264" if lacking(LIBRARIES["nvenc"]) else "nvenc"
    if codec not in ("h264", "x264"):
        _must_work(codec, choices)
    if codec == "nvenc":
        # Its quality begins at 1, 0 is its own choice; it has no presets of x264's names.
        quality = ("-rc", "vbr", "-cq", str(max(1, crf)), "-b:v", "0", "-preset", "p5")
        video = ("-c:v", LIBRARIES[codec], *quality, *in_bt709("yuv420p"))
        other = coded("h264", choices, crf=crf, preset=preset).arguments if automatic else ()
        return Coded(video, smallest=NVENC_LEAST, otherwise=other)
    if codec == "hevc":
        tag = ("-tag:v", "hvc1") if tagged else ()
        video = ("-c:v", "libx265", "-crf", str(min(crf, 51)), "-preset", preset)
        return Coded((*video, "-x265-params", "log-level=error", *tag, *in_bt709("yuv420p")))
    if codec == "av1":
        pace = str(_AV1_PRESETS[get_args(Preset).index(preset)])
        video = ("-c:v", "libsvtav1", "-crf", str(crf), "-preset", pace)
        return Coded((*video, *in_bt709("yuv420p")), limit=240, largest=Size(8704, 16384))
    if codec == "vp9":
        video = ("-c:v", "libvpx-vp9", "-crf", str(crf), "-b:v", "0", "-cpu-used", str(speed))
        return Coded((*video, "-row-mt", "1", *in_bt709("yuv420p")))
    if codec == "prores":
        video = ("-c:v", "prores_ks", "-profile:v", profile, "-vendor", "apl0")
        return Coded((*video, *in_bt709("yuv422p10le")), Size(1, 2), 16)
    if codec == "ffv1":
        # It takes RGB as it is, so that nothing is lost.
        return Coded(("-c:v", "ffv1", "-level", "3", "-slicecrc", "1"), Size(1, 1), None)
    video = ("-c:v", "libx264", "-crf", str(min(crf, 51)), "-preset", preset)
    if steady:
        # x264 saves bits on what no later frame is predicted from, above all on the last ones.
        video += ("-x264-params", "mbtree=0")
    return Coded((*video, *in_bt709("yuv420p")))


def _must_work(codec: str, choices: Sequence[str]) -> None:
    reason = lacking(LIBRARIES[codec])
    if not reason:
        return
    others = [each for each in choices if each != codec and each in LIBRARIES]
    work = [each for each in others if each == "h264" or not lacking(LIBRARIES[each])]
    raise SettingsError(
        f"encode.codec: {codec} does not work here ({reason}); expected {' or '.join(work)}"
    )
