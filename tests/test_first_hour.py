"""What a stranger meets in the first hour: second tries, longer films, slips."""

import os
import re
import signal
import time
from fractions import Fraction

import numpy as np
import pytest
import torch
from conftest import call_cli

import dreamvid
from dreamvid import media
from dreamvid.dream.octaves import largest_octaves
from dreamvid.dream.plan import Plan
from dreamvid.errors import SettingsError, Stopped
from dreamvid.film.carries import carry_for
from dreamvid.film.compositing import luma_of
from dreamvid.film.fading import eased
from dreamvid.frames import Clock, size_of
from dreamvid.jobs.films import settings_for
from dreamvid.jobs.folder import Job
from dreamvid.jobs.stopping import stoppable
from dreamvid.motion.motions import composed, flow_of
from dreamvid.motion.warp import warp
from dreamvid.networks import sketch
from dreamvid.registry import Within, parameters
from dreamvid.schedules import Schedule, Span
from dreamvid.settings import SECTIONS, assigned
from dreamvid.settings.docs import sayings
from dreamvid.sizes import Size, parsed_size

TINY = ("--size", "64x48", "--octaves", "1", "--iterations", "1")
ZOOM = ("zoom", "seed.png", *TINY)


@pytest.fixture
def place(tmp_path, picture):
    """A folder with a picture in it."""
    media.write_picture(picture, tmp_path / "seed.png")
    return tmp_path


def told(*arguments, cwd, status=0):
    """What a command says of itself."""
    result = call_cli(*arguments, cwd=cwd)
    assert result.returncode == status, result.stderr
    return result.stderr


def length(film):
    return len(list(media.frames_of(film)))


def test_a_longer_film_takes_the_place_of_its_shorter_self(place):
    told(*ZOOM, "--frames", 2, cwd=place)
    film, folder = place / "seed-zoom.mp4", place / "seed-zoom.mp4.dream"
    told("resume", folder, "--frames", 3, cwd=place)
    assert length(film) == 3
    assert "the film of 3 frames is there" in told("resume", folder, cwd=place)
    told("resume", folder, "--frames", 4, "-o", "longer.mp4", cwd=place)
    assert (length(film), length(place / "longer.mp4")) == (3, 4)
    # A shorter one, or a film that is not the job's, is replaced only by a flag.
    assert "exists already" in told("resume", folder, "--frames", 2, cwd=place, status=2)
    assert "exists already" in told("resume", folder, "-o", "longer.mp4", cwd=place, status=2)
    told("zoom", "seed.png", *TINY, "--seed", 5, "--frames", 2, "-o", "other.mp4", cwd=place)
    (place / "other.mp4").replace(film)
    assert "exists already" in told("resume", folder, "--frames", 5, cwd=place, status=2)
    assert length(film) == 2


def test_a_second_try_is_numbered(place):
    told(*ZOOM, "--frames", 1, cwd=place)
    said = told(*ZOOM, "--frames", 1, "--seed", 2, cwd=place)
    assert "seed-zoom.mp4 is there already, so this one is seed-zoom-2.mp4" in said
    assert (place / "seed-zoom-2.mp4.dream" / "job.json").exists()
    # One that was begun is gone on with, under its number.
    (place / "seed-zoom-2.mp4").unlink()
    said = told(*ZOOM, "--frames", 1, "--seed", 2, cwd=place)
    assert length(place / "seed-zoom-2.mp4") == 1
    before = (place / "seed-zoom.mp4").read_bytes()
    told(*ZOOM, "--frames", 1, "--seed", 2, "--overwrite", cwd=place)
    assert (place / "seed-zoom.mp4").read_bytes() != before
    assert not (place / "seed-zoom-3.mp4").exists()
    refused = told(*ZOOM, "--frames", 1, "-o", "seed-zoom.mp4", cwd=place, status=2)
    assert "exists already" in refused
    for _ in range(2):
        told("image", "seed.png", *TINY, cwd=place)
    assert (place / "seed-dream-2.png").exists()


def test_a_pipe_is_no_folder(place, capfdbinary):
    assert call_cli(*ZOOM, "--frames", "2", "-o", "-", cwd=place).returncode == 0
    assert capfdbinary.readouterr().out.startswith(b"YUV4MPEG2 W64 H48 ")
    assert not (place / "-").exists()


@pytest.mark.parametrize(
    ("command", "setting", "belongs"),
    [
        ("zoom", "carry.damping=0.9", "video"),
        ("zoom", "video.mask_follows=false", "video"),
        ("zoom", "loop.turns=4", "loop"),
        ("video", "motion.zoom.rate=1.2", "zoom`, `dreamvid loop"),
        ("loop", "flow.name='dis'", "video"),
        ("image", "encode.crf=3", "zoom`, `dreamvid video"),
    ],
)
def test_a_setting_without_effect_is_refused(place, command, setting, belongs):
    said = told(command, "seed.png", "--set", setting, cwd=place, status=2)
    name = setting.partition("=")[0]
    assert f"{name}: changes nothing in {command}; it belongs to `dreamvid {belongs}`" in said
    section, _, key = name.partition(".")
    if command == "zoom":
        with pytest.raises(SettingsError, match="changes nothing"):
            dreamvid.zoom(place / "seed.png", settings={section: {key: 1}})


@pytest.fixture
def masked_place(place):
    """A mask beside the picture: it dreams on the left only."""
    mask = torch.zeros(3, 48, 64)
    mask[:, :, :32] = 1
    media.write_picture(mask, place / "mask.png")
    return place


def frames_of(film):
    return [media.read_png(path) for path in sorted((film / "frames").iterdir())]


@pytest.mark.parametrize(
    "command",
    [
        ("zoom", "--frames", 4),
        ("zoom", "--frames", 5, "--cadence", 2),
        ("loop", "--frames", 4, "--set", "loop.turns=2"),
    ],
)
def test_a_mask_leaves_the_picture_alone_and_is_resumed(masked_place, command):
    place = masked_place
    words = (command[0], "seed.png", *command[1:], *TINY, "--mask", "mask.png")
    told(*words, "-o", "a.mp4", cwd=place)
    source = media.read_png(place / "a.mp4.dream" / "source.png")
    made = frames_of(place / "a.mp4.dream")
    for frame in made:
        assert torch.equal(frame[:, :, 33:], source[:, :, 33:])
        assert not torch.equal(frame[:, :, :32], source[:, :, :32])
    (place / "a.mp4").unlink()
    (place / "a.mp4.dream" / "frames" / "000002.png").unlink()
    told("resume", "a.mp4.dream", cwd=place)
    assert all(map(torch.equal, frames_of(place / "a.mp4.dream"), made))
    media.write_picture(torch.ones(3, 48, 64), place / "mask.png")
    (place / "a.mp4").unlink()
    (place / "a.mp4.dream" / "frames" / "000002.png").unlink()
    assert "mask.png: is not what" in told("resume", "a.mp4.dream", cwd=place, status=2)


def test_colours_are_kept_and_pictures_masked(masked_place):
    place = masked_place
    told(*ZOOM, "--frames", 2, "--keep-color", cwd=place)
    told("image", "seed.png", *TINY, "--keep-color", "--mask", "mask.png", cwd=place)
    source = media.read_png(place / "seed-zoom.mp4.dream" / "source.png")
    dreams = [*frames_of(place / "seed-zoom.mp4.dream"), media.read_png(place / "seed-dream.png")]
    for dream in dreams:
        assert (dream - source).abs().max() > 0.02
        # The chroma of a dream is that of the picture, or less of it where it would not fit.
        chroma = [each - luma_of(each) for each in (dream, source)]
        assert ((chroma[0].abs() - chroma[1].abs()) < 0.01).all()
    assert (dreams[-1][:, :, 33:] - source[:, :, 33:]).abs().max() < 0.01
    (place / "some").mkdir()
    (place / "seed.png").replace(place / "some" / "seed.png")
    told("image", "some", *TINY, "--mask", "mask.png", cwd=place)
    folder = media.read_png(place / "some-dream" / "seed.png")
    assert (folder[:, :, 33:] - source[:, :, 33:]).abs().max() < 0.01
    media.write_picture(torch.ones(3, 48, 64), place / "mask.png")
    said = told("image", "some", *TINY, "--mask", "mask.png", cwd=place, status=2)
    assert "another mask" in said
    said = told("image", "some", *TINY, "--mask", "a.mp4", cwd=place, status=2)
    assert "a.mp4: no such file" in said


def test_a_small_film_has_fewer_octaves(place):
    small = ("--size", 64, "--iterations", 1, "--octaves", 4)
    said = told("zoom", "seed.png", *small, "--frames", 2, cwd=place)
    assert said.count("64x42 has room for 1 of 4 octaves; the smallest are left out") == 1
    settings = Job.open(place / "seed-zoom.mp4.dream").manifest.settings
    assert settings.octaves.count == 1
    told("resume", "seed-zoom.mp4.dream", "--frames", 3, cwd=place)
    assert "room for 1 of 4 octaves" in told("image", "seed.png", *small, cwd=place)
    (place / "some").mkdir()
    for name in "ab":
        media.write_picture(media.read_picture(place / "seed.png"), place / "some" / f"{name}.png")
    assert told("image", "some", *small, cwd=place).count("room for") == 1
    alone, among = (media.read_png(place / name) for name in ("seed-dream.png", "some-dream/a.png"))
    assert (alone - among).abs().max() < 0.01
    refused = told("zoom", "seed.png", "--size", 20, "--octaves", 4, cwd=place, status=2)
    assert "film.size: got 20x14, and pocket needs 32 pixels a side" in refused


def test_the_largest_octaves_keep_their_weights():
    settings = settings_for(assigned=assigned(["octaves.weights=[1, 2, 3]", "octaves.count=4"]))
    assert largest_octaves(settings, 3).octaves.weights == (2, 3, 1)
    plain = largest_octaves(settings_for(), 2).octaves
    assert (plain.count, plain.weights) == (2, ())


def test_sides_that_follow_are_even_where_the_codec_needs_it(place):
    words = ("zoom", "seed.png", "--size", 70, "--iterations", 1, "--octaves", 1, "--frames", 1)
    said = told(*words, cwd=place)
    assert "even sides" not in said
    assert size_of(media.read_png(place / "seed-zoom.mp4.dream/frames/000000.png")) == (46, 70)
    told(*words, "-o", "a.gif", cwd=place)
    assert media.probe(place / "a.gif").size == (46, 70)
    assert parsed_size(75, Size(60, 92)) == (49, 75)
    assert parsed_size(75, Size(60, 92), Size(2, 2)) == (48, 76)
    assert parsed_size(75, Size(60, 92), Size(1, 2)) == (49, 76)


def test_a_config_that_is_a_film_keeps_its_size(place):
    told(*ZOOM, "--frames", 1, cwd=place)
    told("zoom", "seed.png", "--config", "seed-zoom.mp4", "-o", "again.mp4", cwd=place)
    assert media.probe(place / "again.mp4").size == (48, 64)
    dreamvid.zoom(place / "seed.png", place / "door.gif", config=place / "seed-zoom.mp4.dream")
    assert media.probe(place / "door.gif").size == (48, 64)
    # A picture keeps its own.
    told("image", "seed.png", "--config", "seed-zoom.mp4", cwd=place)
    assert size_of(media.read_picture(place / "seed-dream.png")) == (60, 92)


def test_the_room_on_the_disk_is_measured(place, picture):
    media.write_picture(torch.linspace(0, 1, 92).expand(3, 60, 92), place / "soft.png")
    words = ("--motion", "hold", "--size", "96x64", "--octaves", 1, "--frames", 13)
    still = ("--set", "film.anchor=0", "--iterations", 0, "--set", "ascent.later=0")
    said = told("zoom", "soft.png", *words, *still, "-o", "a.mp4", cwd=place)
    lines = [line for line in said.splitlines() if "of disk" in line]
    assert len(lines) == 2
    told_again = re.match(r"(\d+) frames of 96x64 take about ([\d.]+) kB", lines[1])
    count, bytes_told = told_again.groups()
    files = sorted((place / "a.mp4.dream" / "frames").iterdir())
    assert int(count) == 10
    assert 0.85 < float(bytes_told) * 1000 / sum(f.stat().st_size for f in files[3:]) < 1.15


def test_a_closed_terminal_stops_as_a_signal_does(tmp_path):
    def hung_up():
        with stoppable(tmp_path, "`dreamvid resume x`"):
            os.kill(os.getpid(), signal.SIGHUP)
            time.sleep(5)

    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    with pytest.raises(Stopped) as stopped:
        hung_up()
    assert (stopped.value.signal, stopped.value.remedy) == (signal.SIGHUP, "`dreamvid resume x`")
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_DFL
    # What nohup begins goes on.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stoppable(tmp_path):
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


def test_words(place):
    alone = call_cli("weights")
    assert (alone.returncode, alone.stderr) == (0, "")
    assert "fetch" in alone.stdout
    assert len(alone.stdout.splitlines()) > 8
    said = told("zoom", "seed.png", "--set", "objective.name=x", cwd=place, status=2)
    assert "(objectives: " in said
    with pytest.raises(SettingsError, match=r"\(carries: "):
        carry_for({"name": "x"})
    said = told(*ZOOM, "--frames", 0, cwd=place, status=2)
    assert "expected 1 to 10000000" in said
    assert str(Within(0.1, 2.5)) == "0.1 to 2.5"
    assert str(Within(Fraction(1, 10), 1000)) == "0.1 to 1000"
    assert str(Within(0, above=True)) == "above 0"
    said = told("zoom", "seed.png", "--network", "vgg", cwd=place, status=2)
    assert "no network 'vgg'; did you mean one of " in said
    assert "vgg16" in said
    assert len(said) < 300


def test_lengths_in_seconds(place):
    told(*ZOOM, "--seconds", 0.5, "--fps", 4, cwd=place)
    assert length(place / "seed-zoom.mp4") == 2
    told("resume", "seed-zoom.mp4.dream", "--frames", "1s", cwd=place)
    assert length(place / "seed-zoom.mp4") == 4
    told("video", "seed-zoom.mp4", *TINY, "--frames", "0.25s", "-o", "v.mp4", cwd=place)
    assert length(place / "v.mp4") == 1
    for command in ("zoom", "loop", "video"):
        said = told(command, "seed.png", "--seconds", "x", cwd=place, status=2)
        assert "--seconds: got 'x', expected seconds such as 10 or 2.5" in said


def test_jobs_are_listed_cleaned_and_told(place):
    told(*ZOOM, "--frames", 2, "-o", "a.mp4", cwd=place)
    told(*ZOOM, "--frames", 2, "--seed", 3, "-o", "b.mp4", cwd=place)
    (place / "b.mp4").unlink()
    lines = call_cli("jobs", cwd=place).stdout.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["a.mp4.dream", "b.mp4.dream"]
    assert "zoom, 2 frames made, film of 2, " in lines[0]
    assert [line.rpartition(", ")[2] for line in lines] == ["film is whole", "not finished"]
    for what in ("a.mp4", "a.mp4.dream"):
        said = call_cli("info", what, cwd=place).stdout
        assert f"{what}: zoom by dreamvid " in said
        assert "2 frames of 64x48, 30 a second" in said
        assert "octaves.count = 1" in said
        assert f"--config {what}" in said
    command = call_cli("info", "a.mp4.dream", cwd=place).stdout.splitlines()[-1]
    told(*command.partition("made again: dreamvid ")[2].split(), "-o", "c.mp4", cwd=place)
    frames = [place / f"{name}.mp4.dream/frames/000001.png" for name in "ac"]
    assert frames[0].read_bytes() == frames[1].read_bytes()
    assert "holds no dreamvid settings" in told("info", "seed.png", cwd=place, status=2)
    # Nothing is removed unasked, nor what others put there, nor what is not finished.
    assert "--yes" in told("clean", cwd=place, status=2)
    (place / "c.mp4.dream" / "notes.txt").write_text("mine")
    assert "a.mp4.dream: removed" in call_cli("clean", "--yes", cwd=place).stdout
    assert not (place / "a.mp4.dream").exists()
    assert (place / "a.mp4").exists()
    assert [path.name for path in (place / "c.mp4.dream").iterdir()] == ["notes.txt"]
    assert (place / "b.mp4.dream" / "frames" / "000001.png").exists()
    told("resume", "b.mp4.dream", "--tidy", cwd=place)
    assert (place / "b.mp4").exists()
    assert not (place / "b.mp4.dream").exists()
    told(*ZOOM, "--frames", 1, "-o", "d.mp4", "--tidy", cwd=place)
    assert not (place / "d.mp4.dream").exists()


def test_the_newest_frame_is_at_hand(place, monkeypatch):
    told(*ZOOM, "--frames", 2, "-o", "a.mp4", cwd=place)
    folder = place / "a.mp4.dream"
    assert (folder / "latest.png").read_bytes() == (folder / "frames/000001.png").read_bytes()

    def no_links(*_):
        raise OSError

    monkeypatch.setattr("pathlib.Path.hardlink_to", no_links)
    told("resume", folder, "--frames", 3, cwd=place)
    assert (folder / "latest.png").read_bytes() == (folder / "frames/000002.png").read_bytes()


def test_a_film_begins_as_its_picture_and_ends_as_it(place):
    words = (*ZOOM, "--frames", 9, "--fps", 3, "--motion", "zoom", "--set", "motion.zoom.rate=1.5")
    told(*words, "-o", "plain.mp4", cwd=place)
    told(*words, "--fade-in", "1s", "--fade-out", 2, "-o", "a", cwd=place)
    jobs = [place / "plain.mp4.dream", place / "a.dream"]
    dreams = frames_of(jobs[0])
    # Frames on disk, which the next ones start from, are dreams alone.
    assert all(map(torch.equal, frames_of(jobs[1]), dreams))
    shown = [media.read_png(path) for path in sorted((place / "a").iterdir())]
    source = media.read_png(jobs[1] / "source.png")
    assert torch.equal(shown[0], source)
    assert torch.equal(shown[8], source)
    changed = [not torch.equal(*pair) for pair in zip(shown, dreams, strict=True)]
    assert changed == [True, True, True, False, False, False, False, True, True]
    # The picture falls with the dream: a third of the way it is magnified, not as it was.
    share = eased(1 / 3)
    motion = composed({"zoom": {"rate": 1.5}})
    fallen = warp(source, flow_of(motion, Clock(1 / 3, 1 / 3), size_of(source)))
    assert (torch.lerp(fallen, dreams[1], share) - shown[1]).abs().max() < 0.01
    told("encode", "a.dream", "-o", "b", cwd=place)
    again = [media.read_png(path) for path in sorted((place / "b").iterdir())]
    assert all(map(torch.equal, again, shown))
    assert "do not fit" in told(*words, "--fade-in", "4s", "-o", "c.mp4", cwd=place, status=2)
    assert "changes nothing" in told("loop", "--set", "film.fade_in=3", cwd=place, status=2)
    told("video", "plain.mp4", *TINY, "--fade-in", 2, "--frames", 3, "-o", "v", cwd=place)
    first = next(media.frames_of(place / "plain.mp4"))
    shown = media.read_png(place / "v" / "000000.png").permute(1, 2, 0).numpy() * 255
    assert abs(shown - first).max() < 1


def test_every_setting_says_what_it_does():
    for section, schema in SECTIONS.items():
        for name in parameters(schema):
            assert len(sayings(schema).get(name, "")) > 10, f"{section}.{name}"
    listed = call_cli("list", "settings").stdout
    assert "ascent.later" in listed
    shown = call_cli("show", "setting", "octaves.enlarge").stdout
    assert shown.startswith("octaves.enlarge = detail (detail, whole, merged)\n  What is enlarged")
    assert "rate" in call_cli("show", "motion", "spin").stdout
    assert "the preset default runs" in call_cli("show", "motion", "zoom").stdout
    assert "octaves." in call_cli("show", "preset", "google-2015").stdout
    assert "did you mean 'film.seed'" in call_cli("show", "setting", "film.sed").stderr
    assert "did you mean 'motion'" in call_cli("show", "motions", "zoom").stderr


def test_weights_are_a_line_each():
    lines = call_cli("weights", "list").stdout.splitlines()
    heads = [line[:8] for line in lines]
    assert set(heads) <= {"here    ", "not here"}
    assert heads == sorted(heads)
    assert len({line.partition(":")[0] for line in lines}) == len(lines)
    assert "https://" in call_cli("weights", "list", "googlenet").stdout


def test_rates_say_what_they_mean(place):
    said = told(*ZOOM, "--set", "motion.zoom.rate=-1.2", cwd=place, status=2)
    assert "expected 0.001 to 1000; 1.25 grows by a quarter a second, and below 1" in said
    words = (*ZOOM, "--frames", 3, "--fps", 2, "--motion", "zoom,spin")
    each = ("--set", "motion.zoom.rate=1.1/frame", "--set", "motion.spin.rate=4/frame")
    told(*words, *each, "-o", "a.mp4", cwd=place)
    whole = ("--set", "motion.zoom.rate=1.21", "--set", "motion.spin.rate=8")
    told(*words, *whole, "-o", "b.mp4", cwd=place)
    for one, other in zip(*(frames_of(place / f"{name}.mp4.dream") for name in "ab"), strict=True):
        assert (one - other).abs().max() < 0.02


def over(text, seed=0, frames=40):
    return Schedule(text, "x").over(Span(frames, Fraction(10), seed))


def test_chance_in_schedules_is_keyed_by_the_seed():
    values = over("random(frame)")
    assert ((values >= 0) & (values < 1)).all()
    assert len(set(values)) == 40
    assert np.array_equal(values, over("random(frame)", frames=90)[:40])
    assert not np.array_equal(values, over("random(frame)", seed=1))
    assert 0.4 < over("random(frame)", frames=4000).mean() < 0.6
    smooth = over("noise(t)", frames=4000)
    assert abs(smooth).max() <= 1
    assert abs(np.diff(smooth)).max() < 0.31
    assert smooth.std() > 0.3
    assert not np.array_equal(over("noise(t)"), over("noise(t)", seed=1))


def test_a_shake_sways_about_its_place_by_the_film_s_seed(place):
    size = Size(60, 92)
    flows = [
        flow_of(composed({"shake": {"strength": 0.1, "seed": 4}}), Clock(n / 10, 1 / 10), size)
        for n in range(1, 400)
    ]
    where = torch.stack([flow[:, 5, 7] for flow in flows]).cumsum(0)
    assert where.abs().max() < 2 * 0.1 * 92
    assert where.std(0).min() > 1
    assert not torch.equal(where[:, 0], where[:, 1])
    still = ("--iterations", 0, "--set", "ascent.later=0", "--frames", 3, "--motion", "shake")
    for seed in (1, 1, 2):
        told("zoom", "seed.png", "--size", "64x48", *still, "--seed", seed, cwd=place)
    one, same, other = (frames_of(place / f"seed-zoom{n}.mp4.dream")[2] for n in ("", "-2", "-3"))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


@pytest.mark.parametrize("later", [False, True])
def test_a_stronger_dream_takes_more_and_larger_steps(later):
    sets = ["octaves.count=2", "ascent.iterations=[10, 1]", "ascent.step_size=[2, 3]"]

    def octaves(strength):
        given = assigned([*sets, f"ascent.strength={strength}"])
        net = sketch("pocket")
        return Plan(net, net.choices(), settings_for(assigned=given)).at(0, later).octaves

    def far(strength):
        return [each.steps * each.step_size for each in octaves(strength)]

    plain = octaves(1)
    for strength in (0.1, 0.5, 2, 9):
        for each, one in zip(octaves(strength), plain, strict=True):
            assert each.steps == max(1, round(one.steps * strength**0.5))
        assert far(strength) == pytest.approx([strength * each for each in far(1)])
    assert [each.steps for each in octaves(0)] == [each.steps for each in plain]
    assert far(0) == [0, 0]


def test_strength_and_speed_are_plain_knobs(place):
    def made(name, *words):
        told(*ZOOM, "--frames", 3, "--fps", 2, *words, "-o", f"{name}.mp4", cwd=place)
        return frames_of(place / f"{name}.mp4.dream")

    plain = made("plain")
    assert '"strength"' not in (place / "plain.mp4.dream" / "job.json").read_text()
    source = media.read_png(place / "plain.mp4.dream" / "source.png")
    weak, strong = (made(name, "--strength", name) for name in ("0.5", "2"))
    amounts = [(film[0] - source).abs().mean().item() for film in (weak, plain, strong)]
    assert amounts[0] < 0.7 * amounts[1]
    assert amounts[1] < 0.7 * amounts[2]
    still = ("--motion", "zoom", "--iterations", 0, "--set", "ascent.later=0")
    fast = made("fast", *still, "--speed", 2, "--set", "motion.zoom.rate=1.2")
    rate = made("rate", *still, "--set", "motion.zoom.rate=1.44")
    assert all((one - other).abs().max() < 0.01 for one, other in zip(fast, rate, strict=True))
    assert "film.speed: changes nothing" in told(
        "image", "x.png", "--set", "film.speed=2", cwd=place, status=2
    )
