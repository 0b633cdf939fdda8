"""Whole films on a GPU: the same again, the same when resumed, every motion, dreamed over."""

from pathlib import Path

import numpy as np
import pytest
import torch
from on_gpu import DEVICE, MARKS, hashes

from dreamvid.dream.dreamer import dreamer_for
from dreamvid.film.carries import Situation, anchoring, by_motion, carry_for
from dreamvid.film.pipeline import Recurrence, dreamed
from dreamvid.film.sources import FilmSource, Moment
from dreamvid.frames import Size, noise
from dreamvid.jobs import films, resuming
from dreamvid.jobs.folder import Job
from dreamvid.motion.motions import composed, motions
from dreamvid.motion.optical_flow import check_for, method_for
from dreamvid.settings import FPS

pytestmark = MARKS
SEED = Path(__file__).parents[2] / "samples" / "seed.jpg"


def settings(preset="default", **tree):
    tree["film"] = {"size": "96x64", **tree.get("film", {})}
    tree["octaves"] = {"count": 2}
    tree["machine"] = {"device": DEVICE, **tree.get("machine", {})}
    return films.settings_for(preset, assigned=tree)


@pytest.mark.parametrize("name", motions.names())
def test_every_motion_with_the_tone_held(name):
    still = noise(Size(48, 80), (0,)).to(DEVICE)
    carry = anchoring(by_motion(composed({name: {}}), FPS), 0.3, 1 / FPS)
    start = carry(Situation(1, Moment(still, still), still.flip(2)))
    assert start.frame.isfinite().all()
    assert start.frame.device.type == DEVICE.partition(":")[0]


def test_a_film_is_the_same_again_and_when_resumed(tmp_path):
    for name, count in (("a", 6), ("b", 6), ("c", 3)):
        films.zoom(SEED, tmp_path / f"{name}.mp4", settings(film={"frames": count}))
    resuming.resume(Job.open(tmp_path / "c.mp4.dream"), frames=6, overwrite=True)
    a, b, c = (hashes(tmp_path / f"{name}.mp4.dream") for name in "abc")
    assert len(a) == 6
    assert a == b, "another run differs"
    assert a == c, "the resumed one differs"
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "c.mp4").read_bytes()


def test_a_film_dreamed_over():
    chosen = settings("video")
    generator = np.random.default_rng(0)
    wide = (generator.random((12, 20, 3)) * 255).astype(np.uint8).repeat(8, 0).repeat(8, 1)
    shots = [np.ascontiguousarray(wide[:64, 4 * n : 4 * n + 96]) for n in range(4)]
    source = FilmSource(
        lambda start: iter(shots[start:]),
        torch.device(DEVICE),
        method=method_for(chosen.flow),
        check=check_for(chosen.flow),
    )
    film = Recurrence(source, carry_for(chosen.carry), dreamer_for(chosen), 0, 8)
    found = [frame for _, frame in dreamed(film)]
    assert len(found) == 4
    assert all(frame.isfinite().all() for frame in found)


def test_cadence_a_loop_and_a_schedule(tmp_path):
    films.zoom(SEED, tmp_path / "c.mp4", settings(film={"frames": 4, "cadence": 3}))
    films.loop(
        None,
        tmp_path / "l.mp4",
        settings(film={"frames": 4, "size": "64x64"}, loop={"turns": 2}, motion={"spin": {}}),
    )
    films.zoom(
        SEED,
        tmp_path / "s.mp4",
        settings(film={"frames": 3}, motion={"zoom": {"rate": "1.2 + 0.1*sin(t)"}}),
    )
    for name, count in (("c", 4), ("l", 8), ("s", 3)):
        assert len(hashes(tmp_path / f"{name}.mp4.dream")) == count
