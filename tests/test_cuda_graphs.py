from pathlib import Path

import pytest
import torch
from laws import objective_section
from safetensors.torch import save_file
from torch.utils._python_dispatch import TorchDispatchMode

from dreamvid.dream.ascent import rolled
from dreamvid.dream.cuda_graphs import Recordings, plain_calls
from dreamvid.dream.dreamer import dreamer_for
from dreamvid.dream.report import Report
from dreamvid.dream.turbo import layout
from dreamvid.dream.turbo import native as turbo_native
from dreamvid.dream.turbo.files import read_turbo, write_turbo
from dreamvid.dream.turbo.net import TurboNet, Widths
from dreamvid.dream.turbo.travel import sized
from dreamvid.frames import Size, noise
from dreamvid.networks import native
from dreamvid.networks.googlenet import GoogLeNet
from dreamvid.networks.pocket import STAGES, pocket
from dreamvid.objectives import objectives
from dreamvid.settings import settled


def test_rolls_by_numbers_and_by_device_data_agree(picture):
    for offsets in [(3, -8), (0, 31), (-17, 5)]:
        for back in (False, True):
            data = rolled(picture[None], torch.tensor(offsets), back=back)
            assert torch.equal(data, rolled(picture[None], offsets, back=back))


@pytest.mark.parametrize("smoothing", [0.0, 0.5])
def test_a_recorded_dream_is_the_same(smoothing):
    tree = {
        "octaves": {"count": 2},
        "ascent": {"iterations": 3, "smoothing": smoothing},
        "machine": {"precision": "fp64", "threads": 1},
    }
    frames = [noise(Size(70, 96), (number,)) for number in range(2)]
    plain, recorded = dreamer_for(settled(tree)), dreamer_for(settled(tree))
    calls = []

    def recorder(call):
        calls.append(call)
        return plain_calls(call)

    recorded._recordings = Recordings(recorder)
    for number, frame in enumerate(frames):
        ours, theirs = (each(frame, (5, number)) for each in (recorded, plain))
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)
        assert recorded.report.steps == plain.report.steps == 6
        assert recorded.report.gain == pytest.approx(plain.report.gain)
    # For each octave two steps and one, however many frames.
    assert len(calls) == 4


class Waiting(TorchDispatchMode):
    """Notes the operations that a CUDA graph cannot hold: they wait for the processor's data."""

    KINDS = ("lift_fresh", "_local_scalar_dense", "nonzero")

    def __init__(self):
        super().__init__()
        self.found = set()
        self.made = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if any(kind in str(func) for kind in self.KINDS):
            self.found.add(str(func))
        if func is torch.ops.aten.index.Tensor:
            # An index that no operation made is a list of numbers.
            made = [each for each in args[1] if each is not None]
            if not all(any(each is one for one in self.made) for each in made):
                self.found.add("index by numbers")
        result = func(*args, **(kwargs or {}))
        self.made.append(result)
        return result


STEPS = {
    "plain": {},
    "shaped": {"ascent": {"smoothing": 0.5, "gaussian": 1.0, "laplacian": 3, "blur": 0.6}},
    "deviation": {"ascent": {"normalise": "deviation", "clamp": False}},
    "channels": {"network": {"layers": ["4a:3,9", "3b=0.5"]}},
    "googlenet": {"network": {"name": "googlenet", "layers": ["inception_3a/output"]}},
}


CHANNELS = next(stage.channels for stage in STAGES if stage.name == "4c")
# No class head is at hand, and what it judges is never recorded.
ASKED = [name for name in objectives.names() if name != "class_score"]


@pytest.mark.parametrize(
    "tree",
    [
        *STEPS.values(),
        *({"objective": name} for name in ASKED),
    ],
    ids=[*STEPS, *ASKED],
)
def test_a_recorded_step_waits_for_nothing(tree, tmp_path, monkeypatch):
    """What is recorded on a GPU must not look at its own numbers, nor bring new ones there."""
    monkeypatch.setattr(native, "serves", lambda x: False)  # as on a GPU
    tree = {**tree, "octaves": {"count": 1}, "machine": {"precision": "fp32", "threads": 1}}
    if "objective" in tree:
        looked_at, channels = noise(Size(64, 80), (3,)), CHANNELS
        name = tree["objective"]
        tree["objective"] = objective_section(name, tmp_path, looked_at, channels=channels)
    if tree.get("network", {}).get("name") == "googlenet":
        weights = tmp_path / "random.safetensors"
        state = GoogLeNet().state_dict()
        save_file({key.removeprefix("convolutions."): state[key] for key in state}, weights)
        tree["network"] = {**tree["network"], "weights": str(weights)}
    made = dreamer_for(settled({"ascent": {}, **tree}))
    modes = []

    def recorder(call):
        call()  # what is made once is made now, as in the calls that warm a graph up
        mode = Waiting()
        modes.append(mode)
        with mode:
            call()
        return call

    made._recordings = Recordings(recorder)
    frame = noise(Size(70, 96), (0,))
    for _ in range(2):
        made(frame, (0, 0))
    assert modes or not made.goal.hill(made.choices, Size(70, 96)).local
    assert set().union(*(mode.found for mode in modes)) == set()


def test_a_report_that_left_tells_the_same():
    made = dreamer_for(settled({"octaves": {"count": 2}, "machine": {"threads": 1}}))
    made(noise(Size(70, 96), (0,)), (0, 0))
    left = made.report.leaving()()
    assert left.noted() == made.report.noted()
    assert (left.gain, left.steps, left.skipped) == (made.report.gain, made.report.steps, 0)
    assert Report().leaving()().steps == 0


@pytest.fixture(scope="module")
def turbo(tmp_path_factory):
    """A turbo network of two layers that has learned nothing."""
    torch.manual_seed(5)
    path = tmp_path_factory.mktemp("turbo") / "small.turbo.safetensors"
    net = TurboNet(("4c", "3b"), Widths(8, 8, 12, 16, 8))
    write_turbo(path, net.decoder.initialised().state_dict(), net, pocket(), {"name": "energy"}, {})
    return str(path)


def by_turbo(turbo, recorder=None):
    """A dreamer of two octaves, whose strength and mixture of layers change from frame to frame."""
    tree = {
        "turbo": {"dream": turbo},
        "octaves": {"count": 2},
        "ascent": {"strength": "0.5 + frame/4"},
        "network": {"layers": ["4c", "3b=0.5 + frame/2"]},
        "machine": {"threads": 1},
    }
    made = dreamer_for(settled(tree))
    made._recordings = recorder and Recordings(recorder)
    return made


def frames_by_turbo(dreamer, size, count=4):
    """Dreams in whose course everything changes that may change."""
    lift = torch.linspace(0.5, 2, size.width).expand(*size)
    fresh = torch.zeros(*size)
    for index in range(count):
        fresh[:, 20 * index :] = 1 - index / 4
        given = (fresh if index > 1 else None), index, (lift * index if index > 2 else None)
        yield dreamer(noise(size, (index,)), (0, index), index > 0, *given)


def test_a_recorded_turbo_dream_is_the_same_bit_for_bit(turbo):
    calls = []

    def recorder(call):
        calls.append(call)
        return plain_calls(call)

    recorded, plain = by_turbo(turbo, recorder), by_turbo(turbo)
    for size, known in ((Size(70, 96), 0), (Size(96, 80), 6), (Size(70, 96), 12)):
        assert len(calls) == known
        found = [list(frames_by_turbo(each, size)) for each in (recorded, plain)]
        assert all(torch.equal(*pair) for pair in zip(*found, strict=True))
        assert not torch.equal(found[0][1], found[0][2])
    # At each octave of a size: a first frame, later ones, later ones with a number for each pixel.
    assert len(calls) == 12


@pytest.mark.parametrize("way", ["processor", "GPU"])
def test_recorded_turbo_waits_for_nothing(turbo, way, monkeypatch):
    monkeypatch.setattr(native, "serves", lambda x: False)  # as on a GPU
    monkeypatch.setattr(turbo_native, "serves", lambda *parts: False)
    monkeypatch.setattr(layout, "serves", lambda x: way == "GPU")
    modes = []

    def recorder(call):
        call()
        modes.append(mode := Waiting())
        with mode:
            call()
        return call

    for frame in frames_by_turbo(by_turbo(turbo, recorder), Size(70, 96)):
        assert frame.isfinite().all()
    assert len(modes) == 6
    assert set().union(*(mode.found for mode in modes)) == set()


@pytest.mark.parametrize(("dtype", "near"), [(torch.float32, 1e-4), (torch.bfloat16, 0.08)])
def test_the_turbo_network_of_a_gpu_adds_the_same(turbo, dtype, near, monkeypatch):
    pictures = torch.stack([noise(Size(68, 90), (number,)) for number in range(2)])
    condition = torch.tensor([[0.7, 0.3, 1.5], [0.0, 1.0, -2.0]])
    shares = torch.linspace(0, 2, 512).expand(2, -1)
    with torch.no_grad():
        wanted = sized(read_turbo(Path(turbo)).net(pictures, condition, shares))
        monkeypatch.setattr(layout, "serves", lambda x: True)
        found = sized(read_turbo(Path(turbo), None, dtype).net(pictures, condition, shares))
    assert found.dtype == torch.float32
    assert (found - wanted).norm() < near * wanted.norm()


def test_a_picture_is_framed_and_shuffled_as_torch_does_it():
    x = torch.rand(2, 8, 5, 7).contiguous(memory_format=torch.channels_last)
    for mirrored, mode in ((True, "reflect"), (False, "replicate")):
        found = layout.framed(x, mirrored)
        assert torch.equal(found, torch.nn.functional.pad(x, (1, 1, 1, 1), mode=mode))
        assert found.is_contiguous(memory_format=torch.channels_last)
    wide = layout.shuffled(x)
    assert torch.equal(wide, torch.nn.functional.pixel_shuffle(x, 2))
    assert torch.equal(layout.blocks(wide, x.dtype), x)
