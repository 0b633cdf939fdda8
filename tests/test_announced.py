"""What is announced of a film is what comes; hints for suffixes are for slips alone."""

import json
from fractions import Fraction

import av
import numpy as np
import pytest
from conftest import call_cli

from dreamvid import media
from dreamvid.jobs.films import _range, settings_for
from dreamvid.jobs.folder import Job
from dreamvid.media.timing import even_timing, timing_of


@pytest.fixture
def uneven(tmp_path):
    """A film whose pictures are shown for 10, 20, 10, 30 and 10 ms."""
    path = tmp_path / "uneven.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=100)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "bgr0"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        for index, time in enumerate((0, 10, 30, 40, 70)):
            pixels = np.full((48, 64, 3), 40 * index, np.uint8)
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format="bgr0")
            frame.pts, frame.time_base = time, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize("fps", ["1000", "24", "30000/1001", "7"])
def test_as_many_frames_come_as_are_announced(uneven, tmp_path, fps):
    told = call_cli("video", uneven, "--fps", fps, "--octaves", 1, "--iterations", 0, "--size",
                    "48x36", "--carry", "none", cwd=tmp_path)  # fmt: skip
    assert told.returncode == 0, told.stderr
    assert "the input ends after" not in told.stderr
    job = Job.open(tmp_path / "uneven-video.mp4.dream")
    lines = (job.folder / "journal.jsonl").read_text().splitlines()
    assert len([json.loads(line) for line in lines]) == job.manifest.settings.film.length
    film = media.probe(uneven)
    assert job.manifest.settings.film.length == film.frames_at(Fraction(fps))


def test_the_length_is_that_of_the_pictures():
    held = timing_of([0, 40, 80, 81], 3, Fraction(1, 1000), [Fraction(25)])
    for timing in (held, even_timing(9, [Fraction(30)])):
        for rate in map(Fraction, ("1000", "24000/1001", "1/2")):
            assert _range(timing, rate, settings_for()) == (0, timing.frames_at(rate))


@pytest.mark.parametrize(
    ("command", "out", "words"),
    [
        ("zoom", "a.mp5", "did you mean 'mp4'"),
        ("zoom", "a.wbem", "did you mean 'webm'"),
        ("zoom", "a.wmv", ".mp4 plays everywhere"),
        ("zoom", "a.ts", ".mp4 plays everywhere"),
        ("zoom", "a.png", "`dreamvid image` makes a picture"),
        ("image", "a.jgp", "did you mean '.jpg'"),
        ("image", "a.gif", "`dreamvid zoom` makes a film"),
        ("image", "a.mp4", "`dreamvid zoom` makes a film"),
    ],
)
def test_hints_for_suffixes(tmp_path, command, out, words):
    told = call_cli(command, tmp_path / "seed.png", "-o", tmp_path / out)
    assert told.returncode == 2
    assert words in told.stderr
    assert told.stderr.count("did you mean") == words.count("did you mean")
