import math
from fractions import Fraction

import cv2
import numpy as np
import pytest
import torch

from dreamvid.dream.blur import gaussian_blurred
from dreamvid.film import entering
from dreamvid.film.carries import Situation, by_motion
from dreamvid.film.entering import beyond
from dreamvid.film.sources import Moment
from dreamvid.frames import Clock, Size, noise, quantised, size_of
from dreamvid.motion.motions import composed
from dreamvid.motion.warp import grid

SIZE = Size(60, 92)
FPS = Fraction(30)
RIGHT = {"pan": {"x": 3 / 92 * 30}}
"""Three pixels a frame."""


def film(motion, picture, count, read=True, start=0, made=(), fps=FPS):
    """A film that is moved and never dreamed, and the last start's lift."""
    frames = list(made) or [picture]
    carry = by_motion(composed(motion), fps, frames.__getitem__ if read else None)
    lift = None
    for index in range(max(1, start), count):
        begun = carry(Situation(index, Moment(picture, picture), frames[index - 1]))
        frames.append(quantised(begun.frame))
        lift = begun.lift
    return frames, lift


@pytest.fixture
def texture():
    return quantised(noise(SIZE, (4,), exponent=0.6))


def test_convention_what_enters_is_an_earlier_frame_mirrored_at_its_edge(texture, monkeypatch):
    monkeypatch.setattr(entering, "SLANT", 0.0)
    frames, _ = film(RIGHT, texture, 6)
    # After five frames of three pixels, fifteen columns have come in on the left.
    torch.testing.assert_close(
        frames[5][:, 3:-3, :15], texture[:, 3:-3, 1:16].flip(2), atol=0.02, rtol=0
    )
    torch.testing.assert_close(frames[5][:, :, 15:], texture[:, :, :-15], atol=0.02, rtol=0)


def test_what_enters_is_slid_along_its_edge(texture):
    places = torch.tensor([[-4.0, 10.0, 95.0], [20.0, -2.0, 30.0]])[:, None]
    slid = entering.slanted(places, SIZE, 0.5)[:, 0]
    assert slid.tolist() == [[-4.0, 11.0, 95.0], [22.0, -2.0, 32.0]]


def test_what_left_and_comes_back_is_found_again(texture):
    there_and_back = {"shake": {"strength": 0.3, "rate": 1.0, "seed": 5}}
    motion = composed(there_and_back)
    frames, _ = film(there_and_back, texture, 40)
    seen, was_out = grid(SIZE), torch.zeros(tuple(SIZE), dtype=torch.bool)
    for index in range(39, 0, -1):
        seen = motion(seen, Clock(index / 30, 1 / 30), SIZE)
        was_out |= beyond(seen, SIZE).amax(0) > 2
    back = was_out & (beyond(seen, SIZE).amax(0) == 0)
    expected = entering.sampled(texture, seen, "bicubic")
    mirrored, _ = film(there_and_back, texture, 40, read=False)
    found, lost = ((made[39] - expected).abs().mean(0)[back].mean() for made in (frames, mirrored))
    assert back.sum() > 200
    assert found < lost / 1.7


@pytest.mark.parametrize(
    "motion",
    [{"zoom": {"rate": 0.7}}, {"pan": {"x": -0.3}}, {"spin": {"rate": 40.0}}],
    ids=str,
)
def test_what_enters_is_no_streak(motion):
    """Its structure has as many directions as the middle's."""
    size = Size(120, 184)
    texture = quantised(noise(size, (4,), exponent=0.6))
    for read, least, most in ((True, 0.0, 1.25), (False, 1.4, 9.0)):
        frames, _ = film(motion, texture, 32, read)
        points = grid(size)
        for index in range(31, 1, -1):
            points = composed(motion)(points, Clock(index / 30, 1 / 30), size)
        new = (beyond(points, size).amax(0) > 0.5).numpy()
        middle = ~cv2.dilate(new.astype(np.uint8), np.ones((9, 9))).astype(bool)
        found = coherence(frames[31])
        assert least < found[new].mean() / found[middle].mean() < most


def coherence(frame):
    """How much of the structure tensor lies in one direction, (H, W) from 0 to 1."""
    grey = frame.mean(0).numpy()
    x, y = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    xx, yy, xy = (cv2.GaussianBlur(each, (0, 0), 3) for each in (x * x, y * y, x * y))
    return np.sqrt((xx - yy) ** 2 + 4 * xy * xy) / (xx + yy + 1e-9)


def test_nothing_enters_where_the_motion_goes_in(texture):
    carry = by_motion(composed({"zoom": {"rate": 1.3}}), FPS, [texture].__getitem__)
    assert carry(Situation(1, Moment(texture), texture)).lift is None


def test_what_has_just_entered_takes_larger_steps(texture):
    _, lift = film(RIGHT, texture, 8)
    assert lift is not None
    columns = lift.mean(0)
    assert 1 < columns[0] <= 1 + 2 * entering.LIFT
    assert columns[10] > columns[18] > 1
    assert columns[40:].max() == 1


@pytest.mark.parametrize(("energy", "steps"), [(0.875, 1), (0.625, 2), (1, 0.5), (1.5, 0)])
def test_what_is_less_sharp_than_the_middle_takes_larger_steps(texture, energy, steps):
    young = torch.zeros(tuple(SIZE))
    young[:, -46:] = 1
    start = torch.cat([texture[..., :46], texture[..., :46].flip(2)], 2)
    detail = entering.detail_of(start)
    start = start + (math.sqrt(energy) - 1) * young * detail
    # What is beside the young part is as sharp as it is, and mirrored in it.
    assert entering.blunt(start, young) == pytest.approx(steps, abs=0.25)


def test_what_enters_is_as_sharp_as_the_middle_is_now(texture):
    soft = gaussian_blurred(texture[None], 0.6)[0]

    def sharpness(frame):
        return float(entering.middle(entering.detail_of(frame)).square().mean())

    assert entering.as_sharp(texture, texture) is texture
    for frame, like in ((texture, soft), (soft, texture)):
        made = entering.as_sharp(frame, like)
        before, after = (abs(math.log(sharpness(each) / sharpness(like))) for each in (frame, made))
        assert after < before / 3
        # The detail alone has changed.
        large = (gaussian_blurred(each[None], 4)[0] for each in (frame, made))
        torch.testing.assert_close(*large, atol=0.01, rtol=0)


def test_a_film_goes_on_as_it_began(texture):
    whole, _ = film(RIGHT, texture, 80, fps=Fraction(10))
    resumed, _ = film(RIGHT, texture, 80, start=47, made=whole[:47], fps=Fraction(10))
    assert all(map(torch.equal, whole, resumed))
    assert size_of(whole[0]) == SIZE
