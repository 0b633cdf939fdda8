"""What a network sees in a picture before and after it was dreamed.

Classes come from the head's softmax over the picture's middle, at the size the heads of ImageNet
are trained with. A layer's excitation is the mean over its chosen channels, at each position.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dreamvid import media
from dreamvid.dream.dreamer import Dreamer, dreamer_for
from dreamvid.dream.fitting import with_fitting_octaves
from dreamvid.frames import Frame, Size, covered, photographic, size_of
from dreamvid.jobs.progress import Progress, Silence
from dreamvid.jobs.provenance import described
from dreamvid.media import encoders
from dreamvid.networks.base import Network
from dreamvid.networks.layers import Choice
from dreamvid.objectives.goal import picked
from dreamvid.settings import Settings
from dreamvid.sizes import parsed_size
from dreamvid.studies.contact import Cell, Row, contact_sheet

LARGEST = 640
"""The longer side of a picture for which no size is asked, unless it is smaller."""
HEAD_SIZE = Size(224, 224)
STRONGEST = 5
"""How many classes, layers and channels are listed."""
TINY = 1e-12


@dataclass(frozen=True)
class Pair:
    """Something the network sees, before and after the dream."""

    name: str
    before: float
    after: float

    @property
    def rise(self) -> float:
        """How many times as strong it is after as before."""
        return self.after / max(self.before, TINY)


@dataclass(frozen=True)
class Explanation:
    """What a network sees in a picture and in its dream."""

    classes: list[Pair]
    """Probabilities of the top classes of both, highest first; empty if there is no head."""
    chosen: list[Pair]
    """The mean activation of each chosen layer."""
    layers: list[Pair]
    """The root mean square activations of the layers that rose most."""
    channels: dict[str, list[Pair]]
    """The mean activations of each chosen layer's strongest channels in either picture."""

    def sections(self) -> list[tuple[str, str, list[Pair]]]:
        """Everything as tables: the title, the unit and the rows of each."""
        found = [("class", "probability", self.classes)] if self.classes else []
        found.append(("chosen layer", "mean activation", self.chosen))
        found.append(("layer that rose most", "rms activation", self.layers))
        for layer, pairs in self.channels.items():
            found.append((f"channel of {layer}", "mean activation", pairs))
        return found


@dataclass(frozen=True)
class _Seen:
    """What a network sees in one picture."""

    scores: Tensor | None
    """Probabilities of the classes."""
    strengths: dict[str, float]
    """The root mean square of each layer."""
    chosen: list[Tensor]
    """The activations (1, C, h, w) of the chosen layers' chosen channels."""


def explain(
    seed: Path,
    out: Path,
    settings: Settings,
    *,
    dream: Path | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Explanation:
    """Find what the network sees in a picture and in its dream, and draw where it sees it.

    Args:
        seed: the picture.
        out: the drawing: the picture and the dream, and for every chosen layer a map over each of
            them that shows where the layer is excited.
        settings: the network, its layers and how to dream.
        dream: an existing dream of the picture; otherwise it is dreamed here.
        overwrite: whether an older file of the name `out` may be replaced.
        progress: shows how it goes.
    """
    encoders.check_picture(out, overwrite)
    progress = progress or Silence()
    picture = media.read_picture(seed)
    known = None if dream is None else media.read_picture(dream)
    longer = settings.film.size or min(LARGEST, max(size_of(picture)))
    size = parsed_size(str(longer), size_of(picture))
    before = covered(picture, size)
    dreamer = with_fitting_octaves(dreamer_for(settings), size, size_of(picture), progress.say)
    if known is not None:
        after = covered(known, size)
    else:
        progress.begin(0, dreamer.total_steps)
        dreamer.watch = lambda steps, _: progress.frame(steps - 1, {})
        after = dreamer.still(before).cpu()
    # A network's own layers, where those of octaves or of a walk are others.
    choices = _distinct(dreamer)
    looks = [_look(dreamer.network, frame, choices) for frame in (before, after)]
    drawing = _drawn((before, after), choices, looks)
    media.write_picture(drawing, out, 8, {"comment": described("explain", settings)})
    return _explained(dreamer.network, choices, *looks)


def _distinct(dreamer: Dreamer) -> list[Choice]:
    """Every layer that is dreamed of at any octave, except the head, which has no positions."""
    found = [choice for octave in dreamer.plan.at().octaves for choice in octave.choices]
    found = [choice for choice in found if choice.layer != dreamer.network.head]
    return list(dict.fromkeys(found)) or list(dreamer.network.choices())


def _look(net: Network, frame: Frame, choices: Sequence[Choice]) -> _Seen:
    frame = frame.to(net.device)
    strengths: dict[str, float] = {}
    found: dict[str, Tensor] = {}
    scores = None
    with torch.inference_mode():
        inputs = net.preprocessing.to_input(frame[None]).to(net.input_dtype)
        for layer, activation in net.activations(inputs):
            if layer == net.head:
                break
            strengths[layer] = float(activation.float().square().mean().sqrt())
            if any(choice.layer == layer for choice in choices):
                found[layer] = activation.float().cpu()
        if net.head is not None:
            middle = net.preprocessing.to_input(covered(frame, HEAD_SIZE)[None])
            scores = net(middle, [net.head])[net.head][0].float().softmax(0).cpu()
    return _Seen(scores, strengths, [picked(found[choice.layer], choice) for choice in choices])


def _explained(net: Network, choices: Sequence[Choice], before: _Seen, after: _Seen) -> Explanation:
    classes: list[Pair] = []
    if before.scores is not None and after.scores is not None:
        for number in _top(before.scores, after.scores):
            name = net.classes[number] if number < len(net.classes) else f"class {number}"
            classes.append(Pair(name, float(before.scores[number]), float(after.scores[number])))
    layers = [Pair(name, was, after.strengths[name]) for name, was in before.strengths.items()]
    chosen, channels = [], {}
    for choice, was, now in zip(choices, before.chosen, after.chosen, strict=True):
        label = choice.place
        chosen.append(Pair(label, float(was.mean()), float(now.mean())))
        each_was, each_now = was.mean((0, 2, 3)), now.mean((0, 2, 3))
        numbers = choice.channels or range(len(each_was))
        channels[label] = [
            Pair(str(numbers[n]), float(each_was[n]), float(each_now[n]))
            for n in _top(each_was, each_now)
        ]
    layers.sort(key=lambda pair: -pair.rise)
    return Explanation(classes, chosen, layers[:STRONGEST], channels)


def _top(before: Tensor, after: Tensor) -> list[int]:
    """The numbers of the strongest of both, strongest first."""
    count = min(STRONGEST, len(before))
    numbers = {*before.topk(count).indices.tolist(), *after.topk(count).indices.tolist()}
    return sorted(numbers, key=lambda number: -max(float(before[number]), float(after[number])))


def _drawn(frames: Sequence[Frame], choices: Sequence[Choice], looks: Sequence[_Seen]) -> Frame:
    """The picture and its dream, and maps over both of where each chosen layer is excited."""
    rows = [Row([Cell(frame) for frame in frames])]
    size = size_of(frames[0])
    for number, choice in enumerate(choices):
        maps = [look.chosen[number].mean(1)[0] for look in looks]
        # One scale for both, so that one sees what the dream has raised.
        low, high = min(float(m.min()) for m in maps), max(float(m.max()) for m in maps)
        cells = []
        for frame, excitation in zip(frames, maps, strict=True):
            heat = (excitation - low) / max(high - low, TINY)
            smooth = photographic(heat[None], size)[0]
            mean = f"mean {float(excitation.mean()):.4g}, peak {float(excitation.max()):.4g}"
            cells.append(Cell(overlaid(frame, smooth), mean))
        rows.append(Row(cells, f"{choice.place}: dark is {low:.3g}, bright {high:.3g}"))
    return contact_sheet(rows, ["before", "after"])


def overlaid(frame: Frame, heat: Tensor) -> Frame:
    """A heat map (H, W) from 0 to 1 over a frame's grey, so that only heat has colours."""
    # matplotlib is slow to import.
    from matplotlib import colormaps

    luma = frame.mean(0, keepdim=True).expand(3, -1, -1)
    rgba: Any = colormaps["inferno"](heat.clamp(0, 1).numpy())
    colours = torch.from_numpy(rgba[..., :3]).permute(2, 0, 1).float()
    return luma.lerp(colours, 0.25 + 0.5 * heat.clamp(0, 1)).contiguous()
