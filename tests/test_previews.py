"""A preview shows the film that comes: the same octaves, at a smaller size."""

import numpy as np
import pytest
import torch
from conftest import call_cli

import dreamvid
from dreamvid import media
from dreamvid.dream.octaves import octave_sizes
from dreamvid.errors import SettingsError
from dreamvid.frames import Size, photographic
from dreamvid.jobs import films, previews
from dreamvid.jobs.films import settings_for
from dreamvid.jobs.progress import Silence
from dreamvid.settings import assigned

WHOLE, ANY = Size(400, 640), Size(1, 1)
SMALL = ("--size", "128x80", "--iterations", 3, "--frames", 2)


def film_of(*sets, size=WHOLE):
    return settings_for(assigned=assigned(list(sets))).changed("film", size=size)


@pytest.mark.parametrize(
    ("sets", "kept"),
    [((), 2), (("octaves.scale=2",), 3), (("octaves.scale=1.2", "octaves.count=7"), 3),
     (("octaves.count=2",), 1), (("octaves.scale=1.6", "octaves.count=3"), 2)],
)  # fmt: skip
def test_its_octaves_are_those_of_the_film(sets, kept):
    settings = film_of(*sets)
    small = previews.smaller(settings, 32, ANY)
    sizes = octave_sizes(settings.film.pixels, settings.octaves)
    assert octave_sizes(small.film.pixels, small.octaves) == sizes[:kept]
    # Sides that the codec wants even differ by a pixel.
    even = previews.smaller(settings, 32, Size(2, 2)).film.pixels
    assert all(side % 2 == 0 and abs(side - each) <= 1
               for side, each in zip(even, small.film.pixels, strict=True))  # fmt: skip


def test_lists_keep_the_values_of_the_octaves_that_stay():
    small = previews.smaller(
        film_of("ascent.iterations=[9, 1, 2, 3, 4]", "ascent.step_size=[1, 2, 3, 4]",
                "octaves.weights=[0.1, 0.2, 0.3]", "octaves.layers=[['3a'],['3b'],['4a'],['4b']]"),
        32,
        ANY,
    )  # fmt: skip
    assert small.ascent.iterations == (1, 2)
    assert small.ascent.step_size == (1, 2)
    assert small.octaves.weights == (0.1, 0.2)
    assert small.octaves.layers == (("3a",), ("3b",))


def test_a_single_octave_is_halved_and_that_is_said(tmp_path, picture):
    small = previews.smaller(film_of("octaves.count=1"), 32, ANY)
    assert small.film.pixels == Size(200, 320)
    assert previews.smaller(film_of("octaves.count=1", size=Size(40, 60)), 32, ANY).film.pixels == (
        32,
        48,
    )
    media.write_picture(picture, tmp_path / "seed.png")
    told = call_cli("zoom", "seed.png", *SMALL, "--octaves", 1, "--preview=quarter", cwd=tmp_path)
    assert "shapes are larger than the film's" in told.stderr


def made(place, *flags, status=0):
    result = call_cli("zoom", "seed.png", *SMALL, *flags, cwd=place)
    assert result.returncode == status, result.stderr
    return result


@pytest.fixture
def place(tmp_path, picture):
    media.write_picture(photographic(picture, Size(100, 160)), tmp_path / "seed.png")
    return tmp_path


def names(place):
    return sorted(path.name for path in place.iterdir())


def test_one_kind_makes_no_film(place):
    told = made(place, "--preview=motion", "-o", "a.gif")
    assert names(place) == ["a-motion.gif", "seed.png"]
    assert told.stdout == "a-motion.gif\n"
    made(place, "-o", "a.gif", "--preview", "quarter")
    assert names(place) == ["a-motion.gif", "a-quarter.gif", "seed.png"]
    assert dreamvid.zoom(place / "seed.png", place / "b.gif", size="96x60", frames=1,
                         iterations=1, preview="motion").name == "b-motion.gif"  # fmt: skip
    assert (
        "--preview: got 'half', expected motion or quarter"
        in made(place, "--preview=half", status=2).stderr
    )


def test_older_previews_are_replaced_and_nothing_else_is(place):
    made(place, "--preview=quarter", "-o", "a.gif")
    before = (place / "a-quarter.gif").read_bytes()
    made(place, "--preview=quarter", "--layer", "conv2", "-o", "a.gif")
    assert (place / "a-quarter.gif").read_bytes() != before
    (place / "a-motion.gif").write_bytes(b"mine")
    assert "exists already" in made(place, "--preview=motion", "-o", "a.gif", status=2).stderr
    assert (place / "a-motion.gif").read_bytes() == b"mine"


@pytest.mark.parametrize("answer", [True, False])
def test_it_asks_before_the_film(place, answer):
    class Asked(Silence):
        def ask(self, question):
            self.before = names(place)
            return answer

    progress = Asked()
    settings = film_of("octaves.count=1", "film.frames=1", "ascent.iterations=1", size="96x60")
    out = films.zoom(place / "seed.png", place / "a.gif", settings, preview=True, progress=progress)
    assert progress.before == ["a-motion.gif", "a-quarter.gif", "seed.png"]
    assert (out.name == "a.gif") == (place / "a.gif").exists() == answer
    assert (place / "a.gif.dream").exists() == answer


def test_where_nobody_can_be_asked_the_film_comes(place):
    made(place, "--preview", "-o", "a.gif")
    assert "a.gif" in names(place)


def test_it_is_like_its_film(place):
    """The motion's preview moves as the film does, and the dream's has its shapes in place."""
    small = ("--size", "240x150", "--frames", 3, "-o", "f", "--iterations", 4)
    for more in (("--preview",), ("--iterations", 0, "--set", "ascent.later=0", "-o", "plain")):
        assert call_cli("zoom", "seed.png", *small, *more, cwd=place).returncode == 0
    film, plain, preview, motion = (
        media.read_png(place / name / "000002.png")
        for name in ("f", "plain", "f-quarter", "f-motion")
    )
    size = Size(*preview.shape[1:])
    assert (photographic(plain, size) - motion).abs().mean() < 0.02
    # What both have is seen from afar: the film has finer strokes in it.
    afar = Size(20, 32)
    shapes = [
        (photographic(a, afar) - photographic(b, afar)).mean(0).flatten()
        for a, b in ((film, plain), (preview, motion))
    ]
    assert np.corrcoef(*shapes)[0, 1] > 0.45
    assert not torch.equal(preview, motion)


def test_slips_are_told():
    with pytest.raises(SettingsError, match="expected motion or quarter"):
        previews.kind_of("halb")
    assert [previews.kind_of(each) for each in (True, False, None, "motion")] == [
        "both", "", "", "motion"
    ]  # fmt: skip
