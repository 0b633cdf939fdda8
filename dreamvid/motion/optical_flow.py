"""Optical flow between two frames of a film, and where it can be trusted.

A method takes the frame `now` and the frame `then` and returns the backward `Flow` of `now`: where
in `then` each of its pixels was, ``now[:, y, x] ≈ then[:, y + dy, x + dx]``. It is estimated in
that direction: a forward flow with its sign turned is another field.
"""

import math
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
from dreamvid.frames import Flow, Frame, Size, constant, size_of
from dreamvid.machine.devices import is_memory
from dreamvid.networks import weights as weights_files
from dreamvid.networks.torchvision.raft import NAMES, raft_sources
from dreamvid.registry import Registry, Within, checked_options

flows = Registry("flow method", positional=("now", "then"), reserved=("name",))
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
SMALLEST = 16
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
    known: Tensor | None = None
    """The trust on the processor, for what is decided there; None: only on the device."""

    @property
    def fresh(self) -> Tensor:
        """(H, W), how little was there before, from 0 to 1; on the processor where it is known."""
        return 1 - (self.trust if self.known is None else self.known)


@flows.register
def dis(now: Frame, then: Frame, *, preset: Literal["fast", "medium", "fine"] = "fine") -> Flow:
    """OpenCV's dense inverse search (Kroeger et al. 2016): quick and, when fine, exact."""
    known = {"fast": cv2.DISOPTICAL_FLOW_PRESET_FAST, "medium": cv2.DISOPTICAL_FLOW_PRESET_MEDIUM}
    search = cv2.DISOpticalFlow.create(known.get(preset, cv2.DISOPTICAL_FLOW_PRESET_MEDIUM))
    if preset == "fine":
        search.setFinestScale(0)
        # More iterations or refinements take half as long again and gain a twentieth.
        search.setGradientDescentIterations(16)
        search.setVariationalRefinementIterations(2)
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
    try:
        with torch.inference_mode():
            flow = net(pair[:1], pair[1:], num_flow_updates=updates)[-1][0]
    except (RuntimeError, MemoryError) as error:
        if not is_memory(error):
            raise
        flow = None
    if flow is None:
        # Every place of the one frame is compared with every place of the other, at an eighth.
        needed = 4 * 4 / 3 * math.prod(side / RAFT_BLOCK for side in pair.shape[-2:]) ** 2
        raise NetworkError(
            f"raft: out of memory at {size_of(now)}, which takes {needed / 1e9:.1f} GB and more; "
            "use a smaller size or flow.name=dis"
        )
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


def works_here(options: Mapping[str, Any]) -> bool:
    """Whether a method works on the processor, so that frames need not be on another device."""
    return flows[options.get("name", "dis")] is not raft


def check_for(options: Mapping[str, Any]) -> Method | None:
    """A quicker method for the way back, which only decides what to trust, if one is as good."""
    if options.get("name", "dis") == "dis" and options.get("preset", "fine") == "fine":
        return method_for({"name": "dis", "preset": "medium"})
    return None


def correspondence(
    now: Frame, then: Frame, method: Method, check: Method | None = None
) -> Correspondence:
    """How `now` follows from `then`, by `method`; the way back is found by `check`, if given."""
    backward, forward = method(now, then), (check or method)(then, now)
    trust = _array(trust_of(backward, forward)) * _array(likeness(now, _sampled(then, backward)))
    cut = float(trust.mean()) < CUT
    known = torch.from_numpy(trust)
    return Correspondence(backward, known.to(now.device), cut, known)


def shrunk(flow: Flow, size: Size) -> Flow:
    """A flow for the same frames at another, smaller size: its pixels are larger."""
    height, width = size_of(flow)
    if (height, width) == size:
        return flow
    scale = constant((size.width / width, size.height / height), flow.device)
    return F.interpolate(flow[None], tuple(size), mode="area")[0] * scale[:, None, None]


def trust_of(flow: Flow, back: Flow) -> Tensor:
    """Where `flow` can be trusted, (H, W) from 0 to 1, by the flow `back` of the other direction.

    A pixel is lost where it leaves the frame or where the way there and `back` again ends
    elsewhere, and in doubt at a motion boundary. Doubt is blurred, and a loss counts against its
    neighbours, so that trust fades out before the loss. Source: Ruder et al. 2016, whose
    consistency checker has these constants.
    """
    lost, doubted = disoccluded(flow, back).cpu().numpy(), boundary(flow).cpu().numpy()
    mask = np.where(lost, -1, np.where(doubted, DOUBT, 1)).astype(np.float32)
    blurred = cv2.GaussianBlur(mask, (0, 0), SOFTNESS, borderType=cv2.BORDER_REPLICATE)
    return torch.from_numpy(blurred.clip(0, 1)).to(flow.device)


def likeness(now: Frame, moved_then: Frame) -> Tensor:
    """How well a frame is explained by the one before it, moved: (H, W) from 0 to 1.

    It sees what the flow does not know of itself: where the search has settled on a wrong place.
    Source: the soft mask of Lai et al. 2018, on the mean of the channels' squares.
    """
    difference = _array(now) - _array(moved_then)
    alike = np.exp(-SENSITIVITY * (difference * difference).mean(0))
    return torch.from_numpy(alike).to(now.device)


def disoccluded(flow: Flow, back: Flow) -> Tensor:
    """Where the pixels that `flow` points to are not there or do not point back: bool (H, W)."""
    height, width = size_of(flow)
    there = _array(flow)
    x, y = _places(there)
    outside = (x < 0) | (x > width - 1) | (y < 0) | (y > height - 1)
    returned = _array(_sampled(back, flow))
    share, constant = DISAGREEMENT
    allowed = share * (_square(there) + _square(returned)) + constant
    return torch.from_numpy(outside | (_square(there + returned) >= allowed)).to(flow.device)


def boundary(flow: Flow) -> Tensor:
    """Where things of different motion meet: bool (H, W)."""
    field = _array(flow)
    right = np.diff(field, axis=2, append=field[:, :, -1:])
    down = np.diff(field, axis=1, append=field[:, -1:])
    share, constant = BOUNDARY
    edge = _square(right) + _square(down) > share * _square(field) + constant
    return torch.from_numpy(edge).to(flow.device)


# Flow is found in a thread beside the dream. Torch would put a second team of threads on the
# dream's cores there, which costs far more than the work; NumPy and OpenCV keep to the one.


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.cpu().numpy()


def _square(field: np.ndarray) -> np.ndarray:
    return (field * field).sum(0)


def _places(flow: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where a flow (2, H, W) points to: x and y, (H, W) each."""
    _, height, width = flow.shape
    columns, rows = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)
    return flow[0] + columns, flow[1] + rows[:, None]


def _sampled(image: Tensor, flow: Flow) -> Tensor:
    """`image` (C, H, W) where a flow points to, bilinear, with a reflected border."""
    pixels = np.ascontiguousarray(_array(image).transpose(1, 2, 0))
    x, y = _places(_array(flow))
    moved = cv2.remap(pixels, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    return torch.from_numpy(np.ascontiguousarray(moved.transpose(2, 0, 1))).to(image.device)


def _grey(frame: Frame) -> np.ndarray:
    pixels = (_array(frame).transpose(1, 2, 0) * 255 + 0.5).astype(np.uint8)
    return cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)


def _on_grey(
    now: Frame, then: Frame, calculated: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> Flow:
    """A flow by one of OpenCV's methods, which take 8-bit grey and no tiny pictures."""
    # OpenCV shares work out by the number of threads, and the result depends on it.
    cv2.setNumThreads(1)
    size = size_of(now)
    scale = max(1.0, SMALLEST / min(size))
    greys = [_grey(frame) for frame in (now, then)]
    if scale > 1:
        larger = (round(size.width * scale), round(size.height * scale))
        greys = [cv2.resize(grey, larger, interpolation=cv2.INTER_LINEAR) for grey in greys]
    flow = calculated(greys[0], greys[1])
    if scale > 1:
        flow = cv2.resize(flow, (size.width, size.height), interpolation=cv2.INTER_AREA) / scale
    return torch.from_numpy(np.ascontiguousarray(flow.transpose(2, 0, 1))).to(now.device)


_rafts: dict[tuple[str, Path | None], Any] = {}


def _raft_network(size: str, weights: Path | None, device: torch.device) -> Any:
    """RAFT with its published weights from torch's cache, or those of a file; read once."""
    key = (size, weights)
    if key not in _rafts:
        from torchvision.models import optical_flow

        build = getattr(optical_flow, f"raft_{size}")
        if weights is None:
            (source,) = raft_sources(size)
            weights = weights_files.hub_folder() / source.file
            if not weights.is_file():
                name = next(name for name, each in NAMES.items() if each == size)
                raise NetworkError(
                    f"raft: its weights are not here; `dreamvid weights fetch {name}`, or save "
                    f"{source.url} in {weights.parent}, give flow.weights, or use flow.name=dis"
                )
            weights_files.check(weights, source, "raft")
        with torch.device("meta"):
            net: Any = build(weights=None, progress=False)
        net.name = "raft"
        weights_files.install(net, weights_files.read(weights, "raft"))
        _rafts.clear()
        _rafts[key] = net.eval().requires_grad_(False)
    return _rafts[key].to(device)
