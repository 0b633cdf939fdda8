import math

import cv2
import numpy as np
import pytest
import torch

from dreamvid.dream.ascent import Ascent, gain_and_gradients, jitter
from dreamvid.dream.blur import gaussian_blurred
from dreamvid.dream.laplacian import doubled, evened, halved
from dreamvid.dream.octaves import climbed, for_each_octave, octave_sizes
from dreamvid.dream.report import Report
from dreamvid.dream.shaping import CASCADE, cascade_smoothed, normalised, shaped_gradient
from dreamvid.dream.updates import update_for
from dreamvid.errors import SettingsError
from dreamvid.frames import Size
from dreamvid.settings import AscentSettings, OctaveSettings

BOUNDS = (torch.zeros(1, 3, 1, 1), torch.ones(1, 3, 1, 1))


def plain(**values):
    return AscentSettings(**{"jitter": 0, **values})


def climb(image, gain, step_size, settings, steps=1, *, key=(0,), report=None, masks=None):
    ascent = Ascent(gain, settings, BOUNDS, masks=masks)
    return ascent(image, step_size, steps, key, report or Report())


def test_jitter_keeps_the_gradient_in_place(picture):
    """An objective that moves with the picture must give the same step however it is rolled."""

    def total(x, offsets):
        return (x**2).sum((1, 2, 3))

    steps = [climb(picture[None], total, 0.01, AscentSettings(jitter=j), key=(7,)) for j in (0, 32)]
    torch.testing.assert_close(*steps)


def test_jitter_reaches_both_ends():
    draws = {jitter((0, step), 2) for step in range(400)}
    assert draws == {(down, right) for down in range(-2, 3) for right in range(-2, 3)}


@pytest.mark.parametrize("how", ["mean", "deviation", "none"])
def test_a_flat_picture_never_gives_nan(how):
    flat = torch.full((1, 3, 20, 31), 0.5)
    after = climb(flat, lambda x, offsets: (x * 0).sum((1, 2, 3)), 1.0, plain(normalise=how), 2)
    assert torch.equal(after, flat)


def test_normalisations():
    gradient = torch.randn(2, 3, 8, 13) * torch.tensor([1.0, 50.0]).view(2, 1, 1, 1) + 0.3
    by_mean = normalised(gradient, "mean")
    torch.testing.assert_close(by_mean.abs().mean((1, 2, 3)), torch.ones(2))
    by_deviation = normalised(gradient, "deviation")
    torch.testing.assert_close(by_deviation.std((1, 2, 3)), torch.ones(2))
    torch.testing.assert_close(by_deviation.mean((1, 2, 3)), torch.zeros(2), atol=1e-6, rtol=0)


def test_a_gradient_that_is_not_finite_skips_its_step(picture):
    calls = []

    def sometimes(x, offsets):
        calls.append(1)
        gain = x.sum((1, 2, 3))
        return gain / 0 if len(calls) == 2 else gain

    report = Report()
    after = climb(picture[None], sometimes, 0.001, plain(), 3, report=report)
    assert (report.steps, report.skipped) == (2, 1)
    assert torch.isfinite(after).all()


def test_a_gradient_that_is_not_finite_skips_no_other_picture_s_step(picture):
    def sound_of_one(x, offsets):
        gains = x.sum((1, 2, 3))
        return torch.stack([gains[0], gains[1] / 0])

    both, report = torch.stack([picture, picture]), Report()
    after = climb(both, sound_of_one, 0.001, plain(), 2, report=report)
    assert torch.equal(after[1], picture)
    assert not torch.equal(after[0], picture)
    one, other = (report.leaving(number)() for number in range(2))
    assert (one.steps, one.skipped, other.steps, other.skipped) == (2, 0, 0, 2)
    assert [each.gain for each in report.noted(1)] == pytest.approx([math.nan] * 2, nan_ok=True)


def test_clamping_can_be_left_out(picture):
    def total(x, offsets):
        return x.sum((1, 2, 3))

    free = climb(picture[None], total, 0.5, plain(clamp=False), 3)
    kept = climb(picture[None], total, 0.5, plain(), 3)
    assert free.max() > 1
    assert kept.max() == 1


def test_the_cascade_is_three_gaussians():
    """Against the mean of three separable smoothings of an impulse, written out."""
    impulse = torch.zeros(1, 3, 21, 29)
    impulse[:, :, 8, 17] = 1
    smooth = cascade_smoothed(impulse, 0.7)
    expected = torch.zeros(9, 9)
    for part in CASCADE:
        line = torch.tensor([-0.5 * (o / (0.7 * part)) ** 2 for o in range(-4, 5)]).exp()
        expected += torch.outer(line, line) / line.sum() ** 2 / 3
    torch.testing.assert_close(smooth[0, 1, 4:13, 13:22], expected)
    assert smooth.sum().item() == pytest.approx(3, rel=1e-5)


def test_octave_sizes_are_those_of_the_notebook():
    sizes = octave_sizes(Size(575, 1024), OctaveSettings())
    assert sizes == [Size(210, 373), Size(294, 522), Size(411, 731), Size(575, 1024)]


def test_only_detail_is_enlarged(picture):
    """A dream that adds a constant adds it once an octave; nothing of the original is lost."""
    batch = picture[None]
    settings = OctaveSettings(count=3, scale=1.5)
    same = climbed(batch, lambda x, octave: x, settings)
    torch.testing.assert_close(same, batch)
    more = climbed(batch, lambda x, octave: x + 10.0**octave, settings)
    torch.testing.assert_close(more, batch + 111, atol=1e-4, rtol=0)


def test_the_whole_picture_is_enlarged(picture):
    settings = OctaveSettings(count=2, scale=2, enlarge="whole")
    after = climbed(picture[None], lambda x, octave: x, settings)
    assert (after - picture[None]).abs().mean() > 0.01


def test_gain_is_for_each_picture():
    batch = torch.rand(2, 3, 5, 7)
    gains, gradients = gain_and_gradients(batch, lambda x, _: x.pow(2).sum((1, 2, 3)))
    assert gains.shape == (2,)
    assert len(gradients) == 1
    torch.testing.assert_close(gradients[0], 2 * batch)


def test_each_objective_works_inside_its_mask_at_its_own_strength(picture):
    """Two gains of very different size move their halves equally far, wherever the roll is."""
    masks = torch.zeros(2, 1, 60, 92)
    masks[0, :, :, :40] = 1
    masks[1, :, :, 40:] = 1

    def gain(x, offsets):
        return torch.stack([x.sum((1, 2, 3)), -1000 * x.sum((1, 2, 3))])

    start, report = picture[None], Report()
    settings = AscentSettings(clamp=False)
    after = climb(start, gain, 0.01, settings, report=report, masks=masks)
    torch.testing.assert_close(after[..., :40], start[..., :40] + 0.01)
    torch.testing.assert_close(after[..., 40:], start[..., 40:] - 0.01)
    assert report.gain == pytest.approx(-999 * start.sum().item(), rel=1e-5)


def test_momentum_goes_on():
    advance = update_for(AscentSettings(update="momentum", momentum=0.5))
    one = torch.ones(1, 3, 2, 3)
    assert [advance(one).mean().item() for _ in range(3)] == [1, 1.5, 1.75]


def test_adam_is_torchs():
    gradients = torch.randn(5, 1, 3, 4, 7)
    theirs = torch.zeros(1, 3, 4, 7, requires_grad=True)
    adam = torch.optim.Adam([theirs], lr=0.3, maximize=True)
    advance, ours = update_for(AscentSettings(update="adam")), torch.zeros(1, 3, 4, 7)
    for gradient in gradients:
        theirs.grad = gradient.clone()
        adam.step()
        ours = ours + 0.3 * advance(gradient)
    torch.testing.assert_close(ours, theirs.detach())


def test_a_blur_of_the_picture_holds_back_sparkle(picture):
    rough = picture[None] + 0.2 * torch.randn(1, 3, 60, 92)

    def still(x, offsets):
        return (x * 0).sum((1, 2, 3))

    after = climb(rough, still, 0, plain(blur=1.0, clamp=False))
    assert after.diff(dim=3).abs().mean() < 0.5 * rough.diff(dim=3).abs().mean()
    torch.testing.assert_close(after.mean(), rough.mean(), atol=0.01, rtol=0)


def test_gaussian_blur_is_opencvs(picture):
    ours = gaussian_blurred(picture[None], 1.5)[0]
    pixels = picture.permute(1, 2, 0).numpy()
    theirs = cv2.GaussianBlur(pixels, (11, 11), 1.5, borderType=cv2.BORDER_REFLECT_101)
    np.testing.assert_allclose(ours.permute(1, 2, 0).numpy(), theirs, atol=1e-6)
    assert gaussian_blurred(picture[None], 40).shape == (1, 3, 60, 92)


def test_laplacian_bands_are_evened_out():
    """Ripples come out as high as the hill they run over; a flat gradient stays flat."""
    rows, columns = torch.arange(64.0)[:, None] - 32, torch.arange(97.0)[None, :] - 48
    ripples = 0.1 * torch.sin(columns * 2.5).expand(64, 97)
    hill = 5 * torch.exp(-(rows**2 + columns**2) / (2 * 9**2))
    gradient = (ripples + hill).expand(1, 3, 64, 97)

    def height_of_ripples(image):
        return (image[..., 20:40, :15].std() / image.max()).item()

    plainly = shaped_gradient(gradient, plain(normalise="none"), 1)
    even = shaped_gradient(gradient, plain(laplacian=4, normalise="none"), 1)
    assert height_of_ripples(even) > 3 * height_of_ripples(plainly)
    assert not evened(torch.zeros(1, 3, 5, 7), 9).any()


@pytest.mark.parametrize("size", [(8, 12), (9, 13), (1, 2), (2, 3)])
def test_a_pyramid_can_be_put_together_again(size):
    image = torch.randn(1, 3, *size)
    low = halved(image)
    assert low.shape[-2:] == (math.ceil(size[0] / 2), math.ceil(size[1] / 2))
    torch.testing.assert_close(doubled(low, *size) + (image - doubled(low, *size)), image)


def test_sizes_by_each_rule():
    size = Size(400, 603)
    rules = {
        rule: [tuple(s) for s in octave_sizes(size, OctaveSettings(count=3, scale=1.8, sizes=rule))]
        for rule in ("cascaded", "rounded", "truncated")
    }
    assert rules == {
        "cascaded": [(123, 186), (222, 335), (400, 603)],
        "rounded": [(123, 186), (222, 335), (400, 603)],
        "truncated": [(123, 186), (222, 335), (400, 603)],
    }


def test_the_enlarged_dream_is_merged_with_the_original(picture):
    settings = OctaveSettings(count=2, scale=1.5, enlarge="merged", alpha=0.2)
    flat = torch.full_like(picture[None], 0.25)
    after = climbed(flat, lambda x, octave: x + (1 if octave == 0 else 0), settings)
    torch.testing.assert_close(after, flat + 0.8)


def test_a_gaussian_pyramid_smooths_before_it_shrinks():
    checker = (torch.arange(40)[:, None] + torch.arange(62)[None, :]).remainder(2).float()
    seen = []
    for blur in (0.0, 1.0):
        settings = OctaveSettings(count=2, scale=2.05, blur=blur)
        climbed(
            checker.expand(1, 3, 40, 62),
            lambda x, octave: seen.append(x.std().item()) or x,
            settings,
        )
    assert seen[2] < 0.1 * seen[0]
    assert seen[1] == pytest.approx(seen[3])


def test_values_for_each_octave():
    assert for_each_octave(3, 2, "a") == [3, 3]
    assert for_each_octave((5, 4, 3), 2, "a") == [4, 3]
    with pytest.raises(SettingsError, match=r"ascent\.iterations: 2 values for 3 octaves"):
        for_each_octave((5, 4), 3, "ascent.iterations")
