"""Finished frames through a program or a network of the user's, on their way into a film."""

import shlex
import sys

import pytest
import torch
from conftest import call_cli

from dreamvid import media
from dreamvid.film.upscaling import enlarged, upscaler
from dreamvid.frames import Size, noise, size_of
from dreamvid.jobs import outside

PROGRAM = """
import pathlib, shutil, sys
how, reads, writes = sys.argv[1], *map(pathlib.Path, sys.argv[2:4])
files = sorted(reads.iterdir())
with pathlib.Path(sys.argv[4]).open("a") as told:
    told.write(f"{len(files)}\\n")
if how == "fail":
    sys.exit("cannot find the model")
times = 2 if how in ("twice", "between") else 1
made = [each for each in files for _ in range(times)]
if how == "between":
    made.pop()  # nothing after the last one
if how == "few":
    made = made[1:]
for index, each in enumerate(made):
    shutil.copy(each, writes / f"{index + 1}.png")
if how in ("larger", "wider", "uneven"):
    import cv2
    for index, each in enumerate(sorted(writes.iterdir())):
        read = cv2.imread(str(each))
        height, width = read.shape[:2]
        size = {"larger": (2 * width, 2 * height), "wider": (2 * width, height),
                "uneven": (width * (1 + index // 2), height * (1 + index // 2))}[how]
        cv2.imwrite(str(each), cv2.resize(read, size, interpolation=cv2.INTER_NEAREST))
"""
FRAMES = 4


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A job of four frames, and a program that does what its first word says."""
    folder = tmp_path_factory.mktemp("treated")
    media.write_picture(noise(Size(60, 92), (3,), contrast=0.3), folder / "seed.png")
    (folder / "program.py").write_text(PROGRAM)
    asked = ("--size", "92x60", "--octaves", "1", "--iterations", "0", "--frames", FRAMES)
    more = ("--fps", "4", "--set", "ascent.later=0", "-o", "film.mp4")
    done = call_cli("zoom", "seed.png", *asked, *more, cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


def encoded(place, how, *more, out="out"):
    """Encode through the program; it writes how many frames it got at every call into `calls`."""
    command = shlex.join([sys.executable, "program.py", how])
    through = f"{command} {{in}} {{out}} calls-{how}"
    return call_cli("encode", "film.mp4.dream", "--through", through, *more, "-o", out, cwd=place)


def frames_of(folder):
    return [media.read_picture(each) for each in sorted(folder.glob("*.png"))]


def test_every_frame_comes_back_as_the_program_made_it(place):
    own = frames_of(place / "film.mp4.dream" / "frames")
    for how, grown in (("same", 1), ("larger", 2)):
        done = encoded(place, how, out=how)
        assert done.returncode == 0, done.stderr
        made = frames_of(place / how)
        assert [size_of(each) for each in made] == [Size(60 * grown, 92 * grown)] * FRAMES
        for one, other in zip(own, made, strict=True):
            assert torch.equal(one, other[:, ::grown, ::grown])
    assert not (place / "film.mp4.dream" / "through").exists()


@pytest.mark.parametrize("how", ["twice", "between"])
def test_an_interpolator_makes_a_film_of_more_frames_that_plays_as_fast(how, place, monkeypatch):
    """In parts, each of which is given the first frame of the next one too."""
    monkeypatch.setattr(outside, "PART", 2)
    done = encoded(place, how, out=f"{how}.mp4")
    assert done.returncode == 0, done.stderr
    assert "2 frames of each" in done.stderr
    assert (place / f"calls-{how}").read_text().split() == ["3", "2"]
    film = media.probe(place / f"{how}.mp4")
    assert (film.frames, film.rate) == (2 * FRAMES, 8)
    done = encoded(place, how, out=how)
    own, made = frames_of(place / "film.mp4.dream" / "frames"), frames_of(place / how)
    assert all(torch.equal(own[index // 2], frame) for index, frame in enumerate(made))


def test_what_was_stopped_goes_on_after_the_parts_that_are_whole(place, monkeypatch):
    monkeypatch.setattr(outside, "PART", 2)
    real, times = outside._run, []

    def stopping(*arguments):
        times.append(1)
        if len(times) == 2:
            raise KeyboardInterrupt
        real(*arguments)

    monkeypatch.setattr(outside, "_run", stopping)
    assert encoded(place, "same", out="stopped").returncode != 0
    assert not (place / "stopped").exists()
    (place / "calls-same").unlink()
    done = encoded(place, "same", out="stopped")
    assert done.returncode == 0, done.stderr
    assert (place / "calls-same").read_text().split() == ["2"]
    assert len(frames_of(place / "stopped")) == FRAMES


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("few", f"gave {FRAMES - 1} pictures for {FRAMES} frames"),
        ("fail", "failed with status 1 (cannot find the model)"),
        ("wider", "gave pictures of 184x60"),
        ("uneven", "gave 3.png as 184x120"),
    ],
)
def test_a_program_that_does_not_do_its_work_leaves_no_film(how, words, place):
    done = encoded(place, how, out="bad.mp4")
    assert done.returncode == 2, done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert words in last
    assert not (place / "bad.mp4").exists()
    # The program is asked again once it is mended.
    assert encoded(place, how, out="bad.mp4").returncode == 2
    assert len((place / f"calls-{how}").read_text().split()) == 2


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--through", "cp {in}"], "expected {out} in it"),
        (["--through", "no-such-program {in} {out}"], "no program 'no-such-program'"),
        (["--through", "cp 'a {in} {out}"], "cannot be read"),
        (["--upscale", "2"], "name one that you have with --upscaler"),
        (["--upscaler", "nowhere.pth"], "--upscaler: "),
    ],
)
def test_bad_treatments_are_one_line(flags, words, place):
    done = call_cli("encode", "film.mp4.dream", *flags, "-o", "bad.mp4", cwd=place)
    assert done.returncode == 2, done.stderr
    assert words in done.stderr
    assert done.stderr.strip().count("\n") == 0
    assert not (place / "bad.mp4").exists()


def test_tiles_show_no_seam():
    """A network that looks less far than a tile's margin makes the same picture at once."""
    weights = torch.randn(12, 3, 9, 9, generator=torch.Generator().manual_seed(2)) / 80

    def network(pictures):
        padded = torch.nn.functional.pad(pictures, (4, 4, 4, 4))
        return torch.nn.functional.pixel_shuffle(
            torch.nn.functional.conv2d(padded, weights), 2
        ).sigmoid()

    frame = noise(Size(70, 131), (4,), contrast=0.3)
    tiled, whole = (enlarged(frame, network, 2, torch.device("cpu"), tile) for tile in (16, 1000))
    assert size_of(tiled) == Size(140, 262)
    torch.testing.assert_close(tiled, whole, atol=1e-5, rtol=0)


def compact(path, scale):
    """A network of the kind "Compact" without effect: it repeats every pixel."""
    shapes = {
        "body.0.weight": (4, 3, 3, 3), "body.0.bias": (4,), "body.1.weight": (4,),
        "body.2.weight": (4, 4, 3, 3), "body.2.bias": (4,), "body.3.weight": (4,),
        "body.4.weight": (3 * scale**2, 4, 3, 3), "body.4.bias": (3 * scale**2,),
    }  # fmt: skip
    torch.save({name: torch.zeros(shape) for name, shape in shapes.items()}, path)


def test_a_network_of_the_users_enlarges_a_film(place):
    pytest.importorskip("spandrel")
    compact(place / "four.pth", 4)
    for asked, grown in ((("--upscale", "2"), 2), ((), 4)):
        done = call_cli("encode", "film.mp4.dream", *asked, "--upscaler", "four.pth", "-o",
                        f"large{grown}", cwd=place)  # fmt: skip
        assert done.returncode == 0, done.stderr
        own = frames_of(place / "film.mp4.dream" / "frames")
        for one, other in zip(own, frames_of(place / f"large{grown}"), strict=True):
            assert torch.equal(other[:, ::grown, ::grown], one)
            assert size_of(other) == Size(60 * grown, 92 * grown)
    done = call_cli("encode", "film.mp4.dream", "--upscale", "8", "--upscaler", "four.pth", "-o",
                    "bad.mp4", cwd=place)  # fmt: skip
    assert "give --upscale 4" in done.stderr
    (place / "words.pth").write_text("no network, only words")
    done = call_cli("encode", "film.mp4.dream", "--upscaler", "words.pth", "-o", "bad.mp4",
                    cwd=place)  # fmt: skip
    assert "no network that spandrel knows" in done.stderr
    assert done.stderr.strip().count("\n") == 0


def test_memory_that_is_not_there_is_one_line(tmp_path, monkeypatch):
    from dreamvid.errors import NetworkError
    from dreamvid.film import upscaling

    def starved(pictures):
        raise MemoryError

    monkeypatch.setattr(upscaling, "_read", lambda path, device: (starved, 2))
    enlarge = upscaler(tmp_path / "big.pth", torch.device("cpu"))
    with pytest.raises(NetworkError, match="needs more memory"):
        enlarge(torch.rand(3, 20, 30))
