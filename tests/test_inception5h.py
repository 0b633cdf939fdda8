"""TensorFlow's GoogLeNet, and the files of TensorFlow and Caffe that weights are read from."""

import random
import struct
import zipfile

import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional as F

from dreamvid.errors import NetworkError
from dreamvid.networks import network, sketch
from dreamvid.networks.googlenet import GoogLeNet
from dreamvid.networks.inception5h import HEADS, WIDTHS, Inception5h, local_response
from dreamvid.networks.weights import read

CAPTUM = {
    "1x1": "conv_1x1",
    "3x3_bottleneck": "conv_3x3_reduce",
    "3x3": "conv_3x3",
    "5x5_bottleneck": "conv_5x5_reduce",
    "5x5": "conv_5x5",
    "pool_reduce": "pool_proj",
}


def varint(number):
    parts = bytearray()
    while number > 127:
        parts.append(number & 127 | 128)
        number >>= 7
    return bytes([*parts, number])


def field(number, content):
    """A protobuf field: an integer, or bytes or text with their length before them."""
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    data = content.encode() if isinstance(content, str) else bytes(content)
    return varint(number << 3 | 2) + varint(len(data)) + data


def floats(tensor):
    return tensor.contiguous().numpy().astype("<f4").tobytes()


def tensor_proto(tensor, listed=False):
    shape = b"".join(field(2, field(1, size)) for size in tensor.shape)
    content = field(5, floats(tensor)) if listed else field(4, floats(tensor))
    return field(1, 1) + field(2, shape) + content


def node(name, operation, *attributes):
    pairs = b"".join(field(5, field(1, key) + field(2, value)) for key, value in attributes)
    return field(1, field(1, name) + field(2, operation) + field(3, "input") + pairs)


def graph(state):
    """A GraphDef of the constants a frozen graph has, among nodes of other kinds."""
    parts = [node("input", "Placeholder", ("dtype", field(6, 1)))]
    for index, (key, tensor) in enumerate(state.items()):
        part, _, kind = key.rpartition(".")
        if kind == "weight":
            tensor = tensor.permute(2, 3, 1, 0) if tensor.ndim == 4 else tensor.T
        value = field(8, tensor_proto(tensor, listed=index % 2 == 1))
        parts.append(node(f"{part}_{kind[0]}", "Const", ("dtype", field(6, 1)), ("value", value)))
    whole = field(1, 3) + field(2, field(2, field(1, 1))) + field(7, 5)
    parts.append(node("mixed3a/concat_dim", "Const", ("value", field(8, whole))))
    parts.append(node("nn0_w", "Const", ("value", field(8, tensor_proto(torch.ones(3, 4))))))
    parts.append(node("conv2d0_pre_relu/conv", "Conv2D", ("padding", field(2, "SAME"))))
    return b"".join(parts) + field(4, field(1, 21))


def caffemodel(state, old=False):
    """A NetParameter of those layers, in Caffe's present or its older form."""
    layers = {}
    for key, tensor in state.items():
        layers.setdefault(key.rpartition(".")[0], []).append(tensor)
    parts = [field(1, "GoogleNet")]
    for name, tensors in layers.items():
        blobs = b""
        for tensor in tensors:
            if old:
                sizes = [1] * (4 - tensor.ndim) + list(tensor.shape)
                shape = b"".join(field(number, size) for number, size in enumerate(sizes, 1))
            else:
                shape = field(7, field(1, b"".join(map(varint, tensor.shape))))
            blob = shape + field(5, floats(tensor)) + field(6, b"")
            blobs += field(6 if old else 7, blob)
        inner = field(4 if old else 1, name) + field(5 if old else 2, 4 if old else "Convolution")
        parts.append(field(2 if old else 100, inner + field(3, "top") + blobs))
    return b"".join(parts)


@pytest.fixture(scope="module")
def state():
    torch.manual_seed(6)
    state = Inception5h().state_dict()
    return {key.removeprefix("parts."): tensor for key, tensor in state.items()}


@pytest.fixture(scope="module")
def net(state, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "graph.pb"
    path.write_bytes(graph(state))
    return network("inception5h", weights=path, precision="fp32")


@pytest.fixture
def inputs():
    generator = torch.Generator().manual_seed(1)
    return torch.rand(1, 3, 70, 93, generator=generator) * 255 - 117


def test_fifty_nine_convolutions_in_the_graphs_order():
    net = sketch("inception5h")
    branches = ("1x1", "3x3_bottleneck", "3x3", "5x5_bottleneck", "5x5", "pool_reduce")
    parts = ["conv2d0", "conv2d1", "conv2d2"]
    parts += [f"mixed{block}_{branch}" for block in WIDTHS for branch in branches]
    parts += [f"{head}_bottleneck" for head in HEADS]
    assert list(net.numbers()) == [f"{part}_pre_relu" for part in parts]
    assert sorted(net.numbers().values()) == list(range(59))
    for number, layer in {
        "2": "conv2d2_pre_relu",
        "34": "mixed4d_3x3_bottleneck_pre_relu",
        "39": "mixed4e_1x1_pre_relu",
        "53": "mixed5b_3x3_pre_relu",
    }.items():
        assert net.choices([number])[0].layer == layer
    with pytest.raises(NetworkError, match="no layer 59; layers are 0 to 58"):
        net.choices(["59"])
    # The tutorial counts 7548 feature channels.
    found = net(torch.empty(1, 3, 224, 224, device="meta"), list(net.numbers()))
    assert sum(activation.shape[1] for activation in found.values()) == 7548
    assert found["conv2d0_pre_relu"].shape[2:] == (112, 112)
    assert found["mixed4d_3x3_bottleneck_pre_relu"].shape[1:] == (144, 14, 14)
    assert found["head0_bottleneck_pre_relu"].shape[1:] == (128, 4, 4)


def test_layers_are_yielded_in_the_order_they_are_listed(net, inputs):
    assert tuple(net(inputs, net.layers)) == net.layers


def port(state):
    """The port to PyTorch: other names, and no auxiliary heads."""
    return {
        key.replace(".", "_pre_activation_matmul." if "softmax" in key else "_pre_relu_conv."): each
        for key, each in state.items()
        if not key.startswith("head")
    }


def captum(state):
    names = {"conv2d0": "conv1", "conv2d1": "conv2", "conv2d2": "conv3", "softmax2": "fc"}
    for block in WIDTHS:
        for branch, theirs in CAPTUM.items():
            names[f"mixed{block}_{branch}"] = f"mixed{block}.{theirs}"
    pairs = [(key.rpartition("."), tensor) for key, tensor in state.items()]
    return {f"{names[part]}.{kind}": x for (part, _, kind), x in pairs if part in names}


@pytest.mark.parametrize("renamed", [port, captum])
def test_every_loader_gives_the_same_activations(net, inputs, state, renamed, tmp_path):
    torch.save(renamed(state), tmp_path / "port.pth")
    other = network("inception5h", weights=tmp_path / "port.pth", precision="fp32")
    heads = [layer for layer in net.layers if layer.startswith("head")]
    assert list(other.layers) == [layer for layer in net.layers if layer not in heads]
    assert len(other.numbers()) == 57
    ours, theirs = net(inputs, other.layers), other(inputs, other.layers)
    assert all(torch.equal(ours[layer], theirs[layer]) for layer in other.layers)
    assert other.class_count == net.class_count == 1008


def test_the_graph_may_come_in_its_archive(net, state, tmp_path):
    with zipfile.ZipFile(tmp_path / "inception5h.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("LICENSE", "Apache")
        archive.writestr("tensorflow_inception_graph.pb", graph(state))
    other = network("inception5h", weights=tmp_path / "inception5h.zip", precision="fp32")
    assert all(torch.equal(x, other.state_dict()[key]) for key, x in net.state_dict().items())
    with zipfile.ZipFile(tmp_path / "none.zip", "w") as archive:
        archive.writestr("LICENSE", "Apache")
    with pytest.raises(NetworkError, match=r"0 \.pb files in it, expected one"):
        network("inception5h", weights=tmp_path / "none.zip")


def plain(state, x):
    """The graph by its definition, in the type of `x`: every pad and sum written out."""

    def same(x, kernel, stride, value=0.0):
        for axis in (3, 2):
            size = x.shape[axis]
            total = max(0, ((size + stride - 1) // stride - 1) * stride + kernel - size)
            before = [0, 0] * (3 - axis) + [total // 2, total - total // 2]
            x = F.pad(x, before, value=value)
        return x

    def convolved(name, x, stride=1):
        weight, bias = (state[f"{name}.{part}"].to(x) for part in ("weight", "bias"))
        found[f"{name}_pre_relu"] = F.conv2d(same(x, weight.shape[2], stride), weight, bias, stride)
        return found[f"{name}_pre_relu"].clamp(min=0)

    def pooled(x, stride):
        return F.max_pool2d(same(x, 3, stride, -torch.inf), 3, stride)

    def normalised(x):
        squares = F.pad(x.square(), (0, 0, 0, 0, 5, 5))
        return x / (2 + 1e-4 * sum(squares[:, i : i + x.shape[1]] for i in range(11))).sqrt()

    found = {}
    x = normalised(pooled(convolved("conv2d0", x, 2), 2))
    x = pooled(normalised(convolved("conv2d2", convolved("conv2d1", x))), 2)
    for block in WIDTHS:
        name = f"mixed{block}_"
        one = convolved(name + "1x1", x)
        three = convolved(name + "3x3", convolved(name + "3x3_bottleneck", x))
        five = convolved(name + "5x5", convolved(name + "5x5_bottleneck", x))
        x = torch.cat([one, three, five, convolved(name + "pool_reduce", pooled(x, 1))], 1)
        found[f"mixed{block}"] = x
        if block in ("3b", "4e"):
            x = pooled(x, 2)
    return found


@pytest.mark.parametrize("size", [(64, 80), (70, 93), (33, 47)])
def test_it_is_the_plain_definition(net, state, size):
    generator = torch.Generator().manual_seed(4)
    inputs = torch.rand(1, 3, *size, generator=generator) * 255 - 117
    wanted = plain(state, inputs.double())
    got = net(inputs, list(wanted))
    for layer, activation in wanted.items():
        assert (got[layer] - activation).norm() < 1e-5 * activation.norm(), layer


def test_an_even_picture_is_padded_more_at_its_far_side(net, state):
    dot = torch.zeros(1, 3, 8, 8)
    dot[0, 0, 0, 0] = 1
    seen = net(dot, ["conv2d0_pre_relu"])["conv2d0_pre_relu"][0]
    kernel, bias = state["conv2d0.weight"][:, 0], state["conv2d0.bias"]
    # Two pixels of padding before, three behind: the corner lies under the kernel's [2, 2].
    torch.testing.assert_close(seen[:, 0, 0], kernel[:, 2, 2] + bias)
    torch.testing.assert_close(seen[:, 1, 0], kernel[:, 0, 2] + bias)
    torch.testing.assert_close(seen[:, 2, 0], bias)


@pytest.mark.parametrize("old", [False, True], ids=["layer", "layers"])
def test_googlenet_from_a_caffemodel(old, tmp_path):
    torch.manual_seed(8)
    made = GoogLeNet(classes=11).state_dict()
    state = {key.removeprefix("convolutions."): tensor for key, tensor in made.items()}
    (tmp_path / "net.caffemodel").write_bytes(
        caffemodel({**state, "loss1/fc.weight": torch.ones(3, 5)}, old)
    )
    save_file(state, tmp_path / "net.safetensors")
    caffe, safe = (
        network("googlenet", weights=tmp_path / f"net.{suffix}", precision="fp32")
        for suffix in ("caffemodel", "safetensors")
    )
    assert caffe.head == safe.head == "loss3/classifier"
    assert caffe.class_count == 11
    assert caffe.classes == ()
    tensors = caffe.state_dict()
    assert all(torch.equal(tensor, tensors[key]) for key, tensor in safe.state_dict().items())


SMALL = {"a.weight": torch.ones(2, 3, 1, 1), "a.bias": torch.arange(2.0)}


@pytest.mark.parametrize("suffix", ["pb", "caffemodel"])
def test_broken_messages_are_refused_in_one_line(suffix, tmp_path):
    whole = graph(SMALL) if suffix == "pb" else caffemodel(SMALL)
    path = tmp_path / f"net.{suffix}"
    path.write_bytes(whole)
    assert len(read(path, "net").tensors) >= 2
    chance = random.Random(3)
    contents = [b"", b"hello\nworld\n", bytes(99), b"\xff" * 99, b"\x0a" + b"\xff" * 9 + b"\x01"]
    contents += [whole[: chance.randrange(len(whole))] for _ in range(60)]
    for _ in range(200):
        broken = bytearray(whole)
        for _ in range(chance.randrange(1, 5)):
            broken[chance.randrange(len(broken))] = chance.randrange(256)
        contents.append(bytes(broken))
    lines = []
    for content in contents:
        path.write_bytes(content)
        # What a changed byte leaves readable is no message's fault.
        try:
            read(path, "net")
        except NetworkError as error:
            lines.append(str(error))
    assert len(lines) > 100
    assert all("no weights file" in line and "\n" not in line for line in lines)


def test_sizes_that_a_message_only_claims(tmp_path):
    claimed = (
        field(1, 1) + field(2, field(2, field(1, 10**12)) * 3) + field(4, struct.pack("<f", 1))
    )
    (tmp_path / "a.pb").write_bytes(node("conv2d0_w", "Const", ("value", field(8, claimed))))
    with pytest.raises(NetworkError, match="a tensor of 1 numbers is said to be"):
        read(tmp_path / "a.pb", "net")
    (tmp_path / "b.pb").write_bytes(graph(SMALL))
    with pytest.raises(NetworkError, match=r"more than 0\.0 allowed"):
        read(tmp_path / "b.pb", "net", cap=100)


def test_another_networks_graph_is_named(tmp_path):
    (tmp_path / "other.pb").write_bytes(graph(SMALL))
    with pytest.raises(NetworkError, match=r"no conv2d0\.weight, has a\."):
        network("inception5h", weights=tmp_path / "other.pb")


def test_a_local_response_first_seen_in_inference_mode_serves_a_gradient():
    x = torch.randn(1, 13, 3, 4)
    with torch.inference_mode():
        local_response(x)
    x.requires_grad_()
    assert torch.autograd.grad(local_response(x).sum(), x)[0].abs().sum() > 0
