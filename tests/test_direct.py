import copy
import os
import subprocess
import sys

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from dreamvid.networks import convolutions, direct
from dreamvid.networks.convolutions import convolved
from dreamvid.networks.pocket import Bottleneck, Stage

pytestmark = pytest.mark.skipif(
    direct.absence() is not None or convolutions.absence(torch.float32) is not None,
    reason="nothing compiled here",
)


def frozen(module):
    return module.requires_grad_(False).to(memory_format=torch.channels_last)


def agree(ours, exact, share=1e-6):
    assert (ours.double() - exact).norm() <= share * exact.norm()


@pytest.fixture(params=[(), ("-mno-avx",)], ids=["here", "narrow"])
def vectors(request, monkeypatch):
    """This processor's own vectors, and the narrow ones that all have."""
    if request.param and "x86" not in os.uname().machine:
        pytest.skip("x86 alone")
    monkeypatch.setattr(direct, "FLAGS", (*direct.FLAGS, *request.param))


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize(
    ("kernel", "padding"), [(1, 0), (3, 1), (3, 0), (4, 0), (5, 2), ((1, 3), (0, 1)), (3, 2)]
)
def test_a_direct_convolution_is_the_definition(vectors, kernel, padding, relu):
    torch.manual_seed(1)
    for inputs, outputs, count, size in (
        (12, 40, 1, (7, 10)),
        (24, 5, 2, (9, 6)),
        (3, 70, 1, (5, 5)),
    ):
        made = frozen(nn.Conv2d(inputs, outputs, kernel, padding=padding))
        x = torch.randn(count, inputs, *size).requires_grad_()
        assert direct.serves(x, made.weight)
        exact = x.detach().double().requires_grad_()
        weight, bias = (each.double() for each in made.parameters())
        plain = F.conv2d(exact, weight, bias, padding=padding)
        plain = plain.relu() if relu else plain
        ours = convolved(made, x, relu=relu)
        agree(ours, plain)
        above = torch.randn_like(ours)
        (found,) = torch.autograd.grad(ours, x, above)
        (expected,) = torch.autograd.grad(plain, exact, above.double())
        agree(found, expected)


def test_a_direct_convolution_does_not_depend_on_threads(monkeypatch):
    made, x = frozen(nn.Conv2d(48, 70, 3, padding=1)), torch.randn(1, 48, 17, 23)
    alone = convolved(made, x)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    assert torch.equal(convolved(made, x), alone)


def test_what_is_no_number_stays_none_and_reaches_no_further():
    made, x = frozen(nn.Conv2d(8, 12, 3, padding=1)), torch.randn(1, 8, 9, 13)
    x[..., 4, 7] = torch.nan
    assert int(convolved(made, x, relu=True).isnan().any(1).sum()) == 9


@pytest.mark.parametrize("depths", [1, 2])
def test_a_bottleneck_is_its_single_operations(vectors, depths):
    torch.manual_seed(1)
    made = frozen(Bottleneck(20, Stage("3a", 36, 24, depths)))
    x = torch.randn(2, 20, 6, 9)
    x[0, :, 2, 3] *= 60  # where the exponential ends
    x.requires_grad_()
    exact = x.detach().double().requires_grad_()
    ours, plain = made(x), copy.deepcopy(made).double().plainly(exact)
    agree(ours, plain)
    above = torch.randn_like(ours)
    (found,) = torch.autograd.grad(ours, x, above)
    (expected,) = torch.autograd.grad(plain, exact, above.double())
    agree(found, expected)


def test_a_bottleneck_has_a_second_derivative():
    torch.manual_seed(1)
    made = frozen(Bottleneck(20, Stage("3a", 36, 24, 2)))
    x = torch.randn(1, 20, 6, 9).requires_grad_()
    found, expected = (
        torch.autograd.grad(torch.autograd.grad(y.square().sum(), x, create_graph=True)[0].sum(), x)
        for y in (made(x), made.plainly(x))
    )
    torch.testing.assert_close(*found, *expected)


DREAM = """
import sys, torch
from dreamvid.dream.dreamer import dreamer_for
from dreamvid.frames import Size, noise
from dreamvid.settings import settled
tree = {"machine": {"precision": "fp32", "threads": 1}, "octaves": {"count": 2}}
dreamer = dreamer_for(settled({**tree, "ascent": {"iterations": 2}}))
dream = dreamer.still(noise(Size(72, 116), (1,)))
torch.save(dream, sys.argv[1])
"""


def test_a_processor_with_avx2_alone_dreams_the_same(tmp_path):
    limits = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}
    dreams = []
    for name, environment in (("own", {}), ("held", limits)):
        whole = {**os.environ, **environment}
        subprocess.run([sys.executable, "-c", DREAM, tmp_path / name], check=True, env=whole)
        dreams.append(torch.load(tmp_path / name))
    # Each step's gradient is rounded another way; a level is 1/255.
    assert (dreams[0] - dreams[1]).abs().mean() < 0.1 / 255
