"""Dreams on a GPU: recorded as plain, the same again, as on a processor, within memory."""

import threading
import time
import warnings

import numpy as np
import pytest
import torch
from laws import objective_section
from on_gpu import CUDA, DEVICE, MARKS, ONLY_CUDA, frames, made

from dreamvid.dream.ascent import gain_and_gradients
from dreamvid.frames import Size, from_pixels, noise, quantised, size_of, to_pixels
from dreamvid.machine import devices
from dreamvid.networks import ways
from dreamvid.networks.pocket import STAGES
from dreamvid.objectives import objectives

pytestmark = MARKS
CHANNELS = next(stage.channels for stage in STAGES if stage.name == "4c")
SHAPES = {
    "default": {},
    "bf16": {"machine": {"precision": "bf16"}},
    "fp16": {"machine": {"precision": "fp16"}},
    "shaped": {"ascent": {"smoothing": 0.5, "gaussian": 1.0, "laplacian": 3, "blur": 0.6}},
    "deviation": {"ascent": {"normalise": "deviation", "clamp": False}},
    "channels": {"network": {"layers": ["4a:3,9", "3b=0.5"]}},
    "plain kernels": {"machine": {"kernels": "plain", "precision": "bf16"}},
}


@pytest.mark.parametrize("tree", SHAPES.values(), ids=SHAPES)
def test_a_recorded_dream_is_the_plain_one_bit_for_bit(tree):
    tree = {**tree, "octaves": {"count": 2}, "ascent": {"iterations": 3, **tree.get("ascent", {})}}
    recorded, plain = made(**tree), made(**tree)
    plain._recordings = None
    found = frames(recorded)
    assert recorded._recordings is not None
    # Two steps and one, of two octaves.
    assert len(recorded._recordings) == 4, "something was not recorded"
    wanted = frames(plain, count=2)
    assert torch.equal(*wanted), "two dreams without a recording differ"
    assert torch.equal(found[1], found[2]), "two replays differ"
    torch.testing.assert_close(found[0], wanted[0], rtol=0, atol=0.02)
    assert torch.equal(found[0], found[1]), "the dream in which steps are recorded differs"


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_recorded_turbo_dream_is_the_plain_one_bit_for_bit(precision):
    size, count = Size(180, 320) if CUDA else Size(70, 96), 2
    tree = {
        "turbo": {"dream": "turbo"},
        "octaves": {"count": count},
        "ascent": {"strength": "0.5 + frame/4"},
        "machine": {"precision": precision},
    }
    start, lift = noise(size, (0,)), torch.linspace(0.5, 2, size.width).expand(*size)
    found = []
    for device in (DEVICE, DEVICE, "cpu"):
        dreamer = made(**{**tree, "machine": {"device": device, "precision": precision}})
        if found:
            dreamer._recordings = None
        given = start.to(device), lift.to(device)
        found.append(
            [
                dreamer(given[0], (0, n), n > 1, None, n, given[1] if n > 2 else None).cpu()
                for n in range(5)
            ]
        )
        if len(found) == 1:
            assert len(dreamer._recordings or ()) == 3 * count
    for recorded, plain, processor in zip(*found, strict=True):
        assert torch.equal(recorded, plain)
        assert 10 * (recorded - processor).square().mean().log10() < -45


@pytest.mark.parametrize("name", [each for each in objectives.names() if each != "class_score"])
def test_every_objective_is_dreamed(name, tmp_path):
    section = objective_section(name, tmp_path, noise(Size(64, 80), (3,)), channels=CHANNELS)
    dreamer = made(octaves={"count": 1}, ascent={"iterations": 2}, objective=section)
    for frame in frames(dreamer, count=2):
        assert frame.isfinite().all()


@pytest.mark.parametrize("update", ["momentum", "adam"])
def test_steps_that_remember(update):
    assert frames(made(ascent={"update": update}), count=1)[0].isfinite().all()


@pytest.mark.parametrize("kernels", ["auto", "plain"])
def test_a_gradient_is_that_of_a_processor(kernels):
    frame, found = noise(Size(96, 160), (0,)), []
    for device in ("cpu", DEVICE):
        dreamer = made(machine={"device": device, "kernels": kernels})
        inputs = dreamer.network.preprocessing.to_input(frame[None].to(device))
        hill = dreamer.goal.hill(dreamer.choices, size_of(inputs))
        found.append(gain_and_gradients(inputs, hill.gain)[1].cpu())
    assert (found[1] - found[0]).norm() <= 1e-3 * found[0].norm()


@ONLY_CUDA
def test_the_fused_kernels_pass_their_test_here():
    made(machine={"precision": "bf16"})
    assert ways.fused() is not None


def test_what_is_fed_back_is_what_a_png_gives_back():
    levels = torch.arange(256).view(1, 16, 16).expand(3, 16, 16).contiguous() / 255
    here = quantised((levels + 1e-4).to(DEVICE))
    assert torch.equal(here.cpu(), from_pixels(to_pixels(levels)))
    assert (devices.leaving_pixels(here)() == to_pixels(levels)).all()


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_pixels_are_the_same_frame_wherever_they_become_one(kind):
    top = np.iinfo(kind).max
    pixels = np.linspace(0, top, 3 * 90 * 244).round().astype(kind).reshape(90, 244, 3)
    there = devices.arriving_pixels(pixels, torch.device(DEVICE))()
    assert there.device.type == torch.device(DEVICE).type
    assert there.is_contiguous()
    assert torch.equal(there.cpu(), from_pixels(pixels))
    between = (from_pixels(pixels) + 0.3 / 255).clamp(0, 1)
    assert (devices.leaving_pixels(between.to(DEVICE))() == to_pixels(between)).all()


def test_steps_are_recorded_while_other_threads_work_on_the_device():
    """As those do that follow a film and write its frames."""
    stop, errors = threading.Event(), []

    def work():
        host = torch.rand(3, 360, 640)
        try:
            while not stop.is_set():
                (there,) = devices.arriving([host], torch.device(DEVICE))()
                devices.leaving(there * 2)()
                (there * 2).cpu()
                torch.empty(4 * 2**20, device=DEVICE)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(4 if CUDA else 1):
            dreamer = made(octaves={"count": 3}, ascent={"iterations": 2})
            for frame in frames(dreamer, Size(180, 320) if CUDA else Size(70, 96)):
                assert frame.isfinite().all()
            assert len(dreamer._recordings or ()) == 3
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not errors, errors


def test_tiles_change_nothing_but_rounding():
    tree = {"octaves": {"count": 1}, "ascent": {"iterations": 2}, "network": {"layers": ["conv2"]}}
    size = Size(200, 280)
    whole = frames(made(**tree), size, 1)[0]
    parts = frames(made(**tree, machine={"tile": 160}), size, 2)[1]
    torch.testing.assert_close(parts, whole, rtol=0, atol=0.03)


@ONLY_CUDA
def test_a_picture_too_large_for_its_memory():
    total = torch.cuda.get_device_properties(DEVICE).total_memory
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(min(1.0, 2.5e9 / total))
    try:
        tree = {"octaves": {"count": 2}, "ascent": {"iterations": 2}}
        dreamer = made(**tree, machine={"precision": "bf16"})
        for frame in frames(dreamer, Size(2160, 3840), 3):
            assert frame.isfinite().all()
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


@ONLY_CUDA
def test_recordings_of_many_sizes_hold_little_memory():
    dreamer = made(octaves={"count": 4}, machine={"precision": "bf16"})
    torch.cuda.empty_cache()
    before = torch.cuda.memory_reserved()
    for side in range(8):
        frames(dreamer, Size(360 + 8 * side, 640), 2)
    torch.cuda.synchronize()
    torch.cuda.empty_cache()
    held = torch.cuda.memory_reserved() - before
    assert held < 0.08e9 * len(dreamer._recordings or ())


@pytest.mark.parametrize("together", [1, 3])
def test_pictures_together(together):
    dreamer = made(octaves={"count": 2}, ascent={"iterations": 2})
    stack = torch.stack([noise(Size(64, 96), (n,)) for n in range(together)]).to(DEVICE)
    first, again = (dreamer.batch(stack, (0, 0)) for _ in range(2))
    torch.testing.assert_close(first, again, rtol=0, atol=0.02)
    alone = dreamer.batch(stack[-1:], (0, 0))
    torch.testing.assert_close(first[-1:], alone, rtol=0, atol=0.1)


def test_what_leaves_a_gpu_arrives_whole_while_it_works_on():
    wanted = torch.rand(3, 719, 1281)
    frame = wanted.to(DEVICE)
    coming = devices.leaving(frame, frame.mean())
    del frame
    for _ in range(50 if CUDA else 1):
        torch.rand(3, 719, 1281, device=DEVICE).sort()
    whole, mean = coming()
    assert whole.device.type == "cpu"
    assert torch.equal(whole, wanted)
    assert mean == pytest.approx(whole.mean().item(), rel=1e-4)


@ONLY_CUDA
@pytest.mark.parametrize("dream", ["ascent", "turbo"])
def test_nothing_waits_in_a_steady_film(dream):
    """A frame of recorded steps is launched without waiting for the device."""
    tree = {"turbo": {"dream": dream}, "octaves": {"count": 4}}
    dreamer = made(**tree, machine={"precision": "bf16"})
    start = noise(Size(720, 1280), (0,)).to(DEVICE)
    lift = torch.ones_like(start[0])
    for number in range(3):
        dreamer(start, (0, number), True, None, number, lift)
    torch.cuda.synchronize()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it says of itself that it does not see everything
            torch.cuda.set_sync_debug_mode("error")
        began = time.perf_counter()
        dreamer(start, (0, 9), True, None, 9, lift)
        launched = time.perf_counter() - began
    finally:
        torch.cuda.set_sync_debug_mode("default")
    torch.cuda.synchronize()
    assert launched < 0.8 * (time.perf_counter() - began)
