import pytest
import torch
from torch.nn import functional as F

from dreamvid.networks import operations
from dreamvid.networks.halving import halving_convolution
from dreamvid.networks.operations import local_response, pooled


@pytest.mark.parametrize("before", [(3, 3), (2, 3), (3, 2)])
@pytest.mark.parametrize("size", [(37, 50), (36, 51)])
def test_a_halving_convolution_is_torchs_own(size, before):
    torch.manual_seed(1)
    x = torch.randn(2, 3, *size, dtype=torch.float64, requires_grad=True)
    weight, bias = torch.randn(5, 3, 7, 7).double(), torch.randn(5).double()
    ours = halving_convolution(x, weight, bias, before=before)
    top, left = before
    theirs = F.conv2d(F.pad(x, (left, 4, top, 4)), weight, bias, 2)
    theirs = theirs[:, :, : (size[0] + 1) // 2, : (size[1] + 1) // 2]
    torch.testing.assert_close(ours, theirs)
    direction = torch.randn_like(theirs)
    torch.testing.assert_close(*(torch.autograd.grad(y, x, direction)[0] for y in (ours, theirs)))


def test_a_halving_convolution_rounds_little_more_than_torchs_own():
    torch.manual_seed(1)
    x, weight = 100 * torch.randn(1, 3, 61, 90), torch.randn(64, 3, 7, 7)
    exact = F.conv2d(x.double(), weight.double(), None, 2, 3)
    ours, theirs = (
        (y - exact).norm()
        for y in (halving_convolution(x, weight, None), F.conv2d(x, weight, None, 2, 3))
    )
    assert ours < 3 * theirs


def test_a_halving_convolution_rounds_its_result_not_the_picture():
    torch.manual_seed(1)
    x = (100 * torch.randn(1, 3, 37, 50)).requires_grad_()
    weight, bias = torch.randn(64, 3, 7, 7), torch.randn(64)
    exact = halving_convolution(x, weight, bias)
    rounded = halving_convolution(x, weight, bias, torch.bfloat16)
    torch.testing.assert_close(rounded.float(), exact, rtol=2**-8, atol=1e-2)
    direction = torch.randn_like(exact)
    (wanted,) = torch.autograd.grad(exact, x, direction)
    (found,) = torch.autograd.grad(rounded, x, direction.bfloat16())
    assert found.dtype is torch.float32
    assert (found - wanted).norm() < 0.01 * wanted.norm()


def test_a_halving_convolution_that_learns_is_rounded_too():
    torch.manual_seed(1)
    x, weight = torch.randn(1, 3, 13, 18), torch.randn(5, 3, 7, 7).requires_grad_()
    made = halving_convolution(x, weight, None, torch.bfloat16, relu=True)
    assert made.dtype is torch.bfloat16
    made.float().sum().backward()
    assert weight.grad.abs().sum() > 0


@pytest.fixture
def threads():
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [(13, 9), (28, 17), (29, 6), (53, 8)])
@pytest.mark.parametrize("count", [3, 5, 16])
def test_pooling_in_strips_is_torchs_own(stride, size, count, threads, monkeypatch):
    monkeypatch.setattr(operations, "STRIP_VALUES", 1)
    threads(count)
    torch.manual_seed(1)
    # Whole numbers, so that many places are equally high and the first must win.
    x = torch.randint(0, 4, (1, 5, *size)).double().requires_grad_()
    ours, theirs = pooled(x, stride), F.max_pool2d(x, 3, stride, 2 - stride, ceil_mode=True)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=0)
    ours, theirs = ours.sub_(1).relu_(), (theirs - 1).relu()  # as a ReLU in place does
    direction = torch.randn_like(theirs).requires_grad_()
    found, wanted = (
        torch.autograd.grad(y, x, direction, create_graph=True)[0] for y in (ours, theirs)
    )
    torch.testing.assert_close(found, wanted)
    # A second derivative, as a network that learns from gradients asks for it.
    again = torch.randn_like(x)
    torch.testing.assert_close(
        *(torch.autograd.grad(g, direction, again)[0] for g in (found, wanted))
    )


@pytest.mark.parametrize("channels", [3, 47, 48, 64, 131])
def test_a_local_response_of_many_channels_in_parts_is_torchs_own(channels, monkeypatch):
    monkeypatch.setattr(operations, "CACHED_VALUES", 10 * channels)
    torch.manual_seed(1)
    x = (60 * torch.randn(2, channels, 5, 7).double()).requires_grad_()
    ours, theirs = local_response(x), F.local_response_norm(x, 5, 1e-4, 0.75, 1.0)
    torch.testing.assert_close(ours, theirs)
    direction = torch.randn_like(theirs)
    torch.testing.assert_close(*(torch.autograd.grad(y, x, direction)[0] for y in (ours, theirs)))


def test_an_alpha_on_the_device_is_the_number():
    x = 60 * torch.randn(1, 9, 4, 5)
    torch.testing.assert_close(
        local_response(x, alpha=torch.tensor(3e-4)), local_response(x, alpha=3e-4)
    )


def test_a_local_response_first_seen_in_inference_mode_serves_a_gradient():
    x = torch.randn(1, 11, 3, 4)
    with torch.inference_mode():
        local_response(x)
    x.requires_grad_()
    assert torch.autograd.grad(local_response(x).sum(), x)[0].abs().sum() > 0
