"""Runs the commands of the pages on a small picture with pocket, and keeps what they show.

What is shown of a command is kept in ``docs/pictures`` under its fingerprint: the hash of the
command, of the inputs that it names, of the presets that it starts from, of pocket's weights and of
the version. So a page is built quickly again, and what has changed is made again. A command that
fails is an error of the build.
"""

import contextlib
import functools
import hashlib
import inspect
import io
import json
import re
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageSequence

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "docs" / "pictures"
INDEX = PICTURES / "index.json"
SIDE, SMALL = 256, 216
"""The longer sides in pixels of what a page shows, and of each of several side by side."""
GAP = 4
QUALITY = 62
FILM_QUALITY = 38
STRIP = 4
"""Frames of a film that is shown as a strip."""
FRAMES, FPS = 16, 10
used: set[str] = set()
"""The fingerprints of what this build shows."""
sys.path.append(str(ROOT / "samples"))


class Failed(Exception):
    """A command of a page that does not do what the page says."""


class Shown(NamedTuple):
    """What a page shows of commands."""

    path: Path
    seconds: float
    """Of the processor, so that they depend little on what else the machine does."""


def shown(commands: Sequence[str], kind: str, side: int = SIDE) -> Shown:
    """The picture that commands make, from before or made now.

    Args:
        commands: Command lines. Those of a page follow one another and the last one is shown;
            with the kind ``beside``, each is shown.
        kind: picture, film, strip (frames of a film side by side) or beside.
        side: The longer side of what is dreamed, in pixels.

    Raises:
        Failed: A command ends with another exit status than 0.
    """
    return kept(commands, kind, side, lambda: _run(commands, kind, side))


def kept(
    commands: Sequence[str], kind: str, side: int, make: Callable[[], tuple[list, float]]
) -> Shown:
    """What `make` gives, pictures and seconds, or what it gave before for the same commands."""
    known = index()
    name = fingerprint(commands, kind, side)
    used.add(name)
    path = PICTURES / f"{name}.webp"
    if name not in known or not path.exists():
        pictures, seconds = make()
        _write(pictures, kind, path)
        known = index()
        known[name] = {"seconds": round(seconds, 1), "commands": list(commands)}
        INDEX.write_text(json.dumps(dict(sorted(known.items())), indent=1) + "\n", "utf-8")
    return Shown(path, known[name]["seconds"])


def index() -> dict[str, dict]:
    """What is known of each picture, by its fingerprint."""
    return json.loads(INDEX.read_text("utf-8")) if INDEX.exists() else {}


def forget_unused() -> None:
    """Remove what no page shows any more, after a build that has read every page."""
    known = index()
    for name in known.keys() - used:
        (PICTURES / f"{name}.webp").unlink(missing_ok=True)
    kept = {name: known[name] for name in sorted(known.keys() & used)}
    INDEX.write_text(json.dumps(kept, indent=1) + "\n", "utf-8")


def fingerprint(commands: Sequence[str], kind: str, side: int) -> str:
    """What is shown depends on nothing else, but for the code that dreams."""
    from dreamvid import __version__

    inputs = {
        name: inspect.getsource(make)
        for name, make in MADE.items()
        if any(name in line for line in commands)
    }
    begun = [presets_of(line) for line in commands]
    told = (list(commands), kind, side, inputs, begun, _constants(), FRAMES, FPS, __version__)
    return hashlib.sha256(repr(told).encode()).hexdigest()[:12]


@functools.cache
def _constants() -> tuple[str, ...]:
    """The hashes of the seed and of pocket's weights."""
    files = (ROOT / "samples" / "seed.jpg", ROOT / "dreamvid" / "networks" / "pocket.safetensors")
    return tuple(hashlib.sha256(path.read_bytes()).hexdigest() for path in files)


def presets_of(line: str) -> dict[str, dict]:
    """The presets that a command starts from: those that it names, and the usual one."""
    from dreamvid.settings import presets

    words = set(re.split(r"[\s,=]+", line))
    named = {"video" if "video" in words else "default", *words.intersection(presets.names())}
    if "--of" in words:
        named.add(presets.WORDS)
    return {name: presets.load(name) for name in sorted(named)}


def smaller(line: str, side: int) -> list[str]:
    """The words of a command line after the program's name, on a small picture with pocket."""
    words = shlex.split(line, comments=True)[1:]
    command, more = words[0], []

    def lacks(*flags: str) -> bool:
        return not any(flag in words for flag in flags)

    if command in ("zoom", "loop", "video", "image", "sheet", "explain"):
        more += ["--size", str(side)] if lacks("--size") else []
        more += ["--network", "pocket"] if lacks("--network", "--networks") else []
        # A dream differs in its last bits by the threads; and many may be made at once.
        more += ["--set", "machine.threads=1"]
    if command in ("zoom", "loop", "video"):
        if lacks("--frames", "--seconds", "--audio"):
            more += ["--frames", str(FRAMES)]
        more += ["--fps", str(FPS)] if lacks("--fps") and command != "video" else []
    return [*words, *more]


def call(words: Sequence[str], folder: Path) -> str:
    """What `dreamvid WORDS` prints, run in this process."""
    from dreamvid import cli

    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    before, sys.argv, status = sys.argv, ["dreamvid", *words], None
    try:
        with (
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            contextlib.chdir(folder),
        ):
            cli.main()
    except SystemExit as end:
        status = end.code
    finally:
        sys.argv = before
    if isinstance(status, int) and status > 128:
        raise KeyboardInterrupt
    if status:
        said = err.buffer.getvalue().decode("utf-8", "replace").strip().splitlines()
        raise Failed(f"dreamvid {shlex.join(words)}: {said[-1] if said else status}")
    return out.buffer.getvalue().decode("utf-8", "replace")


def _run(commands: Sequence[str], kind: str, side: int) -> tuple[list[Image.Image], float]:
    """The pictures that commands make, and the processor's seconds for the last one."""
    made: list[Image.Image] = []
    seconds = 0.0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for line in commands:
            words = smaller(line, side)
            for each in MADE:
                if each in line and not (folder / each).exists():
                    MADE[each](folder / each)
            began = time.process_time()
            said = call(words, folder)
            seconds = time.process_time() - began
            if kind == "beside" or line == commands[-1]:
                result = folder / said.strip().splitlines()[-1]
                frames = list(frames_of(result))
                made += [frames[-1]] if kind == "beside" else frames
    return made, seconds


def frames_of(path: Path) -> Sequence[Image.Image]:
    """The frames of a film, or the picture."""
    from dreamvid.media import frames_of as film_frames

    if path.suffix in (".png", ".jpg", ".webp", ".gif"):
        with Image.open(path) as file:
            return [frame.convert("RGB") for frame in ImageSequence.Iterator(file)]
    return [Image.fromarray(np.asarray(frame)) for frame in film_frames(path)]


def _write(pictures: list[Image.Image], kind: str, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == "film":
        first, *others = pictures
        timing = {"duration": 1000 // FPS, "loop": 0}
        first.save(
            path, save_all=True, append_images=others, quality=FILM_QUALITY, method=6, **timing
        )
        return
    if kind == "strip":
        places = [round(place * (len(pictures) - 1) / (STRIP - 1)) for place in range(STRIP)]
        pictures = [pictures[place] for place in places]
    if kind == "picture":
        pictures = pictures[-1:]
    _beside(pictures).save(path, quality=QUALITY, method=6)


def _beside(pictures: Sequence[Image.Image]) -> Image.Image:
    width = sum(each.width + GAP for each in pictures) - GAP
    whole = Image.new("RGB", (width, max(each.height for each in pictures)), "white")
    left = 0
    for each in pictures:
        whole.paste(each, (left, 0))
        left += each.width + GAP
    return whole


def _seed(path: Path) -> None:
    shutil.copy(ROOT / "samples" / "seed.jpg", path)


def _part(path: Path) -> None:
    """Another picture: the meadow of the seed, turned round."""
    with Image.open(ROOT / "samples" / "seed.jpg") as seed:
        seed.crop((380, 300, 860, 600)).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(path)


def _strokes(path: Path) -> None:
    """Bands of bright colours that are stirred, as with a broad brush."""
    down, right = np.mgrid[0:300, 0:480] / 300
    turns = 2.5 * np.exp(-4 * ((right - 0.5) ** 2 + (down - 0.4) ** 2))
    turns -= 2 * np.exp(-6 * ((right - 1.2) ** 2 + (down - 0.7) ** 2))
    way = 8 * (right * np.cos(turns) + down * np.sin(turns))
    fine = 0.5 + 0.5 * np.sin(9 * way)
    wave = [np.sin(2 * np.pi * (way / 3 + shift)) for shift in (0.0, 0.3, 0.55)]
    colours = np.stack(wave, 2) * 0.5 + 0.5
    Image.fromarray((255 * colours * (0.55 + 0.45 * fine[..., None])).astype(np.uint8)).save(path)


def _mask(path: Path) -> None:
    """White where the sky is."""
    mask = np.zeros((600, 960), np.uint8)
    mask[:340] = 255
    mask[340:400] = np.linspace(255, 0, 60)[:, None]
    Image.fromarray(mask).save(path)


def _clip(path: Path) -> None:
    """Two seconds of a camera that goes over the seed."""
    from dreamvid.frames import Size, from_pixels, photographic
    from dreamvid.media.film_writing import encode_film

    with Image.open(ROOT / "samples" / "seed.jpg") as seed:
        whole = np.asarray(seed.convert("RGB"))
    frames = (
        photographic(from_pixels(whole[60:510, 4 * place : 4 * place + 720]), Size(160, 256))
        for place in range(FRAMES)
    )
    encode_film(frames, path, FPS)


def _song(path: Path) -> None:
    import compose

    compose.write_wav(path, compose.compose("house", 2)[0])


MADE = {
    "seed.jpg": _seed,
    "photo.jpg": _part,
    "strokes.png": _strokes,
    "sky.png": _mask,
    "clip.mp4": _clip,
    "song.wav": _song,
}
"""What makes each input that a page may name."""
