import json
import re

import pytest
import torch
from conftest import run_cli

from dreamvid.bench import benchmark, plain
from dreamvid.bench.roofs import Work, seconds_at_best, work_of_a_step
from dreamvid.dream.dreamer import dreamer_for
from dreamvid.errors import SettingsError
from dreamvid.frames import Size
from dreamvid.networks.googlenet import GoogLeNet
from dreamvid.settings import settled


def test_bench_tells_its_figures_as_json():
    small = ("--size", "96x64", "--octaves", 2, "--iterations", 1, "--repeats", 1)
    result = run_cli("bench", *small, "--precision", "fp32", "--compare", "plain,film", "--json")
    assert result.returncode == 0, result.stderr
    figures = json.loads(result.stdout)
    ours = figures["ours"]["fp32"]
    assert figures["size"] == "96x64"
    assert ours["gflop_per_second"] == pytest.approx(figures["step_gflop"] / ours["step_seconds"])
    assert ours["times_plain"] == figures["plain"]["frame_seconds"] / ours["frame_seconds"]
    assert 0 < ours["film"]["around_the_dream"] < 1
    assert 0 < ours["of_matrix_rate"] <= ours["of_both_roofs"]


def test_bench_tells_its_figures_as_a_table():
    small = ("--size", "96x64", "--octaves", 1, "--iterations", 1, "--repeats", 1)
    result = run_cli("bench", *small, "--precision", "fp32", "--compare", "", "--profile")
    assert result.returncode == 0, result.stderr
    assert "pocket 4c, 96x64, 1 octaves" in result.stdout
    assert re.search(r"^\S+ +\d+ +\d+\.\d%$", result.stdout, re.MULTILINE)


def test_an_unknown_comparison():
    with pytest.raises(SettingsError, match="no 'plane'; did you mean 'plain'"):
        benchmark(settled({}), Size(64, 96), comparisons=["plane"])


def test_work_is_counted_by_hand():
    """pocket's stem: 7x7x3 to 32 channels at half size, 1x1 to 64, pooled; and the gradient."""
    tree = {"network": {"layers": ["conv1"]}, "machine": {"precision": "fp32"}}
    places, pooled = 32 * 48, 16 * 24
    basis = Work(2 * places * 7 * 7 * 3 * 32, 3 * 64 * 96 + 32 * places + 7 * 7 * 3 * 32)
    mix = Work(2 * places * 32 * 64, (32 + 64) * places + 32 * 64)
    pool = Work(0, 64 * (places + pooled))
    works = work_of_a_step(dreamer_for(settled(tree)), Size(64, 96))
    assert sorted(works) == sorted(2 * [basis, mix, pool])


def test_an_operation_is_under_the_nearer_of_two_roofs():
    works = [Work(100, 1), Work(0, 30)]
    assert seconds_at_best(works, matrix_rate=10, copy_rate=5) == 10 + 6
    assert seconds_at_best(works, matrix_rate=1e9, copy_rate=1) == 1 + 30


def test_the_plain_googlenet_is_ours():
    torch.manual_seed(0)
    net = GoogLeNet().eval().requires_grad_(False)
    x = 50 * torch.randn(1, 3, 64, 90)
    layers = ["conv1/7x7_s2", "inception_3b/output", "inception_4c/output"]
    ours, theirs = net(x, layers), plain.forward_of(net)(x)
    for layer in layers:
        assert (ours[layer] - theirs[layer]).norm() < 1e-5 * theirs[layer].norm()
