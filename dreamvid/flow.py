"""Optical flow between two frames of a film, and where it can be trusted.

A method takes the frame `now` and the frame `then` and returns the backward `Flow` of `now`: where
in `then` each of its pixels was, ``now[:, y, x] ≈ then[:, y + dy, x + dx]``. It is estimated in
that direction: a forward flow with its sign turned is another field.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from dreamvid.errors import NetworkError
from dreamvid.frames import Flow, Frame, Size, resized, size_of, to_pixels
from dreamvid.networks import weights as weights_files
from dreamvid.registry import Registry, Within, checked_options
from dreamvid.warp import grid, moved, sampled

flows = Registry("flow method")
Method = Callable[[Frame, Frame], Flow]

DISAGREEMENT = (0.01, 0.5)
"""There and back may miss the start by this share of both flows' squares, plus square pixels."""
BOUNDARY = (0.01, 0.002)
"""A motion boundary's squared gradient: a share of the flow's square, plus a constant."""
DOUBT = 0.5
"""What a motion boundary is trusted: half, since most of what is there moves on all the same."""
SENSITIVITY = 50.0
"""Of trust to how much a pixel differs from where it is said to come from."""
SOFTNESS = 0.8
"""Standard deviation in pixels of the edge of trust."""
DIS_SMALLEST = 16
RAFT_SMALLEST = 128
RAFT_BLOCK = 8
CUT = 0.03
"""Mean trust below which two frames belong to different shots: real cuts leave 0.01 at most, the
fastest motion and the hardest flash measured 0.05 at least."""


@dataclass(frozen=True)
class Correspondence:
    """How a frame of a film follows from the one before it."""

    flow: Flow
    """Backward: where each pixel was."""
    trust: Tensor
    """(H, W), from 0, where nothing is known of the pixel's past, to 1."""
    cut: bool
    """Whether a new shot begins with the frame."""


@flows.register
def dis(now: Frame, then: Frame, *, preset: Literal["fast", "medium", "fine"] = "fine") -> Flow:
    """OpenCV's dense inverse search (Kroeger et al. 2016): quick and, when fine, exact."""
    known = {"fast": cv2.DISOPTICAL_FLOW_PRESET_FAST, "medium": cv2.DISOPTICAL_FLOW_PRESET_MEDIUM}
    search = cv2.DISOpticalFlow.create(known.get(preset, cv2.DISOPTICAL_FLOW_PRESET_MEDIUM))
    if preset == "fine":
        search.setFinestScale(0)
        search.setGradientDescentIterations(192)
        search.setPatchSize(8)
        search.setPatchStride(4)
    # The flow given is the search's first guess.
    return _on_grey(now, then, lambda a, b: search.calc(a, b, np.zeros((*a.shape, 2), np.float32)))


@flows.register
def farneback(
    now: Frame,
    then: Frame,
    *,
    levels: Annotated[int, Within(1, 10)] = 3,
    window: Annotated[int, Within(3, 101)] = 15,
) -> Flow:
    """OpenCV's polynomial expansion (Farneback 2003): smooth, as DeepDreamAnim used it."""
    return _on_grey(
        now,
        then,
        lambda a, b: cv2.calcOpticalFlowFarneback(
            a, b, np.zeros((*a.shape, 2), np.float32), 0.5, levels, window, 3, 5, 1.2, 0
        ),
    )


@flows.register
def raft(
    now: Frame,
    then: Frame,
    *,
    size: Literal["large", "small"] = "large",
    weights: Path | None = None,
    updates: Annotated[int, Within(1, 100)] = 12,
) -> Flow:
    """RAFT (Teed and Deng 2020), a network: the most exact; for a GPU."""
    net = _raft_network(size, weights, now.device)
    height, width = size_of(now)
    # Sides are padded to what the network takes, its own way: by their edge.
    missing = [
        max(RAFT_SMALLEST, -(-side // RAFT_BLOCK) * RAFT_BLOCK) - side for side in (height, width)
    ]
    pair = F.pad(torch.stack([now, then]), (0, missing[1], 0, missing[0]), mode="replicate")
    pair = pair * 2 - 1
    with torch.inference_mode():
        flow = net(pair[:1], pair[1:], num_flow_updates=updates)[-1][0]
    return flow[:, :height, :width].float().clone()


def method_for(options: Mapping[str, Any]) -> Method:
    """The flow method that ``flow`` settings describe, its options checked.

    Raises:
        SettingsError: there is no such method or option.
        NetworkError: its weights are not there, or do not fit.
    """
    options = dict(options)
    method = flows[options.pop("name", "dis")]
    checked = checked_options(method, options, "flow")
    if method is raft:
        _raft_network(checked.get("size", "large"), checked.get("weights"), torch.device("cpu"))
    return lambda now, then: method(now, then, **checked)


def correspondence(now: Frame, then: Frame, method: Method) -> Correspondence:
    """How `now` follows from `then`."""
    backward, forward = method(now, then), method(then, now)
    trust = trust_of(backward, forward) * likeness(now, moved(then, backward))
    return Correspondence(backward, trust, cut=float(trust.mean()) < CUT)


def shrunk(flow: Flow, size: Size) -> Flow:
    """A flow for the same frames at another, smaller size: its pixels are larger."""
    height, width = size_of(flow)
    if (height, width) == size:
        return flow
    scale = torch.tensor([size.width / width, size.height / height], device=flow.device)
    return F.interpolate(flow[None], tuple(size), mode="area")[0] * scale[:, None, None]


def trust_of(flow: Flow, back: Flow) -> Tensor:
    """Where `flow` can be trusted, (H, W) from 0 to 1, by the flow `back` of the other direction.

    A pixel is lost where it leaves the frame or where the way there and `back` again ends
    elsewhere, and in doubt at a motion boundary. Doubt is blurred, and a loss counts against its
    neighbours, so that trust fades out before the loss. Source: Ruder et al. 2016, whose
    consistency checker has these constants.
    """
    lost, doubted = disoccluded(flow, back), boundary(flow)
    mask = torch.where(lost, -1.0, torch.where(doubted, DOUBT, 1.0))
    blurred = cv2.GaussianBlur(
        mask.cpu().numpy(), (0, 0), SOFTNESS, borderType=cv2.BORDER_REPLICATE
    )
    return torch.from_numpy(blurred).clamp(0, 1).to(flow.device)


def likeness(now: Frame, moved_then: Frame) -> Tensor:
    """How well a frame is explained by the one before it, moved: (H, W) from 0 to 1.

    It sees what the flow does not know of itself: where the search has settled on a wrong place.
    Source: the soft mask of Lai et al. 2018, on the mean of the channels' squares.
    """
    return torch.exp(-SENSITIVITY * (now - moved_then).pow(2).mean(0))


def disoccluded(flow: Flow, back: Flow) -> Tensor:
    """Where the pixels that `flow` points to are not there or do not point back: bool (H, W)."""
    height, width = size_of(flow)
    x, y = grid(Size(height, width), flow.device) + flow
    outside = (x < 0) | (x > width - 1) | (y < 0) | (y > height - 1)
    returned = sampled(back, torch.stack([x, y]), "bilinear")
    share, constant = DISAGREEMENT
    allowed = share * (_square(flow) + _square(returned)) + constant
    return outside | (_square(flow + returned) >= allowed)


def boundary(flow: Flow) -> Tensor:
    """Where things of different motion meet: bool (H, W)."""
    right = F.pad(flow[:, :, 1:] - flow[:, :, :-1], (0, 1))
    down = F.pad(flow[:, 1:] - flow[:, :-1], (0, 0, 0, 1))
    share, constant = BOUNDARY
    return _square(right) + _square(down) > share * _square(flow) + constant


def _square(field: Tensor) -> Tensor:
    return field.pow(2).sum(0)


def _on_grey(
    now: Frame, then: Frame, calculated: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> Flow:
    """A flow by one of OpenCV's methods, which take 8-bit grey and no tiny pictures."""
    # OpenCV shares work out by the number of threads and the result depends on it; flow runs
    # beside the dream, which needs the cores.
    cv2.setNumThreads(1)
    size = size_of(now)
    scale = max(1.0, DIS_SMALLEST / min(size))
    larger = Size(*(round(side * scale) for side in size))
    greys = [
        cv2.cvtColor(to_pixels(resized(frame, larger)), cv2.COLOR_RGB2GRAY) for frame in (now, then)
    ]
    flow = torch.from_numpy(calculated(greys[0], greys[1])).permute(2, 0, 1) / scale
    return resized(flow, size).contiguous().to(now.device)


_rafts: dict[tuple[str, Path | None, torch.device], Any] = {}


def _raft_network(size: str, weights: Path | None, device: torch.device) -> Any:
    """RAFT with its published weights from torch's cache, or those of a file."""
    key = (size, weights, device)
    if key not in _rafts:
        from torchvision.models import optical_flow

        build = getattr(optical_flow, f"raft_{size}")
        if weights is None:
            url = getattr(optical_flow, f"Raft_{size.capitalize()}_Weights").DEFAULT.url
            source = weights_files.Source(url, "BSD-3-Clause", sha256=url[-12:-4])
            weights = weights_files.hub_folder() / source.file
            if not weights.is_file():
                raise NetworkError(
                    f"raft: its weights are not here; fetch {url} into {weights.parent}, "
                    "give flow.weights, or use flow.name=dis"
                )
            weights_files.check(weights, source, "raft")
        with torch.device("meta"):
            net: Any = build(weights=None, progress=False)
        net.name = "raft"
        weights_files.install(net, weights_files.read(weights, "raft"))
        _rafts.clear()
        _rafts[key] = net.eval().requires_grad_(False).to(device)
    return _rafts[key]
