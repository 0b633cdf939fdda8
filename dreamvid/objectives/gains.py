"""Objectives: each from what it looks at to one gain for each picture (N,), made larger.

What an objective looks at is told by the names of its positional parameters, see `registered`;
its keyword-only parameters are its options. Means over the layer, so that layers of different
sizes can be mixed, except where a sum is the method; with normalised steps they are the same.
"""

from typing import Annotated, Literal, cast

import torch
from torch import Tensor

from dreamvid.errors import SettingsError
from dreamvid.frames import constant
from dreamvid.objectives.registered import (
    ClassLabel,
    Picture,
    PictureSide,
    PictureStay,
    Words,
    objectives,
)
from dreamvid.objectives.seeing import as_it_lies
from dreamvid.objectives.worded import Meant
from dreamvid.registry import Within

Place = Annotated[float, Within(0, 1, scheduled=True)]
PAIRS_AT_ONCE = 1 << 24
"""How many pairs of positions `guide` compares in one go, which bounds its memory."""
LEAST_COSINE = 0.1
TINY = 1e-4


@objectives.register
def energy(activation: Tensor) -> Tensor:
    """Half the mean square: whatever the layer sees, more of it (Mordvintsev et al. 2015)."""
    return as_it_lies(activation).pow(2).mean((1, 2, 3)) / 2


@objectives.register
def norm(whole: Tensor) -> Tensor:
    """The root of the sum of squares (neural-dream); as `energy` where steps are normalised."""
    return as_it_lies(whole).pow(2).sum((1, 2, 3)).clamp_min(TINY**4).sqrt()


@objectives.register
def mean(activation: Tensor) -> Tensor:
    """The mean activation, which raises weak responses as readily as strong ones."""
    return as_it_lies(activation).mean((1, 2, 3))


@objectives.register
def neuron(placed: Tensor, *, x: Place = 0.5, y: Place = 0.5) -> Tensor:
    """The mean activation at one place: x to the right and y down, 0 to 1."""
    height, width = placed.shape[-2:]
    row, column = (min(int(part * side), side - 1) for part, side in ((y, height), (x, width)))
    return placed[:, :, row, column].mean(1)


@objectives.register
def direction(
    activation: Tensor,
    *,
    vector: tuple[float, ...],
    cosine_power: Annotated[float, Within(0, 16)] = 0.0,
) -> Tensor:
    """Along a vector over the channels; a cosine power keeps to its very angle (lucid)."""
    if len(vector) != activation.shape[1]:
        raise SettingsError(
            f"objective.vector: {len(vector)} numbers for {activation.shape[1]} channels; "
            "expected one for each"
        )
    along = constant(tuple(vector), activation.device, activation.dtype)
    return _likeness(activation, along.view(1, -1, 1, 1), cosine_power).mean((1, 2))


@objectives.register
def class_score(scores: Tensor, *, label: ClassLabel) -> Tensor:
    """The score of one class of the network's head, by its number or name, before any softmax."""
    return scores[:, int(label)]


@objectives.register
def words(
    scores: Tensor,
    *,
    of: Words,
    against: Annotated[float, Within(0, 0.99)] = 0.7,
    evenly: Annotated[float, Within(0, 1)] = 0.5,
) -> Tensor:
    """What words mean, more than all else: ``"volcano, castle"``, ``"0s: forest, 4s: city"``.

    What a word's classes score, less `against` times the soft maximum of all classes. A score alone
    rises most readily together with those of its neighbours. For a word of several classes, their
    soft maximum would follow the easiest one; `evenly` is how much their mean counts instead.
    """
    meant = cast(tuple[Meant, ...], of)
    everything = against * scores.logsumexp(1)
    gains = []
    for word in meant:
        places = constant(word.classes, scores.device, torch.int64)
        weights = constant(word.logarithms, scores.device)
        most = (scores[:, places] + weights).logsumexp(1)
        mean = (scores[:, places] * weights.softmax(0)).sum(1)
        gains.append(word.share * (torch.lerp(most, mean, evenly) - everything))
    return torch.stack(gains).sum(0)


@objectives.register
def guide(
    activation: Tensor,
    reference: Tensor,
    *,
    picture: Picture,
    side: PictureSide = 224,
    stay: PictureStay = 2.0,
    match: Literal["best", "mean"] = "best",
) -> Tensor:
    """What the layer sees in another picture, whose longer side is brought to `side` (0: as is).

    The picture may be a film, or a folder whose pictures stay for `stay` seconds each, in turn.
    ``best`` raises each position along the guide's vector that is nearest to it already
    (Mordvintsev et al. 2015), ``mean`` all of them along the guide's mean vector.
    """
    if match == "mean":
        along = reference.mean((2, 3), keepdim=True)
        return (activation * along).sum(1).mean((1, 2))
    vectors = reference[0].flatten(1)
    mine = activation.flatten(2).transpose(1, 2)
    rows = max(1, PAIRS_AT_ONCE // (vectors.shape[1] * len(mine)))
    best = [
        vectors[:, (part.detach() @ vectors).argmax(2)].movedim(0, 2).mul(part).sum((1, 2))
        for part in mine.split(rows, 1)
    ]
    return torch.stack(best).sum(0) / mine.shape[1]


@objectives.register
def caricature(
    placed: Tensor,
    aligned: Tensor,
    *,
    picture: Picture,
    stay: PictureStay = 2.0,
    cosine_power: Annotated[float, Within(0, 16)] = 1.0,
) -> Tensor:
    """More of what the layer sees at the same place of another picture (lucid's caricatures).

    The picture may be a film, or a folder whose pictures stay for `stay` seconds each, in turn.
    """
    return _likeness(placed, aligned, cosine_power).mean((1, 2))


@objectives.register
def style(
    whole: Tensor,
    reference: Tensor,
    *,
    picture: Picture,
    side: PictureSide = 384,
    stay: PictureStay = 2.0,
) -> Tensor:
    """The strokes and colours of another picture: which channels go together (Gatys et al. 2016).

    Its longer side is brought to `side` (0: as is). The gain is as large as that of `energy`, so
    that both can stand beside each other: by how much the Gram matrix differs, made smaller.
    """
    wanted = _gram(reference)
    size = wanted.square().sum((1, 2)).sqrt()
    miss = (_gram(whole) - wanted).square().sum((1, 2))
    return -miss / (size + TINY) / (2 * whole.shape[1])


def _gram(activation: Tensor) -> Tensor:
    """How strongly channels go together, the mean over all positions: (N, C, C)."""
    flat = activation.flatten(2)
    return flat @ flat.transpose(1, 2) / flat.shape[2]


@objectives.register
def nearness(whole: Tensor, begun: Tensor) -> Tensor:
    """Half the mean square of what the dream changed, made smaller: it stays near its beginning.

    Beside another objective, it brings out what is there rather than put something in its place
    (Hamblin et al. 2024). Where both look at one layer, its weight w is the measure: `energy` and
    `nearness` together are at rest where everything is w / (w - 1) times what it was.
    """
    return -(whole - begun).pow(2).mean((1, 2, 3)) / 2


@objectives.register
def smoothness(image: Tensor) -> Tensor:
    """Less total variation: the differences between neighbouring pixels, made smaller."""
    down = (image[:, :, 1:] - image[:, :, :-1]).abs().sum((1, 2, 3))
    right = (image[..., 1:] - image[..., :-1]).abs().sum((1, 2, 3))
    return -(down + right) / image[0].numel()


def _likeness(activation: Tensor, along: Tensor, cosine_power: float) -> Tensor:
    """The dot products (N, h, w) over channels, times their cosines to that power."""
    product = (activation * along).sum(1)
    if not cosine_power:
        return product
    lengths = activation.square().sum(1).add(TINY**2).sqrt() * along.square().sum(1).sqrt()
    return product * (product / (lengths + TINY)).clamp_min(LEAST_COSINE).pow(cosine_power)
