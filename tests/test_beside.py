"""The film that is encoded beside the dream, and what of it may go wrong."""

import sys
import threading
import time
from fractions import Fraction

import numpy as np
import pytest
from conftest import call_cli

from dreamvid.errors import StorageError
from dreamvid.frames import from_pixels, noise, quantised, to_pixels
from dreamvid.jobs import runs
from dreamvid.jobs.beside import AT_HAND, Beside
from dreamvid.jobs.folder import Job
from dreamvid.machine.devices import leaving_pixels
from dreamvid.media import ffmpeg, frame_bytes, read_png, write_picture
from dreamvid.sizes import Size

SMALL = ("--frames", 5, "--size", "64x48", "--iterations", 0, "--set", "ascent.later=0", "--quiet")


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    """A folder with a film encoded beside the dream, and how often PNGs were read for it."""
    folder = tmp_path_factory.mktemp("films")
    write_picture(noise(Size(48, 64), (0,)), folder / "seed.png")
    read = []
    with pytest.MonkeyPatch.context() as patch:
        plain = Job.read_pixels
        patch.setattr(Job, "read_pixels", lambda job, at: read.append(at) or plain(job, at))
        told = call_cli("zoom", folder / "seed.png", "-o", folder / "film.mp4", *SMALL)
        assert told.returncode == 0, told.stderr
    return folder, read


def test_a_film_encoded_beside_its_dream_reads_no_frame_again(films):
    folder, read = films
    assert (folder / "film.mp4").exists()
    assert read == []


def test_it_is_the_film_that_is_encoded_from_the_files(films):
    folder, _ = films
    told = call_cli("encode", folder / "film.mp4.dream", "-o", folder / "again.mp4", "--quiet")
    assert told.returncode == 0, told.stderr
    assert (folder / "again.mp4").read_bytes() == (folder / "film.mp4").read_bytes()


def test_a_film_that_was_begun_before_is_the_same(films):
    folder, _ = films
    part = ("-o", folder / "part.mp4", *SMALL[2:])
    for frames in (2, 5):
        told = (
            call_cli("zoom", folder / "seed.png", "--frames", frames, *part, "--overwrite")
            if (frames == 2)
            else call_cli("resume", folder / "part.mp4.dream", "--frames", 5, "--quiet")
        )
        assert told.returncode == 0, told.stderr
    assert (folder / "part.mp4").read_bytes() == (folder / "film.mp4").read_bytes()


def test_an_encoder_that_fails_beside_the_dream_is_tried_again(films, monkeypatch):
    folder, _ = films
    calls, plain = [], runs.encode_film

    def once(*arguments, **options):
        calls.append(1)
        if len(calls) == 1:
            raise RuntimeError("killed")
        return plain(*arguments, **options)

    monkeypatch.setattr(runs, "encode_film", once)
    told = call_cli("zoom", folder / "seed.png", "-o", folder / "second.mp4", *SMALL)
    assert (told.returncode, len(calls)) == (0, 2)
    assert (folder / "second.mp4").read_bytes() == (folder / "film.mp4").read_bytes()


def test_a_film_that_is_stopped_leaves_no_part_of_it(films, monkeypatch):
    folder, _ = films

    def stopped(job, index, pixels):
        raise StorageError("no room")

    monkeypatch.setattr(Job, "publish", stopped)
    told = call_cli("zoom", folder / "seed.png", "-o", folder / "third.mp4", *SMALL)
    assert told.returncode
    assert "no room" in told.stderr
    assert not list(folder.glob("*third.mp4")) + list(folder.glob(".third.mp4*"))


def test_frames_that_wait_for_the_encoder_are_in_order_and_mostly_on_the_disk():
    seen, read = [], []

    def make(frames, lines):
        lines.append("said")
        gate.wait()
        seen.extend(int(frame) for frame in frames)
        return "film"

    gate = threading.Event()

    def reading(index):
        read.append(index)
        return np.array(index)

    said = []
    with Beside(40, 3, reading, make) as beside:  # pyright: ignore
        for index in range(3, 40):
            beside(index, np.array(index))
        gate.set()
        assert beside.film(40, said.append) == "film"
    assert seen == list(range(40))
    assert said == ["said"]
    assert len(read) >= 40 - AT_HAND
    with Beside(3, 0, reading, make) as beside:  # pyright: ignore
        beside(0, np.array(0))
        assert beside.film(1, said.append) is None


@pytest.mark.parametrize("depth", [8, 16])
def test_a_frame_packed_for_speed_is_read_back_exactly(depth, tmp_path, picture):
    frame = quantised(picture, depth)
    path = tmp_path / "frame.png"
    path.write_bytes(frame_bytes(leaving_pixels(frame, depth)()))
    assert np.array_equal(read_png(path), frame)
    assert np.array_equal(from_pixels(to_pixels(frame, depth)), frame)


@pytest.mark.parametrize("depth", [8, 16])
def test_a_gpu_makes_the_same_whole_numbers(depth, picture, monkeypatch):
    """Every level, by the operations that a GPU does, on the processor."""
    from dreamvid.machine import devices

    class Elsewhere:
        type = "cuda"

    levels = np.arange(2**depth, dtype=np.uint8 if depth == 8 else np.uint16)
    pixels = np.stack([levels.reshape(-1, 16)] * 3, 2)
    frame = from_pixels(pixels)

    class Frame:
        """A frame that says it is on a GPU."""

        device = Elsewhere()

    monkeypatch.setattr(devices, "checked", lambda _: frame)
    assert np.array_equal(leaving_pixels(Frame(), depth)(), pixels)  # pyright: ignore


def test_an_encoder_that_is_not_wanted_any_more_is_stopped_at_once():
    begun = threading.Event()

    def make(frames, lines):
        list(frames)
        command = [sys.executable, "-c", "import time; time.sleep(60)"]
        process = ffmpeg.started(command, stdin=-3, stdout=-3, stderr=-3)
        begun.set()
        process.wait()
        raise RuntimeError("killed")

    at = time.monotonic()
    with Beside(1, 0, lambda index: np.array(index), make) as beside:
        beside(0, np.array(0))
        assert begun.wait(30)
    assert time.monotonic() - at < 30


@pytest.mark.parametrize(("cores", "threads"), [(1, 2), (5, 5), (64, 16)])
def test_an_encoder_has_a_thread_for_each_core(cores, threads, monkeypatch, picture):
    from dreamvid.media import film_writing

    given = []
    monkeypatch.setattr(film_writing, "cores", lambda: cores)
    monkeypatch.setattr(
        film_writing, "encode", lambda *_, threads, **__: given.append(threads) or 1
    )
    film_writing.encode_film(iter([picture]), "film.mp4", Fraction(30))
    assert given == [threads]
