"""A high dynamic range, toned down to what an ordinary screen shows."""

import subprocess

import numpy as np

from dreamvid.errors import MediaError
from dreamvid.frames import Size
from dreamvid.media.ffmpeg import QUIETLY, executable, killed, last_words, started
from dreamvid.media.profiles import HLG, PQ

# White is at 203 cd/m², ITU-R BT.2408; 4.926 times as bright is 1000, where highlights end.
_PEAK = 4.926
_SECONDS = 120
_TRANSFERS = {PQ: "smpte2084", HLG: "arib-std-b67"}
_PRIMARIES = {1: "bt709", 9: "bt2020", 12: "smpte432"}


def toning(before: str = "") -> list[str]:
    """Ffmpeg's filters that bring PQ or HLG to BT.709; `before` is put to the first of them."""
    return [
        f"zscale={before}t=linear:npl=203",
        "format=gbrpf32le",
        "zscale=p=bt709",
        f"tonemap=mobius:param=0.3:peak={_PEAK}",
        "zscale=t=bt709",
        "format=gbrp16le",
    ]


def toned(pixels: np.ndarray, transfer: int, primaries: int) -> np.ndarray:
    """RGB pixels (H, W, 3) of uint16, full range, toned down as films are.

    Args:
        pixels: the signal.
        transfer: PQ or HLG.
        primaries: by ITU-T H.273; where they are no usual ones, those of BT.2020.

    Raises:
        MediaError: ffmpeg fails.
    """
    size = Size(*pixels.shape[:2])
    known = _PRIMARIES.get(primaries, "bt2020")
    tags = f"setparams=color_primaries={known}:color_trc={_TRANSFERS[transfer]}"
    filters = ",".join(["format=gbrp16le", f"{tags}:colorspace=gbr:range=pc", *toning()])
    raw = ("-f", "rawvideo", "-pix_fmt", "rgb48le")
    command = [
        *(executable(), *QUIETLY, *raw, "-s", str(size), "-i", "pipe:0"),
        *("-vf", filters, *raw, "pipe:1"),
    ]
    pipe = subprocess.PIPE
    process = started(command, stdin=pipe, stdout=pipe, stderr=pipe)
    try:
        data, words = process.communicate(pixels.astype("<u2").tobytes(), timeout=_SECONDS)
    except subprocess.TimeoutExpired:
        data, words = b"", b""
    finally:
        killed(process)
    if len(data) != pixels.nbytes:
        lines = words.decode(errors="replace").splitlines()
        raise MediaError(
            f"its high dynamic range cannot be toned down "
            f"({last_words(lines, process.wait())}); export it as JPEG"
        )
    return np.frombuffer(data, "<u2").reshape(pixels.shape)


def shouldered(light: np.ndarray) -> np.ndarray:
    """Linear light (H, W, 3), 1 is white, within [0, 1].

    A picture without brighter pixels stays as it is. Else what is near white makes room for the
    highlights, up to 16 times as bright, and colours keep their hue.
    """
    light = np.maximum(np.nan_to_num(light, posinf=65504), 0)
    brightest = light.max(axis=-1, keepdims=True)
    if brightest.max() <= 1:
        return light
    # Möbius: 1 below `knee` in slope, `peak` becomes 1.
    knee, peak = 0.8, 16.0
    a = -(knee**2) * (peak - 1) / (knee**2 - 2 * knee + peak)
    b = (knee**2 - 2 * knee * peak + peak) / (peak - 1)
    bent = (b**2 + 2 * b * knee + knee**2) / (b - a) * (brightest + a) / (brightest + b)
    wanted = np.where(brightest > knee, bent, brightest).clip(0, 1)
    return light * (wanted / np.maximum(brightest, 1e-9))
