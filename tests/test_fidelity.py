"""google-2015 against a plain float64 implementation of the notebook's formulas."""

import numpy as np
import pytest
import torch
from conftest import shared
from safetensors.torch import load_file
from torch.nn import functional as F

from dreamvid.dream.ascent import Ascent, jitter
from dreamvid.dream.dreamer import dreamer_for
from dreamvid.dream.report import Report
from dreamvid.frames import Size, photographic, quantised
from dreamvid.jobs.films import settings_for
from dreamvid.media import read_picture

MEAN = np.array([104.0, 116.0, 122.0])[:, None, None]
KEY = (0, 0)


class Plain:
    """GoogLeNet to inception_4c in float64, from Caffe's definitions."""

    def __init__(self, path):
        self.weights = {name: value.double() for name, value in load_file(path).items()}

    def convolution(self, name, x, stride=1):
        weight = self.weights[name + ".weight"]
        bias = self.weights[name + ".bias"]
        return torch.relu(F.conv2d(x, weight, bias, stride, weight.shape[-1] // 2))

    @staticmethod
    def normalisation(x):
        padded = F.pad(x**2, (0, 0, 0, 0, 2, 2))
        total = sum(padded[:, shift : shift + x.shape[1]] for shift in range(5))
        return x / (1 + 1e-4 / 5 * total) ** 0.75

    @staticmethod
    def pool(x):
        return F.max_pool2d(x, 3, 2, 0, ceil_mode=True)

    def inception(self, block, x):
        def at(branch, value):
            return self.convolution(f"inception_{block}/{branch}", value)

        return torch.cat(
            [
                at("1x1", x),
                at("3x3", at("3x3_reduce", x)),
                at("5x5", at("5x5_reduce", x)),
                at("pool_proj", F.max_pool2d(x, 3, 1, 1)),
            ],
            1,
        )

    def __call__(self, x):
        x = self.normalisation(self.pool(self.convolution("conv1/7x7_s2", x, 2)))
        x = self.convolution("conv2/3x3", self.convolution("conv2/3x3_reduce", x))
        x = self.pool(self.normalisation(x))
        x = self.pool(self.inception("3b", self.inception("3a", x)))
        return self.inception("4c", self.inception("4b", self.inception("4a", x)))


def plain_step(net, image, offsets):
    """One step of the notebook on a mean-free BGR picture (3, H, W)."""
    rolled = np.roll(image, offsets, (1, 2))
    x = torch.from_numpy(rolled.copy())[None].requires_grad_(True)
    target = net(x)
    (gradient,) = torch.autograd.grad(target, x, target.detach())
    gradient = gradient[0].numpy()
    moved = rolled + 1.5 / np.abs(gradient).mean() * gradient
    back = np.roll(moved, (-offsets[0], -offsets[1]), (1, 2))
    return np.clip(back, -MEAN, 255 - MEAN)


def plain_zoom(image, height, width):
    """scipy.ndimage.zoom of order 1: linear, corners on corners."""
    rows = np.linspace(0, image.shape[1] - 1, height)
    columns = np.linspace(0, image.shape[2] - 1, width)
    top, left = np.floor(rows).astype(int), np.floor(columns).astype(int)
    bottom = np.minimum(top + 1, image.shape[1] - 1)
    right = np.minimum(left + 1, image.shape[2] - 1)
    down, across = (rows - top)[:, None], columns - left
    upper = image[:, top][:, :, left] * (1 - across) + image[:, top][:, :, right] * across
    lower = image[:, bottom][:, :, left] * (1 - across) + image[:, bottom][:, :, right] * across
    return upper * (1 - down) + lower * down


def plain_dream(net, image, octaves):
    bases = [image]
    for _ in range(octaves - 1):
        _, height, width = bases[-1].shape
        bases.append(plain_zoom(bases[-1], round(height / 1.4), round(width / 1.4)))
    detail = np.zeros_like(bases[-1])
    for octave, base in enumerate(bases[::-1]):
        detail = plain_zoom(detail, *base.shape[1:])
        x = base + detail
        for step in range(10):
            x = plain_step(net, x, jitter((*KEY, octave, step), 32))
        detail = x - base
    return x


def psnr(first, second):
    return 10 * np.log10(255**2 / np.mean((first - second) ** 2))


@pytest.fixture(scope="module")
def sky():
    picture = read_picture(shared("media/sky1024px.jpg"))
    return quantised(photographic(picture, Size(144, 256)))


@pytest.fixture(scope="module")
def plain(googlenet_weights):
    return Plain(googlenet_weights)


def dreamer(weights, octaves=4, precision="fp32"):
    tree = {
        "network": {"weights": str(weights)},
        "octaves": {"count": octaves},
        "machine": {"precision": precision},
    }
    return dreamer_for(settings_for("google-2015", assigned=tree))


def mean_free(frame):
    return frame.flip(0).double().numpy() * 255 - MEAN


# Float32 lets a few of a pool's neighbours win that are equal but for rounding, torch's own
# operations as well as ours; elsewhere its gradient is exact to 1e-6.
@pytest.mark.weights
@pytest.mark.parametrize(("precision", "within"), [("fp64", 1e-9), ("fp32", 1e-3)])
def test_one_step_agrees(sky, plain, googlenet_weights, precision, within):
    ours = dreamer(googlenet_weights, precision=precision)
    assert ours.plan.at().octaves[0].step_size == 1.5
    image = ours.network.preprocessing.to_input(sky[None].to(ours._dtype))
    ascent = Ascent(ours.gain, ours.settings.ascent, ours._bounds)
    after = ascent(image, 1.5, 1, (*KEY, 0), Report())
    start = mean_free(sky)
    expected = plain_step(plain, start, jitter((*KEY, 0, 0), 32))
    moved = after[0].double().numpy() - start
    error = np.linalg.norm(moved - (expected - start)) / np.linalg.norm(expected - start)
    print(f"one step in {precision}: relative error {error:.2e}")
    assert error < within


@pytest.mark.weights
@pytest.mark.parametrize("name", ["sky1024px.jpg", "figures.jpg", "green_bridge.jpg"])
def test_a_bfloat16_gradient_points_where_a_float64_one_does(plain, googlenet_weights, name):
    photograph = photographic(read_picture(shared(f"media/{name}")), Size(240, 320))
    x = torch.from_numpy(mean_free(photograph))[None].requires_grad_(True)
    target = plain(x)
    (wanted,) = torch.autograd.grad(target, x, target.detach())
    ours = dreamer(googlenet_weights, precision="bf16")
    inputs = ours.network.preprocessing.to_input(photograph[None]).requires_grad_(True)
    (found,) = torch.autograd.grad(ours.gain(inputs).sum(), inputs)
    cosine = float(torch.cosine_similarity(found.double().flatten(), wanted.flatten(), 0))
    print(f"{name}: cosine {cosine:.4f}")
    assert cosine > 0.98


# A dream is chaotic: where two neighbours of a pool are equal but for rounding, float32 may pass
# the gradient to the other one, and each step makes the difference about three times larger. So
# the algorithm is compared in float64, and float32 from the same state, step by step.


@pytest.mark.weights
@pytest.mark.parametrize("octaves", [1, 4])
def test_octaves_of_ten_steps_agree(sky, plain, googlenet_weights, octaves):
    expected = plain_dream(plain, mean_free(sky), octaves)
    exact = psnr(mean_free(dreamer(googlenet_weights, octaves, "fp64")(sky, KEY)), expected)
    usual = psnr(mean_free(dreamer(googlenet_weights, octaves)(sky, KEY)), expected)
    print(f"{octaves} octaves of ten steps: {exact:.1f} dB in float64, {usual:.1f} dB in float32")
    assert exact >= 100
    assert usual >= 25


@pytest.mark.weights
def test_ten_float32_steps_from_the_same_states_agree(sky, plain, googlenet_weights):
    ours = dreamer(googlenet_weights)
    state, errors = mean_free(sky), []
    for step in range(10):
        key = (*KEY, 0, step)
        expected = plain_step(plain, state, jitter((*key, 0), 32))
        ascent = Ascent(ours.gain, ours.settings.ascent, ours._bounds)
        after = ascent(torch.from_numpy(state).float()[None], 1.5, 1, key, Report())
        errors.append(psnr(after[0].double().numpy(), expected))
        state = expected
    print(f"ten float32 steps, each from the same state: {min(errors):.1f} dB at worst")
    assert min(errors) >= 45
