import pytest
import torch
from torch.nn import functional as F

from dreamvid.ascent import (
    CASCADE,
    Report,
    ascended,
    cascade_smoothed,
    gain_and_gradient,
    jitter,
    normalised,
)
from dreamvid.frames import Size
from dreamvid.networks.layers import Choice
from dreamvid.objectives import gain_of, objectives
from dreamvid.octaves import climbed, octave_sizes
from dreamvid.settings import AscentSettings, OctaveSettings

BOUNDS = (torch.zeros(1, 3, 1, 1), torch.ones(1, 3, 1, 1))


def plain(**values):
    return AscentSettings(**{"jitter": 0, **values})


@pytest.mark.parametrize("name", objectives.names())
def test_every_objective_rises_in_three_steps(name, picture):
    torch.manual_seed(0)
    kernel = torch.randn(5, 3, 3, 3)
    choices = [Choice("a", None, 1.0), Choice("b", (0, 2), 0.5)]
    gain = gain_of(choices, {"name": name})

    def rise(x):
        a = F.conv2d(x, kernel)
        return gain({"a": a, "b": torch.relu(a)})

    report, x = Report(), picture[None]
    before = rise(x).item()
    x = ascended(x, rise, BOUNDS, 1 / 255, (0,), AscentSettings(), 3, report)
    assert rise(x).item() > before
    assert report.steps == 3


def test_channels_and_weights_choose():
    activation = torch.arange(24.0).view(1, 4, 2, 3)
    one = gain_of([Choice("a", (1,), 2.0)], {"name": "mean"})({"a": activation})
    assert one.item() == pytest.approx(2 * activation[:, 1].mean().item())


def test_jitter_keeps_the_gradient_in_place(picture):
    """An objective that moves with the picture must give the same step however it is rolled."""

    def total(x):
        return (x**2).sum((1, 2, 3))

    steps = [
        ascended(picture[None], total, BOUNDS, 0.01, (7,), AscentSettings(jitter=j), 1, Report())
        for j in (0, 32)
    ]
    torch.testing.assert_close(*steps)


def test_jitter_reaches_both_ends():
    draws = {jitter((0, step), 2) for step in range(400)}
    assert draws == {(down, right) for down in range(-2, 3) for right in range(-2, 3)}


@pytest.mark.parametrize("how", ["mean", "deviation", "none"])
def test_a_flat_picture_never_gives_nan(how):
    flat = torch.full((1, 3, 20, 31), 0.5)
    report = Report()
    after = ascended(
        flat, lambda x: (x * 0).sum((1, 2, 3)), BOUNDS, 1.0, (0,), plain(normalise=how), 2, report
    )
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

    def sometimes(x):
        calls.append(1)
        height = x.sum((1, 2, 3))
        return height / 0 if len(calls) == 2 else height

    report = Report()
    after = ascended(picture[None], sometimes, BOUNDS, 0.001, (0,), plain(), 3, report)
    assert (report.steps, report.skipped) == (2, 1)
    assert torch.isfinite(after).all()


def test_clamping_can_be_left_out(picture):
    def total(x):
        return x.sum((1, 2, 3))

    free = ascended(picture[None], total, BOUNDS, 0.5, (0,), plain(clamp=False), 3, Report())
    kept = ascended(picture[None], total, BOUNDS, 0.5, (0,), plain(), 3, Report())
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


def test_only_detail_is_carried_up(picture):
    """A dream that adds a constant adds it once an octave; nothing of the original is lost."""
    batch = picture[None]
    settings = OctaveSettings(count=3, scale=1.5)
    same = climbed(batch, lambda x, octave: x, settings)
    torch.testing.assert_close(same, batch)
    more = climbed(batch, lambda x, octave: x + 10.0**octave, settings)
    torch.testing.assert_close(more, batch + 111, atol=1e-4, rtol=0)


def test_the_whole_picture_is_carried_up(picture):
    settings = OctaveSettings(count=2, scale=2, carry="whole")
    after = climbed(picture[None], lambda x, octave: x, settings)
    assert (after - picture[None]).abs().mean() > 0.01


def test_gain_is_for_each_picture():
    batch = torch.rand(2, 3, 5, 7)
    heights, gradients = gain_and_gradient(batch, lambda x: x.pow(2).sum((1, 2, 3)))
    assert heights.shape == (2,)
    torch.testing.assert_close(gradients, 2 * batch)
