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
from dreamvid.motion.trust import array, trusted
from dreamvid.networks import weights as weights_files
from dreamvid.networks.torchvision.raft import NAMES, raft_sources
from dreamvid.registry import Registry, Within, checked_options

flows = Registry("flow method", positional=("now", "then"), reserved=("name",))
Method = Callable[[Frame, Frame], Flow]
Search = Callable[[Frame, Frame, Flow, Flow, Tensor], tuple[Flow, Tensor]]
"""From two frames, the flow between them, that of the way back, and trust to better flow and
trust."""

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
    return guided(now, then, preset)


def guided(now: Frame, then: Frame, preset: str, guess: Flow | None = None) -> Flow:
    """The flow by `dis`, whose search begins at a first guess too, where there is one."""
    known = {"fast": cv2.DISOPTICAL_FLOW_PRESET_FAST, "medium": cv2.DISOPTICAL_FLOW_PRESET_MEDIUM}
    search = cv2.DISOpticalFlow.create(known.get(preset, cv2.DISOPTICAL_FLOW_PRESET_MEDIUM))
    if preset == "fine":
        search.setFinestScale(0)
        # More iterations or refinements take half as long again and gain a twentieth.
        search.setGradientDescentIterations(16)
        search.setVariationalRefinementIterations(2)
        search.setPatchSize(8)
        search.setPatchStride(4)

    def calculated(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        first = np.zeros((*a.shape, 2), np.float32)
        if guess is not None:
            scale = a.shape[0] / guess.shape[1]
            first = cv2.resize(array(guess).transpose(1, 2, 0), a.shape[::-1]) * scale
        return search.calc(a, b, first)

    return _on_grey(now, then, calculated)


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
    now: Frame,
    then: Frame,
    method: Method,
    check: Method | None = None,
    search: Search | None = None,
) -> Correspondence:
    """How `now` follows from `then`, by `method`; the way back is found by `check`, if given.

    What that loses is looked for by `search`, if given, within a shot.
    """
    backward, forward = method(now, then), (check or method)(then, now)
    known = trusted(now, then, backward, forward)
    cut = float(known.mean()) < CUT
    if search and not cut:
        backward, known = search(now, then, backward, forward, known)
    return Correspondence(backward, known.to(now.device), cut, known)


def shrunk(flow: Flow, size: Size) -> Flow:
    """A flow for the same frames at another, smaller size: its pixels are larger."""
    height, width = size_of(flow)
    if (height, width) == size:
        return flow
    scale = constant((size.width / width, size.height / height), flow.device)
    return F.interpolate(flow[None], tuple(size), mode="area")[0] * scale[:, None, None]


def _grey(frame: Frame) -> np.ndarray:
    pixels = (array(frame).transpose(1, 2, 0) * 255 + 0.5).astype(np.uint8)
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
