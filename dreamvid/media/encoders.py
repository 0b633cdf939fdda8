"""What an output is written with: the suffix of its name chooses, and it is checked before work."""

import errno
import os
import re
import sys
import tempfile
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from dreamvid.errors import MediaError, SettingsError, StorageError
from dreamvid.frames import Size
from dreamvid.media.containers import LOOPED
from dreamvid.media.ffmpeg import check_ffmpeg
from dreamvid.media.formats import address_of
from dreamvid.media.picture_films import PICTURES
from dreamvid.media.registered import PIPE, Encoding, encoders
from dreamvid.media.sequences import numbered, of_pattern
from dreamvid.media.suffixes import film_hint, picture_hint
from dreamvid.media.writing import DEEP, OPAQUE, WRITE_FORMATS
from dreamvid.registry import checked_options

__all__ = [
    "LOOPED",
    "PIPE",
    "Encoding",
    "check_alpha",
    "check_fit",
    "check_output",
    "check_picture",
    "check_place",
    "encoder_for",
    "encoders",
    "encoding_for",
    "is_pipe",
    "is_sequence_of_pictures",
]

LONGEST_NAME = 249  # bytes: file systems allow 255, and 6 go to ".NAME.part" or "NAME.dream"


def is_pipe(path: str | Path) -> bool:
    """Whether an output goes to standard output."""
    return Path(path).name == PIPE


def is_sequence_of_pictures(path: str | Path) -> bool:
    """Whether an output is pictures whose names follow a pattern, such as shot.%04d.exr."""
    return Path(path).suffix.lower() in WRITE_FORMATS and numbered(Path(path).name) is not None


def encoder_for(path: str | Path) -> str:
    """The name of the encoder that the suffix of `path` chooses.

    A path without a suffix, or that ends in a slash, is a folder of pictures; a pattern such as
    shot.%04d.exr is a sequence of them. The name - is a pipe, which takes Y4M.

    Raises:
        MediaError: no encoder has the suffix.
    """
    name, suffix = Path(path).name, Path(path).suffix.lower()
    films = [name for name in encoders.names() if name != PICTURES]
    if is_pipe(path):
        return "y4m"
    slashed = str(path).endswith(("/", os.sep))
    if name and (slashed or not (suffix or name.startswith(".")) or is_sequence_of_pictures(path)):
        return PICTURES
    if suffix[1:] in films:
        return suffix[1:]
    raise MediaError(
        f"{path}: no encoder for {suffix or name!r}"
        f"{film_hint(suffix, films)} (expected {', '.join('.' + name for name in films)}, "
        "or a name without a suffix for a folder of PNG)"
    )


def encoding_for(path: str | Path, options: Mapping[str, Any]) -> Encoding:
    """The encoding that the suffix of `path` and the encoder's options make.

    Raises:
        MediaError: no encoder has the suffix.
        SettingsError: an option is unknown or out of range.
    """
    encoder = encoders[encoder_for(path)]
    encoding = encoder(**checked_options(encoder, options, "encode"))
    suffix = Path(path).suffix.lower()
    if is_sequence_of_pictures(path) and encoding.depth == 16 and WRITE_FORMATS[suffix] not in DEEP:
        raise SettingsError(
            f"encode.depth: {suffix} has 8 bits a channel, not 16; expected .png, .tif or .exr"
        )
    return encoding


def check_fit(path: str | Path, encoding: Encoding, size: Size, rate: Fraction) -> None:
    """Raise `MediaError` where a format cannot hold films of that size or rate."""
    name, largest = encoder_for(path), encoding.largest
    if encoding.limit and rate > encoding.limit:
        raise MediaError(
            f"{path}: {name} holds at most {encoding.limit} frames a second, got "
            f"{float(rate):.6g}; give --fps {encoding.fastest or encoding.limit}, or another format"
        )
    if encoding.is_too_small(size) and not encoding.otherwise:
        raise MediaError(
            f"{path}: nvenc holds at least {encoding.smallest}, got {size}; give a larger --size, "
            "or --set encode.codec=h264"
        )
    if largest and (size.height > largest.height or size.width > largest.width):
        raise MediaError(
            f"{path}: {name} holds at most {largest}, got {size}; give --size, or another format"
        )


def check_output(path: str | Path, overwrite: bool = False) -> None:
    """Fail now, rather than after the last frame, where a film cannot be written to `path`.

    Raises:
        MediaError: no encoder has the suffix, the folder is missing or shut, the name is too
            long, or something stands there that may not be replaced.
        StorageError: the disk is full, read-only or broken.
        EncodeError: there is no ffmpeg that runs.
    """
    pictures = encoder_for(path) == PICTURES
    if is_pipe(path):
        if sys.stdout is None or sys.stdout.isatty():
            raise MediaError(
                "-o -: standard output is a terminal, expected a pipe, as in "
                "`dreamvid video clip.mp4 -o - | ffmpeg -i - film.mkv`; or name a file"
            )
    else:
        check_place(path, overwrite, folder=pictures and not is_sequence_of_pictures(path))
    if not pictures:
        check_ffmpeg()


def check_picture(path: Path, overwrite: bool, depth: int = 8) -> None:
    """`check_output` for one picture of `depth` bits a channel."""
    if is_pipe(path):
        raise MediaError("-o -: a picture goes to a file; give a name, such as dream.png")
    if path.suffix.lower() not in WRITE_FORMATS:
        hint = picture_hint(path.suffix.lower(), encoders.names())
        raise MediaError(
            f"{path}: no picture format {path.suffix!r}{hint}, expected {', '.join(WRITE_FORMATS)}"
        )
    if depth != 8 and WRITE_FORMATS[path.suffix.lower()] not in DEEP:
        raise MediaError(
            f"{path}: {path.suffix} has 8 bits a channel, not {depth}; write a .png, .tif or .exr"
        )
    check_place(path, overwrite)


def check_alpha(path: Path) -> None:
    """Raise `MediaError` where a picture at `path` could not be transparent."""
    kind = WRITE_FORMATS.get(path.suffix.lower())
    if kind in OPAQUE:
        raise MediaError(f"{path}: {kind} has no transparency here; write a .png, .webp or .tiff")


def check_place(path: str | Path, overwrite: bool, *, folder: bool = False) -> None:
    """`check_output` for any file or, with `folder`, for a folder of pictures."""
    given, path = Path(path), Path(path).absolute()
    if "\0" in str(path):
        raise MediaError(f"{str(path)!r}: a name cannot hold a zero byte; choose another")
    if len(os.fsencode(path.name)) > LONGEST_NAME:
        got = len(os.fsencode(path.name))
        raise MediaError(
            f"{path.name[:40]}...: the name has {got} bytes, expected at most {LONGEST_NAME}"
        )
    try:
        if not path.parent.is_dir():
            if address_of(given):
                raise MediaError(f"{address_of(given)}: is an address, expected the name of a file")
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
    if not folder and is_sequence_of_pictures(path) and (there := of_pattern(path)):
        if not overwrite:
            raise MediaError(
                f"{path}: there are {len(there)} such files already, from {there[0].name} on; "
                "give --overwrite or another name"
            )
    elif path.is_dir():
        if not folder:
            raise MediaError(f"{path}: is a folder, expected the name of a film; choose another")
        # --overwrite replaces the whole folder, so nothing but frames may be lost with it.
        names = [entry.name for entry in path.iterdir()]
        foreign = [name for name in names if not re.fullmatch(r"\d{6,}\.png", name)]
        if foreign:
            raise MediaError(f"{path}: the folder holds {foreign[0]!r}; choose an empty or new one")
        if names and not overwrite:
            raise MediaError(f"{path}: holds {len(names)} frames already; give --overwrite")
    elif path.exists() or path.is_symlink():
        if path.exists() and not path.is_file():
            raise MediaError(f"{path}: is a pipe or device, expected a file; choose another name")
        if folder:
            raise MediaError(f"{path}: is a file, expected a folder or a name that ends in .mp4")
        if not overwrite:
            raise MediaError(f"{path}: exists already; give --overwrite or another name")
