import copy
import os
import subprocess
import sys

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from dreamvid.networks import compiled, convolutions
from dreamvid.networks.compiled import After
from dreamvid.networks.convolutions import convolved, convolved_beside
from dreamvid.networks.inceptions import inception
from dreamvid.networks.operations import pooled
from dreamvid.networks.pocket import Bottleneck, Stage

pytestmark = pytest.mark.skipif(
    compiled.absence() is not None or convolutions.absence(torch.float32) is not None,
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
    monkeypatch.setattr(compiled, "FLAGS", (*compiled.FLAGS, *request.param))
    compiled._prepared.cache_clear()
    yield
    compiled._prepared.cache_clear()


@pytest.fixture(params=["direct", "winograd"])
def codes(request, monkeypatch):
    """Few places are enough, or none are, for 3x3 kernels to be taken at points."""
    least = 1 if request.param == "winograd" else compiled.MOST_PLACES[torch.float32] + 1
    monkeypatch.setattr(compiled, "LEAST_PLACES", least)


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize(
    ("kernel", "padding"), [(1, 0), (3, 1), (3, 0), (4, 0), (5, 2), ((1, 3), (0, 1)), (3, 2)]
)
@pytest.mark.parametrize(
    ("inputs", "outputs", "count", "size"),
    [(12, 40, 1, (7, 10)), (24, 5, 2, (9, 6)), (3, 70, 1, (5, 5)), (18, 41, 2, (9, 14))],
)
def test_a_convolution_is_the_definition(
    vectors, codes, inputs, outputs, count, size, kernel, padding, relu
):
    """The last channels are enough for a 3x3 kernel to be taken at points."""
    torch.manual_seed(1)
    made = frozen(nn.Conv2d(inputs, outputs, kernel, padding=padding))
    x = torch.randn(count, inputs, *size).requires_grad_()
    assert compiled.code_for(made.weight, count * size[0] * size[1])
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


def weights_of(made, source=compiled.WINOGRAD):
    return compiled.ordered(made.weight, made.bias, made.padding, source)


@pytest.mark.parametrize("after", [After.NOTHING, After.RELU])
@pytest.mark.parametrize(("kernel", "made_of"), [(3, "bfloat16"), (4, "float32"), (5, "float32")])
@pytest.mark.parametrize(("inputs", "outputs", "size"), [(18, 41, (9, 14)), (32, 64, (21, 18))])
def test_a_result_in_bfloat16_is_that_in_float32_rounded_once(
    vectors, inputs, outputs, size, kernel, made_of, after
):
    torch.manual_seed(1)
    made = frozen(nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2).bfloat16())
    x = torch.randn(2, inputs, *size).bfloat16()
    exact = compiled.convolved(x.float(), weights_of(made.float()), after)
    given = x if made_of == "bfloat16" else x.float()
    rounded = compiled.convolved(given, weights_of(made), after, torch.bfloat16)
    assert rounded.dtype == torch.bfloat16
    assert torch.equal(rounded, exact.bfloat16())


@pytest.mark.skipif(not compiled._multiplies_pairs(), reason="no products of bfloat16 here")
@pytest.mark.parametrize(("kernel", "padding"), [(1, 0), (3, 1), (3, 0), ((1, 3), (0, 1))])
@pytest.mark.parametrize(
    ("inputs", "outputs", "count", "size"),
    [(12, 40, 1, (7, 10)), (24, 6, 2, (9, 6)), (2, 70, 1, (5, 5)), (18, 42, 2, (9, 14))],
)
def test_small_pictures_of_bfloat16_are_multiplied_in_pairs_and_rounded_once(
    monkeypatch, inputs, outputs, count, size, kernel, padding
):
    monkeypatch.setattr(compiled, "LEAST_PLACES", 10_000)
    torch.manual_seed(1)
    made = frozen(nn.Conv2d(inputs, outputs, kernel, padding=padding).bfloat16())
    x = torch.randn(count, inputs, *size).bfloat16().requires_grad_()
    assert compiled.code_for(made.weight, count * size[0] * size[1]) == compiled.DIRECT
    exact = x.detach().double().requires_grad_()
    plain = F.conv2d(exact, *doubled(made), padding=padding).relu()
    ours = convolved(made, x, relu=True)
    agree(ours, plain.bfloat16().double(), share=5e-4)
    above = torch.randn_like(ours)
    (found,) = torch.autograd.grad(ours, x, above)
    (expected,) = torch.autograd.grad(plain, exact, above.double())
    agree(found, expected.bfloat16().double(), share=5e-4)


def test_an_odd_channel_has_no_pair():
    assert compiled.code_for(torch.zeros(8, 7, 1, 1, dtype=torch.bfloat16), 60) is None


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_some_channels_are_convolved_into_some_channels(dtype):
    torch.manual_seed(1)
    made = frozen(nn.Conv2d(20, 33, 3, padding=1).to(dtype))
    wide = torch.randn(2, 30, 25, 22).to(dtype).contiguous(memory_format=torch.channels_last)
    pairs = dtype == torch.float32 or compiled._multiplies_pairs()
    for source in (compiled.WINOGRAD, compiled.DIRECT)[: 1 + pairs]:
        out = torch.zeros(2, 40, 25, 22).to(dtype).contiguous(memory_format=torch.channels_last)
        compiled.convolve(wide[:, 7:27], weights_of(made, source), out[:, 4:37])
        exact = F.conv2d(wide[:, 7:27].double(), *doubled(made), padding=1)
        agree(out[:, 4:37], exact.to(dtype).double(), 1e-6 if dtype == torch.float32 else 1e-3)
        assert not out[:, :4].any()
        assert not out[:, 37:].any()


def doubled(made):
    return [each.double() for each in made.parameters()]


@pytest.mark.parametrize("bad", [torch.bfloat16, torch.float32])
def test_a_processor_that_multiplies_tiles_keeps_its_own_bfloat16(monkeypatch, bad):
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: True, raising=False)
    weight = torch.zeros(32, 32, 3, 3, dtype=bad)
    taken = compiled.code_for(weight, 5000)
    assert taken == (None if bad == torch.bfloat16 else compiled.WINOGRAD)


@pytest.mark.parametrize(("inputs", "outputs"), [(16, 16), (64, 192), (130, 70)])
def test_a_3x3_convolution_of_a_large_picture_is_as_exact_as_torchs(inputs, outputs):
    torch.manual_seed(1)
    made = frozen(nn.Conv2d(inputs, outputs, 3, padding=1))
    x = torch.randn(1, inputs, 38, 61).relu()
    exact = F.conv2d(x.double(), *(each.double() for each in made.parameters()), padding=1)
    wrong = [(found.double() - exact).norm() for found in (convolved(made, x), made(x))]
    assert wrong[0] <= 1e-6 * exact.norm()
    assert wrong[0] < 4 * wrong[1]


def test_a_convolution_does_not_depend_on_threads(codes, monkeypatch):
    made, x = frozen(nn.Conv2d(48, 70, 3, padding=1)), torch.randn(1, 48, 17, 23)
    alone = convolved(made, x)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    assert torch.equal(convolved(made, x), alone)


def test_what_is_no_number_stays_none_and_reaches_no_further():
    made, x = frozen(nn.Conv2d(8, 12, 3, padding=1)), torch.randn(1, 8, 9, 13)
    x[..., 4, 7] = torch.nan
    assert int(convolved(made, x, relu=True).isnan().any(1).sum()) == 9


@pytest.mark.parametrize("size", [(22, 46), (23, 46)])
def test_a_bottleneck_of_more_places_is_the_same(size):
    made = frozen(Bottleneck(20, Stage("3a", 36, 24, 1)))
    x = torch.randn(1, 20, *size)
    agree(made(x), copy.deepcopy(made).double().plainly(x.double()))


@pytest.mark.parametrize(("depths", "count"), [(1, 2), (2, 1)])
def test_a_bottleneck_is_its_single_operations(vectors, codes, depths, count):
    """Wherever channels lie in memory: an objective of some of them gives a gradient in planes."""
    torch.manual_seed(1)
    made = frozen(Bottleneck(20, Stage("3a", 36, 24, depths)))
    x = torch.randn(count, 20, 6, 9)
    x[0, :, 2, 3] *= 60  # where the exponential ends
    x.requires_grad_()
    exact = x.detach().double().requires_grad_()
    ours, plain = made(x), copy.deepcopy(made).double().plainly(exact)
    agree(ours, plain)
    above = torch.randn(ours.shape)
    (found,) = torch.autograd.grad(ours, x, above)
    (expected,) = torch.autograd.grad(plain, exact, above.double())
    agree(found, expected)


@pytest.mark.parametrize("size", [(6, 9), (30, 41)])
def test_a_bottleneck_in_bfloat16_rounds_no_more_than_its_single_operations(size):
    torch.manual_seed(1)
    made = frozen(Bottleneck(20, Stage("3a", 36, 24, 2)).bfloat16())
    x = torch.randn(1, 20, *size).bfloat16().requires_grad_()
    exact = x.detach().double().requires_grad_()
    wanted = copy.deepcopy(made).double().plainly(exact)
    above = torch.randn(wanted.shape).bfloat16()
    (expected,) = torch.autograd.grad(wanted, exact, above.double())
    wrong = []
    for y in (made(x), made.plainly(x)):
        (found,) = torch.autograd.grad(y, x, above)
        wrong.append([(y - wanted).norm(), (found - expected).norm()])
    for ours, plain, whole in zip(*wrong, (wanted, expected), strict=True):
        assert ours < 1.2 * plain < 0.06 * whole.norm()


@pytest.fixture
def two_threads():
    """On one, a library has another way for 1x1 kernels."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def block(dtype):
    """An inception block's convolutions, of 24 channels."""
    torch.manual_seed(1)
    first = [frozen(nn.Conv2d(24, width, 1).to(dtype)) for width in (16, 20, 17)]
    rest = [
        frozen(nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2).to(dtype))
        for inputs, outputs, kernel in ((20, 36, 3), (17, 18, 5), (24, 19, 1))
    ]
    return first, rest


def plain_block(first, rest, x):
    one, three, five = convolved_beside(first, x, relu=True)
    ends = zip(rest, (three, five, pooled(x, 1)), strict=True)
    return torch.cat([one, *(convolved(part, each, relu=True) for part, each in ends)], 1)


@pytest.mark.parametrize(("dtype", "share"), [(torch.float32, 1e-6), (torch.bfloat16, 0.02)])
@pytest.mark.parametrize("size", [(6, 9), (37, 50)])
def test_an_inception_block_is_its_single_operations(two_threads, size, dtype, share):
    first, rest = block(dtype)
    x = torch.randn(2, 24, *size).to(dtype).requires_grad_()
    exact = x.detach().double().requires_grad_()
    ours = inception(first, rest, x)
    plain = plain_block(*(list(map(copy.deepcopy, each)) for each in (first, rest)), x)
    whole = [[each.double() for each in parts] for parts in block(dtype)]
    wanted = plain_block(*whole, exact)
    agree(ours, wanted, share)
    assert type(ours.grad_fn).__name__ == "_InceptionBackward"
    above = torch.randn(ours.shape).to(dtype)
    (found,) = torch.autograd.grad(ours, x, above)
    (expected,) = torch.autograd.grad(wanted, exact, above.double())
    agree(found, expected, max(share, 2e-6))
    assert (ours - plain).norm() <= share * plain.norm()


def test_an_inception_block_has_a_second_derivative():
    first, rest = block(torch.float32)
    x = torch.randn(1, 24, 6, 9).requires_grad_()
    found, expected = (
        torch.autograd.grad(torch.autograd.grad(y.square().sum(), x, create_graph=True)[0].sum(), x)
        for y in (inception(first, rest, x), plain_block(first, rest, x))
    )
    torch.testing.assert_close(*found, *expected)


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
