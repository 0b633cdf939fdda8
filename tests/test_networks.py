import os
import subprocess
import sys
from pathlib import Path

import laws
import pytest
import torch
from laws import pictures
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional as F

from dreamvid.errors import NetworkError, SettingsError
from dreamvid.networks import network, networks
from dreamvid.networks.base import layers_of
from dreamvid.networks.googlenet import INCEPTION_WIDTHS, GoogLeNet, local_response
from dreamvid.networks.pocket import Pocket
from dreamvid.networks.torchvision.classifier import Classifier, _modern, preprocessing_of

ROOT = Path(__file__).parents[1]
BVLC = ROOT.parent / "shared" / "weights" / "bvlc_googlenet.safetensors"
OWN = ["pocket", "googlenet"]
NAMES = [*OWN, "squeezenet1_1", "resnet18", "inception_v3"]


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    # Tensors this small gain nothing from threads, and on a busy machine threads wait for turns.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def random_weights(name: str, folder: Path) -> Path:
    torch.manual_seed(3)
    if name in OWN:
        path = folder / f"{name}.safetensors"
        state = (Pocket() if name == "pocket" else GoogLeNet()).state_dict()
        save_file({key.removeprefix("convolutions."): state[key] for key in state}, path)
    else:
        import torchvision.models

        path = folder / f"{name}.pth"
        # As published: inception's file holds its auxiliary head too.
        options = {"init_weights": False} if name == "inception_v3" else {}
        torch.save(torchvision.models.get_model(name, weights=None, **options).state_dict(), path)
    return path


@pytest.fixture(scope="module", params=NAMES)
def net(request, tmp_path_factory):
    path = random_weights(request.param, tmp_path_factory.mktemp("weights"))
    return network(request.param, weights=path, precision="fp32")


@pytest.fixture(scope="module")
def googlenet(tmp_path_factory):
    path = random_weights("googlenet", tmp_path_factory.mktemp("weights"))
    return network("googlenet", weights=path, precision="fp32")


def convolutions_run(net, layers) -> list[str]:
    run, hooks = [], []
    for name, module in net.named_modules():
        if isinstance(module, nn.Conv2d):
            hooks.append(module.register_forward_hook(lambda *_, name=name: run.append(name)))
    # A network that learns runs its own modules, not ones put together from them.
    net.requires_grad_(True)
    net(pictures(net), layers)
    net.requires_grad_(False)
    for hook in hooks:
        hook.remove()
    return run


def test_layers_are_unique_and_ordered(net):
    assert len(set(net.layers)) == len(net.layers) >= 8
    everything = net(pictures(net), net.layers)
    assert tuple(everything) == net.layers
    if net.name in OWN:
        some = net.layers[:: len(net.layers) // 7]
        counts = [len(convolutions_run(net, [layer])) for layer in some]
        assert counts == sorted(set(counts))


def test_own_layers_are_those_that_are_yielded(googlenet):
    assert tuple(layers_of(googlenet)) == googlenet.layers


def test_a_layer_alone_is_the_same_as_among_others(net):
    laws.layers_alone_are_those_among_others(net)


def test_every_activation_before_a_relu_keeps_its_sign(net):
    # An activation written over in place would lose it: among the convolutions' own outputs,
    # some values are negative.
    if net.name in OWN:
        pytest.skip("own networks hand over activations after their ReLU")
    together = net(pictures(net), net.layers)
    raw = [layer for layer in net.layers if layer.endswith(("conv", "conv1", "conv2"))]
    raw += [layer for layer in net.layers if layer.endswith(("bn1", ".bn", "features.0"))]
    assert raw
    assert all((together[layer] < 0).any() for layer in raw)


def test_the_gradient_reaches_the_picture(net):
    laws.the_gradient_reaches_the_picture(net)


def test_networks_are_frozen_and_laid_out_for_speed(net):
    assert not net.training
    assert not any(parameter.requires_grad for parameter in net.parameters())
    weights = [weight for weight in net.parameters() if weight.ndim == 4]
    assert all(weight.is_contiguous(memory_format=torch.channels_last) for weight in weights)
    assert not any(tensor.is_meta for tensor in (*net.parameters(), *net.buffers()))


def test_bfloat16_takes_float32_and_comes_near_it(net):
    layer = net.layers[len(net.layers) // 3]
    exact = net(pictures(net), [layer])[layer]
    assert net.exact
    halved = network(net.name, weights=net.weights_path, precision="bf16")
    for name, parameter in halved.named_parameters():
        sees_picture = name.startswith(net.exact)
        assert parameter.dtype is (torch.float32 if sees_picture else torch.bfloat16), name
    assert halved.dtype is torch.bfloat16
    rough = halved(pictures(net), [layer])[layer]
    assert rough.dtype is torch.bfloat16
    assert (rough.float() - exact).norm() < 0.05 * exact.norm()


def test_the_smallest_picture_is_taken(net):
    laws.the_smallest_picture_is_taken(net)


def test_preprocessing_is_undone(net):
    laws.preprocessing_is_undone(net)


def test_an_unknown_layer(net):
    with pytest.raises(NetworkError, match=f"{net.name}: no layer 'nowhere'"):
        net(pictures(net), ["nowhere"])
    assert net(pictures(net), []) == {}


def test_nothing_past_the_deepest_layer_is_computed(net):
    last, first_after = {
        "pocket": ("3b", "blocks.4"),
        "googlenet": ("inception_3b/output", "convolutions.inception_4a"),
        "squeezenet1_1": ("features.4.cat", "model.features.6"),
        "resnet18": ("layer2.1.relu_1", "model.layer3"),
        "inception_v3": ("Mixed_5d.cat", "model.Mixed_6a"),
    }[net.name]
    everything = convolutions_run(net, net.layers)
    run = convolutions_run(net, [net.layers[0], last])
    stop = next(i for i, name in enumerate(everything) if name.startswith(first_after))
    assert run == everything[:stop]


@pytest.mark.parametrize("name", ["inception_v3", "squeezenet1_1"])
def test_torchvisions_own_answer_to_a_normalised_picture(name, tmp_path):
    import torchvision.models

    torch.manual_seed(4)
    options = {"init_weights": False, "transform_input": True} if name == "inception_v3" else {}
    model = torchvision.models.get_model(name, weights=None, **options).eval()
    torch.save(model.state_dict(), tmp_path / "weights.pth")
    net = network(name, weights=tmp_path / "weights.pth", precision="fp32")
    usual = torchvision.models.get_model_weights(name).DEFAULT.transforms()  # pyright: ignore
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (usual.mean, usual.std))
    picture = torch.rand(1, 3, 80, 96)
    with torch.no_grad():
        wanted = model((picture - mean) / std)
        got = net(net.preprocessing.to_input(picture), [net.layers[-1]])[net.layers[-1]]
    torch.testing.assert_close(got, wanted, rtol=1e-3, atol=1e-4)


def test_a_classifier_of_other_classes(tmp_path):
    import torchvision.models

    model = torchvision.models.resnet18(weights=None, num_classes=7)
    # Files older than the counters of batch normalisation lack them.
    state = {key: value for key, value in model.state_dict().items() if "num_batches" not in key}
    torch.save(state, tmp_path / "old.pth")
    net = network("resnet18", weights=tmp_path / "old.pth", precision="fp32")
    assert net(pictures(net), ["fc"])["fc"].shape == (1, 7)


def test_the_published_densenets_names_are_brought_up_to_date():
    assert _modern("denseblock1.denselayer12.norm.1.bias") == "denseblock1.denselayer12.norm1.bias"
    assert _modern("denseblock1.denselayer12.conv2.weight") == (
        "denseblock1.denselayer12.conv2.weight"
    )


@pytest.mark.parametrize(
    ("name", "mean"),
    [("vgg16", 0.485), ("efficientnet_v2_l", 0.5), ("inception_v3", 0.5), ("googlenet", 0.5)],
)
def test_preprocessing_is_that_of_the_published_weights(name, mean):
    assert preprocessing_of(name).mean[0] == mean


def test_googlenet_under_torchvisions_own_name():
    assert "torchvision_googlenet" in networks.names()
    assert networks.names().count("googlenet") == 1
    assert not any(name.startswith(("vit", "swin")) for name in networks.names())
    assert networks.summary("shufflenet_v2_x1_0") == "Torchvision's shufflenet_v2_x1_0."
    assert networks.summary("vgg16") == "VGG-16 (Simonyan and Zisserman 2014)."


def test_in_place_operations_in_a_graph_are_replaced(tmp_path):
    class Careless(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3)
            self.again = nn.Conv2d(4, 4, 1)
            self.relu = nn.ReLU(inplace=True)

        def forward(self, x):
            x = F.relu(self.conv(x), inplace=True)
            x = self.relu(self.again(x))
            x = self.again(x).relu_()
            return torch.relu_(self.again(x)).add_(1)

    net = Classifier("careless", Careless().to("meta"), Pocket.preprocessing)
    net.to_empty(device="cpu")
    for parameter in net.parameters():
        nn.init.normal_(parameter)
    together = net(torch.randn(1, 3, 20, 28), net.layers)
    assert net.layers == (
        *("conv", "relu", "again", "relu_1", "again_1", "relu_", "again_2", "relu__1", "add_"),
    )
    assert all((together[layer] < 0).any() for layer in net.layers if "again" in layer)
    assert together["relu__1"].min() == 0


def test_an_unknown_network():
    with pytest.raises(SettingsError, match=r"no network 'vgg_16'; did you mean 'vgg16'\?"):
        network("vgg_16")


def test_without_torchvision_our_own_networks_remain(tmp_path):
    (tmp_path / "torchvision").mkdir()
    (tmp_path / "torchvision" / "__init__.py").write_text(
        "raise RuntimeError('operator torchvision::nms\\n does not exist')"
    )
    script = """
import sys
from dreamvid.errors import NetworkError
from dreamvid.networks import network, networks
print("torchvision" in sys.modules, networks.names(), networks.summary("pocket"))
try:
    network("vgg16")
except NetworkError as error:
    print(error)
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    names, error = done.stdout.splitlines()
    assert names.startswith("False ['googlenet', 'inception5h', 'pocket'] ")
    assert error.startswith(
        "no network 'vgg16' of our own (googlenet, inception5h, pocket), and torchvision cannot be "
        "imported "
        "(operator torchvision::nms does not exist); install the release made for torch "
    )


def test_local_response_is_torchs_own_in_value_and_first_gradient():
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(2, 9, 5, 7, generator=generator).mul_(60).requires_grad_()
    direction = torch.randn(2, 9, 5, 7, generator=generator)
    ours, theirs = local_response(x), F.local_response_norm(x, 5, 1e-4, 0.75, 1.0)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)
    (our_gradient,) = torch.autograd.grad(ours, x, direction)
    (their_gradient,) = torch.autograd.grad(theirs, x, direction)
    torch.testing.assert_close(our_gradient, their_gradient, rtol=1e-5, atol=1e-5)


def test_local_response_has_its_first_and_second_derivative():
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(1, 7, 2, 3, generator=generator, dtype=torch.float64)
    x = x.mul_(3).requires_grad_()

    def strong(x):
        return local_response(x, alpha=0.3)

    assert torch.autograd.gradcheck(strong, [x])
    assert torch.autograd.gradgradcheck(strong, [x])


def plain_googlenet(weights, x):
    """Caffe's GoogLeNet straight from its definition, in the type of `x`; every blob by name."""

    def convolved(name, x, **options):
        weight, bias = (weights[f"{name}.{part}"].to(x) for part in ("weight", "bias"))
        return F.relu(F.conv2d(x, weight, bias, **options))

    def normalised(x):
        padded = F.pad(x.square(), (0, 0, 0, 0, 2, 2))
        total = sum(padded[:, i : i + x.shape[1]] for i in range(5))
        return x / (1 + 1e-4 / 5 * total) ** 0.75

    blobs = {"conv1/7x7_s2": convolved("conv1/7x7_s2", x, stride=2, padding=3)}
    x = normalised(F.max_pool2d(blobs["conv1/7x7_s2"], 3, 2, ceil_mode=True))
    x = convolved("conv2/3x3", convolved("conv2/3x3_reduce", x), padding=1)
    blobs["conv2/norm2"] = normalised(x)
    x = F.max_pool2d(blobs["conv2/norm2"], 3, 2, ceil_mode=True)
    for block in INCEPTION_WIDTHS:
        name = f"inception_{block}/"
        three = convolved(name + "3x3", convolved(name + "3x3_reduce", x), padding=1)
        five = convolved(name + "5x5", convolved(name + "5x5_reduce", x), padding=2)
        pooled = convolved(name + "pool_proj", F.max_pool2d(x, 3, 1, padding=1))
        x = torch.cat([convolved(name + "1x1", x), three, five, pooled], 1)
        blobs[name + "output"] = x
        if block in ("3b", "4e"):
            x = F.max_pool2d(x, 3, 2, ceil_mode=True)
    return blobs


def assert_plain(net, path):
    inputs = pictures(net)
    wanted = plain_googlenet(load_file(path), inputs.double())
    got = net(inputs, list(wanted))
    assert set(got) == set(wanted)
    for layer, activation in wanted.items():
        assert (got[layer] - activation).norm() < 1e-5 * activation.norm(), layer


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_googlenets_first_convolution_is_clipped_before_its_pool_or_after(dtype):
    """Where nobody looks at it, in a quarter of the places: all else is the same to the bit."""
    torch.manual_seed(1)
    net = GoogLeNet().requires_grad_(False).rounded(dtype)
    x = 50 * torch.randn(1, 3, 75, 98)
    x[..., 20:40, 30:60] = 9  # of equals, the first is chosen
    x.requires_grad_()
    found = []
    for layers in (["conv2/3x3"], ["conv2/3x3", "conv1/7x7_s2"]):
        activation = net(x, layers)["conv2/3x3"]
        found.append((activation, *torch.autograd.grad(activation.float().square().mean(), x)))
    assert all(map(torch.equal, *found))


def test_googlenet_is_the_plain_definition(googlenet):
    assert_plain(googlenet, googlenet.weights_path)


@pytest.mark.weights
@pytest.mark.skipif(not BVLC.is_file(), reason=f"needs BVLC GoogLeNet's weights as {BVLC}")
def test_googlenet_with_its_real_weights():
    net = network("googlenet", weights=BVLC, precision="fp32")
    assert_plain(net, BVLC)
    # Caffe's blobs are of this size because its pooling rounds up.
    sizes = net(pictures(net, 89, 107), ["conv1/7x7_s2", "pool1/3x3_s2", "pool2/3x3_s2"])
    assert [tuple(blob.shape[2:]) for blob in sizes.values()] == [(45, 54), (22, 27), (11, 13)]
