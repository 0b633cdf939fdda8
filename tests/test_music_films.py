"""Films to music: as long as it, in time with it, resumed exactly, and without a flash too many."""

import csv
import itertools
import json
import shutil
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import call_cli
from test_music import clicking
from test_sound import clicks_of, ffmpeg

from dreamvid import media
from dreamvid.film.carries import Situation
from dreamvid.film.flashes import MOST, FlashCounter, held_back, luminance_of
from dreamvid.film.sources import Moment
from dreamvid.frames import quantised
from dreamvid.jobs.folder import Job
from dreamvid.settings import presets

sys.path.append(str(Path(__file__).parents[1] / "samples"))
import compose

TINY = ("--size", "64x48", "--octaves", "1", "--iterations", "1", "-q")
CLICKS = (0.5, 1.0, 1.5)


@pytest.fixture
def place(tmp_path, picture):
    """A folder with a seed and two songs of clicks."""
    media.write_picture(picture, tmp_path / "seed.png")
    clicking(tmp_path / "song.wav", CLICKS, 2)
    clicking(tmp_path / "other.wav", (0.4, 0.9), 2)
    return tmp_path


def run(place, *words, fails=False):
    done = call_cli(*words, cwd=place)
    assert (done.returncode != 0) == fails, done.stderr
    if fails:
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1
    return done


def frames_in(job):
    return [path.read_bytes() for path in sorted((job / "frames").iterdir())]


def test_a_zoom_is_as_long_as_its_music_and_in_time_with_it(place):
    ffmpeg("-i", place / "song.wav", "-c:a", "libmp3lame", place / "song.mp3")
    run(place, "zoom", "seed.png", "--audio", "song.mp3", "--fps", "8", *TINY, "-o", "a.mp4",
        "--set", "motion.zoom.rate=1.1+0.8*total(bass)", "--layer", "4c=1+onset")  # fmt: skip
    film = media.probe(place / "a.mp4")
    assert film.frames == 16
    assert clicks_of(place / "a.mp4") == pytest.approx(CLICKS, abs=0.015)
    run(place, "zoom", "seed.png", "--audio", "song.wav", "--audio-offset", "0.4", "--fps", "8",
        "--seconds", "0.5", *TINY, "-o", "b.mp4", "--set", "motion.zoom.rate=1+onset")  # fmt: skip
    assert media.probe(place / "b.mp4").frames == 4
    assert clicks_of(place / "b.mp4") == pytest.approx([0.1], abs=0.015)
    late = Job.open(place / "b.mp4.dream").manifest.settings
    assert late.music.beat_time(0) == pytest.approx(0.1, abs=0.002)


def test_going_on_is_exact_and_other_music_is_refused(place):
    words = ("--fps", "8", *TINY, "--set", "ascent.step_size=1+4*hit(onset, 0.2)")
    run(place, "zoom", "seed.png", "--audio", "song.wav", *words, "-o", "whole.mp4")
    run(place, "zoom", "seed.png", "--audio", "song.wav", *words, "-o", "a.mp4", "--frames", "5")
    run(place, "resume", "a.mp4.dream", "--frames", "16", "-q")
    assert frames_in(place / "a.mp4.dream") == frames_in(place / "whole.mp4.dream")
    assert (place / "a.mp4").read_bytes() == (place / "whole.mp4").read_bytes()
    whole = (place / "a.mp4").read_bytes()
    (place / "a.mp4").unlink()
    refused = run(place, "zoom", "seed.png", "--audio", "other.wav", *words, "-o", "a.mp4",
                  fails=True)  # fmt: skip
    assert "other music" in refused.stderr
    assert whole == (place / "whole.mp4").read_bytes()
    (place / "elsewhere").mkdir()
    shutil.move(place / "song.wav", place / "elsewhere" / "tune.wav")
    gone = run(place, "resume", "a.mp4.dream", "-q", fails=True)
    assert "the music is not there" in gone.stderr
    run(place, "zoom", "seed.png", "--audio", "elsewhere/tune.wav", *words, "-o", "a.mp4",
        "--frames", "16")  # fmt: skip
    assert frames_in(place / "a.mp4.dream") == frames_in(place / "whole.mp4.dream")
    assert clicks_of(place / "a.mp4") == pytest.approx(CLICKS, abs=0.02)
    shutil.move(place / "elsewhere" / "tune.wav", place / "tune.wav")
    (place / "a.mp4").unlink()
    run(place, "resume", "a.mp4.dream", "--frames", "16", "-q")
    assert media.probe(place / "a.mp4").sound == "aac"
    kept = place / "a.mp4.dream" / "music.safetensors"
    whole = kept.read_bytes()
    kept.write_bytes(whole[: len(whole) // 2] + bytes(range(64)) + whole[len(whole) // 2 + 64 :])
    assert "is damaged" in run(place, "resume", "a.mp4.dream", "--frames", "18", fails=True).stderr


def test_a_film_listens_to_its_own_sound(place):
    ffmpeg("-f", "lavfi", "-i", "testsrc=size=64x48:rate=8:duration=2", "-i", place / "song.wav",
           "-c:v", "libx264", "-c:a", "aac", place / "clip.mp4")  # fmt: skip
    words = (*TINY, "--set", "ascent.step_size=1+onset")
    run(place, "video", "clip.mp4", *words, "-o", "a.mp4", "--start", "0.5s")
    settings = Job.open(place / "a.mp4.dream").manifest.settings
    assert settings.music.beat_time(0) == pytest.approx(0, abs=0.005)
    assert clicks_of(place / "a.mp4") == pytest.approx([0, 0.5, 1], abs=0.02)
    run(place, "video", "clip.mp4", *words, "-o", "b.mp4", "--audio", "other.wav")
    assert clicks_of(place / "b.mp4") == pytest.approx([0.4, 0.9], abs=0.02)
    ffmpeg("-i", place / "clip.mp4", "-an", "-c", "copy", place / "mute.mp4")
    assert "--audio FILE" in run(place, "video", "mute.mp4", *words, fails=True).stderr


@pytest.mark.parametrize("own", [False, True])
def test_a_film_to_music_is_measured(place, own):
    sound = ("-i", place / "song.wav", "-c:a", "aac") if own else ()
    ffmpeg("-f", "lavfi", "-i", "testsrc=size=96x64:rate=8:duration=1", *sound, "-shortest",
           "-c:v", "libx264", place / "clip.mp4")  # fmt: skip
    words = ("video", "clip.mp4", *TINY, *(() if own else ("--audio", "song.wav")))
    run(place, *words, "--set", "ascent.step_size=1+onset", "--seconds", "1", "-o", "steps.mp4")
    run(place, *words, "--layer", "4c=1+onset,3b", "--seconds", "1", "-o", "layers.mp4")
    assert "dream strength" in run(place, "measure", "clip.mp4", "layers.mp4").stdout
    (place / "song.wav").unlink()
    # How a film was dreamed does not matter, so neither does the music that led it.
    assert "dream strength" in run(place, "measure", "clip.mp4", "steps.mp4").stdout
    if not own:
        assert "song.wav" in run(place, "measure", "clip.mp4", "layers.mp4", "--overwrite",
                                 fails=True).stderr  # fmt: skip


def test_a_folder_of_pictures_becomes_a_film_to_music(place, picture):
    (place / "row").mkdir()
    for number in range(9):
        media.write_picture(picture.roll(number, 2), place / "row" / f"{number:03d}.png")
    words = ("--fps", "4", *TINY, "--set", "ascent.step_size=1+onset")
    run(place, "video", "row", "--audio", "song.wav", *words, "-o", "a.mp4")
    assert media.probe(place / "a.mp4").frames == 8
    assert clicks_of(place / "a.mp4") == pytest.approx(CLICKS, abs=0.02)
    assert "--audio FILE" in run(place, "video", "row", *words, fails=True).stderr


def test_a_loop_closes_on_the_bar(place):
    times = [0.5 * n for n in range(11)]
    clicking(place / "loop.wav", times, 5.3)
    done = run(place, "loop", "--audio", "loop.wav", "--fps", "4", *TINY[:-1], "-o", "a.mp4",
               "--set", "loop.turns=2", "--set", "ascent.step_size=1+beat")  # fmt: skip
    assert "2 bars of the music long, 4.000 s" in done.stderr
    assert media.probe(place / "a.mp4").frames == 16


def test_what_moves_is_in_time_with_the_curve(place):
    clicking(place / "song.wav", (0.5, 1.1, 1.9, 2.6), 3)
    run(place, "zoom", "seed.png", "--audio", "song.wav", "--fps", "20", *TINY, "-o", "a.mp4",
        "--motion", "zoom", "--set", "motion.zoom.rate=1+3*onset")  # fmt: skip
    job = Job.open(place / "a.mp4.dream")
    settings = job.manifest.settings
    from dreamvid.dream.timeline import Timeline
    from dreamvid.frames import Clock, Size
    from dreamvid.motion.warp import grid
    from dreamvid.schedules import Ask

    curve = settings.music.curve(Ask("", "onset"), 60, Fraction(20))
    points, motion = grid(Size(48, 64)), Timeline(settings).motion
    moved = [
        float((motion(points, Clock(n / 20, 1 / 20), Size(48, 64)) - points).norm(dim=0).mean())
        for n in range(60)
    ]
    assert best_lag(curve, moved) == 0
    run(place, "zoom", "seed.png", "--audio", "song.wav", "--fps", "20", *TINY, "-o", "b.mp4",
        "--motion", "hold", "--set", "ascent.step_size=0.2+6*onset", "--set", "film.anchor=0",
        "--flashes")  # fmt: skip
    job = Job.open(place / "b.mp4.dream")
    frames = [job.read(index) for index in range(60)]
    changes = [0, *(float((b - a).abs().mean()) for a, b in itertools.pairwise(frames))]
    assert best_lag(curve, changes) == 0


def best_lag(first, second):
    """Frames by which `second` must be moved to be most like `first`."""
    first, second = (np.asarray(each) - np.mean(each) for each in (first, second))
    lags = range(-8, 9)
    return lags[int(np.argmax([(first[8:-8] * np.roll(second, lag)[8:-8]).sum() for lag in lags]))]


def test_formats_without_sound_say_so(place):
    done = run(place, "zoom", "seed.png", "--audio", "song.wav", "--frames", "2", *TINY[:-1],
               "-o", "a.gif")  # fmt: skip
    assert "song.wav is left out" in done.stderr


@pytest.mark.parametrize("hertz", [2, 5, 12])
def test_flashes_are_counted_and_held_back(hertz):
    fps = Fraction(24)
    told, calm = FlashCounter(fps), FlashCounter(fps)
    kept: list[torch.Tensor] = []
    finish = held_back(fps, 1, kept.__getitem__)
    base = torch.rand(3, 20, 32, generator=torch.Generator().manual_seed(1)) * 0.3 + 0.1
    most = [0, 0]
    for index in range(60):
        bright = (2 * hertz * index // 24) % 2
        dream = (base + 0.5 * bright).clamp(0, 1)
        previous = kept[-1] if kept else None
        moment = Moment(dream)
        kept.append(quantised(finish(Situation(index, moment, previous), dream)))
        most[0] = max(most[0], told(luminance_of(dream)))
        most[1] = max(most[1], calm(luminance_of(kept[-1])))
        if index == 40:  # as a resumed film
            finish = held_back(fps, 1, kept.__getitem__)
    assert most[0] == hertz
    assert most[1] <= MOST
    if hertz <= MOST:
        assert most[1] == hertz


def test_a_patch_may_flash():
    counter = FlashCounter(Fraction(20))
    most = 0
    for index in range(40):
        cells = np.full((20, 32), 0.3, np.float32)
        cells[:, :7] += 0.5 * (index // 2 % 2)
        most = max(most, counter(cells))
    assert most == 0


@pytest.mark.parametrize("preset", ["pulse", "drift", "cuts"])
def test_presets_to_music(preset, place):
    done = run(place, "zoom", "seed.png", "--preset", preset, "--frames", "3", *TINY, fails=True)
    assert "--audio FILE" in done.stderr
    compose.write_wav(place / "song.wav", compose.compose("house", 5)[0])
    run(place, "zoom", "seed.png", "--preset", preset, "--audio", "song.wav", *TINY,
        "--fps", "10", "-o", "a.mp4")  # fmt: skip
    counter = FlashCounter(Fraction(10))
    job = Job.open(place / "a.mp4.dream")
    assert max(counter(luminance_of(job.read(index))) for index in range(50)) <= MOST
    assert presets.about(preset).endswith("(--audio)")


def test_listen_draws_and_tells(place):
    clicking(place / "song.wav", [0.5 * n for n in range(1, 9)], 4.2)
    done = run(place, "listen", "song.wav", "-o", "song.png", "--preview", "--fps", "10", "-q")
    assert "120.0 bpm; 8 beats, the first at 0.500 s" in done.stdout
    assert media.read_picture(place / "song.png").shape[0] == 3
    rows = list(csv.DictReader((place / "song.csv").read_text().splitlines()))
    assert len(rows) == 42
    assert [float(row["time"]) for row in rows[:3]] == [0, 0.1, 0.2]
    assert [index for index, row in enumerate(rows) if float(row["beat"]) == 1][:3] == [5, 10, 15]
    assert {"rms", "bass", "onset", "phase", "bar", "bpm", "note(11)"} <= rows[0].keys()
    film = media.probe(place / "song-preview.mp4")
    assert (film.frames, film.sound) == (42, "aac")
    again = run(place, "listen", "song.wav", "-o", "song.png", fails=True)
    assert "--overwrite" in again.stderr


BAD = {
    "no sound": (["--audio", "seed.png"], "seed.png"),
    "gone": (["--audio", "gone.wav"], "gone.wav"),
    "unknown curve": (["--audio", "song.wav", "--set", "motion.zoom.rate=1+onst"], "'onset'"),
    "unknown stem": (["--audio", "song.wav", "--set", "motion.zoom.rate=1+drum.onset"], "drum"),
    "no music": (["--set", "motion.zoom.rate=1+onset"], "--audio FILE"),
    "beat without music": (["--set", "motion.zoom.rate=0b: (1), 4b: (2)"], "--audio FILE"),
    "absurd bpm": (["--audio", "song.wav", "--bpm", "9000"], "audio.bpm: got 9000"),
    "no bpm": (["--audio", "song.wav", "--bpm", "fast"], "audio.bpm: got 'fast'"),
    "offset past the end": (["--audio", "song.wav", "--audio-offset", "9"], "past the end"),
    "two songs": (["--audio", "song.wav", "--audio", "other.wav"], "both of them the song"),
    "bad table": (["--audio", "x=seed.csv"], "seed.csv"),
}


@pytest.mark.parametrize("words", BAD.values(), ids=BAD)
def test_bad_music_is_one_line_and_leaves_nothing(words, place):
    before = sorted(place.iterdir())
    done = run(place, "zoom", "seed.png", *words[0], *TINY, "-o", "a.mp4", fails=True)
    assert words[1] in done.stderr
    assert sorted(place.iterdir()) == before


def test_music_shorter_than_the_film_ends_in_silence(place):
    run(place, "zoom", "seed.png", "--audio", "song.wav", "--fps", "4", "--seconds", "4", *TINY,
        "-o", "a.mp4", "--set", "ascent.step_size=1+rms")  # fmt: skip
    assert media.probe(place / "a.mp4").frames == 16
    assert clicks_of(place / "a.mp4") == pytest.approx(CLICKS, abs=0.02)


def test_films_without_music_tell_nothing_of_it(place):
    run(place, "zoom", "seed.png", "--frames", "2", *TINY, "-o", "a.mp4")
    told = json.loads((place / "a.mp4.dream" / "job.json").read_text())
    assert "audio" not in told["settings"]
    assert not any("sha256" in name and name != "sha256" for name in told["source"])
    assert not (place / "a.mp4.dream" / "music.safetensors").exists()
