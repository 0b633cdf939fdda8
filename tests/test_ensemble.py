"""Several networks in one dream."""

import pytest
import torch
from conftest import run_cli

from dreamvid import media
from dreamvid.dream.dreamer import Dreamer, dreamer_for
from dreamvid.errors import NetworkError, SettingsError
from dreamvid.frames import size_of
from dreamvid.networks import network
from dreamvid.networks.ensemble import Ensemble
from dreamvid.networks.googlenet import GoogLeNet
from dreamvid.networks.weights import write
from dreamvid.objectives import Goal
from dreamvid.settings import settled


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(3)
    path = tmp_path_factory.mktemp("weights") / "caffe.safetensors"
    state = GoogLeNet().state_dict()
    write(path, {key.removeprefix("convolutions."): state[key] for key in state}, {})
    return path


@pytest.fixture(scope="module")
def both(weights):
    return network(
        "pocket,googlenet", weights=[f"googlenet={weights}"], precision="fp32", device="cpu"
    )


def test_the_gradient_is_the_weighted_sum_of_each_networks_own(both):
    pictures = torch.rand(1, 3, 48, 64, generator=torch.Generator().manual_seed(7))
    weighted = {"pocket": ("3b", 0.5), "googlenet": ("inception_3a/output", -2.0)}
    wanted = torch.zeros_like(pictures)
    for net in both.members:
        layer, weight = weighted[net.name]
        alone = pictures.clone().requires_grad_()
        activation = net(net.preprocessing.to_input(alone), [layer])[layer]
        (gradient,) = torch.autograd.grad(activation.square().mean() / 2, alone)
        wanted += weight * gradient
    choices = both.choices([f"{name}/{x}={weight}" for name, (x, weight) in weighted.items()])
    inputs = both.preprocessing.to_input(pictures).requires_grad_()
    hill = Goal(both, {"name": "energy"}).hill(choices, size_of(inputs))
    found = hill.gain(inputs, (0, 0)).sum()
    (gradient,) = torch.autograd.grad(found, inputs)
    # The ensemble's own units are 8-bit levels.
    torch.testing.assert_close(gradient * 255, wanted, rtol=1e-4, atol=1e-6)


def test_layers_go_by_their_networks_name(both):
    def layers(*selectors):
        return [choice.layer for choice in both.choices(selectors)]

    assert layers() == ["pocket/4c", "googlenet/inception_4c/output"]
    assert layers("pocket/2", "googlenet/conv2/*") == [
        "pocket/conv2",
        *(f"googlenet/conv2/{part}" for part in ("3x3_reduce", "3x3", "norm2")),
    ]
    with pytest.raises(NetworkError, match="no layer '4c'; did you mean 'pocket/4c'"):
        both.choices(["4c"])
    with pytest.raises(NetworkError, match="no layer of googlenet is chosen; choose one, such as"):
        both.choices(["pocket/4c"])
    with pytest.raises(NetworkError, match="no layer 'pocket/5z'"):
        both(torch.rand(1, 3, 48, 64), ["pocket/5z"])


def test_each_network_computes_only_what_is_asked_of_it(both):
    run = []
    hooks = [
        module.register_forward_hook(lambda *_, name=name: run.append(name))
        for name, module in both.named_modules()
        if isinstance(module, torch.nn.Conv2d)
    ]
    both(torch.rand(1, 3, 48, 64) * 255, ["googlenet/conv2/3x3"])
    for hook in hooks:
        hook.remove()
    # The first convolution is done in another way, see `halving.halving_convolution`.
    assert run == [f"members.1.convolutions.conv2/{name}" for name in ("3x3_reduce", "3x3")]


def test_weights_are_each_networks_own(weights, tmp_path):
    with pytest.raises(SettingsError, match=r"got '\S+' for 2 networks, expected NAME=FILE"):
        network("pocket,googlenet", weights=weights)
    with pytest.raises(SettingsError, match="two files for pocket"):
        network("pocket", weights=[weights, f"pocket={weights}"])
    with pytest.raises(SettingsError, match="expected each network once"):
        network("pocket,pocket")
    with pytest.raises(SettingsError, match="no network 'pokket'; did you mean 'pocket'"):
        network("googlenet,pokket", weights=[f"googlenet={weights}"])
    strange = tmp_path / "a=b.safetensors"
    strange.write_bytes(weights.read_bytes())
    assert network("googlenet", weights=strange).weights_path == strange


def test_other_weights_make_another_ensemble(both, weights):
    alone = Ensemble([network("pocket")])
    assert both.weights_sha256 != alone.weights_sha256
    assert len(both.weights_sha256 or "") == 64


def test_two_networks_dream(weights, picture):
    tree = {
        "network": {"name": "pocket,googlenet", "weights": f"googlenet={weights}"},
        "octaves": {"count": 1},
        "ascent": {"iterations": 3},
        "machine": {"device": "cpu", "precision": "fp32", "threads": 1},
    }
    with pytest.raises(SettingsError, match="expected NAME=FILE"):
        dreamer_for(settled({**tree, "network": {**tree["network"], "weights": str(weights)}}))
    dreamer = dreamer_for(settled(tree))
    assert isinstance(dreamer, Dreamer)
    dreamed = dreamer(picture, key=(0, 0))
    assert dreamer.report.steps == 3
    assert 0.002 < (dreamed - picture).abs().mean() < 0.1


def test_a_film_of_two_networks_goes_on_from_another_folder(weights, picture, tmp_path):
    media.write_picture(picture, tmp_path / "seed.png", 8, {})
    (tmp_path / "other").mkdir()
    (tmp_path / "caffe.safetensors").symlink_to(weights)
    flags = ["--network", "pocket,googlenet", "--weights", "googlenet=caffe.safetensors"]
    flags += ["--size", "96x64", "--octaves", 2, "--iterations", 1, "-o", "film.png.d", "--quiet"]
    job = tmp_path / "film.gif.dream"
    flags[flags.index("-o") + 1] = "film.gif"
    made = run_cli("zoom", "seed.png", *flags, "--frames", 1, cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    done = run_cli("resume", job, "--frames", 2, "--overwrite", "-q", cwd=tmp_path / "other")
    assert done.returncode == 0, done.stderr
    assert len(list((job / "frames").glob("*.png"))) == 2
