"""The time a film will take, told after the first frame and corrected as frames come."""

import re
from fractions import Fraction

import pytest
from conftest import call_cli

from dreamvid import media
from dreamvid.cli.progress import Bar
from dreamvid.dream.plan import Plan
from dreamvid.frames import Size
from dreamvid.jobs import films
from dreamvid.jobs.estimates import TimeLeft, work_by_frame
from dreamvid.jobs.films import settings_for
from dreamvid.jobs.progress import Silence
from dreamvid.media.film_writing import encode_film
from dreamvid.networks import sketch
from dreamvid.settings import assigned

SIZE = Size(90, 160)
NET = sketch("pocket")


def works_of(*sets, start=0, stop=100, **options):
    settings = settings_for("default", assigned=assigned([f"film.frames={stop}", *sets]))
    plan = Plan(NET, NET.choices(), settings)
    return work_by_frame(plan, SIZE, start, stop, **options)


def test_work_is_steps_by_pixels():
    works = works_of("octaves.count=2", "octaves.scale=2", "ascent.iterations=[3, 5]",
                     "ascent.later=2", "octaves.passes=2")  # fmt: skip
    whole, half = 90 * 160, 45 * 80
    assert works[0] == 2 * (3 * half + 5 * whole)
    assert works[1:] == [2 * 2 * (half + whole)] * 99
    assert len(set(works_of("ascent.later=2", feeds_back=False))) == 1
    assert len(set(works_of("ascent.later=2", start=7))) == 1


def test_frames_between_dreams_cost_nothing():
    sets = ("ascent.later=10", "octaves.later=all")
    works = works_of(*sets, stride=3, stop=8)
    one = works[0]
    assert works == [one, one, 0, 0, one, 0, 0, one]
    assert works_of(*sets, stride=3, start=2, stop=8) == [one, 0, one, 0, 0, one]


def test_of_octaves_that_alternate_each_frame_costs_the_mean():
    sets = ("octaves.count=3", "octaves.scale=2", "ascent.iterations=2", "octaves.later=alternate")
    works = works_of(*sets, "ascent.later=2")
    quarter, half, whole = 22 * 40, 45 * 80, 90 * 160
    assert works[0] == 2 * (quarter + half + whole)
    assert works[1:] == [2 * whole + quarter + half] * 99


def test_schedules_are_followed_in_long_films_too():
    works = works_of("ascent.later='1 + frame / 100'", stop=3000)
    assert len(works) == 3000
    assert works[2900] / works[100] == pytest.approx(15, rel=0.05)


@pytest.mark.parametrize(
    "sets",
    [
        ("ascent.iterations=10", "ascent.later=2"),
        ("ascent.iterations=10",),
        ("ascent.iterations='2 + frame / 20'", "ascent.later='2 + frame / 20'"),
        ("ascent.iterations=20", "ascent.later='0: (2), 99: (12)'"),
    ],
)
@pytest.mark.parametrize("constant", [0.02, 0.3])
def test_after_ten_frames_it_is_within_a_quarter(sets, constant):
    works = works_of(*sets)
    taken = [constant + work / works[1] for work in works]
    taken[0] *= 1.3  # what is made ready once
    left = TimeLeft(works)
    for seconds in taken[:10]:
        left.add(seconds)
    assert left.seconds == pytest.approx(sum(taken[10:]), rel=0.25)
    for seconds in taken[10:]:
        left.add(seconds)
    assert left.seconds == 0


def test_a_machine_that_becomes_busier_is_noticed():
    left = TimeLeft([1.0] * 400)
    for seconds in [1.0] * 100 + [5.0] * 100:
        left.add(seconds)
    assert left.seconds == pytest.approx(1000, rel=0.25)


def test_steps_where_something_is_fresh_are_counted():
    works = works_of("ascent.iterations=10", "ascent.later=2")
    taken = [work * (1 + index % 4) for index, work in enumerate(works)]
    left = TimeLeft(works)
    for work in taken[:10]:
        left.add(0.02 + work / works[1], work)
    wanted = sum(0.02 + work / works[1] for work in taken[10:])
    assert left.seconds == pytest.approx(wanted, rel=0.1)
    assert left.ahead * max(works) == pytest.approx(sum(taken[10:]), rel=0.1)


def test_what_turns_out_wrong_is_told_again_and_then_is_quiet():
    left, said = TimeLeft([5.0] + [1.0] * 99), []
    for index in range(100):
        left.add(5.0, 5.0)  # each frame takes as many steps as the first, and not a fifth of them
        said.append(left.news(5.0, 99 - index))
    assert said[0] == "the first took 5.0 s, 99 more about 1:39"
    assert said[3].startswith("96 more about ")
    assert said[3].endswith(", as it turns out")
    assert sum(map(bool, said)) <= 3


def test_no_steps_take_their_time_too():
    left = TimeLeft([0.0] * 10)
    left.add(2.0)
    assert left.seconds == 18


def test_the_first_frame_tells_of_fewer_steps_later(picture, tmp_path):
    media.write_picture(picture, tmp_path / "seed.png")
    told = call_cli("zoom", "seed.png", "--size", "64x48", "--octaves", 1, "--iterations", 400,
                    "--frames", 3, "--set", "ascent.later=0", cwd=tmp_path)  # fmt: skip
    found = re.search(r"the first took ([\d.]+) s, 2 more about 0:00;", told.stderr)
    assert found, told.stderr
    assert float(found[1]) > 0.5


def test_a_line_tells_the_time_left_of_the_steps(capsys):
    with Bar(quiet=False) as bar:
        bar.begin(0, 100)
        bar.told = 0
        bar.frame(0, {"left": 83.0})
    assert "1:23 left" in capsys.readouterr().err


def test_frames_that_are_dreamed_together_are_done_together(tmp_path, picture):
    encode_film((picture.roll(index, 2) for index in range(5)), tmp_path / "a.mp4", Fraction(5))
    left = {}

    class Noted(Silence):
        def frame(self, index, notes):
            left[index] = notes["left"]

    sets = ["carry.name='none'", "octaves.count=1", "ascent.iterations=1"]
    settings = settings_for("video", assigned=assigned(sets))
    films.video(tmp_path / "a.mp4", tmp_path / "b.gif", settings, progress=Noted())
    assert left == dict.fromkeys(range(5), 0)
