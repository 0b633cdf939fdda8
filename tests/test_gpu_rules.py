"""What holds on a GPU, shown without one: by stand-ins, other devices' rules, or the arithmetic."""

import contextlib
import logging
import os
import threading
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from dreamvid.dream import cuda_graphs, dreamer
from dreamvid.dream.ascent import gain_and_gradients, gain_scale, numbers_of_steps
from dreamvid.dream.catching_up import boxes
from dreamvid.dream.cuda_graphs import CudaGraphs, Recordings, plain_calls
from dreamvid.dream.dreamer import dreamer_for
from dreamvid.dream.tiles import Tiler
from dreamvid.errors import MediaError, NetworkError, SettingsError
from dreamvid.film.carries import Situation, by_motion
from dreamvid.film.sources import Moment
from dreamvid.frames import Size, constant, from_pixels, noise, quantised, size_of
from dreamvid.jobs.provenance import this_machine
from dreamvid.machine import devices, remarks
from dreamvid.media import codecs, encoders
from dreamvid.motion import optical_flow, warp
from dreamvid.motion.motions import composed
from dreamvid.networks import network, pictures
from dreamvid.settings import FPS, settled


@pytest.fixture
def said(caplog):
    """What the machine's remarks are in this test."""
    remarks.say_once.cache_clear()
    caplog.set_level(logging.WARNING, logger="dreamvid")
    yield caplog
    remarks.say_once.cache_clear()


def test_the_tests_of_a_processor_see_no_gpu():
    assert os.environ["CUDA_VISIBLE_DEVICES"] == ""


def test_a_gpu_that_does_not_compute_is_left_alone_and_told(monkeypatch, said):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "set_device", lambda device: None)

    def ones(*_, device, **__):
        raise RuntimeError("CUDA error: no kernel image is available for execution\nmore")

    monkeypatch.setattr(torch, "ones", ones)
    assert devices.device_for("auto") == torch.device("cpu")
    assert len(said.messages) == 1
    assert "no kernel image is available" in said.messages[0]
    with pytest.raises(SettingsError, match=r"'cuda:1' cannot be used here .*no kernel image"):
        devices.device_for("cuda:1")


def test_the_gpu_that_is_named_becomes_the_current_one(monkeypatch):
    current = []
    monkeypatch.setattr(torch.cuda, "set_device", current.append)
    ones = torch.ones
    monkeypatch.setattr(torch, "ones", lambda *sizes, device: ones(*sizes))
    assert devices.device_for("cuda:1") == torch.device("cuda", 1)
    assert devices.device_for("cuda") == torch.device("cuda", 0)
    assert current == [torch.device("cuda", 1), torch.device("cuda", 0)]


def test_convolutions_add_up_in_one_order(monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", False)
    devices.made_ready(1, keep_memory=False)
    assert torch.backends.cudnn.deterministic


class Divisions(TorchDispatchMode):
    """Notes what is divided by."""

    def __init__(self):
        super().__init__()
        self.divisors = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func.overloadpacket is torch.ops.aten.div:
            self.divisors.append(args[1])
        return func(*args, **(kwargs or {}))


def test_what_is_fed_back_is_divided_exactly_on_every_device():
    """A GPU divides by a plain number, and by one that lies on the processor, inexactly."""
    frame = torch.rand(3, 8, 9).to("meta")
    with Divisions() as noted:
        quantised(frame)
    (divisor,) = noted.divisors
    assert isinstance(divisor, torch.Tensor)
    assert divisor.device.type == "meta"
    levels = torch.arange(256).float().view(1, 16, 16).expand(3, 16, 16) / 255
    assert torch.equal(quantised(levels.contiguous()), levels)


@pytest.mark.parametrize("kind", ["uint8", "uint16"])
def test_pixels_become_numbers_on_the_device_and_are_divided_exactly(kind):
    pixels = np.arange(5 * 7 * 3).reshape(5, 7, 3).astype(kind)
    with Divisions() as noted:
        frame = devices.arriving_pixels(pixels, torch.device("meta"))()
    assert (frame.device.type, tuple(frame.shape)) == ("meta", (3, 5, 7))
    assert frame.is_contiguous()
    (divisor,) = noted.divisors
    assert isinstance(divisor, torch.Tensor)
    assert divisor.device.type == "meta"
    here = devices.arriving_pixels(pixels, torch.device("cpu"))()
    assert torch.equal(here, from_pixels(pixels))


class OnMps(TorchDispatchMode):
    """Fails where a device without the kernel is asked for it."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        assert "bicubic" not in str(func)
        if func is torch.ops.aten.grid_sampler_2d.default and args[2] == 2:
            assert args[0].device.type == "cpu"
        return func(*args, **(kwargs or {}))


def test_a_device_without_bicubic_sampling_is_served_by_the_processor():
    from torch._subclasses.fake_tensor import FakeTensorMode

    try:
        with FakeTensorMode(), OnMps():
            frame, places = (torch.empty(count, 12, 17, device="mps") for count in (3, 2))
            found = warp.sampled(frame, places, "bicubic")
            assert (found.device.type, tuple(found.shape)) == ("mps", (3, 12, 17))
    finally:
        constant.cache_clear()


def test_a_job_records_the_libraries_of_its_gpu(monkeypatch):
    net = SimpleNamespace(device=torch.device("cuda", 0), dtype=torch.bfloat16)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "a card")
    found = this_machine(net)  # pyright: ignore
    assert found["device"] == "cuda a card"
    assert {"cuda", "cudnn"} <= found.keys()
    net.device = torch.device("cpu")
    assert not {"cuda", "cudnn"} & this_machine(net).keys()  # pyright: ignore


def test_steps_beside_a_processor_are_given_tensors_whether_they_are_recorded_or_not():
    image = torch.empty(1, 3, 8, 9, device="meta")
    given = numbers_of_steps(image, [(1, -2), (0, 3)], 1.5)
    assert [(each.device.type, tuple(each.shape)) for each in given] == [
        ("meta", (2, 2)),
        ("meta", ()),
        ("meta", (2,)),
    ]
    # A processor's own stay numbers, as films were made with.
    assert numbers_of_steps(torch.empty(1, 3, 8, 9), [(1, -2)], 1.5) == ([(1, -2)], 1.5, [1.0])


TREE = {"octaves": {"count": 2}, "ascent": {"iterations": 1}, "machine": {"precision": "fp32"}}
FRAME = noise(Size(48, 64), (0,))


def recording(tree=TREE, record=plain_calls, **options):
    made = dreamer_for(settled(tree))
    made._recordings = Recordings(record, **options)
    return made


def test_steps_are_recorded_from_the_first_frame_on():
    made = recording()
    made(FRAME, (0, 0))
    assert len(made._recordings) == 2


def test_what_cannot_be_recorded_is_launched_as_it_is_and_told(said):
    def refused(call):
        raise RuntimeError("operation not permitted when stream is capturing\nmore")

    made = recording(record=refused)
    plain = dreamer_for(settled(TREE))(FRAME, (0, 0))
    assert torch.equal(made(FRAME, (0, 0)), plain)
    assert torch.equal(made(FRAME, (0, 0)), plain)
    assert len(made._recordings) == 0
    assert [line.count("operation not permitted") for line in said.messages] == [1]


class Graphs:
    """Stands for `CudaGraphs`: every recording takes its bytes, and only so many fit."""

    def __init__(self, fit=10):
        self.fit, self.held, self.forgotten = fit, 0, 0

    def __call__(self, call):
        if self.held >= 100 * self.fit:
            raise torch.OutOfMemoryError("CUDA out of memory")
        self.held += 100
        call()
        return call

    def forget(self):
        self.held, self.forgotten = 0, self.forgotten + 1


def test_recordings_make_room_for_one_that_does_not_fit():
    graphs = Graphs(fit=1)
    made = recording(record=graphs)
    made(FRAME, (0, 0))
    assert (len(made._recordings), graphs.forgotten) == (1, 1)


def test_recordings_keep_to_their_bytes():
    graphs = Graphs()
    made = recording(record=graphs, most=50)
    made(FRAME, (0, 0))
    assert graphs.forgotten == 1
    own = sum(step.held for step in made._recordings._climbs.values())
    assert made._recordings.held == 100 + own > 100 + 4 * 3 * 48 * 64


def test_memory_that_runs_out_takes_recordings_before_it_takes_tiles():
    left = [True]
    made = dreamer_for(settled(TREE))
    tiler = Tiler(made.network, ["conv1"], make_room=lambda: bool(left and left.pop()))
    worked = []

    def gradient(x):
        worked.append(size_of(x))
        if len(worked) == 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return x.sum((1, 2, 3)), 2 * x

    tiler(torch.rand(1, 3, 48, 64), gradient)
    assert worked == [Size(48, 64)] * 2


def test_a_dream_that_recordings_leave_no_room_for_is_dreamed_without(monkeypatch, said):
    made, plain = recording(), dreamer_for(settled(TREE))
    first = made(FRAME, (0, 0))
    whole, asked = dreamer.climbed, []

    def climbed(*arguments):
        asked.append(1)
        if len(asked) == 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return whole(*arguments)

    monkeypatch.setattr(dreamer, "climbed", climbed)
    assert torch.equal(made(FRAME, (0, 0)), first)
    assert made._recordings is None
    assert ["too little memory to record" in line for line in said.messages] == [True]
    monkeypatch.setattr(dreamer, "climbed", lambda *_: climbed(asked.clear()))
    with pytest.raises(torch.OutOfMemoryError):
        plain(FRAME, (0, 0))


def test_tiles_do_not_depend_on_what_other_programs_hold(monkeypatch):
    about = SimpleNamespace(total_memory=8 * 2**30)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: about)
    assert devices.dream_memory(torch.device("cuda", 0)) == 8 * 2**30


@pytest.mark.parametrize(
    "words", ["FIND was unable to find an engine to execute", "CUBLAS_STATUS_ALLOC_FAILED when"]
)
def test_libraries_that_have_no_room_are_understood(words):
    assert devices.is_memory(RuntimeError(words))
    assert not devices.is_memory(RuntimeError("an illegal memory access was encountered"))


def test_graphs_are_captured_beside_other_threads_in_one_pool(monkeypatch):
    captured, streams = [], []

    class Stream:
        def wait_stream(self, other):
            pass

    @contextlib.contextmanager
    def graph(made, *, pool, stream, capture_error_mode):
        captured.append((pool, type(stream), capture_error_mode))
        streams[:] = ["left by a failed capture"]
        yield
        raise RuntimeError("invalidated")

    @contextlib.contextmanager
    def stream(chosen):
        before = list(streams)
        try:
            yield
        finally:
            streams[:] = before

    handles = iter("ab")
    for name, fake in {
        "device": lambda device: contextlib.nullcontext(),
        "current_stream": Stream,
        "Stream": Stream,
        "stream": stream,
        "graph": graph,
        "CUDAGraph": SimpleNamespace,
        "graph_pool_handle": lambda: next(handles),
        "empty_cache": lambda: None,
        "memory_reserved": lambda: 7,
    }.items():
        monkeypatch.setattr(torch.cuda, name, fake)
    graphs, calls = CudaGraphs(torch.device("cuda", 1)), []
    for _ in range(2):
        with pytest.raises(RuntimeError, match="invalidated"):
            graphs(lambda: calls.append(1))
    assert captured == [("a", Stream, "thread_local")] * 2
    assert streams == []
    assert len(calls) == 2 * (cuda_graphs.WARMING_CALLS + 1)


@pytest.mark.parametrize(
    ("tree", "remade"),
    [
        ({"motion": {"zoom": {"rate": "1.2 + 0.1*sin(t)"}}}, False),
        ({"ascent": {"step_size": "1 + t"}}, False),
        ({"ascent": {"smoothing": "0.5 + 0.1*t"}}, True),
        ({"network": {"layers": ["4a=1 + t"]}}, False),
    ],
)
def test_steps_are_recorded_unless_what_they_are_made_of_changes(tree, remade):
    film = {"film": {"frames": 4}}
    assert dreamer_for(settled({**tree, **film})).plan.remakes_steps == remade


def test_layers_in_turn_are_recorded_each_for_itself():
    tree = {**TREE, "network": {"walk": ["conv1", "conv2"]}, "film": {"frames": 4}}
    made, plain = recording(tree), dreamer_for(settled(tree))
    for index in range(3):
        assert torch.equal(made(FRAME, (0, 0), index=index), plain(FRAME, (0, 0), index=index))
    assert len(made._recordings) == 4


@pytest.mark.parametrize(
    "layers", [["conv2:walk(3,9,4, 0.1s)"], ["conv1=t - 0.1", "conv2=1 - t"]], ids=str
)
def test_layers_that_change_are_recorded_once_for_as_many_as_there_are(layers, monkeypatch):
    """They are in fact those of their frame: weights, channels, and which have none."""
    monkeypatch.setattr(pictures, "serves", lambda image: False)  # a processor's way of a step
    film = {"film": {"frames": 6, "fps": 20}, "network": {"layers": layers}}
    made, plain = recording({**TREE, **film}), dreamer_for(settled({**TREE, **film}))
    found = [made(FRAME, (0, 0), index=index) for index in range(6)]
    for index, each in enumerate(found):
        assert torch.equal(each, plain(FRAME, (0, 0), index=index))
    assert not torch.equal(found[0], found[1])
    assert len(made._recordings) <= 2 * 2


def test_what_has_to_catch_up_is_dreamed_with_the_whole_picture_and_recorded():
    """Parts come in many sizes, and on a GPU each would have to be launched step by step."""
    tree = {**TREE, "ascent": {"iterations": 3, "later": 1}}
    made = recording(tree)
    for number in range(3):
        fresh = torch.zeros(48, 64)
        fresh[:, : 20 + 8 * number] = 1
        dreamed = made(FRAME, (0, number), later=True, fresh=fresh)
        assert dreamed.isfinite().all()
    assert len(made._recordings) == 4


def test_what_half_precision_would_lose_on_its_way_back_is_kept():
    """A gain that is a mean over a large picture has gradients below what float16 can tell."""
    image = torch.rand(1, 3, 360, 640)

    def gain_of(x, _):
        return x.half().float().mean((1, 2, 3)) * 0.01

    exact = 0.01 / image.numel()
    lost = gain_and_gradients(image, gain_of)[1]
    assert (lost / exact - 1).abs().max() > 0.5
    kept = gain_and_gradients(image, gain_of, scale=gain_scale(torch.float16, size_of(image)))[1]
    assert (kept / exact - 1).abs().max() < 1e-3
    assert gain_scale(torch.bfloat16, Size(360, 640)) == gain_scale(torch.float32, Size(9, 9)) == 1


def test_a_dream_in_half_precision_is_near_to_the_exact_one():
    tree = {**TREE, "octaves": {"count": 1}}
    half, whole = (
        dreamer_for(settled({**tree, "machine": {"precision": each}})) for each in ("fp16", "fp32")
    )
    found = []
    for made in (half, whole):
        inputs = made.network.preprocessing.to_input(FRAME[None])
        scale = gain_scale(made.network.dtype, Size(48, 64))
        found.append(gain_and_gradients(inputs, made.gain, scale=scale)[1].flatten())
    assert torch.cosine_similarity(*found, 0) > 0.998
    assert half(FRAME, (0, 0)).isfinite().all()
    assert half.report.skipped == 0


@pytest.mark.parametrize(
    ("bfloat16", "capability", "precision"),
    [(True, (9, 0), "bf16"), (False, (7, 5), "fp16"), (False, (6, 1), "fp32")],
)
def test_auto_takes_what_a_gpu_has(monkeypatch, bfloat16, capability, precision):
    from dreamvid.networks import building

    monkeypatch.setattr(building, "has_bfloat16", lambda device: bfloat16)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert building.quick_precision(torch.device("cuda", 0)) == precision


def test_a_film_too_small_for_nvenc_is_refused_before_it_is_dreamed(monkeypatch):
    monkeypatch.setattr(codecs, "lacking", lambda codec: None)
    asked = encoders.encoding_for("film.mp4", {"codec": "nvenc"})
    encoders.check_fit("film.mp4", asked, Size(50, 146), FPS)
    with pytest.raises(MediaError, match="at least 145x49, got 96x64"):
        encoders.check_fit("film.mp4", asked, Size(64, 96), FPS)
    chosen = encoders.encoding_for("film.mp4", {"codec": "auto"})
    encoders.check_fit("film.mp4", chosen, Size(64, 96), FPS)
    assert "libx264" in chosen.arguments_for(Size(64, 96))
    assert "h264_nvenc" in chosen.arguments_for(Size(180, 320))


def test_raft_that_has_no_room_says_so(monkeypatch):
    def net(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(optical_flow, "_raft_network", lambda *_: net)
    with pytest.raises(NetworkError, match=r"out of memory at 180x130, .* GB .*flow.name=dis"):
        optical_flow.raft(torch.rand(3, 130, 180), torch.rand(3, 130, 180))


CARRIED = {"zoom": {"rate": 1.5}}


def start_of(motion, index=12):
    """Where a frame starts on a device that cannot be read."""
    previous = torch.empty(3, 48, 64, device="meta")
    carry = by_motion(composed(motion), FPS)
    return carry(Situation(index, Moment(previous, previous), previous))


def test_nothing_is_read_from_a_device_where_nothing_enters():
    start = start_of(CARRIED)
    assert start.frame.device.type == "meta"
    assert start.lift is None


def test_what_may_enter_is_looked_for_where_it_is():
    with pytest.raises(NotImplementedError, match="nonzero"):
        start_of({"zoom": {"rate": 0.6}})


def test_what_enters_is_known_without_a_look_at_every_pixel():
    """On both sides of the rule: what the processor says of the motion, and every pixel itself."""
    from dreamvid.film.carries import traced_back
    from dreamvid.film.entering import ROOM, Entering, beyond
    from dreamvid.motion.motions import motions
    from dreamvid.motion.warp import grid

    size, device = Size(48, 64), torch.device("meta")
    for name in motions.names():
        motion = composed({name: {}})

        def trace(points, index, count, size, motion=motion):
            return traced_back(motion, points, index, count, size, FPS)

        entering = Entering(None, trace, FPS, 1, 0)
        for index in (1, 7):
            came = trace(grid(size), index, 1, size)
            enters = bool((beyond(came, size).amax(0) > ROOM).any())
            assert entering._may_enter(index, size, device) or not enters, name


def test_a_place_that_needs_nothing_costs_no_search(monkeypatch):
    from dreamvid.dream import catching_up

    monkeypatch.setattr(catching_up.cv2, "GaussianBlur", None)
    assert boxes(torch.full((40, 60), 0.3), 32) == []


def test_a_network_is_asked_on_its_own_gpu(monkeypatch):
    from dreamvid.networks import building

    asked = []
    monkeypatch.setattr(
        torch.cuda, "device", lambda device: asked.append(device) or contextlib.nullcontext()
    )
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: True)
    assert building.has_bfloat16(torch.device("cuda", 1))
    assert asked == [torch.device("cuda", 1)]
    assert network("pocket", precision="fp16").dtype == torch.float16


def test_a_films_frames_are_followed_on_the_processor_several_at_once(monkeypatch):
    from dreamvid.film import sources

    monkeypatch.setattr(sources, "cores", lambda: 2)
    both = threading.Barrier(2, timeout=20)
    generator = torch.Generator().manual_seed(0)
    shots = [
        (torch.rand(24, 40, 3, generator=generator) * 255).to(torch.uint8).numpy() for _ in range(5)
    ]

    def method(now, then):
        # Both ways of two pairs at once: one thread alone would wait for ever.
        both.wait()
        assert (now.device.type, then.device.type) == ("cpu", "cpu")
        return torch.full((2, 24, 40), float(now[0, 0, 0] - then[0, 0, 0]))

    source = sources.FilmSource(
        lambda start: iter(shots[start:]), torch.device("meta"), method=method
    )
    moments = list(source.moments(0))
    assert [moment.frame.device.type for moment in moments] == ["meta"] * 5
    assert moments[0].correspondence is None
    for moment in moments[1:]:
        link = moment.correspondence
        assert (link.flow.device.type, link.trust.device.type) == ("meta", "meta")
        assert link.fresh.device.type == "cpu"
    there = sources.FilmSource(lambda start: iter(shots[start:]), torch.device("cpu"))
    for moment, shot in zip(there.moments(1), shots[1:], strict=True):
        assert torch.equal(moment.frame, from_pixels(shot))


def test_plain_torch_is_timed_as_it_is_by_itself(monkeypatch):
    from dreamvid.bench.timing import as_torch_is
    from dreamvid.networks import ways

    devices.made_ready(1, keep_memory=False)
    ways.fuse(FRAME)
    try:
        with as_torch_is():
            assert torch.backends.cudnn.allow_tf32
            assert not torch.backends.cudnn.deterministic
            assert ways.fused() is None
        assert not torch.backends.cudnn.allow_tf32
        assert torch.backends.cudnn.deterministic
        assert ways.fused() is FRAME
    finally:
        ways.fuse(None)


def test_a_gpus_own_clock_does_not_hold_it_up(monkeypatch):
    noted = []

    class Event:
        def __init__(self, enable_timing):
            assert enable_timing

        def record(self):
            noted.append("record")

        def synchronize(self):
            noted.append("wait")

        def elapsed_time(self, other):
            return 250.0

    monkeypatch.setattr(torch.cuda, "Event", Event)
    seconds = devices.stopwatch(torch.device("cuda", 0))()
    assert noted == ["record", "record"]
    assert seconds() == 0.25
    assert noted[-1] == "wait"
    assert devices.stopwatch(torch.device("cpu"))()() >= 0
