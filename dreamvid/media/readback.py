"""Films of ours, read back frame by frame."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from dreamvid.errors import MediaError
from dreamvid.media.ffmpeg import executable, killed, started
from dreamvid.media.formats import DEMUXERS, head_of


def frames_of(path: Path) -> Iterator[np.ndarray]:
    """Every frame of a film of ours, RGB uint8 (H, W, 3), in order.

    Raises:
        MediaError: the file is missing or damaged.
    """
    head_of(path)
    command = [
        *(executable(), "-nostdin", "-v", "error", "-xerror"),
        *("-protocol_whitelist", "file,pipe", "-format_whitelist", DEMUXERS),
        *("-i", f"file:{Path(path).absolute()}", "-map", "0:V:0", "-fps_mode", "passthrough"),
        *("-vf", "scale=flags=bicubic+accurate_rnd+full_chroma_int,format=rgb24"),
        # PPM carries the size of each frame, so none has to be known before.
        *("-c:v", "ppm", "-f", "image2pipe", "-"),
    ]
    nothing = subprocess.DEVNULL
    process = started(command, stdin=nothing, stdout=subprocess.PIPE, stderr=nothing)
    assert process.stdout is not None
    try:
        yield from _ppm_frames(process.stdout.read)
        if process.wait():
            raise MediaError(f"{path}: is not a film of ours, or damaged; encode it again")
    finally:
        killed(process)
        process.stdout.close()
        process.wait()


def _ppm_frames(read: Callable[[int], bytes]) -> Iterator[np.ndarray]:
    while read(3) == b"P6\n":
        header = b""
        while header.count(b"\n") < 2 and (byte := read(1)):
            header += byte
        width, height, _ = map(int, header.split())
        data = read(width * height * 3)
        if len(data) < width * height * 3:
            return
        yield np.frombuffer(data, np.uint8).reshape(height, width, 3)
