import pytest
import torch

from dreamvid.ascent import rolled
from dreamvid.dreamer import dreamer_for
from dreamvid.frames import Size, noise
from dreamvid.recording import plain_calls
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

    recorded._recorder = recorder
    for number, frame in enumerate(frames):
        ours, theirs = (each(frame, (5, number)) for each in (recorded, plain))
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)
        assert recorded.report.steps == plain.report.steps == 6
        assert recorded.report.gain == pytest.approx(plain.report.gain)
    # Once for each octave, however many frames.
    assert len(calls) == 2


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_captured_dream_is_the_same():
    tree = {"octaves": {"count": 2}, "machine": {"device": "cuda", "precision": "fp32"}}
    captured, plain = dreamer_for(settled(tree)), dreamer_for(settled(tree))
    plain._recorder = None
    frame = noise(Size(135, 240), (0,)).cuda()
    torch.testing.assert_close(captured(frame, (0, 0)), plain(frame, (0, 0)), rtol=0, atol=0.02)
