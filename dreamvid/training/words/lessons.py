"""What a head of words learns from: features, and what the teacher's later layers say of them.

The teacher is cut at the layer that the student's deepest stage predicts. Its later layers, the
`Tail`, turn features into class scores. They judge the student's own features, which is what a
perfect head would answer, and the teacher's own, which is what a picture really shows. Features
of two pictures are also spliced, so that there is no end of lessons.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dreamvid.networks.googlenet import HEAD, GoogLeNet
from dreamvid.networks.operations import pooled

AGAINST = 0.7
"""How much the soft maximum of all scores counts against the score that is raised."""
PLACES = ((1, 0.5), (4, 1.0), (8, 0.5))
"""Sides, in places, of the squares that gradients are averaged over before they are compared, and
the weight of each."""
CUT = "inception_4d/output"
"""The teacher's layer that is the deepest stage of pocket."""
TINY = 1e-8


class Tail:
    """GoogLeNet after 4d: features (N, 528, h, w) to centred scores (N, classes, h/2, w/2).

    Centred: less their mean over the classes, which no probability depends on.
    """

    def __init__(self, teacher: GoogLeNet) -> None:
        self.teacher = teacher
        last = teacher.convolutions[HEAD]
        assert isinstance(last, nn.Linear)
        weight, bias = last.weight.detach(), last.bias.detach()
        self.weight = (weight - weight.mean(0))[..., None, None]
        self.bias = bias - bias.mean()

    def __call__(self, features: Tensor) -> Tensor:
        """The scores at each place; their mean over the places is the teacher's answer."""
        x = pooled(self.teacher.inception("4e", features), 2)
        x = self.teacher.inception("5b", self.teacher.inception("5a", x))
        return F.conv2d(x, self.weight, self.bias)


def raised(scores: Tensor, labels: Tensor) -> Tensor:
    """One class rather than all others (N,), for scores (N, classes): what words raise."""
    own = scores.gather(1, labels[:, None])[:, 0]
    return own - AGAINST * scores.logsumexp(1)


def answered(
    tail: Tail, features: Tensor, chosen: Callable[[Tensor], Tensor]
) -> tuple[Tensor, Tensor, Tensor]:
    """The tail's scores at each place; the gradient of `raised`, of mean size 1; and its classes.

    Args:
        tail: what answers.
        features: as the teacher has them (N, C, h, w).
        chosen: the classes to raise (N,), from the scores (N, classes) of whole pictures.
    """
    features = features.detach().requires_grad_(True)
    places = tail(features)
    scores = places.mean((2, 3))
    labels = chosen(scores.detach())
    (gradient,) = torch.autograd.grad(raised(scores, labels).sum(), features)
    size = gradient.abs().mean((1, 2, 3), keepdim=True) + 1e-20
    return places.detach(), gradient / size, labels


def errors(
    head: nn.Module, features: Tensor, places: Tensor, gradient: Tensor, labels: Tensor
) -> dict[str, Tensor]:
    """How far a head is from the tail, by kind; a training adds them up.

    Args:
        head: from features to scores at each place.
        features: the student's own (N, C, h, w).
        places: the tail's scores (N, classes, h/2, w/2).
        gradient: of `raised` by the features that the tail saw, like `features`.
        labels: the classes raised (N,).
    """
    features = features.detach().requires_grad_(True)
    mine = head(features)
    mean, aim = mine.mean((2, 3)), places.mean((2, 3))
    (own,) = torch.autograd.grad(raised(mean, labels).sum(), features, create_graph=True)
    at = labels[:, None]
    label = (mean - aim).gather(1, at).pow(2).mean() / aim.gather(1, at).pow(2).mean()
    unlike = F.kl_div(mean.log_softmax(1), aim.softmax(1), reduction="batchmean")
    found = {
        "places": (mine - places).pow(2).mean() / places.var(),
        "mean": (mean - aim).pow(2).mean() / aim.var(),
        "label": 0.3 * label,
        "likelihood": 0.2 * unlike,
    }
    # Larger, for the cosine's own epsilon would swallow a small gradient.
    own = own / (own.detach().abs().mean((1, 2, 3), keepdim=True) + 1e-20)
    for side, weight in PLACES:
        mine, theirs = (F.avg_pool2d(each, side).flatten(1) for each in (own, gradient))
        alike = F.cosine_similarity(mine, theirs, eps=TINY).mean()
        found[f"direction{side}"] = weight * (1 - alike)
    return found


def spliced(
    pairs: tuple[tuple[Tensor, Tensor], ...], generator: torch.Generator
) -> tuple[list[Tensor], Tensor]:
    """Two pictures' features made one, alike in every pair; and the second's share (N,).

    Three in ten are the first alone, three have a rectangle of the second, four are a mixture.
    Most are made larger or smaller, as features grow in a dream.
    """
    count, _, height, width = pairs[0][0].shape
    share = torch.zeros(count, 1, height, width)

    def uniform(low: float, high: float) -> float:
        return low + (high - low) * torch.rand((), generator=generator).item()

    for picture in share:
        kind = uniform(0, 1)
        if kind >= 0.6:
            picture += uniform(0, 1)
        elif kind >= 0.3:
            rows, columns = int(uniform(2, height + 1)), int(uniform(2, width + 1))
            top, left = int(uniform(0, height + 1 - rows)), int(uniform(0, width + 1 - columns))
            picture[:, top : top + rows, left : left + columns] = 1
    gain = 2 ** torch.empty(count, 1, 1, 1).uniform_(-0.6, 0.6, generator=generator)
    gain[torch.rand(count, generator=generator) < 0.4] = 1
    return [gain * first.lerp(second, share) for first, second in pairs], share.mean((1, 2, 3))
