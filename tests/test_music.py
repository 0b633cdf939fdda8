"""Listening: curves and beats of music that is made here, at the frames they belong to."""

import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from test_sound import ffmpeg

from dreamvid.audio import HERTZ, Soundtrack, heard, read_table
from dreamvid.audio import frames as at_frames
from dreamvid.errors import MediaError, SettingsError
from dreamvid.schedules import CURVES, Ask, Schedule, Span

sys.path.append(str(Path(__file__).parents[1] / "samples"))
import compose

FPS = Fraction(30)
ALL = [*(Ask("", name) for name in CURVES), Ask("", "note", (9.0,)), Ask("", "band", (40.0, 90.0))]


def clicking(path, times, seconds=4.0, hertz=44100, gain=0.7, channels=1):
    """A WAV with a short click at each of `times`."""
    sound = np.zeros(int(seconds * hertz))
    t = np.arange(int(0.02 * hertz)) / hertz
    click = gain * np.exp(-t / 0.004) * np.sin(2 * np.pi * 1500 * t)
    for time in times:
        place = round(time * hertz)
        part = sound[place : place + len(click)]
        part += click[: len(part)]
    compose.write_wav(path, sound if channels == 1 else np.stack([sound] * channels, 1), hertz)
    return path


def beats_at(tempo, seconds):
    """The times of clicks at a tempo, or at one that changes, from half a second on."""
    times = [0.5]
    while times[-1] < seconds:
        bpm = tempo(times[-1]) if callable(tempo) else tempo
        times.append(times[-1] + 60 / bpm)
    return np.array(times[:-1])


def farthest(found, wanted):
    """The greatest distance from a `wanted` time to the nearest that was found."""
    return max(np.abs(found - time).min() for time in wanted)


def f_measure(found, wanted, near=0.07):
    free, hits = list(found), 0
    for time in wanted:
        close = [each for each in free if abs(each - time) <= near]
        if close:
            free.remove(min(close, key=lambda each: abs(each - time)))
            hits += 1
    return 2 * hits / (len(found) + len(wanted))


@pytest.fixture(scope="session")
def song(tmp_path_factory):
    path = tmp_path_factory.mktemp("music") / "song.wav"
    compose.write_wav(path, compose.compose("house", 8)[0])
    return path


@pytest.fixture(scope="session")
def music(song):
    return Soundtrack({"": heard(song)})


TEMPOS = {
    "60": 60,
    "90": 90,
    "120": 120,
    "174": 174,
    "jump": lambda time: 100 if time < 10 else 140,
    "glide": lambda time: 100 + 40 * min(1.0, time / 20),
}


@pytest.mark.parametrize("tempo", TEMPOS.values(), ids=TEMPOS)
def test_clicks_and_their_beats_are_found(tempo, tmp_path):
    times = beats_at(tempo, 20)
    found = heard(clicking(tmp_path / "clicks.wav", times, 20.5))
    assert len(found.onset_times) == len(times)
    assert farthest(found.onset_times, times) < 0.01
    assert len(found.beat_times) == len(times)
    assert farthest(found.beat_times, times) < 0.02


CODECS = {
    "mp3": ("libmp3lame", 44100),
    "m4a": ("aac", 44100),
    "aac": ("aac", 44100),
    "opus": ("libopus", 48000),
    "flac": ("flac", 44100),
    "mkv": ("libmp3lame", 48000),
}


@pytest.mark.parametrize("suffix", CODECS)
def test_what_an_encoder_puts_before_the_sound_is_left_out(suffix, tmp_path):
    codec, hertz = CODECS[suffix]
    source = clicking(tmp_path / "source.wav", (1, 2, 3), hertz=hertz)
    ffmpeg("-i", source, "-c:a", codec, tmp_path / f"song.{suffix}")
    found = heard(tmp_path / f"song.{suffix}").onset_times
    assert found == pytest.approx([1, 2, 3], abs=0.005)


def test_an_edit_list_is_heeded(tmp_path):
    source = clicking(tmp_path / "source.wav", (1, 2, 3))
    ffmpeg("-i", source, "-c:a", "aac", tmp_path / "whole.m4a")
    ffmpeg("-ss", "0.5", "-i", tmp_path / "whole.m4a", "-c", "copy", tmp_path / "cut.m4a")
    assert heard(tmp_path / "cut.m4a").onset_times == pytest.approx([0.5, 1.5, 2.5], abs=0.005)


@pytest.mark.parametrize(("hertz", "channels"), [(8000, 1), (192_000, 2), (48_000, 8)])
def test_any_rate_and_any_channels(hertz, channels, tmp_path):
    path = clicking(tmp_path / "a.wav", (1, 2, 3), hertz=hertz, channels=channels)
    assert heard(path).onset_times == pytest.approx([1, 2, 3], abs=0.005)


def test_silence_gives_zeros(tmp_path):
    silent = Soundtrack({"": heard(clicking(tmp_path / "a.wav", ()))})
    for ask in ALL:
        assert not silent.curve(ask, 200, FPS).any(), ask


def test_a_louder_copy_gives_the_same_curves(tmp_path):
    sound, _ = compose.compose("rock", 5)
    quiet, loud = tmp_path / "quiet.wav", tmp_path / "loud.wav"
    compose.write_wav(tmp_path / "a.wav", sound)
    ffmpeg("-i", tmp_path / "a.wav", "-af", "volume=0.1", "-c:a", "pcm_f32le", quiet)
    ffmpeg("-i", quiet, "-af", "volume=10", "-c:a", "pcm_f32le", loud)
    pair = [Soundtrack({"": heard(path)}) for path in (quiet, loud)]
    for ask in ALL:
        first, second = (each.curve(ask, 150, FPS) for each in pair)
        assert first == pytest.approx(second, abs=1e-4), ask
        assert first.any()


def test_curves_lie_between_0_and_1(music):
    for ask in ALL:
        curve = music.curve(ask, 240, FPS)
        if ask.name not in ("bar", "bpm"):
            assert curve.min() >= 0, ask
            assert 0.5 < curve.max() <= 1, ask


def test_bands_hear_their_own_frequencies(tmp_path):
    t = np.arange(3 * 44100) / 44100
    tone = sum(
        np.sin(2 * np.pi * hertz * t) * (t // 1 == n) for n, hertz in enumerate((60, 440, 4000))
    )
    compose.write_wav(tmp_path / "a.wav", 0.5 * tone)
    found = Soundtrack({"": heard(tmp_path / "a.wav")})
    for second, name in enumerate(("bass", "mid", "high")):
        loud = [found.curve(Ask("", name), 90, FPS)[30 * n + 15] for n in range(3)]
        assert np.argmax(loud) == second
        assert loud[second] > 0.8
        assert sum(loud) - loud[second] < 0.1
    notes = [found.curve(Ask("", "note", (float(n),)), 90, FPS)[45] for n in range(12)]
    assert np.argmax(notes) == 9
    assert np.allclose(found.curve(Ask("", "band", (20.0, 150.0)), 90, FPS),
                       found.curve(Ask("", "bass"), 90, FPS))  # fmt: skip
    assert list(np.argsort(found.curve(Ask("", "centroid"), 90, FPS)[[15, 45, 75]])) == [0, 1, 2]


def test_a_frame_has_its_own_interval_and_no_hop(tmp_path):
    fps = Fraction(24000, 1001)
    series = np.zeros(200 * 3601, np.float32)
    frame = 86_000  # an hour in
    begin, end = frame / fps, (frame + 1) / fps
    inside = range(int(begin * 200) + 1, int(end * 200))
    series[list(inside)] = 1
    found = at_frames.means(series, 200, frame + 3, fps, Fraction(0), centred=False)
    assert found[frame] == pytest.approx(len(inside) / 200 * float(fps))
    assert found[frame - 1] == found[frame + 1] == 0
    late = at_frames.pulses(
        np.array([float(begin) + 1e-4]), np.ones(1), frame + 3, fps, Fraction(0)
    )
    assert late[frame] == 1
    assert not late[:frame].any()


def test_beats_do_not_drift_in_an_hour(music):
    fps = Fraction(24000, 1001)
    hour = replace(music.songs[""], samples=3600 * HERTZ)
    clock = Soundtrack({"": hour}, bpm=120.0, beat_offset=0.5)
    # The count goes back before the offset, which only says where a bar begins.
    times = [Fraction(n, 2) for n in range(7200)]
    beat = clock.curve(Ask("", "beat"), int(3600 * fps), fps)
    assert list(np.flatnonzero(beat == 1)) == [int(time * fps) for time in times]


def test_a_longer_film_begins_with_the_same_numbers(music):
    text = "smooth(rms, 0.4) + total(bass) + hit(onset, 0.3) + lag(mid, 0.2) + every(2) + bar"
    short, long = (Schedule(text, "x").over(Span(n, FPS, music=music)) for n in (60, 400))
    assert (short == long[:60]).all()


def test_shapers():
    class Step:
        def refusal(self, ask):
            return None

        def curve(self, ask, frames, fps):
            return (np.arange(frames) == 10).astype(float)

    def over(text):
        return Schedule(text, "x").over(Span(40, Fraction(10), music=Step()))

    hit, smooth, lag, total = map(
        over, ("hit(rms, 0.5)", "smooth(rms, 0.2)", "lag(rms, 0.2)", "total(rms)")
    )
    assert hit[9] == 0
    assert hit[[10, 15]] == pytest.approx([1, np.exp(-1)])
    assert smooth[8:13] == pytest.approx(smooth[12:7:-1])
    assert smooth.argmax() == 10
    assert sum(smooth) == pytest.approx(1, abs=0.01)
    assert lag[9] == 0
    assert lag[10] > lag[11] > lag[12] > 0
    assert total[[9, 10, 30]] == pytest.approx([0, 0.1, 0.1])


def test_keys_at_beats(music):
    first, gap = 0.5, 60 / 124
    values = Schedule("0b: (1.0), 4b: (5.0)", "x").over(Span(240, FPS, music=music))
    for beat in range(5):
        place = round((first + beat * gap) * 30)
        assert values[place] == pytest.approx(1 + beat, abs=0.08)
    listed = Schedule([["0b", 1.0], ["4b", 5.0]], "x").over(Span(240, FPS, music=music))
    assert (listed == values).all()


def test_what_is_said_of_the_rhythm_wins(song):
    told = Soundtrack({"": heard(song)}, bpm=100.0, beat_offset=0.25)
    assert told.rhythm().tempo(np.array([1.0, 5.0])) == pytest.approx([100, 100])
    assert told.beat_time(0) == pytest.approx(0.25)
    assert told.beat_time(4) == pytest.approx(0.25 + 4 * 0.6)
    beat = told.curve(Ask("", "beat"), 60, FPS)
    assert set(np.flatnonzero(beat == 1)) == {7, 25, 43}
    late = Soundtrack({"": heard(song)}, start=Fraction(1, 2))
    early = Soundtrack({"": heard(song)})
    assert late.curve(Ask("", "rms"), 60, FPS) == pytest.approx(
        early.curve(Ask("", "rms"), 75, FPS)[15:]
    )
    assert late.beat_time(0) == pytest.approx(early.beat_time(0) - 0.5)


def test_stems_and_tables(song, tmp_path):
    table = tmp_path / "glow.csv"
    table.write_text("time,value\n0,0\n2,1\n")
    drums = clicking(tmp_path / "drums.wav", (1.0,))
    both = Soundtrack({"": heard(song), "drums": heard(drums)}, {"glow": read_table(table)})
    span = Span(60, FPS, music=both)
    assert Schedule("drums.onset", "x").over(span).argmax() == 30
    assert Schedule('curve("glow")', "x").over(span)[30] == pytest.approx(0.5)
    assert Schedule("onset", "x").over(span).argmax() == 15


def test_it_is_kept_and_read_back(music, tmp_path):
    music.write(tmp_path / "music.safetensors")
    again = Soundtrack.read(tmp_path / "music.safetensors")
    assert again.sha256() == music.sha256()
    for ask in ALL:
        assert (again.curve(ask, 99, FPS) == music.curve(ask, 99, FPS)).all()
    whole = (tmp_path / "music.safetensors").read_bytes()
    (tmp_path / "torn.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(MediaError, match="begin the film anew"):
        Soundtrack.read(tmp_path / "torn.safetensors")


BAD = {
    "onest": "did you mean 'onset'",
    "drums.onset": "no stem 'drums'",
    'curve("glow")': "no curve 'glow'",
    "note(12)": "expected a note from 0",
    "band(200, 100)": "rising frequencies",
    "band(t, 100)": "needs a plain number",
    "every(0)": "expected 0.0625 beats or more",
    "hit(onset, -1)": "expected 0 to 30",
    "hit(onset)": "'hit' takes 2 values",
    "note": "needs its values in brackets",
    "curve(3)": "needs a name in quotation marks",
}


@pytest.mark.parametrize("text", BAD)
def test_bad_expressions_are_refused_in_one_line(text, music):
    with pytest.raises(SettingsError) as caught:
        Schedule(text, "motion.zoom.rate").over(Span(30, FPS, music=music))
    assert BAD[text] in str(caught.value)
    assert str(caught.value).startswith("motion.zoom.rate: ")
    assert "\n" not in str(caught.value)


def test_without_music_a_curve_and_a_beat_say_what_to_give():
    for text in ("1 + onset", "0b: (1), 4b: (2)", "smooth(bass, 1)"):
        with pytest.raises(SettingsError, match="--audio FILE"):
            Schedule(text, "x").over(Span(30, FPS))


def test_bad_sounds_are_refused_in_one_line(tmp_path, song):
    nan = np.zeros(HERTZ, "<f4")
    nan[5000] = np.nan
    files = {
        "text.mp3": b"no sound at all" * 99,
        "empty.wav": b"",
        "nothing.wav": song.read_bytes()[:44],
        "torn.flac": b"fLaC\0\0\0\x22" + bytes(10),
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "raw.f32").write_bytes(nan.tobytes())
    ffmpeg("-f", "f32le", "-ar", HERTZ, "-i", tmp_path / "raw.f32", "-c:a", "pcm_f32le",
           tmp_path / "nan.wav")  # fmt: skip
    ffmpeg("-f", "lavfi", "-i", "testsrc=size=64x48:duration=0.2", tmp_path / "mute.mp4")
    clicking(tmp_path / "blink.wav", (), seconds=0.01)
    for name in (*files, "nan.wav", "mute.mp4", "blink.wav", "gone.wav", "."):
        with pytest.raises(MediaError) as caught:
            heard(tmp_path / name)
        assert "\n" not in str(caught.value)
        assert str(tmp_path) in str(caught.value)
    for text in ("", "a,b\n", "time,value\n0,x\n", "0,1\n0,2\n", "0\n1\n"):
        (tmp_path / "bad.csv").write_text(text)
        with pytest.raises(MediaError):
            read_table(tmp_path / "bad.csv")


@pytest.mark.long
def test_ten_pieces_of_different_style_and_tempo(tmp_path):
    figures = []
    for style in compose.STYLES:
        sound, wanted = compose.compose(style, 30)
        compose.write_wav(tmp_path / "a.wav", sound)
        figures.append(f_measure(heard(tmp_path / "a.wav").beat_times, wanted))
    assert np.mean(figures) > 0.9


@pytest.mark.parametrize("style", ["house", "drumnbass"])
def test_beats_of_pieces_lie_where_they_were_played(style, tmp_path):
    sound, wanted = compose.compose(style, 12)
    compose.write_wav(tmp_path / "a.wav", sound)
    assert f_measure(heard(tmp_path / "a.wav").beat_times, wanted) > 0.9
