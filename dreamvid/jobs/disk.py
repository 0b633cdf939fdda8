"""What a film will take, told beforehand; and a stop before the disk is full."""

import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from dreamvid.errors import SettingsError, StorageError
from dreamvid.frames import Size
from dreamvid.media import storage_error

PNG_SHARE = 0.7
"""What a dreamed frame takes as PNG, of its bytes: measured 0.63 to 0.76 in films of 96x64 to
320x200. It is corrected by a film's own first frames."""
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}


def bytes_from(text: int | str, where: str) -> int:
    """The bytes that ``200MB``, ``1.5 GB`` or a plain number means; k, M, G and T are decimal.

    Raises `SettingsError`, which names `where`, for anything else.
    """
    match = re.fullmatch(r"(\d{1,15}(?:\.\d{1,6})?)\s*([kmgt]?)b?", str(text).strip().lower())
    if match is None or isinstance(text, bool):
        raise SettingsError(f"{where}: got {text!r}, expected bytes such as 500MB, 2GB or 0")
    return round(float(match[1]) * _UNITS[match[2]])


def told(count: float) -> str:
    """A number of bytes for a person."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 999.5:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"


def free_in(folder: Path) -> int:
    """Bytes free on the disk of `folder`; `StorageError` where it is gone."""
    try:
        return shutil.disk_usage(folder).free
    except OSError as error:
        raise storage_error(folder, error.strerror or str(error)) from error


def must_have_room(folder: Path, least: int, remedy: Callable[[], str]) -> None:
    """Raise `StorageError`, with the way to go on, where fewer than `least` bytes are free."""
    free = free_in(folder) if least else 0
    if free < least:
        raise StorageError(
            f"{folder}: {told(free)} free on its disk, and --min-free keeps {told(least)}; "
            f"make room or lower it, then go on with {remedy()}"
        )


def frames_take(count: int, size: Size, depth: int, made: Sequence[Path] = ()) -> float:
    """About how many bytes `count` frames of a film take on disk, like those that are `made`."""
    if made:
        return count * sum(path.stat().st_size for path in made) / len(made)
    return count * size.height * size.width * 3 * depth / 8 * PNG_SHARE


def clock(seconds: float) -> str:
    """A duration as 4:05 or 1:23:45."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
