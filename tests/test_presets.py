"""Every preset: its figures, a run of it, and the formula of each classic's own step."""

import laws
import pytest
import torch
from tiny import Tiny
from torch import nn
from torch.nn import functional as F

from dreamvid import media
from dreamvid.dream.ascent import Ascent, jitter
from dreamvid.dream.dreamer import Dreamer
from dreamvid.dream.octaves import octave_sizes
from dreamvid.dream.report import Report
from dreamvid.frames import Size, size_of
from dreamvid.jobs.films import settings_for
from dreamvid.networks import network, sketch
from dreamvid.networks.base import Preprocessing
from dreamvid.networks.layers import Choice
from dreamvid.settings import presets

GOOGLE = {
    "network.name": "googlenet",
    "network.layers": ["inception_4c/output"],
    "objective.name": "energy",
    "octaves.count": 4,
    "octaves.scale": 1.4,
    "octaves.enlarge": "detail",
    "ascent.iterations": 10,
    "ascent.step_size": 1.5,
    "ascent.jitter": 32,
    "ascent.normalise": "mean",
    "ascent.smoothing": 0,
    "ascent.clamp": True,
    "motion.zoom.rate": 4.658908,  # (1 / 0.95)^30
    "film.frames": 100,
    "film.fps": 30,
    "film.anchor": 0,
    "machine.precision": "fp32",
}
GORDIC = {
    "network.name": "vgg16",
    "network.layers": ["relu4_3"],
    "objective.name": "energy",
    "octaves.count": 4,
    "octaves.scale": 1.8,
    "octaves.sizes": "rounded",
    "octaves.enlarge": "whole",
    "octaves.align": "centres",
    "ascent.iterations": 10,
    "ascent.step_size": 5.186229,  # 0.09 over the mean of 1/255/std
    "ascent.jitter": 32,
    "ascent.normalise": "deviation",
    "ascent.smoothing": 0.5,
    "ascent.clamp": True,
    "film.size": 600,
    "film.anchor": 0,
    "machine.precision": "fp32",
    "carry.name": "blend",
    "carry.amount": 0.85,
}
VIDEO = {
    **{key: value for key, value in GOOGLE.items() if not key.startswith(("film.", "motion."))},
    "octaves.scale": 1.5,
}
del VIDEO["ascent.smoothing"]
WALK = ["4c", "4d", "4e", "5a", "5b", "5a", "4e", "4d", "4c"]
PER_OCTAVE = {
    "network.name": "vgg16",
    "objective.name": "norm",
    "octaves.count": 8,
    "octaves.scale": 1.8,
    "octaves.layers": [["6"], ["12"], ["18"], ["24"], ["30"], ["30"], ["30"], ["30"]],
    "octaves.enlarge": "merged",
    "octaves.alpha": 0.2,
    "ascent.iterations": 20,
    "ascent.step_size": 11.524953,  # 0.2
    "ascent.jitter": 0,
    "ascent.normalise": "none",
}
DEFAULT = {
    "network.wander": 0.7,
    "octaves.smallest": 104,
    "octaves.scale": 1.4,
    "octaves.later": "alternate",
    "ascent.iterations": 10,
    "ascent.later": 2,
    "ascent.step_size": 1.5,
    "motion.zoom.rate": 1.3,
    "motion.spin.rate": 4.0,
}
FACTS = {
    "default": DEFAULT,
    "quick": {
        **DEFAULT,
        "ascent.later": 1,
        "ascent.later_factor": 1.5,
        "ascent.jitter": 8,
    },
    "gentle": {
        "octaves.count": 3,
        "octaves.scale": 1.6,
        "ascent.iterations": 5,
        "ascent.later": 1,
        "ascent.step_size": 1.0,
        "ascent.smoothing": 0.5,
        "motion.zoom.rate": 1.08,
    },
    "deep": {
        "network.wander": 0.7,
        "octaves.smallest": 75,
        "octaves.scale": 1.4,
        "ascent.iterations": 14,
        "ascent.later": 5,
        "ascent.step_size": 2.0,
        "motion.zoom.rate": 1.6,
        "motion.spin.rate": -10.0,
    },
    "video": {
        "ascent.iterations": 10,
        "ascent.later": 3,
        "ascent.later_step_size": 0.5,
        "carry.name": "flow",
        "carry.damping": 0.9,
    },
    "google-2015": GOOGLE,
    "google-2015-edges": {**GOOGLE, "network.layers": ["inception_3b/5x5_reduce"]},
    "google-guide": {
        **GOOGLE,
        "network.layers": ["inception_3b/output"],
        "objective.name": "guide",
        "objective.match": "best",
        "objective.side": 0,
    },
    "gordic-2019": GORDIC,
    "gordic-ouroboros": {
        **GORDIC,
        "motion.zoom.rate": 3.243398,  # 1.04^30
        "motion.spin.rate": -45.0,  # 1.5 degrees in each of 30 frames
        "film.frames": 30,
        "film.fps": 30,
    },
    "neural-dream-2020": {
        "network.name": "googlenet",
        "network.layers": ["inception_4d/3x3_reduce"],
        "objective.name": "norm",
        "objective.weight": 1000.0,
        "octaves.count": 2,
        "octaves.scale": 1 / 0.6,
        "octaves.sizes": "truncated",
        "octaves.enlarge": "whole",
        "octaves.align": "corners",
        "octaves.passes": 10,
        "ascent.iterations": 51,
        "ascent.step_size": 1.5,
        "ascent.jitter": 32,
        "ascent.normalise": "none",
        "ascent.update": "adam",
        "ascent.clamp": False,
        "film.size": 512,
        "machine.precision": "fp32",
    },
    "deepdreamvideo-2015": {
        **{key: value for key, value in VIDEO.items() if key != "network.layers"},
        "network.walk": [f"inception_{block}/output" for block in WALK],
        "ascent.iterations": 5,
        "carry.name": "blend",
        "carry.amount": 0.5,
        "carry.pattern": "constant",
    },
    "deepdreamanim-2015": {
        **VIDEO,
        "carry.name": "flow",
        "carry.damping": 0.9,
        "flow.name": "farneback",
        "flow.levels": 3,
        "flow.window": 15,
    },
    "genekogan-laplacian": {
        "network.name": "inception5h",
        "network.layers": ["mixed4d_3x3_bottleneck_pre_relu:139"],
        "objective.name": "mean",
        "octaves.count": 5,
        "octaves.scale": 1.333,
        "octaves.sizes": "truncated",
        "octaves.enlarge": "detail",
        "ascent.iterations": 32,
        "ascent.step_size": 1.25,
        "ascent.jitter": 256,
        "ascent.laplacian": 5,
        "ascent.normalise": "mean",
        "ascent.clamp": False,
        "film.size": 512,
        "machine.precision": "fp32",
    },
    "tf-inception5h-50": {
        "network.name": "inception5h",
        "network.layers": ["mixed4c"],
        "objective.name": "energy",
        "octaves.count": 4,
        "octaves.scale": 1.4,
        "octaves.sizes": "truncated",
        "octaves.enlarge": "detail",
        "ascent.iterations": 50,
        "ascent.step_size": 1.5,
        "ascent.jitter": 256,
        "ascent.normalise": "mean",
        "ascent.clamp": False,
        "machine.precision": "fp32",
    },
    "layers": {
        "network.name": "inception5h",
        "network.layers": ["34"],
        "objective.name": "energy",
        "octaves.count": 4,
        "octaves.scale": 1.4,
        "ascent.iterations": 20,
    },
    "per-octave": PER_OCTAVE,
    "per-octave-city": {**PER_OCTAVE, "ascent.iterations": 5, "ascent.step_size": 5.762476},
    "per-octave-portrait": PER_OCTAVE,
    "endless": {
        "network.wander": 0.9,
        "network.at_once": 2,
        "octaves.smallest": 104,
        "octaves.scale": 1.4,
        "octaves.later": "alternate",
        "ascent.iterations": 10,
        "ascent.later": 3,
        "ascent.step_size": 1.5,
        "motion.zoom.rate": "1.8 + 0.4*noise(t/3)",
        "motion.zoom.centre": ["0.5 + 0.25*noise(t/3)", "0.5 + 0.25*noise(t/3 + 50)"],
        "motion.spin.rate": "20*noise(t/4)",
    },
    "mixed": {
        "network.name": "inception_v3",
        "network.layers": ["mixed3", "mixed5"],
        "objective.name": "mean",
        "octaves.count": 5,
        "octaves.scale": 1.3,
        "octaves.enlarge": "whole",
        "ascent.iterations": 80,
        "ascent.step_size": 1.275,
        "ascent.jitter": 512,
        "ascent.normalise": "deviation",
    },
    "campus": {**GORDIC, "network.name": "resnet50", "network.layers": ["botneck1"]},
}
"""Every figure of these presets, from its source: they may hold nothing else."""


GOLDEN = {
    "campus": [15.76, 13.2, 13.96, 16.5, 16.82, 19.13],
    "deep": [6.02, 3.09, 3.43, 3.71, 2.16, 3.15],
    "deepdreamanim-2015": [1.89, 2.68, 3.11, 1.65, 2.17, 2.6],
    "deepdreamvideo-2015": [1.89, 2.68, 3.11, 1.65, 2.17, 2.6],
    "default": [5.03, 1.74, 2.35, 2.07, 1.08, 2.09],
    "endless": [5.03, 1.74, 2.35, 2.07, 1.08, 2.09],
    "genekogan-laplacian": [2.54, 3.62, 5.39, 2.46, 2.62, 3.06],
    "gentle": [3.69, 1.31, 2.37, 1.64, 0.92, 1.79],
    "google-2015": [1.82, 2.74, 3.07, 1.59, 2.13, 2.47],
    "google-2015-edges": [2.0, 2.87, 3.27, 1.69, 2.12, 2.17],
    "google-guide": [2.03, 2.91, 2.96, 1.83, 2.55, 2.69],
    "gordic-2019": [12.69, 10.88, 11.49, 14.12, 18.11, 21.28],
    "gordic-ouroboros": [12.69, 10.88, 11.49, 14.12, 18.11, 21.28],
    "layers": [1.77, 3.08, 3.6, 1.43, 1.8, 2.18],
    "mixed": [4.24, 4.18, 4.25, 4.36, 4.3, 4.51],
    "neural-dream-2020": [2.19, 2.23, 2.19, 2.22, 2.19, 2.18],
    "per-octave": [5.0, 4.84, 4.69, 5.0, 4.73, 4.63],
    "per-octave-city": [4.95, 4.8, 4.7, 4.96, 4.71, 4.63],
    "per-octave-portrait": [5.0, 4.84, 4.69, 5.0, 4.73, 4.63],
    "video": [4.87, 2.11, 2.67, 2.84, 1.53, 2.26],
    "tf-inception5h-50": [1.79, 2.58, 3.86, 1.49, 1.71, 2.42],
}
"""How many 8-bit levels the test's dream moves each sixth of the picture, row by row."""


def flat(tree, prefix=""):
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


@pytest.mark.parametrize("name", FACTS)
def test_every_figure_is_that_of_its_source(name):
    assert dict(flat(presets.load(name))) == FACTS[name]


def test_a_step_of_the_classics_is_theirs_in_their_units():
    imagenet = Preprocessing().level
    for name, rate in (("gordic-2019", 0.09), ("per-octave", 0.2), ("per-octave-city", 0.1)):
        assert settings_for(name).ascent.step_size * imagenet == pytest.approx(rate, rel=1e-6)
    half = Preprocessing(mean=(0.5,) * 3, std=(0.5,) * 3).level
    assert settings_for("mixed").ascent.step_size * half == pytest.approx(0.01)


def test_sizes_of_the_classics():
    def sizes(name, height, width):
        return [(s.width, s.height) for s in octave_sizes(Size(height, width), octaves(name))]

    def octaves(name):
        return settings_for(name).octaves

    assert [w for w, _ in sizes("gordic-2019", 400, 600)] == [103, 185, 333, 600]
    assert sizes("neural-dream-2020", 400, 512) == [(307, 240), (512, 400)]
    assert sizes("tf-inception5h-50", 224, 224) == [(81, 81), (114, 114), (160, 160), (224, 224)]


@pytest.fixture(scope="module")
def networks_of_noise():
    """The presets' networks with random weights in all that a dream reaches."""
    made = {}

    def noisy(name):
        if name not in made:
            net = network("pocket", precision="fp32") if name == "pocket" else sketch(name)
            torch.manual_seed(0)
            for module in net.modules() if name != "pocket" else ():
                if isinstance(module, nn.Conv2d):
                    module.to_empty(device="cpu")
                    nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                    if module.bias is not None:
                        nn.init.zeros_(module.bias)
                elif isinstance(module, nn.BatchNorm2d):
                    module.to_empty(device="cpu")
                    module.reset_parameters()
            made[name] = net.eval().requires_grad_(False)
        return made[name]

    return noisy


@pytest.mark.parametrize("name", presets.names())
def test_every_preset_dreams(name, networks_of_noise, picture, tmp_path):
    """Two frames of it: finite, changed, and the same when made again."""
    net = networks_of_noise(settings_for(name).network.name)
    size = Size(256, 320) if net.smallest_side > 48 else Size(192, 256)
    change = laws.preset_dreams(name, picture, net, tmp_path, size)
    change = F.adaptive_avg_pool2d(change.abs().mean(0, keepdim=True), (2, 3))
    if name in GOLDEN:
        assert (255 * change).flatten().tolist() == pytest.approx(GOLDEN[name], rel=0.03)


class Peer:
    """A small network in a peer's units, what the peer knows of it, and our dreamer's steps."""

    def __init__(self, preset, preprocessing, frame, objective=None, layers=("b",)):
        self.net = Tiny().double().requires_grad_(False)
        self.net.preprocessing = preprocessing
        tree = {"network": {"walk": []}, "octaves": {"count": 1, "layers": []}}
        self.settings = settings_for(preset, assigned={**tree, "objective": objective or {}})
        self.dreamer = Dreamer(self.net, [Choice(layer) for layer in layers], self.settings)
        self.start = preprocessing.to_input(frame[None].double())

    def ours(self, steps):
        goal = self.dreamer.goal.hill(self.dreamer.choices, size_of(self.start))
        ascent = Ascent(goal.gain, self.settings.ascent, self.dreamer._bounds)
        step_size = self.dreamer.plan.at().octaves[0].step_size
        return ascent(self.start, step_size, steps, (0, 0), Report())

    def rolls(self, steps):
        return [jitter((0, 0, step), self.settings.ascent.jitter) for step in range(steps)]

    def activation(self, x, layer="b"):
        return self.net(x, [layer])[layer]

    def gradient(self, x, loss):
        x = x.detach().requires_grad_(True)
        return torch.autograd.grad(loss(x), x)[0]

    def agrees(self, theirs, steps=2):
        ours = self.ours(steps)
        step = (theirs - self.start).norm()
        assert step > 0
        assert ((ours - theirs).norm() / step).item() < 1e-4


CAFFE = Preprocessing("BGR", 255.0, (104.0, 116.0, 122.0), (1.0, 1.0, 1.0))
GREY = Preprocessing("RGB", 255.0, (117.0, 117.0, 117.0), (1.0, 1.0, 1.0))


def test_the_step_of_google_deepdream(picture):
    """x + 1.5 g / mean|g|, g from dL/da = a; rolled, rolled back, clipped to the mean's bounds."""
    peer = Peer("google-2015", CAFFE, picture)
    mean = torch.tensor([104.0, 116.0, 122.0]).view(1, 3, 1, 1)
    x = peer.start
    for down, right in peer.rolls(2):
        x = x.roll(right, 3).roll(down, 2)
        g = peer.gradient(x, lambda x: (peer.activation(x) ** 2).sum() / 2)
        x = (x + 1.5 / g.abs().mean() * g).roll(-right, 3).roll(-down, 2)
        x = torch.minimum(torch.maximum(x, -mean), 255 - mean)
    peer.agrees(x)


def test_the_step_of_googles_guide(picture, tmp_path):
    """dL/da at each position is the guide's vector with the largest dot product there."""
    media.write_picture(picture.flip(2), tmp_path / "guide.png")
    tree = {"picture": str(tmp_path / "guide.png")}
    peer = Peer("google-guide", CAFFE, picture, tree)
    seen = peer.activation(CAFFE.to_input(media.read_picture(tmp_path / "guide.png")[None]))
    y = seen[0].reshape(5, -1)
    x = peer.start
    for roll in peer.rolls(2):
        x = x.roll(roll, (2, 3)).detach().requires_grad_(True)
        a = peer.activation(x)
        best = y[:, (a[0].reshape(5, -1).T @ y).argmax(1)].reshape(a.shape)
        (g,) = torch.autograd.grad(a, x, best)
        x = (x + 1.5 / g.abs().mean() * g).detach().roll([-each for each in roll], (2, 3))
        x = CAFFE.to_input(CAFFE.to_pictures(x).clamp(0, 1))
    peer.agrees(x)


def test_the_step_of_pytorch_deepdream(picture):
    """Three 9x9 Gaussians of σ_t·{0.5, 1, 2}, averaged; (g - mean)/std; lr 0.09; clamped."""
    peer = Peer("gordic-2019", Preprocessing(), picture)
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (Preprocessing.mean, Preprocessing.std))
    x = peer.start
    for t, roll in enumerate(peer.rolls(2)):
        x = x.roll(roll, (2, 3))
        g = peer.gradient(x, lambda x: (peer.activation(x) ** 2).mean())
        sigma = (t + 1) / 2 * 2.0 + 0.5
        smooth = torch.zeros_like(g)
        for part in (0.5, 1.0, 2.0):
            line = torch.exp(-((torch.arange(9.0).double() - 4) ** 2) / (2 * (sigma * part) ** 2))
            kernel = line[:, None] * line[None, :]
            weight = (kernel / kernel.sum()).expand(3, 1, 9, 9)
            smooth += F.conv2d(F.pad(g, (4,) * 4, mode="reflect"), weight, groups=3) / 3
        # Theirs is one step for all channels in units of each; ours is 0.09 in the same units.
        x = x + 0.09 * (smooth - smooth.mean()) / smooth.std()
        x = x.roll([-each for each in roll], (2, 3))
        x = torch.maximum(torch.minimum(x, (1 - mean) / std), -mean / std)
    peer.agrees(x)


def halving(side):
    """TensorFlow's SAME convolution with [1 4 6 4 1]/16 at stride 2, as a matrix."""
    rows = (side + 1) // 2
    before = max((rows - 1) * 2 + 5 - side, 0) // 2
    matrix = torch.zeros(rows, side).double()
    for row in range(rows):
        for tap, weight in enumerate((1, 4, 6, 4, 1)):
            if 0 <= (column := row * 2 + tap - before) < side:
                matrix[row, column] = weight / 16
    return matrix


def test_the_step_of_genekogans_laplacian(picture):
    """Five splits, each level over its root mean square; then over mean|g|, times 1.25; no clip."""
    peer = Peer("genekogan-laplacian", GREY, picture)
    x = peer.start
    for roll in peer.rolls(2):
        g = peer.gradient(x.roll(roll, (2, 3)), lambda x: peer.activation(x).mean())
        levels, matrices = [], []
        for _ in range(5):
            down, across = halving(g.shape[2]), halving(g.shape[3])
            low = down @ g @ across.T
            levels.append(g - 4 * down.T @ low @ across)
            matrices.append((down, across))
            g = low
        g = g / g.square().mean().sqrt()
        for (down, across), high in zip(matrices[::-1], levels[::-1], strict=True):
            g = 4 * down.T @ g @ across + high / high.square().mean().sqrt()
        g = g / (g.abs().mean() + 1e-7)
        x = x + 1.25 * g.roll([-each for each in roll], (2, 3))
    peer.agrees(x)


def test_the_step_of_neural_dream(picture):
    """Adam, lr 1.5, on -1000 times the 2-norm; the gradient comes back through the roll."""
    peer = Peer("neural-dream-2020", CAFFE, picture)
    x = peer.start.clone().requires_grad_(True)
    adam = torch.optim.Adam([x], lr=1.5)
    for roll in peer.rolls(3):
        adam.zero_grad()
        (-1000 * peer.activation(x.roll(roll, (2, 3))).pow(2).sum().sqrt()).backward()
        adam.step()
    peer.agrees(x.detach(), steps=3)


def test_the_step_of_deep_dream_tensorflow(picture):
    """x + 1.5 g / (mean|g| + 1e-7), g of mean(a²); no clip."""
    peer = Peer("tf-inception5h-50", GREY, picture)
    peer.net.b.weight *= 100  # so that gradients are far above 1e-7, which ours does without
    x = peer.start
    for roll in peer.rolls(2):
        x = x.roll(roll, (2, 3))
        g = peer.gradient(x, lambda x: peer.activation(x).square().mean())
        x = (x + g * (1.5 / (g.abs().mean() + 1e-7))).roll([-each for each in roll], (2, 3))
    peer.agrees(x)


def test_the_step_of_plain_ascent(picture):
    """x + lr · g, g of the 2-norm, neither rolled nor normalised."""
    peer = Peer("per-octave", Preprocessing(), picture)
    low, high = peer.dreamer._bounds
    x = peer.start
    for _ in range(2):
        x = x + 0.2 * peer.gradient(x, lambda x: peer.activation(x).norm())
        x = torch.minimum(torch.maximum(x, low), high)
    peer.agrees(x)


def test_the_step_of_two_layers_means(picture):
    """x + 0.01 g / std g, g of the sum of two layers' means, clipped to -1..1."""
    half = Preprocessing(mean=(0.5,) * 3, std=(0.5,) * 3)
    peer = Peer("mixed", half, picture, layers=("a", "b"))
    x = peer.start
    for roll in peer.rolls(2):
        x = x.roll(roll, (2, 3))
        g = peer.gradient(
            x, lambda x: peer.activation(x, "a").mean() + peer.activation(x, "b").mean()
        )
        x = (x + 0.01 * (g - g.mean()) / g.std()).clamp(-1, 1)
        x = x.roll([-each for each in roll], (2, 3))
    peer.agrees(x)
