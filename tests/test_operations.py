import pytest
import torch
from torch.nn import functional as F

from dreamvid.networks import operations
from dreamvid.networks.operations import halving_convolution, local_response


@pytest.mark.parametrize("size", [(37, 50), (36, 51)])
def test_a_halving_convolution_is_torchs_own(size):
    torch.manual_seed(1)
    x = torch.randn(2, 3, *size, dtype=torch.float64, requires_grad=True)
    weight, bias = torch.randn(5, 3, 7, 7).double(), torch.randn(5).double()
    ours, theirs = halving_convolution(x, weight, bias), F.conv2d(x, weight, bias, 2, 3)
    torch.testing.assert_close(ours, theirs)
    direction = torch.randn_like(theirs)
    torch.testing.assert_close(*(torch.autograd.grad(y, x, direction)[0] for y in (ours, theirs)))


def test_a_halving_convolution_rounds_no_more_than_torchs_own():
    torch.manual_seed(1)
    x, weight = 100 * torch.randn(1, 3, 61, 90), torch.randn(64, 3, 7, 7)
    exact = F.conv2d(x.double(), weight.double(), None, 2, 3)
    ours, theirs = (
        (y - exact).norm()
        for y in (halving_convolution(x, weight, None), F.conv2d(x, weight, None, 2, 3))
    )
    assert ours < 1.5 * theirs


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
