"""How well a student dreams its teacher's dream: the number that a distillation should raise.

A student may predict activations closely and still dream something else, because a dream follows
gradients. So the student dreams, and the teacher measures how much more of its layer it sees.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from dreamvid.dream.dreamer import Dreamer
from dreamvid.frames import Size, photographic
from dreamvid.networks.base import Network
from dreamvid.networks.layers import Choice
from dreamvid.objectives.gains import energy
from dreamvid.settings import AscentSettings, OctaveSettings, Settings
from dreamvid.training.distil.gradients import cosine, smoothed

SMOOTHING = 2.0
"""Standard deviation in pixels at which the two gradients are compared."""
BATCH = 8
TINY = 1e-30

# The dream of 2015, written out in full, so that no new preset or default changes the fidelity.
DREAM = Settings(
    octaves=OctaveSettings(count=4, scale=1.4, enlarge="detail"),
    ascent=AscentSettings(
        iterations=10, step_size=1.5, jitter=32, normalise="mean", smoothing=0.0, clamp=True
    ),
)
ONE_OCTAVE = DREAM.changed("octaves", count=1)


@dataclass(frozen=True)
class Fidelity:
    """The teacher's objective, half the mean square of its layer, before and after two dreams.

    A rise is the ratio of after to before. `rise_*` divide the mean objective of all pictures
    after by the one before, so that pictures in which the layer sees much count for more.
    `mean_rise_*` are the means of the pictures' own ratios, so that all pictures count alike.
    """

    before: tuple[float, ...] = field(repr=False)
    """Of each picture."""
    by_student: tuple[float, ...] = field(repr=False)
    by_teacher: tuple[float, ...] = field(repr=False)
    cosine: float
    """Between the two networks' smoothed gradients at the pictures, averaged over them."""
    cosine_dreamed: float
    """The same after one octave, at full size, of the student's own dream."""

    @property
    def pictures(self) -> int:
        """How many pictures were dreamed."""
        return len(self.before)

    @property
    def rise_by_student(self) -> float:
        """Mean objective after the student's dream over mean objective before."""
        return sum(self.by_student) / max(sum(self.before), TINY)

    @property
    def rise_by_teacher(self) -> float:
        """Mean objective after the teacher's dream over mean objective before."""
        return sum(self.by_teacher) / max(sum(self.before), TINY)

    @property
    def share(self) -> float:
        """`rise_by_student` over `rise_by_teacher`: 1 is the teacher's equal.

        A student that changes nothing has 1 over `rise_by_teacher`, not 0.
        """
        return self.rise_by_student / max(self.rise_by_teacher, TINY)

    @property
    def mean_rise_by_student(self) -> float:
        """The mean of each picture's own rise."""
        return _mean_ratio(self.by_student, self.before)

    @property
    def mean_rise_by_teacher(self) -> float:
        """The mean of each picture's own rise."""
        return _mean_ratio(self.by_teacher, self.before)

    @property
    def mean_share(self) -> float:
        """`mean_rise_by_student` over `mean_rise_by_teacher`."""
        return self.mean_rise_by_student / max(self.mean_rise_by_teacher, TINY)

    def __str__(self) -> str:
        return (
            f"fidelity on {self.pictures} pictures: the teacher's objective rises "
            f"{self.rise_by_student:.2f}x by the student's dream and {self.rise_by_teacher:.2f}x "
            f"by its own, a share of {self.share:.3f} (mean of each picture's rise: "
            f"{self.mean_rise_by_student:.2f}x and {self.mean_rise_by_teacher:.2f}x, a share of "
            f"{self.mean_share:.3f}); cosine of the gradients {self.cosine:.3f} at the start, "
            f"{self.cosine_dreamed:.3f} after an octave"
        )


def _mean_ratio(after: tuple[float, ...], before: tuple[float, ...]) -> float:
    return sum(a / max(b, TINY) for a, b in zip(after, before, strict=True)) / len(before)


def fidelity(
    teacher: Network,
    student: Network,
    photographs: Iterable[Tensor],
    layers: tuple[str, str] = ("inception_4c/output", "4c"),
    side: int = 224,
    advanced: Callable[[int], object] = lambda done: None,
) -> Fidelity:
    """Let student and teacher dream the same pictures with the same jitter, and compare them.

    Args:
        teacher: what the student was made from, and the judge of both dreams.
        student: the network that is judged.
        photographs: pictures (3, H, W), uint8 or in [0, 1]; at least one. The largest square in
            the middle of each is brought to `side` pixels.
        layers: the teacher's layer that is dreamed and measured, and the student's for it.
        side: of the pictures that are dreamed.
        advanced: called with the number of pictures finished, after each batch.
    """
    pictures = torch.stack([middle(photograph, side) for photograph in photographs])
    teachers, students = Choice(layers[0]), Choice(layers[1])
    teacher_dreamer = Dreamer(teacher, [teachers], DREAM)
    student_dreamer = Dreamer(student, [students], DREAM)
    student_octave = Dreamer(student, [students], ONE_OCTAVE)

    def angles(batch: Tensor) -> list[float]:
        ours = smoothed(gradient(student, layers[1], batch), SMOOTHING)
        theirs = smoothed(gradient(teacher, layers[0], batch), SMOOTHING)
        return cosine(ours.cpu(), theirs.cpu()).tolist()

    before, by_student, by_teacher = [], [], []
    starts, octaves = [], []
    for first in range(0, len(pictures), BATCH):
        batch = pictures[first : first + BATCH].to(teacher.device)
        key = (0, first)
        before += seen(teacher, layers[0], batch)
        by_student += seen(teacher, layers[0], student_dreamer.batch(batch, key))
        by_teacher += seen(teacher, layers[0], teacher_dreamer.batch(batch, key))
        starts += angles(batch)
        octaves += angles(student_octave.batch(batch, key))
        advanced(len(before))
    return Fidelity(
        tuple(before),
        tuple(by_student),
        tuple(by_teacher),
        sum(starts) / len(starts),
        sum(octaves) / len(octaves),
    )


def middle(photograph: Tensor, side: int) -> Tensor:
    """The largest square in the middle of a picture, brought to `side` pixels, in [0, 1]."""
    height, width = photograph.shape[1:]
    short = min(height, width)
    top, left = (height - short) // 2, (width - short) // 2
    square = photograph[:, top : top + short, left : left + short]
    if square.dtype == torch.uint8:
        square = square.float() / 255
    return photographic(square.float(), Size(side, side))


@torch.no_grad()
def seen(network: Network, layer: str, pictures: Tensor) -> list[float]:
    """How much `network` sees of `layer` in each picture: half the mean square."""
    found = network(network.preprocessing.to_input(pictures), [layer])[layer]
    return energy(found.double()).tolist()


def gradient(network: Network, layer: str, pictures: Tensor) -> Tensor:
    """The gradient of `layer`'s energy by the pictures themselves (N, 3, H, W), RGB."""
    pictures = pictures.detach().requires_grad_(True)
    found = network(network.preprocessing.to_input(pictures), [layer])[layer]
    (found_gradient,) = torch.autograd.grad(energy(found.float()).sum(), pictures)
    return found_gradient
