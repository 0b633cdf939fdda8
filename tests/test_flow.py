import math

import pytest
import torch
from conftest import shared
from safetensors.torch import save_file
from torch import Tensor

from dreamvid import media
from dreamvid.errors import NetworkError, SettingsError
from dreamvid.frames import Size, from_pixels, noise, resized
from dreamvid.motion.optical_flow import correspondence, flows, method_for, shrunk
from dreamvid.motion.searching import search_for
from dreamvid.motion.trust import boundary, disoccluded, likeness, trust_of
from dreamvid.motion.warp import warp

METHODS = [
    {"name": "dis"},
    {"name": "dis", "preset": "medium"},
    {"name": "dis", "preset": "fast"},
    {"name": "farneback"},
]


def texture(x: float, y: float, seed: int = 1) -> Tensor:
    """A cloud-like texture without end, moved x pixels to the right and y pixels down."""
    size = Size(96, 136)
    generator = torch.Generator().manual_seed(seed)
    rows = torch.arange(size.height)[:, None] - y
    columns = torch.arange(size.width)[None, :] - x
    picture = torch.zeros(3, *size)
    for _ in range(60):
        length, angle, phase = torch.rand(3, generator=generator).tolist()
        frequency = 2 * math.pi / (5 + 40 * length)
        direction = frequency * math.cos(6.3 * angle), frequency * math.sin(6.3 * angle)
        wave = torch.sin(direction[0] * columns + direction[1] * rows + 6.3 * phase)
        picture += wave * torch.rand(3, 1, 1, generator=generator)
    return (0.5 + 0.4 * picture / picture.abs().max()).float()


def end_point_error(flow: Tensor, true: tuple[float, float], margin: int = 8) -> float:
    error = flow - torch.tensor(true)[:, None, None]
    return float(error[:, margin:-margin, margin:-margin].pow(2).sum(0).sqrt().mean())


@pytest.mark.parametrize("options", METHODS, ids=lambda options: "-".join(options.values()))
@pytest.mark.parametrize("shift", [(3.0, 0.0), (0.0, 2.0), (-1.5, 0.75)])
def test_a_known_motion_is_found(options, shift):
    # What moved to the right was to the left of where it is: backward flow has the other sign.
    now, then = texture(*shift), texture(0, 0)
    flow = method_for(options)(now, then)
    allowed = 0.35 if options.get("preset") == "fast" else 0.15
    assert end_point_error(flow, (-shift[0], -shift[1])) < allowed
    assert (warp(then, flow) - now)[:, 8:-8, 8:-8].abs().mean() < 0.01


def test_finer_search_is_more_exact():
    now, then = texture(-1.5, 0.75), texture(0, 0)
    errors = [
        end_point_error(method_for(options)(now, then), (1.5, -0.75)) for options in METHODS[:3]
    ]
    assert errors[0] < errors[2]


def test_backward_flow_is_not_the_forward_flow_negated():
    # A disc moves to the right over a still ground.
    def scene(x):
        rows = torch.arange(96)[:, None]
        columns = torch.arange(136)[None, :]
        disc = ((rows - 48) ** 2 + (columns - 50 - x) ** 2 < 24**2).float()
        return torch.lerp(texture(0, 0, seed=2), texture(x, 0, seed=3), disc)

    then, now = scene(0), scene(6)
    method = method_for({"name": "dis"})
    backward, forward = method(now, then), method(then, now)
    on_disc = backward[:, 40:56, 50:62]
    assert on_disc[0].median() == pytest.approx(-6, abs=0.2)
    assert on_disc[1].abs().median() < 0.2
    # The ground that the disc uncovers, at its left rim, was not seen before, in the new frame…
    lost, lost_before = disoccluded(backward, forward), disoccluded(forward, backward)
    left, right = (slice(36, 60), slice(26, 32)), (slice(36, 60), slice(74, 80))
    assert lost[left].float().mean() > 3 * lost[right].float().mean()
    # …and what it covers, at its right rim, is not seen again, in the old one.
    assert lost_before[right].float().mean() > 3 * lost_before[left].float().mean()
    link = correspondence(now, then, method)
    assert link.trust[left].mean() < 0.6
    assert link.trust[5:20, 100:125].mean() > 0.95
    assert link.trust[40:56, 50:62].mean() > 0.9
    assert float(link.trust.min()) >= 0
    assert float(link.trust.max()) <= 1


def test_what_leaves_the_frame_is_not_trusted():
    flow = torch.zeros(2, 40, 60)
    flow[0] = 5
    back = -flow
    lost = disoccluded(flow, back)
    assert lost[:, 55:].all()
    assert not lost[:, :55].any()
    trust = trust_of(flow, back)
    assert (trust[:, 55:] == 0).all()
    assert (trust[:, :50] == 1).all()
    assert 0 < trust[20, 53] < 1, "trust fades out towards a loss"


def test_the_allowed_disagreement():
    flow, back = torch.zeros(2, 20, 30), torch.zeros(2, 20, 30)
    back[0] = 0.71  # 0.5041 square pixels, 0.505041 allowed
    assert not disoccluded(flow, back).any()
    back[0] = 0.72  # 0.5184, 0.505184 allowed
    assert disoccluded(flow, back).all()


def test_a_wrong_place_is_not_trusted_whatever_the_flow_says():
    now = texture(0, 0)
    assert (likeness(now, now) == 1).all()
    alike = likeness(now, now + torch.tensor([0.2, 0.0, 0.0])[:, None, None])
    assert alike.mean() == pytest.approx(math.exp(-50 * 0.04 / 3), rel=1e-3)
    assert correspondence(now, texture(0, 0, seed=4), method_for({})).trust.mean() < 0.2


def test_motion_boundaries():
    flow = torch.zeros(2, 20, 30)
    flow[0, :, 15:] = 2
    edge = boundary(flow)
    assert edge[:, 14].all()
    assert edge.sum() == 20
    assert trust_of(flow, -flow)[10, 14] < 0.9


def test_a_cut_is_seen_and_motion_is_none():
    method = method_for({"name": "dis"})
    first = texture(0, 0)
    shots = [noise(Size(96, 136), (seed,), contrast=0.3) for seed in (1, 2)]
    assert correspondence(*shots, method).cut
    assert not correspondence(texture(4, 2), first, method).cut
    assert not correspondence(first, first, method).cut
    # Brightening all over, as a lamp or a fade does, is no cut.
    assert not correspondence((first * 1.15).clamp(0, 1), first, method).cut


def test_a_still_film_does_not_flow():
    picture = noise(Size(64, 96), (1,))
    link = correspondence(picture, picture, method_for({}))
    assert link.flow.abs().max() < 1e-3
    assert link.trust.min() > 0.99


@pytest.mark.parametrize("options", METHODS[:1] + METHODS[3:], ids=["dis", "farneback"])
def test_small_frames(options):
    flow = method_for(options)(noise(Size(9, 24), (1,)), noise(Size(9, 24), (2,)))
    assert flow.shape == (2, 9, 24)
    assert flow.isfinite().all()


def test_raft_with_given_weights(tmp_path):
    from torchvision.models.optical_flow import raft_small

    torch.manual_seed(0)
    path = tmp_path / "raft.safetensors"
    save_file(raft_small().state_dict(), path)
    method = method_for({"name": "raft", "size": "small", "weights": str(path), "updates": 2})
    now, then = (resized(texture(x, 0), Size(60, 150)) for x in (2, 0))
    flow = method(now, then)
    assert flow.shape == (2, 60, 150)
    assert flow.isfinite().all()
    with pytest.raises(NetworkError, match="raft: weights"):
        method_for({"name": "raft", "size": "large", "weights": str(path)})


def test_raft_without_weights_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(NetworkError, match=r"raft_large.*flow\.name=dis"):
        method_for({"name": "raft"})


@pytest.mark.parametrize(
    ("options", "words"),
    [({"name": "sid"}, "no flow method 'sid'"), ({"name": "dis", "preset": "x"}, "flow.preset")],
)
def test_unknown_methods(options, words):
    with pytest.raises(SettingsError, match=words):
        method_for(options)


def test_every_method_is_described():
    assert all(flows.summary(name) for name in flows.names())


def test_real_motion_is_followed():
    path = shared("media/chaplin.mp4")
    film = media.probe(path)
    pixels = media.decoded(path, film, size=Size(180, 320), start=6, count=2)
    then, now = (from_pixels(each) for each in pixels)
    link = correspondence(now, then, method_for({}))
    still, moved = (now - then).pow(2).mean(), (now - warp(then, link.flow)).pow(2).mean()
    assert not link.cut
    assert moved < 0.5 * still
    assert 0.6 < link.trust.mean() < 1


def test_a_flow_for_smaller_frames():
    flow = torch.zeros(2, 40, 60)
    flow[0], flow[1, :, :30] = 4, -2
    small = shrunk(flow, Size(20, 15))
    assert small.shape == (2, 20, 15)
    assert torch.allclose(small[0], torch.tensor(1.0))
    assert small[1, 0, 0] == -1
    assert small[1, 0, 14] == 0
    assert shrunk(flow, Size(40, 60)) is flow


def disc_moved(x: float, y: float, reach: float) -> tuple[Tensor, Tensor]:
    """A frame and the frame before it: a textured disc has moved over a still ground."""
    ground = texture(0, 0, seed=2)
    rows, columns = torch.arange(96)[:, None], torch.arange(136)[None, :]

    def scene(right: float, down: float) -> Tensor:
        disc = ((rows - 50 - down) ** 2 + (columns - 50 - right) ** 2 < reach**2).float()
        return torch.lerp(ground, texture(right, down, seed=3), disc)

    return scene(x, y), scene(0, 0)


def test_a_small_thing_that_moves_by_more_than_its_size_is_found():
    now, then = disc_moved(14, -9, 8)
    method, search = method_for({}), search_for({})
    on_disc = slice(38, 45), slice(61, 68)
    lost = correspondence(now, then, method)
    found = correspondence(now, then, method, search=search)
    assert lost.trust[on_disc].mean() < 0.2
    assert found.trust[on_disc].mean() > 0.8
    flow = found.flow[:, *on_disc].flatten(1).median(1).values.tolist()
    assert flow == pytest.approx([-14, 9], abs=0.3)
    # Nothing that was trusted has another flow.
    sure = lost.trust > 0.75
    assert torch.equal(found.flow[:, sure], lost.flow[:, sure])
    assert (found.trust >= lost.trust).all()
    assert found.known is not None
    assert torch.equal(found.known, found.trust)


def test_what_the_flow_finds_alone_is_not_looked_for():
    method, search = method_for({}), search_for({})
    pairs = [disc_moved(3, 1, 24), (texture(2, 1), texture(0, 0)), [noise(Size(20, 30), (1,))] * 2]
    # Another shot is not looked for in the one before.
    pairs.append((texture(0, 0, seed=5), noise(Size(96, 136), (1,))))
    for now, then in pairs:
        alone, link = (correspondence(now, then, method, search=each) for each in (None, search))
        assert torch.equal(alone.flow, link.flow)
        assert torch.equal(alone.trust, link.trust)
        assert alone.cut == link.cut
    assert search_for({"name": "farneback"}) is None
