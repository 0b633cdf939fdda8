"""Passes of small pictures that are noted once and repeated: the numbers of the plain way."""

import gc
import subprocess
import sys
import weakref
from functools import partial

import pytest
import torch

from dreamvid.machine.repeating import Noted, Unrepeatable
from dreamvid.networks import compiled, convolutions, passes
from dreamvid.networks.googlenet import GoogLeNet
from dreamvid.networks.pocket import pocket

needs_compiler = pytest.mark.skipif(
    compiled.absence() is not None or convolutions.absence(torch.float32) is not None,
    reason="nothing compiled here",
)


def picture(seed, height=70, width=90):
    made = torch.randn(1, 3, height, width, generator=torch.Generator().manual_seed(seed))
    return made.requires_grad_()


def frozen(network):
    return network.requires_grad_(False).eval().to(memory_format=torch.channels_last)


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    """A pass is noted when it comes again."""
    monkeypatch.setattr(passes, "PLAIN_FIRST", 1)


@pytest.fixture(scope="module")
def network():
    return frozen(pocket())


def gradient(found, inputs):
    """The gradient of the energy of all that was found, and that energy."""
    energy = sum(each.float().square().mean() for each in found.values())
    return torch.autograd.grad(energy, inputs)[0], energy.detach()


def plainly(network, inputs, layers):
    return network.found(inputs, frozenset(layers))


def repeated(network, layers, **size):
    """A network whose passes of that size are noted."""
    for seed in (100, 101, 102):
        inputs = picture(seed, **size)
        gradient(network(inputs, layers), inputs)
    return network


def noted(network):
    kept = passes._PASSES[network]._noted.values()
    return [each for each in kept if each is not None]


@needs_compiler
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("kind", [pocket, GoogLeNet])
@pytest.mark.parametrize("size", [{}, {"height": 100, "width": 62}])
def test_what_is_repeated_is_the_plain_way_bit_for_bit(kind, dtype, size):
    torch.manual_seed(3)
    network = frozen(kind().rounded(dtype))
    layers = [network.layers[1], network.favourite]
    repeated(network, layers, **size)
    assert len(noted(network)) == 1
    for seed in (1, 2):
        inputs = picture(seed, **size)
        ours = gradient(network(inputs, layers), inputs)
        plain = gradient(plainly(network, inputs, layers), inputs)
        assert ours[0].abs().sum() > 0
        assert all(map(torch.equal, ours, plain))


@needs_compiler
def test_only_what_comes_often_is_noted(network, monkeypatch):
    monkeypatch.setattr(passes, "PLAIN_FIRST", 4)
    inputs = picture(1)
    network(inputs, ["conv2"])
    before = len(noted(repeated(network, ["conv2"])))
    repeated(network, ["conv2"])
    assert len(noted(network)) == before + 1


@needs_compiler
def test_large_pictures_and_what_needs_no_gradient_are_not_noted(network, monkeypatch):
    monkeypatch.setattr(passes, "MOST_VALUES", 3 * 64 * 64)
    before = len(noted(repeated(network, ["3b"], height=64, width=64)))
    repeated(network, ["3b"], height=64, width=65)
    for _ in range(3):
        network(picture(1, 64, 48).detach(), ["3b"])
    assert len(noted(network)) == before


@needs_compiler
def test_gradients_of_two_pictures_are_each_their_own(network):
    repeated(network, ["4a"])
    one, other = picture(1), picture(2)
    seen = [network(each, ["4a"]) for each in (one, other)]
    found = [gradient(each, inputs)[0] for each, inputs in zip(seen, (one, other), strict=True)]
    for inputs, mine in zip((one, other), found, strict=True):
        assert torch.equal(mine, gradient(plainly(network, inputs, ["4a"]), inputs)[0])
    # Whoever does so once does so again: the plain way is faster for him.
    before = len(noted(network))
    repeated(network, ["4a"])
    assert len(noted(network)) == before - 1


@needs_compiler
def test_several_gradients_of_one_picture_are_each_their_own(network):
    repeated(network, ["4a"])
    inputs = picture(1)
    found, plain = (way(inputs, ["4a"])["4a"] for way in (network, partial(plainly, network)))
    for first in (0, 100, 0):
        one, other = (
            torch.autograd.grad(each[:, first:].sum(), inputs, retain_graph=True)[0]
            for each in (found, plain)
        )
        assert torch.equal(one, other)


@needs_compiler
def test_what_was_given_stays_when_the_pass_is_repeated(network):
    repeated(network, ["4a"])
    inputs = picture(1)
    kept = network(inputs, ["4a"])["4a"]
    value = kept.detach().clone()
    found = torch.autograd.grad(kept.sum(), inputs)[0]
    before = found.clone()
    repeated(network, ["4a"])
    assert torch.equal(kept, value)
    assert torch.equal(found, before)


@needs_compiler
def test_other_weights_are_followed():
    network = repeated(frozen(pocket()), ["4a"])
    inputs = picture(1)
    before = network(inputs, ["4a"])["4a"]
    with torch.no_grad():
        network.blocks[3].expand.weight.mul_(1.5)
    after = network(inputs, ["4a"])["4a"]
    assert not torch.equal(before, after)
    assert torch.equal(after, plainly(network, inputs, ["4a"])["4a"])


@needs_compiler
def test_whoever_looks_on_hears_of_every_call():
    network = repeated(frozen(pocket()), ["4a"])
    heard = []
    handle = network.blocks[2].register_forward_hook(lambda *told: heard.append(told))
    for seed in range(4):
        inputs = picture(seed)
        gradient(network(inputs, ["4a"]), inputs)
    assert len(heard) == 4
    handle.remove()
    assert len(noted(repeated(network, ["4a"]))) == 1


@needs_compiler
def test_weights_that_learn_get_their_gradient():
    network = repeated(frozen(pocket()), ["4a"])
    learned = network.blocks[3].expand.weight.requires_grad_()
    for seed in range(3):
        inputs = picture(seed)
        network(inputs, ["4a"])["4a"].float().square().mean().backward()
    assert learned.grad.abs().sum() > 0


@needs_compiler
def test_a_second_derivative_is_the_plain_one(network):
    repeated(network, ["3a"])
    inputs, direction = picture(1), picture(2).detach()
    found = []
    for way in (network, lambda *given: plainly(network, *given)):
        energy = way(inputs, ["3a"])["3a"].square().mean()
        (slope,) = torch.autograd.grad(energy, inputs, create_graph=True)
        found.append(torch.autograd.grad((slope * direction).sum(), inputs)[0])
    assert found[1].abs().sum() > 0
    assert (found[0] - found[1]).norm() <= 1e-5 * found[1].norm()


@needs_compiler
def test_no_more_is_held_than_is_allowed(network, monkeypatch):
    repeated(network, ["4a"])
    assert sum(each.held for each in noted(network)) > 2**20
    monkeypatch.setattr(passes, "MOST_HELD", 0)
    repeated(network, ["4a"], height=66)
    repeated(network, ["4a"], height=68)
    assert len(noted(network)) == 1


@needs_compiler
def test_a_network_is_not_kept_alive():
    network = repeated(frozen(pocket()), ["4a"])
    gone = weakref.ref(network)
    del network
    gc.collect()
    assert gone() is None


def test_noted_work_is_done_again_on_the_same_memory():
    given = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    with Noted() as work:
        made = (given.t() * 2).add_(1)
        row = made[1]
        row.neg_()
    given.copy_(torch.tensor([[5.0, 6.0], [7.0, 8.0]]))
    work.again()
    assert made.tolist() == [[11.0, 15.0], [-13.0, -17.0]]
    assert len(work) == 3


@pytest.mark.parametrize("work", [lambda x: x.sum().item(), lambda x: torch.rand_like(x)])
def test_what_is_another_each_time_is_not_noted(work):
    with pytest.raises(Unrepeatable), Noted():
        work(torch.ones(3))


@needs_compiler
def test_to_note_a_pass_loads_no_compiler_and_no_algebra():
    code = """
import sys, torch
from dreamvid.networks import passes
from dreamvid.networks.pocket import pocket

network = pocket().requires_grad_(False).to(memory_format=torch.channels_last)
for _ in range(passes.PLAIN_FIRST + 2):
    inputs = torch.rand(1, 3, 48, 64).requires_grad_()
    torch.autograd.grad(network(inputs, ["3b"])["3b"].sum(), inputs)
assert any(passes._PASSES[network]._noted.values())
assert not {"torch._dynamo", "sympy"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)
