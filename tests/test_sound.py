"""The sound of a film: kept, cut, in sync, and never the end of a film."""

import hashlib
import subprocess
from fractions import Fraction

import av
import imageio_ffmpeg
import numpy as np
import pytest
import torch
from conftest import shared

from dreamvid import media
from dreamvid.media import Sound
from dreamvid.media.encoders import encoders
from dreamvid.media.film_writing import encode_film

RATE, HERTZ = Fraction(25), 48000
QUICK = {"mp4": {"preset": "ultrafast"}, "webm": {"speed": 5}}


def ffmpeg(*arguments):
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-v", "error", "-y"]
    subprocess.run([*command, *map(str, arguments)], check=True, timeout=60)


def clicking(path, *, seconds=4.0, shift=0.0, rate="25", film=4.0, codec=("-c:a", "aac")):
    """A film with a click at each whole second of film time; its sound lies `shift` later."""
    # A click is 20 ms of a tone; the sound's own time runs from `shift`.
    clicks = f"aevalsrc='sin(2*PI*1000*t)*lt(mod(t+{shift},1),0.02)':s={HERTZ}:d={seconds}"
    ffmpeg("-f", "lavfi", "-i", f"testsrc=size=64x48:rate={rate}:duration={film}",
           "-itsoffset", shift, "-f", "lavfi", "-i", clicks, "-map", 0, "-map", 1,
           "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p",
           *codec, path)  # fmt: skip
    return path


def dreamt(source, out, *, start=0, count=None, rate=None, say=None):
    """A film of plain frames with the sound of `source` from frame `start` on."""
    film = media.probe(source)
    rate = rate or film.rate
    count = film.frames - start if count is None else count
    sound = Sound(source, start / rate, count / rate)
    frames = (torch.full((3, 48, 64), 0.5) for _ in range(count))
    options = QUICK.get(out.suffix[1:], {})
    done = encode_film(frames, out, rate, options=options, sound=sound, say=say or list().append)
    assert done == count
    return out


def clicks_of(path):
    """When the sound of a film clicks, in seconds from its first picture."""
    film = media.probe(path)
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        parts = [
            (frame.pts * frame.time_base, frame.to_ndarray(), frame.sample_rate)
            for frame in container.decode(stream)
        ]
    found, loud = [], False
    for time, samples, hertz in parts:
        if samples.dtype != np.float32:
            samples = samples / np.iinfo(samples.dtype).max
        peaks = np.abs(samples.reshape(-1, samples.shape[-1])).max(0)
        for index in range(0, len(peaks), 48):
            now = peaks[index : index + 48].max() > 0.3
            if now and not loud:
                found.append(float(time - film.origin) + index / hertz)
            loud = now
    # A copied packet may reach a little beyond the film.
    return [time for time in found if time < film.duration - Fraction(1, 20)]


def packets(path, kind):
    with av.open(str(path)) as container:
        stream = getattr(container.streams, kind)[0]
        return [
            (each.pts * stream.time_base, hashlib.sha256(bytes(each)).hexdigest())
            for each in container.demux(stream)
            if each.size
        ]


@pytest.fixture(scope="session")
def clip(tmp_path_factory):
    return clicking(tmp_path_factory.mktemp("sound") / "clip.mp4")


def test_a_whole_track_is_copied_packet_by_packet(clip, tmp_path):
    out = dreamt(clip, tmp_path / "out.mp4")
    assert packets(out, "audio") == packets(clip, "audio")
    assert [time for time, _ in packets(out, "video")] == [n / RATE for n in range(100)]
    assert list(tmp_path.iterdir()) == [out]


def test_chaplins_packets_come_out_unchanged(tmp_path):
    source = shared("media/chaplin.mp4")
    out = dreamt(source, tmp_path / "out.mp4")
    assert packets(out, "audio") == packets(source, "audio")
    assert media.probe(out).sound == "mp3"
    assert media.probe(out).frames == media.probe(source).frames


@pytest.mark.parametrize("name", ["mp4", "webm", "mov"])
def test_a_part_is_cut_and_in_sync(clip, tmp_path, name):
    out = dreamt(clip, tmp_path / f"out.{name}", start=20, count=60)
    assert media.probe(out).sound == ("opus" if name == "webm" else "aac")
    # 0.8 s in, so that the clicks at 1, 2 and 3 s come at 0.2, 1.2 and 2.2 s.
    assert clicks_of(out) == pytest.approx([0.2, 1.2, 2.2], abs=0.015)
    assert float(packets(out, "audio")[-1][0]) <= 2.4


@pytest.mark.parametrize("shift", [0.5, -0.5], ids=["late", "early"])
@pytest.mark.parametrize("start", [0, 10])
@pytest.mark.parametrize("suffix", ["mkv", "ts"])
def test_sound_that_begins_late_or_early(tmp_path, shift, start, suffix):
    source = clicking(tmp_path / f"source.{suffix}", shift=shift)
    out = dreamt(source, tmp_path / "out.mp4", start=start)
    expected = [second - start / 25 for second in range(5) if second - start / 25 >= 0]
    expected = [each for each in expected if shift - start / 25 < each + 0.01 < 4 - start / 25]
    expected = [each for each in expected if each + start / 25 + 0.02 < 4 + min(shift, 0)]
    assert clicks_of(out) == pytest.approx(expected, abs=0.03)


def test_a_stream_that_begins_at_ten_seconds(tmp_path, clip):
    source = tmp_path / "late.ts"
    ffmpeg("-i", clip, "-c", "copy", "-output_ts_offset", "10", source)
    for start, count in ((0, 100), (30, 50)):
        out = dreamt(source, tmp_path / "out.mp4", start=start, count=count)
        ends = (start + count) / 25
        expected = [second - start / 25 for second in range(5) if start / 25 <= second < ends]
        assert clicks_of(out) == pytest.approx(expected, abs=0.03)


def test_longer_and_shorter_sound(tmp_path):
    for seconds, clicks in ((6.5, 4), (1.5, 2)):
        source = clicking(tmp_path / "source.mp4", seconds=seconds)
        out = dreamt(source, tmp_path / "out.mp4", count=100)
        assert media.probe(out).frames == 100
        assert clicks_of(out) == pytest.approx(list(range(clicks)), abs=0.03)
        assert float(packets(out, "audio")[-1][0]) <= 4.03


@pytest.mark.parametrize(
    ("codec", "name", "kept"),
    [
        ("libopus", "webm", "opus"),
        ("libvorbis", "webm", "vorbis"),
        ("libvorbis", "mp4", "aac"),
        ("ac3", "mp4", "ac3"),
        ("flac", "mp4", "flac"),
        ("pcm_s16le", "mov", "pcm_s16le"),
        ("pcm_s16le", "mp4", "aac"),
        ("aac", "webm", "opus"),
    ],
)
def test_the_container_decides(tmp_path, codec, name, kept):
    source = clicking(tmp_path / "source.mkv", seconds=2, film=2, codec=("-c:a", codec))
    out = dreamt(source, tmp_path / f"out.{name}")
    assert media.probe(out).sound == kept
    if kept in codec:
        assert [each for _, each in packets(out, "audio")] == [
            each for _, each in packets(source, "audio")
        ]
    assert clicks_of(out) == pytest.approx([0, 1], abs=0.03)


def test_surround_goes_into_webm(tmp_path):
    codec = ("-af", "pan=5.1(side)|FL=c0|FR=c0|FC=c0|LFE=c0|SL=c0|SR=c0", "-c:a", "ac3")
    source = clicking(tmp_path / "source.mkv", seconds=2, film=2, codec=codec)
    out = dreamt(source, tmp_path / "out.webm")
    with av.open(str(out)) as container:
        assert container.streams.audio[0].codec_context.layout.nb_channels == 6


def test_the_rate_of_television_stays_exact_and_in_sync(tmp_path):
    rate = Fraction(24000, 1001)
    source = clicking(tmp_path / "source.mp4", seconds=300, film=300, rate="24000/1001",
                      codec=("-c:a", "aac", "-b:a", "32k"))  # fmt: skip
    film = media.probe(source)
    assert film.rate == rate
    out = dreamt(source, tmp_path / "out.mp4")
    assert media.probe(out).rate == rate
    assert media.probe(out).frames == film.frames
    times = [time for time, _ in packets(out, "video")]
    assert times[-1] == (film.frames - 1) / rate
    assert packets(out, "audio") == packets(source, "audio")
    part = dreamt(source, tmp_path / "part.mp4", start=7000, count=100)
    begins = float(7000 / rate)
    assert clicks_of(part)[0] == pytest.approx(np.ceil(begins) - begins, abs=0.015)


def test_formats_without_sound_say_so(clip, tmp_path):
    for name in encoders.names():
        out = tmp_path / ("folder" if name == "frames" else f"out.{name}")
        said = []
        dreamt(clip, out, count=2, say=said.append)
        assert len(said) == (encoders[name]().sound is None)
        assert all("sound" in line and "\n" not in line for line in said)


def test_a_film_without_sound_needs_no_word(tmp_path):
    source, said = tmp_path / "mute.mp4", []
    ffmpeg("-f", "lavfi", "-i", "testsrc=size=64x48:duration=0.2", source)
    assert media.probe(dreamt(source, tmp_path / "out.mp4", say=said.append)).sound is None
    assert not said


def test_broken_sound_never_costs_the_film(clip, tmp_path, monkeypatch):
    source, said = tmp_path / "broken.mkv", []
    ffmpeg("-i", clip, "-c", "copy", "-bsf:a", "noise=amount=1", source)
    out = dreamt(source, tmp_path / "out.webm", say=said.append)
    assert media.probe(out).frames == 100
    assert len(said) == 1
    assert "sound" in said[0]
    gone = Sound(tmp_path / "gone.mp4", Fraction(0), Fraction(1))
    frames, said = [torch.zeros(3, 48, 64)] * 5, []
    encode_film(iter(frames), out, RATE, options=QUICK["webm"], sound=gone, say=said.append)
    assert media.probe(out).frames == 5
    assert len(said) == 1
    assert "\n" not in said[0]
    assert sorted(tmp_path.iterdir()) == [source, out]


def test_the_words_stay_and_long_names_work(clip, tmp_path):
    out = tmp_path / ("x" * 245 + ".mp4")
    frames = (torch.zeros(3, 48, 64) for _ in range(100))
    sound, words = Sound(clip, Fraction(0), Fraction(4)), {"comment": "a=b; 'c' é \\ \" #"}
    options = QUICK["mp4"]
    encode_film(frames, out, RATE, options=options, sound=sound, metadata=words)
    assert media.read_metadata(out)["comment"] == words["comment"]
    assert media.probe(out).sound == "aac"
    assert list(tmp_path.iterdir()) == [out]
    first = out.read_bytes()
    frames = (torch.zeros(3, 48, 64) for _ in range(100))
    encode_film(frames, out, RATE, options=options, sound=sound, metadata=words)
    assert out.read_bytes() == first
