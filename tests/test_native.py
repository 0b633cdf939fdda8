import shutil
import stat
from itertools import product
from time import sleep, thread_time
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from dreamvid.dream.ascent import Ascent
from dreamvid.dream.tiles import in_one_piece
from dreamvid.jobs.provenance import as_begun, this_machine
from dreamvid.machine import native as machine_native
from dreamvid.machine.native import NoLibrary, compiled
from dreamvid.networks import building, convolutions, native, operations, pictures
from dreamvid.networks.convolutions import convolved, convolved_beside
from dreamvid.networks.inception5h import _local_response, local_response
from dreamvid.networks.kernels import choose
from dreamvid.networks.pocket import pocket
from dreamvid.networks.torchvision.classifier import new_model, sketch
from dreamvid.settings import settled

needs_compiler = pytest.mark.skipif(
    native.absence() is not None, reason=f"nothing compiled here: {native.absence()}"
)
needs_onednn = pytest.mark.skipif(
    convolutions.absence(torch.float32) is not None,
    reason=f"no packed convolutions: {convolutions.absence(torch.float32)}",
)
TYPES = [torch.float32, torch.bfloat16]


def bits(x):
    return x.contiguous().view(torch.int32 if x.dtype is torch.float32 else torch.int16)


@needs_compiler
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("threads", [1, 3])
def test_a_pool_is_torchs_own_to_the_bit(dtype, stride, threads):
    torch.manual_seed(1)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    sizes = [(1, 5, 7, 9), (2, 64, 3, 4), (1, 70, 8, 13), (1, 131, 12, 21), (1, 3, 2, 5)]
    for shape, kind in product(sizes, ("negative", "ties", "no numbers")):
        x = torch.randn(shape)
        if kind == "ties":
            x = (2 * x).round() / 2
        if kind == "no numbers":
            x.view(-1)[::7], x.view(-1)[1::5] = torch.nan, -torch.inf
        x = x.to(dtype).contiguous(memory_format=torch.channels_last).requires_grad_()
        theirs = F.max_pool2d(x, 3, stride, 2 - stride, ceil_mode=True)
        ours = native.pooled(x, stride)
        assert torch.equal(ours.isnan(), theirs.isnan())
        assert torch.equal(bits(ours.nan_to_num()), bits(theirs.nan_to_num()))
        above = torch.randn_like(theirs)
        found, expected = (torch.autograd.grad(y, x, above)[0] for y in (ours, theirs))
        assert torch.equal(bits(found), bits(expected))
    torch.set_num_threads(before)


@needs_compiler
@pytest.mark.parametrize("stride", [1, 2])
def test_a_pool_has_a_second_derivative(stride):
    torch.manual_seed(1)
    x = torch.randn(1, 6, 9, 14).requires_grad_()
    theirs = F.max_pool2d(x, 3, stride, 2 - stride, ceil_mode=True)
    above, again = torch.randn_like(theirs).requires_grad_(), torch.randn_like(x)
    found, expected = (
        torch.autograd.grad(torch.autograd.grad(y, x, above, create_graph=True)[0], above, again)[0]
        for y in (native.pooled(x, stride), theirs)
    )
    assert torch.equal(found, expected)


RESPONSES = {
    "caffe": (
        lambda x: operations.local_response(x, alpha=3e-4),
        lambda x: operations._local_response(x, 5, 3e-4),
    ),
    "tensorflow": (local_response, _local_response),
}


@needs_compiler
@pytest.mark.parametrize("channels", [3, 64, 131])
@pytest.mark.parametrize("kind", RESPONSES)
def test_a_response_is_the_definition(kind, channels):
    ours, plain = RESPONSES[kind]
    torch.manual_seed(1)
    x = (60 * torch.randn(2, channels, 5, 7)).requires_grad_()
    exact = x.detach().double().requires_grad_()
    above = torch.randn(2, channels, 5, 7)
    torch.testing.assert_close(ours(x).double(), plain(exact), rtol=1e-6, atol=1e-6)
    (found,) = torch.autograd.grad(ours(x), x, above, create_graph=True)
    (expected,) = torch.autograd.grad(plain(exact), exact, above.double(), create_graph=True)
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-6)
    (once,) = torch.autograd.grad(ours(x), x, above)
    torch.testing.assert_close(once.double(), expected, rtol=1e-6, atol=1e-6)
    again = torch.randn_like(above)
    (found,) = torch.autograd.grad(found, x, again)
    (expected,) = torch.autograd.grad(expected, exact, again.double())
    torch.testing.assert_close(found.double(), expected, rtol=1e-4, atol=1e-5)


@needs_compiler
@pytest.mark.parametrize("kind", RESPONSES)
def test_a_response_in_bfloat16_is_rounded_once(kind):
    ours, plain = RESPONSES[kind]
    torch.manual_seed(1)
    x = (60 * torch.randn(1, 64, 5, 7)).bfloat16()
    assert torch.equal(ours(x), ours(x.float()).bfloat16())
    assert (ours(x).double() - plain(x.double())).norm() < 2**-8 * plain(x.double()).norm()


def some_channels(x, first, last):
    """The channels of wider pictures, of which channels lie last in memory."""
    return x.contiguous(memory_format=torch.channels_last)[:, first:last]


@needs_compiler
@pytest.mark.parametrize("dtype", TYPES)
def test_a_relu_and_its_gradient_are_torchs_own_of_some_channels_too(dtype):
    torch.manual_seed(1)
    x, above = (torch.randn(2, 90, 5, 7).to(dtype) for _ in range(2))
    x.view(-1)[::11], x.view(-1)[1::7] = torch.nan, -0.0
    out = torch.full((2, 90, 5, 7), 5.0, dtype=dtype).contiguous(memory_format=torch.channels_last)
    native.relu(some_channels(x, 3, 80), out[:, 5:82])
    assert torch.equal(out[:, 5:82].nan_to_num(7), x[:, 3:80].relu().nan_to_num(7))
    assert (out[:, :5] == 5).all()
    assert (out[:, 82:] == 5).all()
    kept = out[:, 5:82]
    expected = torch.ops.aten.threshold_backward(above[:, 9:86], kept, 0)
    with torch.no_grad():
        for source in (above[:, 9:86], some_channels(above, 9, 86)):
            assert torch.equal(native.through_relu(source, kept), expected)
        native.through_relu(above[:, 9:86], kept, out[:, 5:82])
    assert torch.equal(out[:, 5:82], expected)
    assert (out[:, 82:] == 5).all()


@needs_compiler
@pytest.mark.parametrize("dtype", TYPES)
def test_silu_and_its_gradient_are_the_definition(dtype):
    torch.manual_seed(1)
    x, above = (8 * torch.randn(1, 75, 6, 5).to(dtype) for _ in range(2))
    exact = x.double().requires_grad_()
    plain = F.silu(exact)
    (expected,) = torch.autograd.grad(plain, exact, above.double())
    out = torch.zeros(1, 80, 6, 5, dtype=dtype).contiguous(memory_format=torch.channels_last)
    native.silu(x, out[:, 2:77])
    share = 2**-8 if dtype == torch.bfloat16 else 1e-6
    torch.testing.assert_close(out[:, 2:77].double(), plain.detach(), rtol=share, atol=1e-7)
    out[:, 2:77] = above
    native.through_silu(x, out[:, 2:77])
    torch.testing.assert_close(out[:, 2:77].double(), expected, rtol=share, atol=1e-6)
    assert not out[:, :2].any()
    assert not out[:, 77:].any()


@needs_compiler
@pytest.mark.parametrize("channels", [12, 16])
@pytest.mark.parametrize(("size", "around"), [((9, 14), (4, 2, 3, 4)), ((6, 7), (2, 5, 4, 2))])
def test_blocks_are_a_padded_picture_unshuffled(size, around, channels):
    torch.manual_seed(1)
    x = torch.randn(2, 3, *size).requires_grad_()
    ours, theirs = pictures.in_blocks(x, around, channels), F.pixel_unshuffle(F.pad(x, around), 2)
    assert torch.equal(ours[:, :12], theirs)
    assert not ours[:, 12:].any()
    above = torch.randn_like(ours).requires_grad_()
    (found,) = torch.autograd.grad(ours, x, above, retain_graph=True)
    (expected,) = torch.autograd.grad(theirs, x, above[:, :12], retain_graph=True)
    assert torch.equal(found, expected)
    # Its gradient is linear in what comes from above.
    (again,) = torch.autograd.grad(ours, x, above, create_graph=True)
    (found,) = torch.autograd.grad(again, above, x.detach())
    assert torch.equal(found[:, :12], theirs)
    assert not found[:, 12:].any()


@needs_compiler
@pytest.mark.parametrize("clamp", [True, False])
@pytest.mark.parametrize("by_place", [True, False])
def test_a_step_in_c_is_the_plain_one(by_place, clamp, monkeypatch):
    """It is rolled back by an odd jitter, and a picture without a finite gradient stays."""
    torch.manual_seed(1)
    image, rolled = 100 * torch.randn(3, 3, 9, 14), torch.randn(3, 3, 9, 14)
    rolled[1, 2, 3, 4] = torch.nan
    bounds = (torch.tensor([-90.0, -80, -70]), torch.tensor([60.0, 70, 80]))
    bounds = tuple(each.view(1, 3, 1, 1) for each in bounds)
    settings = settled({"ascent": {"clamp": clamp}}).ascent
    ascent = Ascent(lambda inputs, _: (inputs * rolled).sum((1, 2, 3)), settings, bounds)
    size = 1 + torch.rand(9, 14) if by_place else 1.5
    ours = ascent.step(None, in_one_piece, image, (-4, 19), size, 1.0)
    monkeypatch.setattr(pictures, "serves", lambda image: False)
    theirs = ascent.step(lambda each: each, in_one_piece, image, (-4, 19), size, 1.0)
    torch.testing.assert_close(ours.image, theirs.image, rtol=1e-6, atol=1e-6)
    assert ours.finite.tolist() == theirs.finite.tolist() == [True, False, True]
    assert torch.equal(ours.image[1], image[1])


@needs_compiler
def test_what_the_c_code_does_not_know_goes_torchs_way():
    for dtype in (torch.float64, torch.float16):
        assert not native.serves(torch.zeros(1, 3, 4, 5, dtype=dtype))
    assert not native.serves(torch.zeros(1, 3, 4, 5, device="meta"))
    assert not native.serves(torch.zeros(1, 5000, 1, 2))


@pytest.fixture
def nothing_compiled(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for known in (compiled, native.absence):
        known.cache_clear()
    yield tmp_path
    for known in (compiled, native.absence):
        known.cache_clear()


@pytest.mark.skipif(not machine_native.sys.platform.startswith("linux"), reason="Linux alone")
def test_without_a_compiler_torch_does_the_same(nothing_compiled, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert native.absence() == "no C compiler; install gcc"
    x = torch.randn(1, 5, 8, 11).requires_grad_()
    assert not native.serves(x)
    theirs = F.max_pool2d(x, 3, 2, ceil_mode=True)
    assert torch.equal(operations.pooled(x, 2), theirs)


@pytest.mark.skipif(not machine_native.sys.platform.startswith("linux"), reason="Linux alone")
def test_a_compiler_that_fails_is_told(nothing_compiled, monkeypatch):
    broken = nothing_compiled / "gcc"
    broken.write_text("#!/bin/sh\necho out of coffee >&2\nexit 1\n")
    broken.chmod(broken.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(shutil, "which", lambda name: str(broken))
    with pytest.raises(NoLibrary, match="out of coffee"):
        compiled(native.SOURCE)
    assert "out of coffee" in native.absence()
    broken.unlink()  # it is not asked again at every step
    assert "out of coffee" in native.absence()
    assert not list((nothing_compiled / "cache").rglob("*.so"))


def convolution(inputs, outputs, kernel, padding):
    torch.manual_seed(1)
    made = nn.Conv2d(inputs, outputs, kernel, padding=padding).requires_grad_(False)
    return made.to(memory_format=torch.channels_last)


@needs_onednn
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize(("kernel", "padding"), [(1, 0), (3, 1), (3, 0), (5, 2), ((1, 3), (0, 1))])
def test_a_packed_convolution_is_the_plain_one(kernel, padding, relu):
    made = convolution(24, 40, kernel, padding)
    for size in ((37, 50), (53, 61), (9, 12)):
        x = torch.randn(1, 24, *size).requires_grad_()
        plain = made(x).relu() if relu else made(x)
        ours = convolved(made, x, relu=relu)
        # Where a sum is almost 0, rounding decides whether ReLU keeps it.
        above = torch.randn_like(plain) * (made(x).abs() > 1e-5)
        found, expected = (torch.autograd.grad(y, x, above)[0] for y in (ours, plain))
        torch.testing.assert_close(ours, plain, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_what_is_no_number_stays_none():
    """By it a picture that is not finite is known, and what a layer sees."""
    made = convolution(8, 12, 3, 1)
    x = torch.randn(1, 8, 60, 71)
    x[..., 10, 15] = torch.nan
    assert int(convolved(made, x, relu=True).isnan().any(1).sum()) == 9


@needs_onednn
def test_weights_are_ordered_for_each_size(monkeypatch):
    """One order may be four times slower than another at another size."""
    made, sizes = convolution(16, 8, 3, 1), []
    ordered = convolutions._reordered

    def noted(weight, padding, size):
        sizes.append(size)
        return ordered(weight, padding, size)

    monkeypatch.setattr(convolutions, "_reordered", noted)
    for height, width in ((140, 41), (137, 50), (140, 41)):
        x = torch.randn(1, 16, height, width)
        assert torch.equal(convolved(made, x), made(x))
    convolved(made, torch.randn(1, 16, 8, 9))  # what is smaller goes to C of our own
    assert sizes == [(1, 16, 140, 41), (1, 16, 137, 50)]


@needs_onednn
def test_a_packed_convolution_follows_its_weights():
    made, x = convolution(8, 12, 3, 1), torch.randn(1, 8, 60, 71)
    first = convolved(made, x)
    made.weight.mul_(2)
    made.bias.mul_(2)
    torch.testing.assert_close(convolved(made, x), 2 * first)
    made.weight.data = made.weight.data / 2
    made.bias.data = made.bias.data / 2
    torch.testing.assert_close(convolved(made, x), first)


def test_a_convolution_that_learns_gets_its_gradient():
    made = convolution(8, 12, 3, 1).requires_grad_(True)
    x = torch.randn(1, 8, 20, 31)
    convolved(made, x, relu=True).sum().backward()
    assert made.weight.grad.abs().sum() > 0
    one, other = (convolution(8, count, 1, 0).requires_grad_(True) for count in (3, 5))
    sum(part.sum() for part in convolved_beside((one, other), x)).backward()
    assert min(part.weight.grad.abs().sum() for part in (one, other)) > 0


@needs_onednn
def test_a_packed_convolution_has_a_second_derivative():
    made = convolution(8, 12, 3, 1)
    x = torch.randn(1, 8, 60, 71).requires_grad_()
    found, expected = (
        torch.autograd.grad(torch.autograd.grad(y.square().sum(), x, create_graph=True)[0].sum(), x)
        for y in (convolved(made, x, relu=True), made(x).relu())
    )
    torch.testing.assert_close(found, expected)


def test_convolutions_beside_each_other_are_each_alone():
    parts = [convolution(16, count, 1, 0) for count in (8, 3, 5)]
    x = torch.randn(1, 16, 18, 31)
    for _ in range(2):
        for part, made in zip(parts, convolved_beside(parts, x, relu=True), strict=True):
            torch.testing.assert_close(made, part(x).relu())
        parts[1].weight.mul_(-1)


@pytest.mark.parametrize(("bfloat16", "float32", "quick"), [(8, 2, "fp32"), (1, 4, "bf16")])
def test_auto_takes_the_precision_that_is_no_slower(monkeypatch, bfloat16, float32, quick):
    """A processor may have bfloat16 and a library that is held to older instructions."""
    milliseconds = {torch.bfloat16: bfloat16, torch.float32: float32}

    def busy(x, *_, padding):
        end = thread_time() + milliseconds[x.dtype] / 1000
        while thread_time() < end:
            pass
        sleep(0.01 if x.dtype == torch.bfloat16 else 0)  # another program has the core

    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: True, raising=False)
    monkeypatch.setattr(building.F, "conv2d", busy)
    building._is_slow.cache_clear()
    assert building.quick_precision(torch.device("cpu")) == quick
    building._is_slow.cache_clear()


def test_a_resumed_job_keeps_the_precision_it_took():
    auto = settled({})
    device = this_machine(pocket())["device"]

    def resumed(settings, **machine):
        return as_begun(settings, SimpleNamespace(machine=machine)).machine.precision

    assert resumed(auto, device=device, precision="bfloat16") == "bf16"
    assert resumed(auto, device=device, precision="float32") == "fp32"
    assert resumed(auto, device="cuda of another", precision="bfloat16") == "auto"
    asked = settled({"machine": {"precision": "fp64"}})
    assert resumed(asked, device=device, precision="bfloat16") == "fp64"


@needs_compiler
def test_plain_kernels_are_torchs_own():
    x = torch.zeros(1, 3, 8, 12)
    choose("plain", x.device, x.dtype)
    assert not native.serves(x)
    assert convolutions.packed(convolution(3, 4, 3, 1)) is None
    choose("auto", x.device, x.dtype)
    assert native.serves(x)


def test_torchvisions_networks_are_folded_within_rounding():
    torch.manual_seed(1)
    net = sketch("resnet18", 10)
    state = {f"model.{name}": each for name, each in new_model("resnet18", 10).state_dict().items()}
    for name, each in state.items():
        if name.endswith("running_mean"):
            each.normal_(std=0.3)
        if name.endswith("running_var"):
            each.uniform_(0.5, 2)
    net.load_state_dict(state, assign=True)
    net.eval()
    layers = ["layer2.0.conv1", "layer3.1.relu_1"]  # the first is wanted before its normalisation
    torch.manual_seed(0)  # of one in many, a value is so near 0 that rounding turns its ReLU over
    picture = torch.randn(1, 3, 152, 216)

    def dreamed(dtype=torch.float32):
        x = picture.to(dtype, copy=True).requires_grad_()
        found = net(x, layers)
        sum(each.square().mean() for each in found.values()).backward()
        return *(found[layer].detach() for layer in layers), x.grad

    plain = dreamed()
    net.requires_grad_(False).to(memory_format=torch.channels_last)
    folded = dreamed()
    exact = (net.double(), dreamed(torch.float64))[1]
    for ours, theirs, truth in zip(folded, plain, exact, strict=True):
        error, other = ((each - truth).norm() / truth.norm() for each in (ours, theirs))
        assert error < max(2 * other, 2e-6)
