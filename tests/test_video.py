import json
import signal
import subprocess
import sys
import time
from fractions import Fraction

import av
import numpy as np
import pytest
from conftest import call_cli, run_cli, shared
from test_flow import texture

import dreamvid
from dreamvid import media
from dreamvid.dream.dreamer import Dreamer
from dreamvid.frames import from_pixels, to_pixels
from dreamvid.machine import devices
from dreamvid.media import film_writing, write_picture

RATE = Fraction(24000, 1001)
SMALL = ("--octaves", "2", "--iterations", "2", "--set", "ascent.jitter=4", "--quiet")


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """Eight frames of 136x96 that move by two pixels to the right and one up each."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    film_writing.encode_film((texture(2 * index, -index) for index in range(8)), path, RATE)
    return path


def read(path):
    return list(media.decoded(path, media.probe(path)))


def journal(folder):
    return [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]


def test_a_film_keeps_its_rate_length_and_size(clip, tmp_path):
    told = run_cli("video", clip, *SMALL, cwd=tmp_path)
    assert told.returncode == 0, told.stderr
    assert told.stdout == "clip-video.mp4\n"
    film = media.probe(tmp_path / "clip-video.mp4")
    assert (film.rate, film.frames, film.size) == (RATE, 8, (96, 136))
    lines = journal(tmp_path / "clip-video.mp4.dream")
    assert [line["index"] for line in lines] == list(range(8))
    assert all(line["gain"] > 0 for line in lines)
    dreams, inputs = read(tmp_path / "clip-video.mp4"), read(clip)
    for dream, picture in zip(dreams, inputs, strict=True):
        difference = np.abs(dream.astype(float) - picture).mean()
        assert 1 < difference < 40, "dreamed, and over this very frame"


@pytest.mark.parametrize(
    ("flags", "wanted"),
    [
        (("--start", "2", "--end", "5"), [2, 3, 4]),
        (("--start", "0.1251s", "--frames", "2"), [3, 4]),
        (("--end", "0:00.0834"), [0, 1]),
        (("--frames", "3", "--fps", "24000/2002"), [0, 2, 4]),
    ],
)
def test_a_part_of_a_film(clip, tmp_path, flags, wanted):
    still = ("--set", "ascent.step_size=0", "--set", "ascent.later_step_size=0")
    told = run_cli("video", clip, "-o", "frames", *flags, *still, *SMALL, cwd=tmp_path)
    assert told.returncode == 0, told.stderr
    inputs = read(clip)
    made = sorted((tmp_path / "frames").iterdir())
    assert len(made) == len(wanted)
    for path, index in zip(made, wanted, strict=True):
        frame = to_pixels(media.read_png(path)).astype(float)
        errors = [np.abs(frame - picture).mean() for picture in inputs]
        assert np.argmin(errors) == index
        assert errors[index] < 0.5


def test_a_mask_and_the_film_s_colours(clip, tmp_path, picture):
    mask = texture(0, 0) * 0
    mask[:, :, 68:] = 1
    write_picture(mask, tmp_path / "mask.png")
    flags = ("--mask", "mask.png", "--set", "video.mask_follows=false", "--keep-color")
    told = run_cli("video", clip, "-o", "frames", "--frames", "3", *flags, *SMALL, cwd=tmp_path)
    assert told.returncode == 0, told.stderr
    for index, pixels in enumerate(read(clip)[:3]):
        dream = media.read_png(tmp_path / "frames" / f"{index:06d}.png")
        frame = from_pixels(pixels)
        assert (dream[:, :, :68] - frame[:, :, :68]).abs().max() < 0.003
        assert (dream[:, :, 70:] - frame[:, :, 70:]).abs().mean() > 0.005
        chroma = (dream - dream.mean(0)) - (frame - frame.mean(0))
        assert chroma.abs().mean() < 0.02
    # Another mask is another job.
    write_picture(1 - mask, tmp_path / "mask.png")
    again = run_cli(
        "video", clip, "-o", "other", "--job", "frames.dream", "--frames", "3", *flags, *SMALL,
        cwd=tmp_path,
    )  # fmt: skip
    assert again.returncode == 2
    assert "another input" in again.stderr


@pytest.mark.parametrize(
    ("carry", "flow"), [("blend", "dis"), ("none", "dis"), ("flow", "farneback")]
)
def test_every_carry_from_python(clip, tmp_path, carry, flow):
    out = dreamvid.video(
        clip,
        tmp_path / "a.mov",
        frames=3,
        octaves=2,
        iterations=1,
        carry=carry,
        flow=flow,
        settings={"ascent": {"jitter": 4}},
    )
    assert media.probe(out).frames == 3


def test_a_film_that_was_killed_goes_on_byte_for_byte(clip, tmp_path):
    command = ("video", str(clip), "-o", "frames", *SMALL, "--set", "machine.threads=1")
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    whole.mkdir()
    broken.mkdir()
    assert run_cli(*command, cwd=whole).returncode == 0
    process = subprocess.Popen([sys.executable, "-m", "dreamvid", *command], cwd=broken)
    frames = broken / "frames.dream" / "frames"
    deadline = time.monotonic() + 120
    while len(list(frames.glob("??????.png"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (broken / "frames").exists()
    told = run_cli("resume", "frames.dream", cwd=broken)
    assert told.returncode == 0, told.stderr
    names = sorted(path.name for path in (whole / "frames").iterdir())
    assert names == sorted(path.name for path in (broken / "frames").iterdir())
    for name in names:
        assert (whole / "frames" / name).read_bytes() == (broken / "frames" / name).read_bytes()


def test_frames_for_themselves_are_dreamed_together_and_resumed_alike(clip, tmp_path, monkeypatch):
    monkeypatch.setitem(devices.TOGETHER, "cpu", 3 * 136 * 96)
    sizes, dream = [], Dreamer.batch

    def counted(self, frames, *arguments, **options):
        sizes.append(len(frames))
        return dream(self, frames, *arguments, **options)

    monkeypatch.setattr(Dreamer, "batch", counted)
    flags = ("video", clip, *SMALL, "--carry", "none", "--set", "machine.threads=1")
    assert call_cli(*flags, "-o", "whole", cwd=tmp_path).returncode == 0
    assert sizes == [3, 3, 2]
    lines = journal(tmp_path / "whole.dream")
    assert len({line["gain"] for line in lines}) == 8, "each its own"
    assert all(line["seconds"] > 0 for line in lines)
    # As if it had been killed within the second three.
    for index in (4, 5, 6, 7):
        (tmp_path / "whole.dream" / "frames" / f"{index:06d}.png").rename(tmp_path / f"{index}.png")
    told = call_cli("resume", "whole.dream", "--overwrite", cwd=tmp_path)
    assert told.returncode == 0, told.stderr
    assert sizes[3:] == [3, 2]
    for index in (4, 5, 6, 7):
        again = tmp_path / "whole.dream" / "frames" / f"{index:06d}.png"
        assert again.read_bytes() == (tmp_path / f"{index}.png").read_bytes()
    free = (*flags, "--set", "carry.jitter=free", "-o", "free")
    assert call_cli(*free, cwd=tmp_path).returncode == 0
    assert sizes[5:] == [1] * 8


def test_a_film_that_changed_is_not_gone_on_with(clip, tmp_path):
    copy = tmp_path / "copy.mp4"
    copy.write_bytes(clip.read_bytes())
    assert run_cli("video", copy, "--frames", "2", *SMALL, cwd=tmp_path).returncode == 0
    copy.write_bytes(clip.read_bytes() + b"\0")
    told = run_cli("resume", "copy-video.mp4.dream", "--frames", "4", "--overwrite", cwd=tmp_path)
    assert told.returncode == 2
    assert "copy.mp4: is not what the job began with" in told.stderr


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--start", "9"), "video.start: 9 is not before the end (the film has 8 frames)"),
        (("--start", "4", "--end", "4"), "video.start: 4 is not before the end (4)"),
        (("--start", "soon"), "video.start: got 'soon', expected a frame's number or a time"),
        (("--end", "-1"), "video.end: got '-1'"),
        (("--carry", "flwo"), "did you mean 'flow'"),
        (("--flow", "raft2"), "did you mean 'raft'"),
        (("--mask", "none.png"), "none.png: no such file"),
        (("--set", "carry.damping=2"), "carry.damping: got 2"),
        (("-o", "clip.gif", "--set", "encode.crf=3"), "encode.crf: no such setting"),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_made(clip, tmp_path, flags, words):
    told = run_cli("video", clip, *SMALL, *flags, cwd=tmp_path)
    assert told.returncode == 2
    assert words in told.stderr
    assert len(told.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_a_damaged_film_comes_out_short_and_is_refused_when_strict(clip, tmp_path):
    data = clip.read_bytes()
    (tmp_path / "torn.mp4").write_bytes(data[: -len(data) // 6])
    strict = run_cli("video", "torn.mp4", "--strict", *SMALL, cwd=tmp_path)
    assert strict.returncode == 2
    assert len(strict.stderr.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["torn.mp4"]
    told = run_cli("video", "torn.mp4", *SMALL[:-1], cwd=tmp_path)
    assert told.returncode == 0, told.stderr
    film = media.probe(tmp_path / "torn-video.mp4")
    assert 1 <= film.frames < 8
    assert "torn.mp4" in told.stderr
    assert f"the input ends after {film.frames} of " in told.stderr


def test_nothing_is_left_of_a_film_that_does_not_decode(clip, tmp_path):
    data = bytearray(clip.read_bytes())
    start = data.index(b"mdat") + 4
    data[start:] = bytes(len(data) - start)
    (tmp_path / "empty.mp4").write_bytes(data)
    told = run_cli("video", "empty.mp4", *SMALL, cwd=tmp_path)
    assert told.returncode == 2
    assert "not a frame of it decodes" in told.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["empty.mp4"]


def test_sound_is_kept(tmp_path):
    source = shared("media/chaplin.mp4")
    told = run_cli("video", source, "--size", "96x64", *SMALL, "--iterations", "1",
                   "--set", "ascent.later=1", "--set", "carry.name=none", cwd=tmp_path)  # fmt: skip
    assert told.returncode == 0, told.stderr

    def sound(path):
        with av.open(str(path)) as film:
            return [(bytes(packet), packet.pts) for packet in film.demux(audio=0) if packet.size]

    before, after = sound(source), sound(tmp_path / "chaplin-video.mp4")
    assert [data for data, _ in before] == [data for data, _ in after]
    with av.open(str(source)) as one, av.open(str(tmp_path / "chaplin-video.mp4")) as other:
        starts = []
        for film in (one, other):
            picture = film.streams.video[0]
            audio = film.streams.audio[0]
            starts.append(
                float((picture.start_time or 0) * picture.time_base)
                - float((audio.start_time or 0) * audio.time_base)
            )
    assert abs(starts[0] - starts[1]) < 1 / 25
    assert media.probe(tmp_path / "chaplin-video.mp4").frames == media.probe(source).frames
