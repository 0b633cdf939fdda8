"""Checks of what stands around the dream: ffmpeg, fonts, disk, memory, weights."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from dreamvid.doctor.findings import Finding, checks

ROOM = 2_000_000_000
"""Bytes that a film of some minutes takes on the disk."""
MEMORY = 1_500_000_000
"""Bytes that a film of usual size takes of the memory."""


@checks.register
def ffmpeg() -> Iterator[Finding]:
    """Whether ffmpeg runs, and with which codecs it encodes; each is tried on a few frames."""
    from dreamvid.media import check_ffmpeg, lacking
    from dreamvid.media.codecs import LIBRARIES
    from dreamvid.media.ffmpeg import executable

    check_ffmpeg()
    yield Finding("ok", f"ffmpeg in {executable()}")
    reasons = {codec: lacking(library) for codec, library in LIBRARIES.items()}
    yield Finding("ok", f"encodes {', '.join(each for each in reasons if not reasons[each])}")
    for codec, reason in reasons.items():
        if reason and codec == "nvenc":
            yield Finding("note", "nvenc does not work here", "h264 does its work; it needs a GPU")
        elif reason:
            yield Finding(
                "note" if codec != "h264" else "wrong",
                f"{codec} does not work here ({reason})",
                "use another encode.codec, or set IMAGEIO_FFMPEG_EXE to a full ffmpeg",
            )


@checks.register
def fonts() -> Iterator[Finding]:
    """Whether sheets and plots can be labelled."""
    from matplotlib import font_manager
    from PIL import ImageFont

    if not isinstance(ImageFont.load_default(14), ImageFont.FreeTypeFont):
        yield Finding(
            "note", "Pillow has no FreeType, labels of sheets are tiny", "pip install -U pillow"
        )
        return
    name = Path(font_manager.findfont("DejaVu Sans")).name
    yield Finding("ok", f"sheets are labelled with Pillow's font, plots with {name}")


@checks.register
def disk() -> Iterator[Finding]:
    """Whether films can be written here, and how much room there is."""
    from dreamvid.jobs.disk import free_in, told

    for what, folder in (("this folder", Path.cwd()), ("temporary", Path(tempfile.gettempdir()))):
        free = free_in(folder)
        try:
            with tempfile.NamedTemporaryFile(dir=folder, prefix=".dreamvid-") as file:
                file.write(b"dream")
        except OSError as error:
            reason = error.strerror or str(error)
            yield Finding(
                "wrong", f"{what}, {folder}: cannot be written ({reason})", "change to another"
            )
            continue
        found = f"{what}, {folder}: {told(free)} free"
        yield _enough(free >= ROOM, found, "make room; dreamvid stops before a disk is full")


@checks.register
def memory() -> Iterator[Finding]:
    """How much memory is free."""
    from dreamvid.jobs.disk import told
    from dreamvid.machine.devices import device_for, free_memory

    device = device_for("auto")
    free = free_memory(device)
    found = f"{told(free)} free on {device.type}"
    yield _enough(free >= MEMORY, found, "make films smaller, or close other programs")


def _enough(enough: bool, found: str, remedy: str) -> Finding:
    return Finding("ok", found) if enough else Finding("note", found, remedy)


@checks.register
def weights() -> Iterator[Finding]:
    """Which published weights are here, each hashed."""
    from dreamvid.errors import NetworkError
    from dreamvid.networks import published
    from dreamvid.networks import weights as files

    seen: dict[Path, str] = {}
    for entry in published.table():
        if entry.path is None or entry.path in seen:
            continue
        seen[entry.path] = entry.network
        try:
            files.check(entry.path, entry.source, entry.network)
        except NetworkError as error:
            remedy = f"delete it, then `dreamvid weights fetch {entry.network}`"
            yield Finding("wrong", str(error), remedy)
        else:
            yield Finding("ok", f"{entry.network}: {entry.path} is whole")
    if not seen:
        yield Finding(
            "ok",
            f"no weights in {files.hub_folder()}; pocket needs none, "
            "`dreamvid weights fetch NETWORK` brings others",
        )
