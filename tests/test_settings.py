from fractions import Fraction
from typing import Annotated, Literal

import pytest

from dreamvid.dream.plan import Plan
from dreamvid.errors import SettingsError
from dreamvid.jobs.films import settings_for
from dreamvid.networks import sketch
from dreamvid.registry import Registry, Within, checked_options, checked_value
from dreamvid.settings import assigned, changes, flagged, laid_over, painted, presets, settled
from dreamvid.settings.renamed import RENAMED, advise


def test_another_carry_takes_nothing_over():
    below = {"carry": {"name": "flow", "damping": 0.8}, "flow": {"preset": "fast"}}
    assert laid_over(below, {"carry": {"name": "blend"}})["carry"] == {"name": "blend"}
    assert laid_over(below, {"carry": {"jitter": "free"}})["carry"] == {
        "name": "flow",
        "damping": 0.8,
        "jitter": "free",
    }
    assert laid_over(below, {"flow": {"name": "dis"}})["flow"]["preset"] == "fast"
    assert "preset" not in laid_over(below, {"flow": {"name": "farneback"}})["flow"]


def test_later_layers_win():
    settings = settings_for(
        "default",
        flags=flagged({"iterations": 7, "frames": None}),
        assigned=assigned(["ascent.step_size=2.5", "film.fps='24000/1001'"]),
    )
    assert settings.ascent.iterations == 7
    assert settings.ascent.step_size == 2.5
    assert settings.film.fps == Fraction(24000, 1001)
    assert settings.film.length == 300


def test_a_step_size_that_changes_is_heard_on_every_frame():
    swell = assigned(["ascent.step_size='1 + frame'", "film.frames=3"])

    def sizes(preset, *more):
        given = laid_over(swell, assigned(list(more)))
        net = sketch("pocket")
        plan = Plan(net, net.choices(), settings_for(preset, assigned=given))
        steps = [plan.at(frame, later=frame > 0).octaves[-1].step_size for frame in range(3)]
        return [step / net.preprocessing.level for step in steps]

    assert sizes("default") == pytest.approx([1, 2, 3])
    assert sizes("quick") == pytest.approx([1, 3, 4.5])
    assert sizes("quick", "ascent.later_step_size=0.7") == pytest.approx([1, 0.7, 0.7])
    assert sizes("video", "ascent.later_factor=0.5") == pytest.approx([1, 1, 1.5])
    assert sizes("video", "ascent.later_step_size=0.7") == pytest.approx([1, 0.7, 0.7])
    assert sizes("video") == pytest.approx([1, 2 / 3, 1])
    with pytest.raises(SettingsError, match=r"the preset pulse has ascent\.later_step_size="):
        sizes("pulse")


def test_a_tree_comes_back():
    settings = settings_for("deep", assigned=assigned(["film.fps=29.97"]))
    assert settled(settings.tree()) == settings
    assert painted(settled(settings.tree())) == painted(settings)


def test_motions_by_flag_keep_their_order_and_options():
    tree = {"motion": {"zoom": {"rate": 2.0}, "spin": {}}}
    assert list(laid_over(tree, {"motion": ["pan", "zoom"]})["motion"].items()) == [
        ("pan", {}),
        ("zoom", {"rate": 2.0}),
    ]


def test_what_is_painted_is_pixels_alone():
    plain = settings_for("default")
    for same in ("film.frames=5", "encode.crf=30", "machine.device='cpu'", "machine.threads=3"):
        assert painted(settings_for("default", assigned=assigned([same]))) == painted(plain)
    for other in ("film.seed=5", "ascent.jitter=3", "motion.zoom.rate=1.7", "film.fps=25"):
        changed = settings_for("default", assigned=assigned([other]))
        assert painted(changed) != painted(plain)


def test_the_order_of_motions_is_painted():
    first = settled({"motion": {"zoom": {}, "spin": {}}})
    second = settled({"motion": {"spin": {}, "zoom": {}}})
    assert painted(first) != painted(second)


@pytest.mark.parametrize(
    ("assignment", "words"),
    [
        ("film.frames=0", "film.frames: got 0, expected 1 to"),
        ("film.frames=1.5", "a whole number"),
        ("film.frames=true", "a whole number"),
        ("film.fps=0", "film.fps"),
        ("film.fps=nan", "film.fps"),
        ("film.fps='1/0'", "film.fps"),
        ("film.seed=-1", "film.seed"),
        ("film.depth=12", "8 or 16"),
        ("ascent.stepsize=1", "did you mean 'step_size'"),
        ("ascnt.step_size=1", "did you mean 'ascent'"),
        ("ascent.step_size=nan", "finite"),
        ("ascent.normalise='meen'", "did you mean 'mean'"),
        ("octaves.count=0", "1 to 20"),
        ("octaves=3", "section.key=value"),
        ("frames", "section.key=value"),
        ("film.size.x=1", "film.size"),
        ("network.layers=3", "a list"),
        ("motion.zoom=3", "motion.zoom"),
    ],
)
def test_bad_settings_are_named(assignment, words):
    with pytest.raises(SettingsError) as caught:
        settings_for("default", assigned=assigned([assignment]))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", presets.names())
def test_every_preset_settles_and_says_what_it_is_for(name):
    assert presets.about(name)
    assert settings_for(name)


def test_the_default_preset_comes_first():
    assert presets.names()[0] == "default"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"[film]\nframes = ", "not TOML"),
        (b"[film]\nframes = 'x'", "film.frames"),
        (b"\xff\xfe", "UTF-8"),
        (b"x = 1\n" * 200_000, "too long"),
        (b"[flim]\nframes = 1", "did you mean 'film'"),
    ],
)
def test_bad_preset_files(tmp_path, content, words):
    path = tmp_path / "mine.toml"
    path.write_bytes(content)
    with pytest.raises(SettingsError) as caught:
        settings_for(str(path))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_presets_suggest_the_nearest():
    with pytest.raises(SettingsError, match="did you mean 'google-2015'"):
        settings_for("google2015")
    with pytest.raises(SettingsError, match="No such file"):
        settings_for("nowhere.toml")


def test_a_registered_function_is_its_own_schema():
    registry = Registry("thing", positional=("points",))

    @registry.register
    def wave(
        points, *, height: Annotated[float, Within(0, 2)] = 1.0, kind: Literal["a", "b"] = "a"
    ):
        """Wave about."""

    assert registry.summary("wave") == "Wave about."
    assert checked_options(wave, {"height": 2}, "thing.wave") == {"height": 2.0}
    for options in ({"height": 3}, {"kind": "c"}, {"points": 1}):
        with pytest.raises(SettingsError, match=r"thing\.wave"):
            checked_options(wave, options, "thing.wave")
    with pytest.raises(SettingsError, match="did you mean 'wave'"):
        registry["wav"]


def test_values_are_read_by_their_annotation():
    assert checked_value([1, 2], tuple[float, float], "x") == (1.0, 2.0)
    assert checked_value(None, int | None, "x") is None
    assert checked_value("30000/1001", Fraction, "x") == Fraction(30000, 1001)
    with pytest.raises(SettingsError, match="got 3 values, expected 2"):
        checked_value([1, 2, 3], tuple[float, float], "x")


@pytest.mark.parametrize("old", RENAMED)
def test_an_old_name_is_read_with_one_line_of_advice(old, caplog):
    """Wherever a tree comes from: a file, --set, or the settings that a job has kept."""
    advise.cache_clear()
    new = RENAMED[old]
    kept = settled({}).tree()
    section, _, key = old.partition(".")
    usual = kept[section].pop(new.partition(".")[2])
    kept[section][key] = usual
    assert settled(kept) == settled({})
    assert settled(laid_over({}, kept)) == settled({})
    assert [record.message for record in caplog.records] == [
        f"{old} is called {new} now; the old name is still read"
    ]


def test_old_and_new_names_are_laid_over_each_other():
    named_before, named_now = assigned(["octaves.carry=whole"]), {"octaves": {"enlarge": "merged"}}
    assert settled(laid_over(named_now, named_before)).octaves.enlarge == "whole"
    assert settled(laid_over(named_before, named_now)).octaves.enlarge == "merged"
    assert not changes(settled(named_before), settled({"octaves": {"enlarge": "whole"}}))
    with pytest.raises(SettingsError, match=r"octaves\.carry: is called octaves\.enlarge now"):
        settled({"octaves": {"carry": "whole", "enlarge": "whole"}})
