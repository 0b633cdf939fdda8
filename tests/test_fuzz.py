"""Whatever text or file is given, a `DreamvidError` comes out or nothing does."""

import contextlib
import json
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dreamvid.dream.timeline import check_schedules
from dreamvid.errors import DreamvidError
from dreamvid.frames import Size
from dreamvid.jobs import films
from dreamvid.jobs.disk import bytes_from
from dreamvid.jobs.folder import Job, Manifest
from dreamvid.networks import sketch
from dreamvid.networks.layers import ever
from dreamvid.schedules import Schedule, Span
from dreamvid.settings import Settings, assigned, painted, presets, read_tree, settled, valued
from dreamvid.sizes import film_seconds, parsed_size

FEW, MANY = 60, 5000


@contextlib.contextmanager
def told():
    """Only a `DreamvidError` may come out of the block."""
    with contextlib.suppress(DreamvidError):
        yield


def pieces(*words):
    """Texts of a grammar's own words in any order, and any text at all."""
    return st.lists(st.sampled_from(words), max_size=12).map("".join) | st.text(max_size=40)


EXPRESSIONS = pieces(
    *("t", "frame", "frames", "fps", "pi", "sin", "where", "max", "clamp", "(", ")", "(", ")"),
    *(",", ":", "0", "1", "2.5", "9", "s", "1e9", "1e999", "+", "-", "*", "**", "/", "//", "%"),
    *("<", "==", "!", " if ", " else ", " and ", " not ", " smooth", " hold", "_", ".", "\n", "é"),
    *("0: (1), 2s: (", "60: 1", "walk("),
)
SELECTORS = pieces(
    *("4c", "conv1", "4", "*", "?", "[", "]", "=", ":", "walk(", ")", "..", "0", "9", ",", "2s"),
    *("-", "1e9", "/", "pocket/", "0: (1), 5s: (0)", " ", "nan", "inf"),
)
SIZES = pieces("640", "x", "X", "360", "0", "-", " ", ".", "9" * 30, "٣", "²")
PLACES = pieces("1", "2.5", "s", ":", "-", "0", "9" * 12, ".", " ", "٣")
ROOM = pieces("1", "2.5", "MB", "g", "T", "b", " ", "-", "e9", "9" * 16, "٣", "²")
TOML = pieces(
    *("[ascent]\n", "[motion.zoom]\n", "[", "]", "step_size", "rate", "count", " = ", "1", "'x'"),
    *("{", "}", "\n", "base", "about", "network.layers", "[objective.also.a]\n", "1979-05-27"),
    *('{"film": {', '"frames": ', "null", "}}", "NaN", '"', ",", "inf", "0x9", "true"),
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=9)
    | st.sampled_from(["energy", "flow", "dis", "zoom", "1 + t", "0: (1), 9: (2)", "96x64"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["name", "rate", "also", "x"]) | st.text(), inner)
    ),
    max_leaves=6,
)
PATHS = {
    f"{section}.{name}"
    for section, value in Settings().tree().items()
    for name in (value or {"name": 0})
}
TREES = st.dictionaries(
    st.sampled_from(sorted({path.partition(".")[0] for path in PATHS})) | st.text(max_size=9),
    VALUES
    | st.dictionaries(st.sampled_from(sorted({path.partition(".")[2] for path in PATHS})), VALUES),
    max_size=4,
)


def parse_schedule(text):
    schedule = Schedule(text, "ascent.step_size")
    schedule.over(Span(9, Fraction(30)))


def parse_selector(text):
    net = sketch("pocket")
    net.choices([text])
    net.choices([ever(text)])


def settle(tree):
    chosen = settled(tree)
    painted(chosen)
    assert settled(chosen.tree()).tree() == chosen.tree()
    check_schedules(chosen.changed("film", frames=5))


def parse_toml(text):
    settle(read_tree(text, "a.toml"))


def assign(text):
    settle(assigned([text]))


PARSERS = {
    "schedules": (EXPRESSIONS, parse_schedule),
    "keyframes": (st.lists(VALUES, max_size=4), parse_schedule),
    "selectors": (SELECTORS, parse_selector),
    "sizes": (SIZES, lambda text: parsed_size(text, Size(60, 92))),
    "places": (PLACES, lambda text: film_seconds(text, Fraction(25), "video.start")),
    "room": (ROOM | VALUES, lambda text: bytes_from(text, "machine.min_free")),
    "toml": (TOML, parse_toml),
    "trees": (TREES, settle),
    "assignments": (
        st.builds("{}={}".format, st.sampled_from(sorted(PATHS)) | SELECTORS, TOML | EXPRESSIONS),
        assign,
    ),
    "flags": (TOML, lambda text: settle({"film": {"fps": valued("fps", text)}})),
}


def quick(count):
    checks = list(HealthCheck)
    return settings(max_examples=count, deadline=None, suppress_health_check=checks, database=None)


@pytest.mark.parametrize("count", [FEW, pytest.param(MANY, marks=pytest.mark.long)])
@pytest.mark.parametrize("name", PARSERS)
def test_parsers(name, count):
    strategy, parse = PARSERS[name]

    @quick(count)
    @given(strategy)
    def check(value):
        with told():
            parse(value)

    check()


@pytest.fixture
def job(tmp_path, picture):
    folder = tmp_path / "a.mp4.dream"
    settings_ = films.settings_for("default")
    manifest = Manifest("zoom", settings_, tmp_path / "a.mp4", {"sha256": ""}, "", {})
    Job.claim(folder, None, manifest.out)
    made = Job.create(folder, manifest, picture)
    for index in range(2):
        made.write(index, picture, {})
    return made


def harmed(data, place, replacement, length):
    """`data` with some bytes replaced."""
    start = int(place * len(data))
    return data[:start] + replacement + data[start + length :]


HARM = (st.floats(0, 1), st.binary(max_size=30) | st.just(b'"'), st.integers(0, 400))


@pytest.mark.parametrize("count", [FEW, pytest.param(MANY, marks=pytest.mark.long)])
def test_journals(job, count):
    whole = job.journal.path.read_bytes()

    @quick(count)
    @given(*HARM)
    def check(place, replacement, length):
        job.journal.path.write_bytes(harmed(whole, place, replacement, length))
        with told():
            done = job.finished()
            assert done <= 2
            job.journal.entries()

    check()
    lines = st.dictionaries(st.sampled_from(["index", "sha256"]), VALUES).map(json.dumps)

    @quick(count)
    @given(st.lists(lines, max_size=3))
    def check_lines(lines):
        job.journal.path.write_text("\n".join(lines))
        with told():
            assert job.finished() == 0

    check_lines()


@pytest.mark.parametrize("count", [FEW, pytest.param(MANY, marks=pytest.mark.long)])
def test_manifests(job, count):
    path = job.folder / "job.json"
    whole = path.read_bytes()
    tree = json.loads(whole)

    def open_it():
        with told():
            opened = Job.open(job.folder)
            opened.must_fit(opened.manifest)
            opened.finished()
            films.read_config(job.folder)

    @quick(count)
    @given(*HARM)
    def check(place, replacement, length):
        path.write_bytes(harmed(whole, place, replacement, length))
        open_it()

    check()

    @quick(count)
    @given(st.sampled_from(sorted(tree)), VALUES | TREES)
    def check_trees(name, value):
        path.write_text(json.dumps({**tree, name: value}))
        open_it()

    check_trees()


@pytest.mark.parametrize("count", [FEW // 2, pytest.param(MANY, marks=pytest.mark.long)])
def test_preset_files(tmp_path, count):
    @quick(count)
    @given(st.binary(max_size=80) | TOML.map(str.encode))
    def check(data):
        (tmp_path / "a.toml").write_bytes(data)
        with told():
            settle(presets.load(str(tmp_path / "a.toml")))

    check()
