import pytest
import torch
from laws import objective_section
from safetensors.torch import save_file
from torch.utils._python_dispatch import TorchDispatchMode

from dreamvid.dream.ascent import rolled
from dreamvid.dream.cuda_graphs import Recordings, plain_calls
from dreamvid.dream.dreamer import dreamer_for
from dreamvid.dream.report import Report
from dreamvid.frames import Size, noise
from dreamvid.networks import native
from dreamvid.networks.googlenet import GoogLeNet
from dreamvid.networks.pocket import STAGES
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
