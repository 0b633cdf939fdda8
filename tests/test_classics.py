"""Laws that every classic network keeps, with random weights made here."""

import pytest
import torch
from conftest import shared
from torch import nn

from dreamvid import media
from dreamvid.errors import NetworkError
from dreamvid.frames import Size, covered
from dreamvid.networks import network, networks, sketch, sources
from dreamvid.networks.torchvision import classifier as classifiers

OURS = ["pocket", "googlenet", "inception5h"]
CLASSICS = [
    *("vgg11", "vgg13", "vgg16", "vgg19", "resnet50", "resnet101", "resnet152", "inception_v3"),
    *("squeezenet", "alexnet", "densenet121", "mobilenet_v3", "efficientnet_b0", "convnext_tiny"),
]
NAMES = [*OURS, *CLASSICS]
HEAVY = 5_000_000
"""Parameters of a tensor from which on it stays without memory: VGG's matrices, past all dreams."""


def alive(name):
    """A network with random weights, except for those that only its class head needs."""
    torch.manual_seed(2)
    net = sketch(name)
    for module in net.modules():
        norm = isinstance(module, nn.BatchNorm2d)
        for key, parameter in module.named_parameters(recurse=False):
            if parameter.numel() < HEAVY:
                fan = max(1, parameter[0].numel())
                fresh = torch.ones_like if norm or parameter.ndim == 1 else torch.randn_like
                values = fresh(parameter, device="cpu") * (1 if norm else (2 / fan) ** 0.5)
                setattr(module, key, nn.Parameter(values, requires_grad=False))
        for key, buffer in module.named_buffers(recurse=False):
            setattr(module, key, torch.full_like(buffer, key != "running_mean", device="cpu"))
    return net


@pytest.fixture(scope="module", params=NAMES)
def net(request):
    return alive(request.param)


def inputs_for(net):
    side = max(32, net.smallest_side)
    generator = torch.Generator().manual_seed(5)
    picture = torch.rand(1, 3, side, side + 8, generator=generator)
    return net.preprocessing.to_input(picture)


def convolutions_run(net, layer, inputs):
    run, hooks = [], []
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            hooks.append(module.register_forward_hook(lambda *_: run.append(1)))
    # A network that learns runs its own modules, not ones put together from them.
    net.requires_grad_(True)
    net(inputs, [layer])
    net.requires_grad_(False)
    for hook in hooks:
        hook.remove()
    return len(run)


def test_layers_their_other_names_and_the_favourite(net):
    assert len(set(net.layers)) == len(net.layers) >= 8
    assert net.favourite in net.layers
    assert set(net.aliases.values()) <= set(net.layers)
    assert not set(net.aliases) & set(net.layers)
    assert set(net.numbers()) <= set(net.layers)
    for name, layer in [*net.aliases.items(), *((str(n), x) for x, n in net.numbers().items())]:
        assert [choice.layer for choice in net.choices([name])] == [layer]
    assert [choice.layer for choice in net.choices()] == [net.favourite]


def test_a_gradient_from_the_favourite_alone(net):
    inputs = inputs_for(net).requires_grad_()
    found = net(inputs, [net.favourite])
    assert list(found) == [net.favourite]
    assert found[net.favourite].ndim == 4
    found[net.favourite].square().mean().backward()
    assert inputs.grad is not None
    assert inputs.grad.isfinite().all()
    assert inputs.grad.abs().max() > 0


def test_nothing_past_the_deepest_layer_is_computed(net):
    inputs = inputs_for(net)
    counts = [convolutions_run(net, layer, inputs) for layer in (net.layers[0], net.favourite)]
    everything = sum(isinstance(module, nn.Conv2d) for module in net.modules())
    assert counts[0] <= 2
    assert counts[0] < counts[1] < everything or net.name in ("alexnet", "pocket")
    assert counts[1] <= everything


def test_weights_that_differ_in_their_classes_alone(net):
    if net.name in OURS:
        pytest.skip("the heads of our own networks are read from the file")
    other = classifiers.sketch(net.name, classes=7)
    assert other.class_count == 7
    assert net.class_count == 1000
    assert other.layers == net.layers


@pytest.mark.parametrize("name", ["vgg16", "vgg11", "vgg19"])
def test_vggs_relus_by_block(name):
    net = sketch(name)
    modules = dict(net.get_submodule("model").named_modules())
    relus = [layer for other, layer in net.aliases.items() if "relu" in other]
    assert all(isinstance(modules[layer], nn.ReLU) for layer in relus)
    depths = {"vgg11": "11222", "vgg16": "22333", "vgg19": "22444"}[name]
    for block, count in enumerate(depths, 1):
        assert net.aliases[f"relu{block}"] == net.aliases[f"relu{block}_{count}"]
        assert f"relu{block}_{int(count) + 1}" not in net.aliases
    if name == "vgg16":
        named = ("relu1_2", "relu2_2", "relu3_3", "relu4_3", "relu5_3", "pool5")
        assert [net.aliases[layer] for layer in named] == [
            f"features.{number}" for number in (3, 8, 15, 22, 29, 30)
        ]


@pytest.mark.parametrize(
    ("name", "blocks"), [("resnet50", (3, 4, 6, 3)), ("resnet152", (3, 8, 36, 3))]
)
def test_resnets_relus_and_bottlenecks(name, blocks):
    net = sketch(name)
    # One ReLU after the stem, three in each bottleneck.
    assert sum(other.startswith("relu") for other in net.aliases) == 1 + 3 * sum(blocks)
    assert net.aliases["relu1"] == "relu"
    assert net.aliases["relu2"] == "layer1.0.relu"
    for stage, count in enumerate(blocks, 1):
        ends = f"layer{stage}.{count - 1}.relu_2"
        assert net.aliases[f"botneck{stage}"] == net.aliases[f"layer{stage}"] == ends
        assert net.aliases[f"layer{stage}.{count - 1}"] == ends


def test_inception_v3s_blocks_are_kerass():
    net = sketch("inception_v3")
    blocks = ["5b", "5c", "5d", "6a", "6b", "6c", "6d", "6e", "7a", "7b", "7c"]
    for number, block in enumerate(blocks):
        layer = net.aliases[f"mixed{number}"]
        assert layer == net.aliases[f"Mixed_{block}"]
        assert layer.rpartition(".")[2].startswith("cat")
    shapes = net(torch.empty(1, 3, 139, 139, device="meta"), ["Mixed_6a.cat", "Mixed_6c.cat"])
    assert [tuple(shape.shape[1:]) for shape in shapes.values()] == [(768, 7, 7)] * 2


def test_inception_v3_has_kerass_parameters_counted_otherwise():
    model = sketch("inception_v3").get_submodule("model")
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    channels = sum(norm.num_features for norm in norms)
    kernels = sum(x.weight.numel() for x in model.modules() if isinstance(x, nn.Conv2d))
    trunk = sum(p.numel() for name, p in model.named_parameters() if not name.startswith("fc."))
    # A normalisation here has a scale and a shift; Keras' has no scale, and counts the running
    # mean and variance as parameters too.
    assert trunk == kernels + 2 * channels == 21_785_568
    assert kernels + 3 * channels == 21_802_784


def test_every_network_says_where_its_weights_are_published():
    listed = networks.names()
    assert set(NAMES) <= set(listed)
    assert len(set(listed)) == len(listed)
    for name in NAMES[1:]:
        assert sources(name)
        for source in sources(name):
            assert source.url.startswith("https://")
            assert source.file.rpartition(".")[2] in ("pth", "zip", "caffemodel")
            assert source.licence
    assert sources("pocket") == ()


@pytest.mark.weights
@pytest.mark.parametrize(
    ("picture", "name", "least"), [("lion", "lion", 0.99), ("taj_mahal", "mosque", 0.9)]
)
def test_googlenet_knows_what_it_sees(picture, name, least, googlenet_weights):
    net = network("googlenet", weights=googlenet_weights, precision="fp32")
    frame = covered(media.read_picture(shared(f"media/{picture}.jpg")), Size(224, 224))
    assert net.head is not None
    with torch.no_grad():
        scores = net(net.preprocessing.to_input(frame[None]), [net.head])[net.head].softmax(1)[0]
    assert net.classes[scores.argmax()] == name
    assert scores[net.class_number(name)] > least
    assert net.class_number("291") == 291 == net.class_number("Lion")
    with pytest.raises(NetworkError, match=r"no class 'volcanoe'; did you mean 'volcano'\?"):
        net.class_number("volcanoe")
    with pytest.raises(NetworkError, match="numbers are 0 to 999"):
        net.class_number("1000")
