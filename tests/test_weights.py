import hashlib
import json
import os
import zipfile
from collections import OrderedDict

import pytest
import torch
from safetensors.torch import save_file

from dreamvid.errors import NetworkError
from dreamvid.networks import network
from dreamvid.networks.base import Preprocessing
from dreamvid.networks.googlenet import GoogLeNet
from dreamvid.networks.pocket import Pocket, Stage
from dreamvid.networks.weights import read


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    # Tensors this small gain nothing from threads, and on a busy machine threads wait for turns.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def pocket_state():
    torch.manual_seed(1)
    return Pocket().state_dict()


@pytest.fixture(scope="module")
def googlenet_state():
    torch.manual_seed(1)
    state = GoogLeNet().state_dict()
    return {key.removeprefix("convolutions."): tensor for key, tensor in state.items()}


def refusal(name, path):
    with pytest.raises(NetworkError) as caught:
        network(name, weights=path)
    line = str(caught.value)
    assert "\n" not in line
    assert line.startswith(f"{name}: weights {path}: ")
    return line.removeprefix(f"{name}: weights {path}: ")


def test_a_safetensors_file_becomes_float32_parameters(tmp_path, pocket_state):
    path = tmp_path / "pocket.safetensors"
    save_file({key: tensor.half() for key, tensor in pocket_state.items()}, path)
    built = network("pocket", weights=path, precision="fp32")
    for key, tensor in built.state_dict().items():
        assert tensor.dtype is torch.float32
        torch.testing.assert_close(tensor, pocket_state[key].half().float(), rtol=0, atol=0)
    assert built.weights_path == path
    assert built.weights_sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    "wrap",
    [
        dict,
        lambda state: {"state_dict": state, "epoch": 3},
        lambda state: {"model": {f"module.{key}": tensor for key, tensor in state.items()}},
        lambda state: {key: tensor.double() for key, tensor in state.items()},
    ],
    ids=["bare", "state_dict", "model.module", "float64"],
)
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_a_pth_archive_may_be_wrapped(tmp_path, pocket_state, wrap, zipped):
    path = tmp_path / "checkpoint.pth"
    torch.save(wrap(OrderedDict(pocket_state)), path, _use_new_zipfile_serialization=zipped)
    built = network("pocket", weights=path, precision="fp32")
    for key, tensor in built.state_dict().items():
        torch.testing.assert_close(tensor, pocket_state[key], rtol=0, atol=0)


def test_the_class_heads_in_caffes_file_are_passed_over(tmp_path, googlenet_state):
    path = tmp_path / "caffe.safetensors"
    save_file({**googlenet_state, "loss3/classifier.bias": torch.zeros(1000)}, path)
    assert network("googlenet", weights=path).weights_path == path


def test_a_pocket_file_brings_its_own_stages(tmp_path):
    stages = (Stage("conv1", 16), Stage("3a", 24, 8, 1, pooled=True, normalised=True))
    path = tmp_path / "small.safetensors"
    save_file(Pocket(stages).state_dict(), path, {"stages": json.dumps(stages)})
    assert network("pocket", weights=path).layers == ("conv1", "3a")


@pytest.mark.parametrize(
    "stages",
    ["{", "[]", "3", "[[1, 2]]", '[["a", -1]]', '[["a", 1e9]]', '[["a", 99999]]', "[" * 100_000],
)
def test_nonsense_stages_are_refused(tmp_path, pocket_state, stages):
    path = tmp_path / "odd.safetensors"
    save_file(pocket_state, path, {"stages": stages})
    assert "its stages are not ones of this network" in refusal("pocket", path)


def test_no_file(tmp_path):
    assert refusal("pocket", tmp_path / "none.safetensors") == "no such file"
    assert refusal("pocket", tmp_path) == "not a file"


def test_other_kinds_of_file_are_refused(tmp_path):
    for suffix in (".ckpt", ".pt2", ".h5", ""):
        path = tmp_path / f"weights{suffix}"
        path.write_bytes(b"weights")
        assert refusal("pocket", path) == (
            "not a .safetensors, .pth, .pt, .pth.tar, .caffemodel, .pb file, "
            "nor a .zip with a .pb in it"
        )


@pytest.mark.parametrize("suffix", [".safetensors", ".pth", ".pt", ".pth.tar", ".pb", ".zip"])
@pytest.mark.parametrize("content", [b"", b"hello\nworld\n", b"PK\3\4 cut", bytes(100)])
def test_a_file_of_something_else(tmp_path, suffix, content):
    path = tmp_path / f"text{suffix}"
    path.write_bytes(content)
    assert "no weights file" in refusal("pocket", path)


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_a_truncated_file(tmp_path, pocket_state, suffix):
    whole, cut = tmp_path / f"whole{suffix}", tmp_path / f"cut{suffix}"
    save = save_file if suffix == ".safetensors" else torch.save
    save(dict(pocket_state), whole)
    cut.write_bytes(whole.read_bytes()[:-1000])
    assert "no weights file" in refusal("pocket", cut)


class Bomb:
    def __reduce__(self):
        return (os.system, ("touch exploded",))


def test_pickled_code_is_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    torch.save({"bomb": Bomb()}, tmp_path / "bomb.pth")
    assert "no weights file" in refusal("pocket", tmp_path / "bomb.pth")
    assert not (tmp_path / "exploded").exists()


def test_a_checkpoint_without_tensors(tmp_path):
    path = tmp_path / "odd.pth"
    torch.save([1, 2], path)
    assert refusal("pocket", path) == "holds no state dict"
    torch.save({"one\ntwo": 3}, path)
    assert refusal("pocket", path) == "not a state dict: 'one two' is no plain tensor"
    torch.save({"one": torch.empty(3, device="meta")}, path)
    assert "is no plain tensor" in refusal("pocket", path)


def test_another_networks_weights_are_named(tmp_path, pocket_state, googlenet_state):
    save_file(pocket_state, tmp_path / "pocket.safetensors")
    save_file(googlenet_state, tmp_path / "googlenet.safetensors")
    torch.save({"fc.weight": torch.zeros(3, 4)}, tmp_path / "fc.pth")
    save_file({"a": torch.zeros(3)}, tmp_path / "vgg.safetensors", {"network": "vgg16"})
    line = refusal("googlenet", tmp_path / "pocket.safetensors")
    assert line.startswith("holds weights of another network: no conv1/7x7_s2.weight, has blocks.")
    assert line.endswith("; 0 of 114 fit; the file is pocket's (--network pocket)")
    line = refusal("pocket", tmp_path / "googlenet.safetensors")
    assert line.endswith("; the file is googlenet's (--network googlenet)")
    line = refusal("googlenet", tmp_path / "fc.pth")
    assert line.endswith("no conv1/7x7_s2.weight, has fc.weight; 0 of 114 fit")
    assert "--network vgg16" in refusal("googlenet", tmp_path / "vgg.safetensors")


def test_a_lost_an_added_and_a_misshapen_tensor(tmp_path, googlenet_state):
    path = tmp_path / "odd.safetensors"
    lost = dict(googlenet_state)
    del lost["inception_3a/5x5.bias"]
    save_file(lost, path)
    assert "no inception_3a/5x5.bias; 113 of 114 fit" in refusal("googlenet", path)
    save_file({**googlenet_state, "more": torch.zeros(3)}, path)
    assert "has more; 114 of 114 fit" in refusal("googlenet", path)
    save_file({**googlenet_state, "conv2/3x3.weight": torch.zeros(192, 64, 5, 3)}, path)
    assert "conv2/3x3.weight is 192x64x5x3, expected 192x64x3x3; 113 of 114 fit" in refusal(
        "googlenet", path
    )


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_values_that_are_not_finite(tmp_path, pocket_state, bad):
    path = tmp_path / "nan.safetensors"
    state = {key: tensor.clone() for key, tensor in pocket_state.items()}
    state["blocks.2.reduce.bias"][3] = bad
    save_file(state, path)
    assert refusal("pocket", path) == "blocks.2.reduce.bias holds values that are not finite"


def test_whole_numbers_are_no_weights(tmp_path, pocket_state):
    path = tmp_path / "int.safetensors"
    save_file({**pocket_state, "units": torch.ones(8, dtype=torch.int64)}, path)
    assert refusal("pocket", path) == "units holds torch.int64, expected torch.float32"


def test_a_view_larger_than_memory_is_refused_before_it_is_copied(tmp_path, pocket_state):
    path = tmp_path / "view.pth"
    torch.save({**pocket_state, "units": torch.zeros(1).expand(10**12)}, path)
    assert "units is 1000000000000, expected 8" in refusal("pocket", path)


def test_the_size_is_capped_packed_and_unpacked(tmp_path):
    flat = tmp_path / "flat.safetensors"
    save_file({"a": torch.zeros(100_000)}, flat)
    with pytest.raises(NetworkError, match=r"0\.4 MiB, more than 0\.1 allowed"):
        read(flat, "net", cap=100_000)
    packed = tmp_path / "packed.pth"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data/0", bytes(4_000_000))
    assert packed.stat().st_size < 100_000
    with pytest.raises(NetworkError, match=r"3\.8 MiB, more than 0\.1 allowed"):
        read(packed, "net", cap=100_000)


def test_a_file_that_dreamvid_train_made_names_its_classes(tmp_path, pocket_state):
    path = tmp_path / "pets.safetensors"
    width = Pocket().stages[-1].channels
    state = {**pocket_state, "head.weight": torch.randn(3, width), "head.bias": torch.zeros(3)}
    save_file(state, path, {"classes": json.dumps(["cat", "dog", "newt"])})
    net = network("pocket", weights=path, precision="fp32")
    assert net.layers[-1] == net.head == "head"
    assert net.classes == ("cat", "dog", "newt")
    assert net.class_number("newt") == 2
    found = net(torch.rand(2, 3, 64, 72), ["head", net.layers[-2]])
    means = found[net.layers[-2]].mean((2, 3)) / net.units[-1]
    torch.testing.assert_close(found["head"], means @ state["head.weight"].T, rtol=1e-4, atol=1e-4)
    save_file(pocket_state, tmp_path / "plain.safetensors")
    with pytest.raises(NetworkError, match="no class head"):
        network("pocket", weights=tmp_path / "plain.safetensors").class_number("cat")


@pytest.mark.parametrize("names", ["{", "3", '["cat"]', "[1, 2, 3]", "[" * 100_000])
def test_names_of_other_classes_are_refused(names, tmp_path, pocket_state):
    path = tmp_path / "odd.safetensors"
    width = Pocket().stages[-1].channels
    state = {**pocket_state, "head.weight": torch.zeros(3, width), "head.bias": torch.zeros(3)}
    save_file(state, path, {"classes": names})
    with pytest.raises(NetworkError, match="classes"):
        network("pocket", weights=path)


def test_a_file_carries_its_preprocessing(tmp_path, pocket_state):
    path = tmp_path / "own.safetensors"
    own = Preprocessing("RGB", 2.0, (0.5, 0.25, 0.0), (1.0, 2.0, 4.0))
    save_file(pocket_state, path, {"preprocessing": own.text()})
    assert network("pocket", weights=path).preprocessing == own
    assert network("pocket").preprocessing == Pocket.preprocessing


@pytest.mark.parametrize(
    "text",
    [
        "",
        "3",
        '["RGB", 1, [0, 0, 0], [1, 1]]',
        '["GBR", 1, [0, 0, 0], [1, 1, 1]]',
        '["RGB", 1, [0, 0, 0], [1, 0, 1]]',
        '["RGB", NaN, [0, 0, 0], [1, 1, 1]]',
        '["RGB", 1, [0, 0, 1e400], [1, 1, 1]]',
        "[" * 100_000,
    ],
)
def test_preprocessing_that_is_none_is_refused(text, tmp_path, pocket_state):
    path = tmp_path / "odd.safetensors"
    save_file(pocket_state, path, {"preprocessing": text})
    assert refusal("pocket", path) == "its preprocessing is not one of this program"
