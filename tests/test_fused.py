"""The fused kernels: in Triton's interpreter, compiled without a GPU, and chosen."""

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from dreamvid.machine import remarks
from dreamvid.networks import convolutions, kernels, network, ways
from dreamvid.networks.googlenet import GoogLeNet
from dreamvid.settings import settled

TRIALS = Path(__file__).with_name("fused_trials.py")
GPU = torch.device("cuda", 0)


def tried(kind, **environment):
    pytest.importorskip("triton")
    command = [sys.executable, str(TRIALS), kind]
    result = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
        env={**os.environ, **environment},
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])


def test_kernels_agree_with_torch_in_the_interpreter():
    found = tried("agree", TRITON_INTERPRET="1")
    assert found.pop("wrong") == "response"
    assert "once_differentiable" in found.pop("twice")
    assert set(found.values()) == {""}, found


def test_whole_steps_through_all_kernels_are_the_plain_ones():
    found = tried("whole", TRITON_INTERPRET="1")
    assert set(found) == {"pocket", "googlenet", "inception5h"}
    assert max(found.values()) < 1e-5


def test_kernels_are_compiled_for_gpus_that_are_not_here():
    found = tried("compile")
    assert len(found) == 52
    assert min(found.values()) > 500


@pytest.fixture
def told(caplog):
    remarks.say_once.cache_clear()
    caplog.set_level(logging.WARNING, logger="dreamvid")
    yield caplog
    remarks.say_once.cache_clear()
    ways.fuse(None)


class Ours:
    """Stands for the module of kernels."""


@pytest.mark.parametrize(
    ("device", "dtype", "asked", "found", "chosen", "says"),
    [
        (GPU, torch.bfloat16, "auto", "", "fused", ""),
        (GPU, torch.bfloat16, "plain", "", "plain", ""),
        (GPU, torch.float64, "auto", "", "plain", ""),
        (torch.device("cpu"), torch.bfloat16, "auto", "", "plain", ""),
        (GPU, torch.bfloat16, "auto", "response", "plain", "response does not agree"),
        (GPU, torch.bfloat16, "auto", RuntimeError("no ptxas"), "plain", "built (no ptxas)"),
    ],
)
def test_kernels_are_chosen_by_a_test(device, dtype, asked, found, chosen, says, monkeypatch, told):
    def disagreement(*_):
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr(kernels.importlib, "import_module", lambda name: Ours)
    monkeypatch.setattr(kernels, "disagreement", disagreement)
    for _ in range(2):
        assert kernels.choose(asked, device, dtype) == chosen
    assert ways.fused() == (Ours if chosen == "fused" else None)
    assert [says in line for line in told.messages] == ([True] if says else [])


def test_a_processor_goes_on_as_before(told):
    ways.fuse(Ours)
    net, x = network("pocket", precision="fp32"), torch.rand(1, 3, 40, 50)
    assert net(x, ["3a"])["3a"].isfinite().all()


def test_kernels_are_a_setting_that_a_film_tells_only_where_it_is_not_usual():
    assert "kernels" not in settled({}).tree()["machine"]
    tree = settled({"machine": {"kernels": "plain"}}).tree()
    assert tree["machine"]["kernels"] == "plain"
    assert settled(tree).machine.kernels == "plain"


def test_weights_that_are_merged_once_follow_their_network():
    torch.manual_seed(0)
    net = GoogLeNet().eval().requires_grad_(False)
    x = torch.rand(1, 3, 32, 40)
    layer = "inception_3a/output"
    first = net(x, [layer])[layer]
    parts = [
        net.convolutions[f"inception_3a/{name}"] for name in ("1x1", "3x3_reduce", "5x5_reduce")
    ]
    merged = convolutions.side_by_side(parts).weight
    assert torch.equal(net(x, [layer])[layer], first)
    assert convolutions.side_by_side(parts).weight is merged
    exact = net.double()(x.double(), [layer])[layer]
    assert exact.dtype == torch.float64
    torch.testing.assert_close(exact.float(), first, rtol=1e-4, atol=1e-5)
