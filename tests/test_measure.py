import csv

import pytest
import torch
from conftest import run_cli
from PIL import Image
from test_flow import texture

from dreamvid.motion.optical_flow import method_for
from dreamvid.studies.measure import Measures, measures_of, summary, write_csv, write_plot

DIS = method_for({})


@pytest.fixture
def film():
    return [texture(2 * index, -index) for index in range(4)]


def figures(inputs, dreams):
    return list(measures_of(inputs, dreams, DIS, lambda frame: float(frame.mean())))


def test_a_film_is_as_steady_as_itself(film):
    for each in figures(film, film):
        assert each.strength == pytest.approx(1)
        assert each.brightness == pytest.approx(0, abs=1e-4)
        assert each.contrast == pytest.approx(1)
        assert each.saturation == pytest.approx(0, abs=1e-4)
        if each.frame:
            assert each.warping_error == each.own_error
            assert each.warping_error < 1e-4
            assert each.flicker == pytest.approx(0, abs=1e-4)
    assert figures(film, film)[0].warping_error is None


def test_noise_that_changes_is_an_error_of_its_variance(film):
    generator = torch.Generator().manual_seed(0)
    noisy = [frame + 0.05 * torch.randn(frame.shape, generator=generator) for frame in film]
    error = summary(figures(film, [frame.clamp(0, 1) for frame in noisy]))["warping_error"]
    # The difference of two independent noises, of which the warp smooths none over whole pixels.
    assert error == pytest.approx(2 * 0.05**2, rel=0.15)


def test_detail_that_moves_along_does_not_flicker_and_detail_that_stays_does(film):
    spots = torch.zeros(3, 96, 136)
    spots[:, ::8, ::8] = 0.3
    along = [
        (frame + spots.roll((-index, 2 * index), (1, 2))).clamp(0, 1)
        for index, frame in enumerate(film)
    ]
    stuck = [(frame + spots).clamp(0, 1) for frame in film]
    moving, staying = (summary(figures(film, dreams)) for dreams in (along, stuck))
    assert moving["flicker"] < 0.3 * staying["flicker"]
    assert moving["warping_error"] < 0.3 * staying["warping_error"]


def test_drifts(film):
    brighter = summary(figures(film, [(0.5 * frame + 0.4) for frame in film]))
    assert brighter["contrast"] == pytest.approx(0.5, abs=0.01)
    mean = sum(float(frame.mean()) for frame in film) / len(film)
    assert brighter["brightness"] == pytest.approx(255 * (0.4 - 0.5 * mean), rel=0.1)
    assert brighter["saturation"] < 0


def test_the_shorter_film_ends_it(film):
    assert len(figures(film, film[:2])) == 2


def test_reports(tmp_path, film):
    measures = figures(film, film)
    write_csv(measures, tmp_path / "a.csv")
    write_plot(measures, tmp_path / "a.png", "a film")
    with (tmp_path / "a.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [int(row["frame"]) for row in rows] == [0, 1, 2, 3]
    assert list(rows[0]) == list(Measures.__dataclass_fields__)
    assert rows[0]["warping_error"] == ""
    assert float(rows[2]["warping_error"]) == measures[2].warping_error
    with Image.open(tmp_path / "a.png") as plot:
        assert plot.size == (1000, 1200)


def test_the_command(tmp_path, film):
    from dreamvid.media import film_writing
    from dreamvid.settings import FPS

    film_writing.encode_film(iter(film), tmp_path / "a.mp4", FPS)
    film_writing.encode_film(iter(film[1:]), tmp_path / "b.mp4", FPS)
    told = run_cli("measure", "a.mp4", "b.mp4", "--start", "1", cwd=tmp_path)
    assert told.returncode == 0, told.stderr
    assert "dream strength" in told.stdout
    assert told.stdout.splitlines()[-1] == "b-measure.csv"
    with (tmp_path / "b-measure.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 3
    assert all(float(row["strength"]) == pytest.approx(1, abs=0.1) for row in rows)
    again = run_cli("measure", "a.mp4", "b.mp4", cwd=tmp_path)
    assert again.returncode == 2
    assert "b-measure.csv: exists already; give --overwrite" in again.stderr
    late = run_cli("measure", "a.mp4", "b.mp4", "--start", "9", "-o", "c.csv", cwd=tmp_path)
    assert late.returncode == 2
    assert "give --start" in late.stderr
    assert not list(tmp_path.glob("c.*"))


def test_what_is_no_film(tmp_path):
    (tmp_path / "a.mp4").write_text("no film")
    told = run_cli("measure", "a.mp4", "a.mp4", cwd=tmp_path)
    assert told.returncode == 2
    assert len(told.stderr.splitlines()) == 1


def test_an_objective_without_a_gain_in_the_input_has_no_strength():
    """Such as a style alone, whose gain is below 0 until it is reached."""
    frames = [texture(0, 0), texture(2, -1)]
    made = list(measures_of(frames, frames, DIS, lambda frame: -1.0))
    assert [each.strength for each in made] == [None, None]
    assert summary(made)["strength"] is None
