"""The commands of the README and of every page, in their order, on small pictures and films."""

import re
import shlex
import sys
from fractions import Fraction
from pathlib import Path

import pytest
from conftest import SHARED, call_cli

from dreamvid import media
from dreamvid.dream.turbo.files import write_turbo
from dreamvid.dream.turbo.net import TurboNet, Widths
from dreamvid.frames import Size, noise, photographic
from dreamvid.media.film_writing import encode_film

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "samples"))
import compose  # noqa: E402

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SMALL = ["--size", "96x64", "--octaves", "1", "--iterations", "1"]
SMALLER = {
    "zoom": [*SMALL, "--frames", "3"],
    "loop": [*SMALL, "--set", "loop.turns=2"],
    "video": [*SMALL, "--frames", "3"],
    "image": SMALL,
    "sheet": ["--size", "96x64"],
    "explain": ["--size", "96x64", "--iterations", "1", "--octaves", "1"],
}
TRAINING = ("distil", "train", "turbo", "bench", "farm", "live", "studio")
"""Commands that take minutes, need a camera or do not end; each has a test file of its own."""
GOOGLENET = SHARED / "weights" / "bvlc_googlenet.safetensors"


def commands(page):
    """The command lines of a page's shell blocks, each as words."""
    blocks = re.findall(
        r"^```(?:sh|\{dream\})\n(.*?)^```", page.read_text("utf-8"), re.DOTALL | re.MULTILINE
    )
    for line in "".join(blocks).replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        # What goes into a file goes to standard output here.
        words = words[: words.index(">")] if ">" in words else words
        if words[:1] == ["dreamvid"]:
            yield words[1:]


def shorter(words):
    """A command that does the same on less."""
    words = [word.replace(".caffemodel", ".safetensors") for word in words]
    if words[0] == "depth":
        words = [word.replace("clip.mp4", "short.mp4") for word in words]
    more = list(SMALLER.get(words[1] if words[0] == "plan" else words[0], ()))
    if "--seconds" in words:
        words[words.index("--seconds") + 1] = "1"
        more = [*(more[: more.index("--frames")] if "--frames" in more else more), "--fps", "4"]
    elif "loop" in words[:2]:
        more += ["--frames", "4"]
    for fade in {"--fade-in", "--fade-out"}.intersection(words):
        words[words.index(fade) + 1] = "0.5s"
    if words[0] == "sheet" and "--octaves" not in words:
        more += ["--octaves", "1"]
    if words[0] == "sheet" and "--iterations" not in words:
        more += ["--iterations", "40" if "--steps" in words else "1"]
    if words[0] == "resume" and "--frames" in words:
        words[words.index("--frames") + 1] = "5"
    return [*words, *more]


def write_songs(folder):
    """Music of a few seconds for the pages, with a part of it alone and a curve."""
    for name, style in (("song", "house"), ("drums", "techno"), ("loop", "house")):
        compose.write_wav(folder / f"{name}.wav", compose.compose(style, 5)[0])
    (folder / "glow.csv").write_text("time,value\n0,0\n5,1\n")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with every input that the pages name."""
    folder = tmp_path_factory.mktemp("pages")
    seed = photographic(media.read_picture(ROOT / "samples" / "seed.jpg"), Size(80, 128))
    names = (
        "seed.jpg",
        "photo.jpg",
        "other.jpg",
        "flowers.jpg",
        "face.png",
        "left.png",
        "depth.png",
        "strokes.png",
    )
    (folder / "photos").mkdir()
    media.write_picture(seed, folder / "sky.png")
    (folder / "samples").mkdir()
    for name in (*names, "samples/seed.jpg", "photos/a.jpg", "photos/b.png"):
        media.write_picture(seed, folder / name)
    write_songs(folder)
    turbo = TurboNet(("4c",), Widths(8, 8, 12, 16, 8))
    turbo.decoder.initialised()
    decoder, named = turbo.decoder.state_dict(), folder / "mine.turbo.safetensors"
    write_turbo(named, decoder, turbo, turbo.trunk, {"name": "energy"}, {})
    (folder / "shots").mkdir()
    for number in range(1001, 1005):
        media.write_picture(seed, folder / "shots" / f"shot.{number}.png")
    for name, length in (("clip.mp4", 150), ("short.mp4", 6)):
        frames = (noise(Size(64, 96), (5,)).roll(index, 2) for index in range(length))
        encode_film(frames, folder / name, Fraction(2), options={"preset": "ultrafast"})
    text = (ROOT / "docs" / "jobs.md").read_text("utf-8")
    (jobs,) = re.findall(r"^```toml\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    jobs = jobs.replace("[[job]]", '[[job]]\nsize = "96x64"\noctaves = 1\niterations = 1')
    jobs = jobs.replace("frames = 300", "frames = 3").replace(
        "seconds = 10", "seconds = 1\nfps = 4"
    )
    (folder / "jobs.toml").write_text(jobs)
    text = (ROOT / "docs" / "farm.md").read_text("utf-8")
    (swept,) = re.findall(r"^```toml\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    small = 'size = "96x64"\noctaves = 1\niterations = 1\n'
    (folder / "sweep.toml").write_text(small + swept.replace("frames = 30", "frames = 2"))
    if GOOGLENET.exists():
        (folder / "bvlc_googlenet.safetensors").symlink_to(GOOGLENET)
    # Made by the first page; every other page may go on with them.
    made = call_cli("zoom", "seed.jpg", *SMALLER["zoom"], cwd=folder)
    assert made.returncode == 0, made.stderr
    return folder


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_of_a_page_runs(page, place):
    for words in commands(page):
        if words[0] in TRAINING or "flowers.safetensors" in words:
            continue
        if any("bvlc_googlenet" in word for word in words) and not GOOGLENET.exists():
            continue
        done = call_cli(*shorter(words), cwd=place)
        exists = "exists" in done.stderr and "--overwrite" in done.stderr
        if exists and words[0] != "resume":
            done = call_cli(*shorter(words), "--overwrite", cwd=place)
        assert done.returncode == 0, f"dreamvid {shlex.join(words)}: {done.stderr}"
