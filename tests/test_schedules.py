import json
import math
from fractions import Fraction
from time import perf_counter

import numpy as np
import pytest
import torch
from conftest import run_cli

import dreamvid
from dreamvid import media
from dreamvid.dream.timeline import Timeline
from dreamvid.errors import DreamvidError, NetworkError, ResumeError, SettingsError
from dreamvid.film.carries import Situation, carry_for
from dreamvid.film.sources import Moment
from dreamvid.frames import Clock, Size
from dreamvid.jobs.films import settings_for
from dreamvid.jobs.folder import Job, Manifest
from dreamvid.motion.motions import composed
from dreamvid.motion.warp import grid
from dreamvid.networks.layers import Selector, chosen, ever
from dreamvid.schedules import Schedule, Span
from dreamvid.settings import assigned, painted, settled

FILM = Span(150, Fraction(30))
SIZE = Size(60, 92)


def over(value, film=FILM):
    return Schedule(value, "x").over(film)


def timeline(*assignments, frames=150):
    tree = assigned([f"film.frames={frames}", *assignments])
    return Timeline(settings_for("default", assigned=tree))


@pytest.mark.parametrize(
    ("text", "at_45"),
    [
        ("3", 3),
        ("t", 1.5),
        ("frame / frames", 0.3),
        ("fps * pi", 30 * math.pi),
        ("2 ** -1 + 7 // 2 - 7 % 4", 0.5),
        ("-2 ** 2", -4),
        ("where(t > 1, min(2, t, 9), max(1, 2))", 1.5),
        ("7 if 1 <= t < 1.5 else 8", 8),
        ("not (t < 1 or frame == 45 and fps == 30)", 0),
        ("clamp(frame, 0, 40) + abs(floor(-1.5)) + ceil(0.2) + round(2.6)", 46),
        ("sqrt(exp(log(16)))+0*sin(t)*cos(t)*tan(t)", 4),
        ("0: (1.0), 90: (2)", 1.5),
        ("0:1,3s:2", 1.5),
        (" 30 :  max(1, 2) ,\n 2s : (4)", 3),
        ("0: 0 ease-in, 90: 1", 0.25),
        ("0: 0 ease-out, 90: 1", 0.75),
        ("0: (0)smooth, 60: 1", 0.84375),
        ("0: 5 hold, 46: 1", 5),
        ("45: 6, 90: 1", 6),
        ("60: 6, 90: 1", 6),
        ("0: 6, 15: 1", 1),
        ("0: (t), 90: (10 + t)", 6.5),
        ("0.5s: 0 linear, 75: 1", 0.5),
    ],
)
def test_schedules_say_what_they_say(text, at_45):
    assert over(text)[45] == pytest.approx(at_45, abs=1e-12)


@pytest.mark.parametrize(
    "keys",
    [
        [[0, 1.0], ["2s", 1.3, "smooth"], [120, "1 + t"]],
        [{"at": 0, "value": 1}, {"at": "2s", "value": 1.3, "easing": "smooth"}, ["120", "1 + t"]],
    ],
)
def test_a_list_of_keys_is_the_text_with_those_keys(keys):
    assert np.array_equal(over(keys), over("0: 1, 2s: 1.3 smooth, 120: (1 + t)"))


def test_a_longer_film_begins_with_the_same_numbers():
    text = "0: sin(t) ** 2, 1.7s: exp(cos(t * 3.1))"
    long = over(text, Span(2000, FILM.fps))
    for frames in (1, 63, 64, 65, 127, 150):
        assert np.array_equal(over(text, Span(frames, FILM.fps)), long[:frames])


def test_a_thousand_keyframes_over_a_hundred_thousand_frames():
    text = ", ".join(
        f"{index * 100}: (1 + 0.02*sin(2*pi*t/4 + {index}) + max(0.1, cos(t)))"
        for index in range(1000)
    )
    began = perf_counter()
    values = over(text, Span(100_000, Fraction(30)))
    print(f"1000 keys over 100000 frames: {perf_counter() - began:.3f} s")
    assert values[99_900] == pytest.approx(
        1 + 0.02 * math.sin(math.pi * 3330 / 2 + 999) + max(0.1, math.cos(3330))
    )


NESTED = "(" * 5000 + "1" + ")" * 5000
HOSTILE = {
    "__import__": "no name '__import__'",
    "__import__('os').system('true')": '"\'" means nothing here at column 12',
    "9**9**9": "no finite number at frame 0",
    "9**9**9**9": "no finite number",
    "1/(frame-7)": "no finite number at frame 7 (0.233 s) at column 1, '1/(frame-7)'",
    "(-1)**0.5": "no finite number",
    "60: (1), 0: (2)": "keys must be in order, and frame 0 comes after frame 60 at column 13",
    "0: (1), 0: (2)": "keys must be in order",
    NESTED: "10001 characters, 500 at most",
    "(" * 240 + "1" + ")" * 240: "cannot be read",
    "-" * 400 + "1": "more than 20 operations",
}
MORE = {
    "2s: 1, 60: 2": "keys must be in order, and frame 60 comes after frame 60",
    "": "nothing is written",
    "0:": "nothing is written",
    "left": "no name 'left' (t, frame,",
    "1 + foo": "at column 5, 'foo'",
    "t.real": "means nothing here",
    "().__class__": "means nothing here",
    "(1, 2)": "means nothing here",
    "[t for t in x]": "'[' means nothing here",
    "lambda: 0": "a key is a frame such as 120 or a time such as 2.5s",
    "(t := 3)": "a key is",
    "t ^ 2": "a power is **",
    "t @ 2": "'@' means nothing",
    "~1": "'~' means nothing",
    "1e999": "no finite number",
    "9" * 400: "no finite number",
    "2j": "'2j' is no number",
    "True": "'True' is no number",
    "sin": "'sin' needs its values in brackets",
    "sin()": "takes 1 values",
    "where(t, 1)": "takes 3 values",
    "max(*t)": "means nothing here",
    "sin(x=1)": "takes 1 values",
    "open(t)": "no function 'open'",
    "t t": "cannot be read at column 3",
    "0: (1": "a bracket is not closed at column 4",
    "0: 1)": "a bracket is closed that was not opened at column 5",
    "0: 1, 5": "expected KEY: VALUE at column 7",
    "0: 1,, 9: 2": "expected KEY: VALUE",
    "-1: 3": "a key is",
    "0: 1 fast": "cannot be read at column 6, 'fast'",
    "0: 1: 2": "':' means nothing here",
    "sqrt(t - 3)": "no finite number at frame 0",
    "0: 1, 9: (1 if t > 2 else 1/0)": "at frame 1 (0.0333 s) at column 27, '1/0)'",
    "exp(exp(exp(t)))": "no finite number at frame 57",
    "log(0)": "no finite number",
    "t % 0": "no finite number",
    "\0": "means nothing here",
    "é": "means nothing here",
    "0: (1.0), 1s: (3000)": "expected -1000 to 1000, at frame 10 (0.333 s) at column 4, '(1.0), 1s",
    "5 - 100 * frame": "is -1095, expected -1000 to 1000, at frame 11",
}  # fmt: skip


@pytest.mark.parametrize("text", [*HOSTILE, *MORE], ids=lambda text: repr(text[:24]))
def test_bad_schedules_are_refused_in_one_line(text):
    with pytest.raises(SettingsError) as caught:
        Timeline(settled({"ascent": {"step_size": text}}))
    message = str(caught.value)
    assert message.startswith("ascent.step_size: got ")
    assert {**HOSTILE, **MORE}[text] in message
    assert len(message) < 400
    assert message.isprintable()


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ([], "no key"),
        ([[0]], "key 1 is no [at, value]"),
        ([[0, 1], 5], "key 2 is no [at, value]"),
        ([[0, True]], "has the value True"),
        ([[0, [1]]], "has the value [1]"),
        ([["soon", 1]], "is at 'soon'"),
        ([[-1, 1]], "is at -1"),
        ([[True, 1]], "is at True"),
        ([[0, 1, "fast"]], "linear, smooth, ease-in, ease-out, hold"),
        ([[0, 1, []]], "linear, smooth"),
        ([{"at": 0, "value": 1, "ease": "hold"}], "needs at, value and perhaps easing"),
        ([[0, "foo"]], "key 1, 'foo': no name 'foo'"),
        ([[0, float("nan")]], "no name 'nan'"),
        ([[9, 1], [3, 1]], "keys must be in order"),
    ],
)
def test_bad_lists_of_keys(keys, words):
    with pytest.raises(SettingsError) as caught:
        Timeline(settled({"ascent": {"later_step_size": keys}}))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("assignment", "words"),
    [
        ("motion.zoom.rate=0: (1), 2s: (0)", "motion.zoom.rate: got '0: (1), 2s: (0)': is 0,"),
        ("motion.zoom.centre=['20*t', 0.5]", "motion.zoom.centre[0]"),
        ("motion.zoom.centre=0.5+t", "motion.zoom.centre: got '0.5+t', expected a list"),
        ("motion.ripple.rate=t", "motion.ripple.rate: got 't', expected a number, -100 to 100"),
        ("ascent.iterations=10-t*4", "expected 0 to 10000, at frame 79"),
        ("ascent.normalise=t", "ascent.normalise"),
        ("ascent.later_step_size=9999*t", "ascent.later_step_size"),
        ("film.frames=t", "film.frames"),
        ("octaves.weights=[1, '1/t']", "octaves.weights[1]"),
        ("network.layers=['4c=1/(t-1)']", "network.layers[0] (4c): got '1/(t-1)': is no finite"),
        ("network.layers=['4c=foo']", "network.layers[0] (4c)"),
        ("network.layers=['4c:walk(0..3)']", "as in NAME:walk(0..20, 1.5s)"),
        ("network.layers=['4c:walk(0..3, 0s)']", "wanted more than 0"),
        ("network.layers=['4c:0..999999999']", "as in NAME:3,7"),
    ],
)
def test_what_cannot_be_scheduled_or_leaves_its_range(assignment, words):
    with pytest.raises(DreamvidError) as caught:
        timeline(assignment)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_frame_has_plain_settings():
    found = timeline(
        "ascent.step_size=0: (1), 100: (2)",
        "ascent.later=0: 9, 4s: 0",
        "octaves.weights=['t', 2]",
        "motion.zoom.centre=['0.5 + t/10', 0.25]",
        "network.layers=['4a', '4c=0: (1), 3s: (0)', '3b:walk(5,7, 2s)=t']",
    ).at(45)
    assert found.ascent.step_size == pytest.approx(1.45)
    assert found.ascent.later == 6
    assert type(found.ascent.later) is int
    assert found.octaves.weights == (1.5, 2)
    assert found.motion["zoom"]["centre"] == (pytest.approx(0.65), 0.25)
    assert found.network.layers[:2] == ("4a=1.0", "4c=0.5")
    choices = chosen(("3b", "4a", "4c"), found.network.layers, "net")
    assert [(choice.layer, choice.channels) for choice in choices[2:]] == [
        ("3b", (5,)),
        ("3b", (7,)),
    ]
    # Three quarters of the way, eased.
    assert choices[3].weight == pytest.approx(1.5 * 0.84375)
    assert choices[2].weight + choices[3].weight == pytest.approx(1.5)


def test_a_carry_is_scheduled_too(picture):
    carry = carry_for(
        {"name": "blend", "amount": "0: 0, 10: 1"}, Timeline(settled({"film": {"frames": 20}}))
    )
    moment = Moment(picture, picture)
    for index, amount in ((3, 0.3), (15, 1.0)):
        start = carry(Situation(index, moment, torch.zeros_like(picture))).frame
        torch.testing.assert_close(start, amount * picture)
    bad = Timeline(settled({"film": {"frames": 20}}))
    with pytest.raises(SettingsError, match=r"carry\.damping: .* at frame 11"):
        carry_for({"name": "flow", "damping": "frame / 10"}, bad)


def test_without_schedules_settings_stay_themselves():
    found = timeline("network.layers=['4c=2']")
    assert found.at(3) is found.settings


def test_schedules_are_kept_as_they_were_written():
    text = "0: (1.0), 2s: (1.3)"
    settings = settings_for("default", assigned=assigned([f"motion.zoom.rate={text}"]))
    assert settings.tree()["motion"]["zoom"]["rate"] == text
    assert settled(settings.tree()) == settings
    changed = settings_for("default", assigned=assigned([f"motion.zoom.rate={text} "]))
    assert painted(changed) == painted(settings)
    keys = settings_for("default", assigned=assigned(['ascent.step_size=[[0, 1], ["2s", 2]]']))
    assert painted(settled(keys.tree())) == painted(keys)


def test_a_key_may_give_a_rate_for_each_frame():
    values = timeline(
        "motion.zoom.rate=0: (1.04/frame) smooth, 60: (1.1/frame)",
        "motion.spin.rate=0: 8, 90: ( -2 / frame )",
        "motion.pan.x=0: (3/frames), 90: (1)",
    ).values
    assert values["motion.zoom.rate"][[0, 60, 149]] == pytest.approx([1.04**30, 1.1**30, 1.1**30])
    assert values["motion.spin.rate"][[0, 149]] == pytest.approx([8, -60])
    assert values["motion.pan.x"][0] == pytest.approx(3 / 150)


@pytest.mark.parametrize("fps", [24, 60])
@pytest.mark.parametrize(
    "motion",
    [
        {"zoom": {"rate": "0: (1.0), 2s: (1.6)"}},
        {"spin": {"rate": "40*sin(2*pi*t/4)"}},
        {"pan": {"x": "0: 0 smooth, 2s: 0.5", "y": "t"}},
        {"spin": {"rate": 30.0, "centre": ["0.5 + 0.1*t", "0.4"]}},
    ],
)
def test_scheduled_motions_do_not_depend_on_the_frame_rate(motion, fps):
    def after_two_seconds(rate):
        tree = {"motion": motion, "film": {"fps": rate, "frames": 3 * rate}}
        moving = Timeline(settled(tree)).motion
        points = grid(SIZE)
        for index in range(2 * rate, 0, -1):
            points = moving(points, Clock(index / rate, 1 / rate), SIZE)
        return points

    torch.testing.assert_close(after_two_seconds(fps), after_two_seconds(30), atol=0.1, rtol=0)


def test_a_scheduled_motion_over_many_frames_is_that_of_each():
    moving = timeline("motion.zoom.rate=1 + t", "motion.spin.rate=20*t").motion
    points = grid(SIZE)
    for index in range(34, 30, -1):
        points = moving(points, Clock(index / 30, 1 / 30), SIZE)
    whole = moving(grid(SIZE), Clock(34 / 30, 4 / 30), SIZE)
    torch.testing.assert_close(whole, points, atol=1e-3, rtol=0)
    parts = moving(grid(SIZE), Clock(34 / 30, 2.5 / 30), SIZE)
    parts = moving(parts, Clock(31.5 / 30, 1.5 / 30), SIZE)
    torch.testing.assert_close(parts, points, atol=1e-3, rtol=0)
    # The mean of both frames' rates; 1 + 31/30 and 1 + 32/30 are about 2.05.
    one = timeline("motion.zoom.rate=1 + t", "motion.spin.rate=0").motion
    step = Clock(32 / 30, 1 / 30)
    expected = composed({"zoom": {"rate": 2.05}, "spin": {"rate": 0.0}})(grid(SIZE), step, SIZE)
    torch.testing.assert_close(one(grid(SIZE), step, SIZE), expected, atol=1e-4, rtol=0)


def test_a_walk_visits_its_channels_in_turn():
    selector = Selector.read("4c:walk(3, 10..8, 1.5s)")
    assert selector.channels == (3, 10, 9, 8)
    names = [next(iter(selector.plain(1.0, 1.5 * turn))) for turn in range(5)]
    assert names == [f"4c:{channel}=1.0" for channel in (3, 10, 9, 8, 3)]
    assert list(selector.plain(2.0, 1.5 * 3.5)) == ["4c:8=1.0", "4c:3=1.0"]
    assert list(Selector.read("4c:walk(7, 1s)").plain(1.0, 0.5)) == ["4c:7=1.0"]
    assert ever("4c:walk(3, 10..8, 1.5s)=0: (1), 4s: (0)") == "4c:3,10,9,8=1.0"
    with pytest.raises(NetworkError, match="films"):
        chosen(("4c",), ["4c:walk(3..5, 1s)"], "net")


def test_layers_of_no_weight_cost_nothing(picture, monkeypatch):
    """A film that goes from 4c to 3a computes no deeper than 3a once it is there."""
    from dreamvid.dream.dreamer import dreamer_for
    from dreamvid.networks.pocket import Pocket

    deepest = []
    stage = Pocket.stage
    monkeypatch.setattr(
        Pocket, "stage", lambda self, i, x: (deepest.append(self.layers[i]), stage(self, i, x))[1]
    )
    tree = {
        "network": {"layers": ["4c=0: (1), 10: (0)", "3a=0: (0), 10: (1), 20: (1), 30: (0)"]},
        "octaves": {"count": 1},
        "ascent": {"iterations": 1},
        "machine": {"threads": 1},
        "film": {"frames": 40},
    }
    dreamer = dreamer_for(settled(tree))
    for index, layer in ((0, "4c"), (5, "4c"), (10, "3a")):
        deepest.clear()
        dreamer(picture, (0, index), index=index)
        assert deepest[-1] == layer
    deepest.clear()
    still = dreamer(picture, (0, 35), index=35)
    assert not deepest
    torch.testing.assert_close(still, picture, atol=1e-5, rtol=0)
    with pytest.raises(NetworkError, match="nothing to dream of"):
        dreamer_for(settled({**tree, "network": {"layers": ["4c=0"]}}))


def test_a_frame_is_dreamed_with_its_own_settings(picture):
    from dreamvid.dream.dreamer import dreamer_for

    def dreamed(index=0, **ascent):
        tree = {"ascent": {"iterations": 2, **ascent}, "octaves": {"count": 1}}
        return dreamer_for(settled(tree))(picture, (0, 0), index=index)

    scheduled = {"step_size": "0: 1, 20: 3", "iterations": "0: 1, 20: 3"}
    assert torch.equal(dreamed(10, **scheduled), dreamed(0, step_size=2.0, iterations=2))
    assert not torch.equal(dreamed(11, **scheduled), dreamed(0, step_size=2.0, iterations=2))


def test_weights_of_octaves(picture):
    from dreamvid.dream.dreamer import dreamer_for

    def dreamed(**octaves):
        tree = {"ascent": {"iterations": 1, "jitter": 0}, "octaves": {"count": 2, **octaves}}
        return dreamer_for(settled(tree))(picture, (0, 0))

    both, coarse, fine = dreamed(), dreamed(weights=[1, 0]), dreamed(weights=[0])
    torch.testing.assert_close(dreamed(weights=[0, 0]), picture, atol=1e-5, rtol=0)
    rough = [(each - picture).diff(dim=2).abs().mean() for each in (coarse, fine)]
    assert rough[0] < rough[1]
    assert not torch.equal(both, fine)


@pytest.fixture
def seed(tmp_path, picture):
    path = tmp_path / "seed.png"
    media.write_picture(picture, path)
    return path


SMALL = ("--size", "96x64", "--octaves", "2", "--iterations", "1", "--quiet")
PLAN = ("--set", "motion.zoom.rate=0: (1.0), 2s: (1.3)", "--layer", "3b=0: (1), 4: (0)",
        "--layer", "4a:walk(0..3, 0.1s)=0: (0), 4: (1)")  # fmt: skip


def test_a_scheduled_film_goes_on_where_it_was(seed, tmp_path):
    whole, part = tmp_path / "whole.mp4", tmp_path / "part.mp4"
    assert run_cli("zoom", seed, "-o", whole, "--frames", 6, *PLAN, *SMALL).returncode == 0
    assert run_cli("zoom", seed, "-o", part, "--frames", 3, *PLAN, *SMALL).returncode == 0
    longer = run_cli("resume", f"{part}.dream", "--frames", 6, "--overwrite", "--quiet")
    assert longer.returncode == 0, longer.stderr
    for index in range(6):
        name = f"frames/{index:06d}.png"
        ours, theirs = (tmp_path / f"{film.name}.dream" / name for film in (whole, part))
        assert ours.read_bytes() == theirs.read_bytes()
    manifest = json.loads((tmp_path / "whole.mp4.dream" / "job.json").read_text())
    assert manifest["settings"]["motion"]["zoom"]["rate"] == "0: (1.0), 2s: (1.3)"


def test_a_schedule_that_counts_by_the_length_holds_a_job_to_it(tmp_path, picture, seed):
    def at(frames, rate):
        tree = [f"film.frames={frames}", f"motion.zoom.rate={rate}"]
        return settings_for("default", assigned=assigned(tree))

    from dreamvid.jobs.resuming import resume

    folder, out = tmp_path / "a.mp4.dream", tmp_path / "a.mp4"
    manifest = Manifest("zoom", at(9, "1 + frame/frames"), out, {"sha256": ""}, "", {})
    Job.claim(folder, seed, out)
    job = Job.create(folder, manifest, picture)
    with pytest.raises(ResumeError, match=r"which a schedule depends on\) 9 -> 12"):
        resume(job, frames=12)
    job.must_fit(manifest)
    assert painted(at(9, "1 + frame")) == painted(at(12, "1 + frame"))


def test_by_python_and_by_file(seed, tmp_path):
    dreamvid.zoom(
        seed,
        tmp_path / "film.mp4",
        frames=3,
        size="96x64",
        octaves=2,
        layer=["3b=0: (1), 2: (0)", "3a=0.1"],
        settings={"ascent": {"iterations": 1, "step_size": [[0, 1], ["0.1s", "2*t", "smooth"]]}},
    )
    again = tmp_path / "again.mp4"
    made = run_cli(
        "zoom", seed, "-o", again, "--config", tmp_path / "film.mp4", "--size", "96x64",
        "--set", "machine.threads=1", "--quiet",
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    tree = json.loads((tmp_path / "again.mp4.dream" / "job.json").read_text())["settings"]
    assert tree["ascent"]["step_size"] == [[0, 1], ["0.1s", "2*t", "smooth"]]
    assert tree["network"]["layers"] == ["3b=0: (1), 2: (0)", "3a=0.1"]


def test_a_bad_schedule_leaves_nothing(seed, tmp_path):
    result = run_cli(
        "zoom", seed, "-o", tmp_path / "a.mp4", "--set", "motion.spin.rate=1/(frame-7)"
    )
    assert result.returncode == 2
    assert len(result.stderr.splitlines()) == 1
    assert "motion.spin.rate" in result.stderr
    assert "frame 7" in result.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"seed.png"}


def test_lists_tell_what_can_be_scheduled():
    shown = run_cli("list", "motions", env={"COLUMNS": "200", "PATH": ""}).stdout
    assert "rate*=1.25" in shown
    assert "sectors=6" in shown
    assert "* a number, or a schedule" in shown
