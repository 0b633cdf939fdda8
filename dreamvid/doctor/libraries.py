"""Checks of Python and of the packages that dreamvid uses."""

import importlib
import platform
import re
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from dreamvid import __version__
from dreamvid.doctor.findings import Finding, checks
from dreamvid.errors import in_one_line

OLDEST = (3, 11)
IMPORTED = {"opencv-python": "cv2", "pillow": "PIL", "imageio-ffmpeg": "imageio_ffmpeg"}
"""Packages whose modules have other names."""


@checks.register
def python() -> Iterator[Finding]:
    """Which Python runs which dreamvid."""
    here = Path(__file__).parents[1]
    told = f"Python {platform.python_version()}, dreamvid {__version__} in {here}"
    if sys.version_info < OLDEST:
        yield Finding("wrong", told, "install Python 3.11 or later")
    else:
        yield Finding("ok", f"{told}, {platform.system()} {platform.machine()}")


@checks.register
def packages() -> Iterator[Finding]:
    """Whether what dreamvid needs is installed and can be imported."""
    wanted, _ = required()
    if not wanted:
        yield Finding(
            "note", "dreamvid is not installed as a package", "pip install -e . in its folder"
        )
    good = []
    for name in wanted:
        try:
            importlib.import_module(IMPORTED.get(name, name))
            good.append(f"{name} {metadata.version(name)}")
        # A library can fail in any way while it is imported, such as for a shared library.
        except Exception as error:
            said = in_one_line(error)
            yield Finding("wrong", f"{name}: {said}", f"pip install --force-reinstall {name}")
    if good:
        yield Finding("ok", ", ".join(good))


@checks.register
def extras() -> Iterator[Finding]:
    """Which optional parts are installed."""
    for extra, names in required()[1].items():
        lacking = [name for name in names if not _installed(name)]
        if lacking:
            yield Finding(
                "note",
                f"{extra}: not installed ({', '.join(lacking)})",
                f"pip install 'dreamvid[{extra}]', where you want it",
            )
        else:
            yield Finding("ok", f"{extra}: {', '.join(names)}")


def required() -> tuple[list[str], dict[str, list[str]]]:
    """The packages that dreamvid needs, and those of each extra, as its metadata says."""
    needed: list[str] = []
    optional: dict[str, list[str]] = {}
    try:
        lines = metadata.requires("dreamvid") or []
    except metadata.PackageNotFoundError:
        lines = []
    for line in lines:
        found = re.match(r"[\w.-]+", line)
        system = re.search(r"platform_system == ['\"](\w+)", line)
        if found is None or (system and system[1] != platform.system()):
            continue
        extra = re.search(r"extra == ['\"]([\w-]+)", line)
        (optional.setdefault(extra[1], []) if extra else needed).append(found[0])
    return needed, optional


def _installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True
