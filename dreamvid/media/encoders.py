"""Encoders: what becomes of a sequence of frames. The suffix of the output chooses one.

An encoder is one registered function whose options are its keyword-only parameters and which
gives back an `Encoding`. Its name is the suffix it answers to, except `frames`, a folder.
"""

import errno
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from dreamvid.errors import MediaError, SettingsError, StorageError
from dreamvid.frames import Size
from dreamvid.media.ffmpeg import check_ffmpeg, lacking
from dreamvid.media.sound import SoundFormat
from dreamvid.media.suffixes import film_hint, picture_hint
from dreamvid.media.writing import WRITE_FORMATS
from dreamvid.registry import Registry, Within, checked_options

encoders = Registry("encoder")

NVENC = "h264_nvenc"
LONGEST_NAME = 249  # bytes: file systems allow 255, and 6 go to ".NAME.part" or "NAME.dream"

# Without all of this a player shows other colours: ffmpeg converts with the matrix of old
# television unless told, and names no matrix in the file. Only setparams sets every tag.
_BT709 = (
    "scale=out_color_matrix=bt709:out_range=tv:flags=accurate_rnd+full_chroma_int,"
    "setparams=colorspace=bt709:color_primaries=bt709:color_trc=bt709:range=tv,format="
)

_AAC = ("-c:a", "aac", "-b:a", "192k")
_MP4_SOUND = SoundFormat(frozenset({"aac", "mp3", "ac3", "eac3", "alac", "opus", "flac"}), _AAC)
_MOV_SOUND = SoundFormat(
    frozenset({"aac", "mp3", "ac3", "eac3", "alac", *(f"pcm_s{n}le" for n in (16, 24, 32))}), _AAC
)
_WEBM_SOUND = SoundFormat(frozenset({"opus", "vorbis"}), ("-c:a", "libopus", "-b:a", "160k"))


LOOPED: Mapping[str, Mapping[str, Any]] = {"mp4": {"crf": 13, "steady": True}}
"""Options of encoders for films that are played over and over, where none are given."""


@dataclass(frozen=True)
class Encoding:
    """How frames become a file.

    Attributes:
        arguments: ffmpeg's output options; none where the output is a folder of pictures.
        block: the height and width that the sides of a film must be multiples of.
        depth: bits a channel that the encoder is given.
        fastest: frames a second beyond which players slow the film down.
        sound: what the container takes; None where it has no sound.
    """

    arguments: tuple[str, ...] = ()
    block: Size = Size(1, 1)  # noqa: RUF009 - a tuple
    depth: int = 8
    fastest: int | None = None
    sound: SoundFormat | None = None


@encoders.register
def mp4(
    *,
    crf: Annotated[int, Within(0, 51)] = 16,
    preset: Literal[
        "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower",
        "veryslow",
    ] = "medium",
    steady: bool = False,
    codec: Literal["x264", "nvenc", "auto"] = "x264",
) -> Encoding:  # fmt: skip
    """H.264 that plays everywhere; a lower crf keeps more detail, steady as much at the end.

    The codec nvenc is an NVIDIA GPU's own, auto takes it where it works; only x264 gives the same
    bytes again elsewhere, and it keeps more detail in as many.
    """
    if codec == "nvenc" and (reason := lacking(NVENC)):
        raise SettingsError(f"encode.codec: nvenc does not work here ({reason}); wanted x264")
    if codec == "nvenc" or (codec == "auto" and not lacking(NVENC)):
        # Its quality begins at 1, 0 is its own choice; it has no presets of x264's names.
        video = ("-c:v", NVENC, "-rc", "vbr", "-cq", str(max(1, crf)), "-b:v", "0", "-preset", "p5")
    else:
        video = ("-c:v", "libx264", "-crf", str(crf), "-preset", preset)
        if steady:
            # x264 saves bits on what no later frame is predicted from, above all on the last ones.
            video += ("-x264-params", "mbtree=0")
    container = ("-movflags", "+faststart", "-f", "mp4")
    arguments = (*video, "-vf", f"{_BT709}yuv420p", *container)
    return Encoding(arguments, Size(2, 2), sound=_MP4_SOUND)


@encoders.register
def webm(
    *, crf: Annotated[int, Within(0, 63)] = 24, speed: Annotated[int, Within(0, 5)] = 2
) -> Encoding:
    """VP9 for the web; a lower crf keeps more detail, a higher speed less."""
    codec = ("-c:v", "libvpx-vp9", "-crf", str(crf), "-b:v", "0", "-cpu-used", str(speed))
    arguments = (*codec, "-row-mt", "1", "-vf", f"{_BT709}yuv420p", "-f", "webm")
    return Encoding(arguments, Size(2, 2), sound=_WEBM_SOUND)


@encoders.register
def gif(
    *,
    palette: Literal["film", "frame"] = "film",
    dither: Literal["bayer", "sierra2_4a", "none"] = "bayer",
) -> Encoding:
    """Animated GIF, looping for ever; one palette for the film is steadier, but holds it all."""
    # One palette needs every frame before the first can be written: 4 bytes a pixel of memory.
    mode, new = ("diff", "") if palette == "film" else ("single", ":new=1")
    graph = (
        f"split[picture][colours];[colours]palettegen=stats_mode={mode}[palette];"
        f"[picture][palette]paletteuse=dither={dither}{new}"
    )
    return Encoding(("-filter_complex", graph, "-loop", "0", "-f", "gif"), fastest=50)


@encoders.register
def webp(*, quality: Annotated[int, Within(0, 100)] = 90, lossless: bool = False) -> Encoding:
    """Animated WebP, looping for ever; smaller and truer than GIF."""
    pixels = ("-pix_fmt", "bgra") if lossless else ("-pix_fmt", "yuv420p")
    # Not libwebp_anim: it joins equal frames, so that the film has fewer than were asked for.
    codec = ("-c:v", "libwebp", "-lossless", str(int(lossless)), "-quality", str(quality))
    return Encoding((*codec, *pixels, "-loop", "0", "-f", "webp"))


@encoders.register
def apng() -> Encoding:
    """Animated PNG, looping for ever; every bit kept, large."""
    return Encoding(("-c:v", "apng", "-pix_fmt", "rgb24", "-plays", "0", "-f", "apng"))


@encoders.register
def mov(*, profile: Literal["standard", "hq"] = "hq") -> Encoding:
    """ProRes 422 with 10 bits, for editing."""
    codec = ("-c:v", "prores_ks", "-profile:v", profile, "-vendor", "apl0")
    arguments = (*codec, "-vf", f"{_BT709}yuv422p10le", "-f", "mov")
    return Encoding(arguments, Size(1, 2), depth=16, sound=_MOV_SOUND)


@encoders.register
def frames(*, depth: Literal[8, 16] = 8) -> Encoding:
    """A folder of PNG pictures, 000000.png and so on."""
    return Encoding(depth=depth)


def encoder_for(path: str | Path) -> str:
    """The name of the encoder that the suffix of `path` chooses.

    A path without a suffix, or that ends in a slash, is a folder of pictures.

    Raises:
        MediaError: no encoder has the suffix.
    """
    name, suffix = Path(path).name, Path(path).suffix.lower()
    films = [name for name in encoders.names() if name != "frames"]
    slashed = str(path).endswith(("/", os.sep))
    if name and (slashed or not (suffix or name.startswith("."))):
        return "frames"
    if suffix[1:] in films:
        return suffix[1:]
    raise MediaError(
        f"{path}: no encoder for {suffix or name!r}"
        f"{film_hint(suffix, films)} (wanted {', '.join('.' + name for name in films)}, "
        "or a name without a suffix for a folder of PNG)"
    )


def encoding_for(path: str | Path, options: Mapping[str, Any]) -> Encoding:
    """The encoding that the suffix of `path` and the encoder's options make.

    Raises:
        MediaError: no encoder has the suffix.
        SettingsError: an option is unknown or out of range.
    """
    encoder = encoders[encoder_for(path)]
    return encoder(**checked_options(encoder, options, "encode"))


def check_output(path: str | Path, overwrite: bool = False) -> None:
    """Fail now, rather than after the last frame, where a film cannot be written to `path`.

    Raises:
        MediaError: no encoder has the suffix, the folder is missing or shut, the name is too
            long, or something stands there that may not be replaced.
        StorageError: the disk is full, read-only or broken.
        EncodeError: there is no ffmpeg that runs.
    """
    folder = encoder_for(path) == "frames"
    check_place(path, overwrite, folder=folder)
    if not folder:
        check_ffmpeg()


def check_picture(path: Path, overwrite: bool, depth: int = 8) -> None:
    """`check_output` for one picture of `depth` bits a channel."""
    if path.suffix.lower() not in WRITE_FORMATS:
        hint = picture_hint(path.suffix.lower(), encoders.names())
        raise MediaError(
            f"{path}: no picture format {path.suffix!r}{hint}, wanted {', '.join(WRITE_FORMATS)}"
        )
    if depth != 8 and path.suffix.lower() != ".png":
        raise MediaError(f"{path}: only PNG has {depth} bits a channel; write a .png")
    check_place(path, overwrite)


def check_alpha(path: Path) -> None:
    """Raise `MediaError` where a picture at `path` could not be transparent."""
    if WRITE_FORMATS.get(path.suffix.lower()) == "JPEG":
        raise MediaError(f"{path}: JPEG has no transparency; write a .png, .webp or .tiff")


def check_place(path: str | Path, overwrite: bool, *, folder: bool = False) -> None:
    """`check_output` for any file or, with `folder`, for a folder of pictures."""
    path = Path(path).absolute()
    if "\0" in str(path):
        raise MediaError(f"{str(path)!r}: a name cannot hold a zero byte; choose another")
    if len(os.fsencode(path.name)) > LONGEST_NAME:
        got = len(os.fsencode(path.name))
        raise MediaError(
            f"{path.name[:40]}...: the name has {got} bytes, wanted at most {LONGEST_NAME}"
        )
    try:
        if not path.parent.is_dir():
            raise MediaError(f"{path}: there is no folder {path.parent}; make it first")
        _check_standing(path, overwrite, folder)
        with tempfile.TemporaryFile(dir=path.parent):
            pass  # asking for permission misses read-only and full disks
    except PermissionError as error:
        raise MediaError(
            f"{path}: the folder {path.parent} cannot be written to; choose another"
        ) from error
    except OSError as error:
        if error.errno in (errno.ENAMETOOLONG, errno.ELOOP):
            raise MediaError(f"{path.name[:40]}...: {error.strerror}; choose another") from error
        raise StorageError(
            f"{path}: cannot be written ({error.strerror}); choose another folder"
        ) from error


def _check_standing(path: Path, overwrite: bool, folder: bool) -> None:
    """Fail where something stands at `path` that is not ours to replace."""
    if path.is_dir():
        if not folder:
            raise MediaError(f"{path}: is a folder, wanted the name of a film; choose another")
        # --overwrite replaces the whole folder, so nothing but frames may be lost with it.
        names = [entry.name for entry in path.iterdir()]
        foreign = [name for name in names if not re.fullmatch(r"\d{6,}\.png", name)]
        if foreign:
            raise MediaError(f"{path}: the folder holds {foreign[0]!r}; choose an empty or new one")
        if names and not overwrite:
            raise MediaError(f"{path}: holds {len(names)} frames already; give --overwrite")
    elif path.exists() or path.is_symlink():
        if path.exists() and not path.is_file():
            raise MediaError(f"{path}: is a pipe or device, wanted a file; choose another name")
        if folder:
            raise MediaError(f"{path}: is a file, wanted a folder or a name that ends in .mp4")
        if not overwrite:
            raise MediaError(f"{path}: exists already; give --overwrite or another name")
