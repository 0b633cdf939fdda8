"""Making a pocket network: a small student that dreams like a large teacher.

Three things are matched. First each stage alone, fed with the teacher's own activations, so that
every stage is a shallow regression. Then the teacher's activations are faded out for the
student's own: an abrupt change would wreck what was learned. Then also the *direction* of the
dream gradient, smoothed at several widths, because a dream follows gradients, not activations. The pictures are a pool in motion: crops of photographs and coloured noise that
are pushed along dream gradients again and again, so that the student meets what it will meet when
it dreams (the idea of dataset aggregation, Ross et al. 2011).
"""

import csv
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from dreamvid.frames import Size, noise, photographic
from dreamvid.networks.base import Network
from dreamvid.networks.pocket import Pocket

SMOOTHINGS = (0.0, 1.0, 2.0, 4.0)
"""Standard deviations in pixels at which the two dream gradients are compared."""


class Recipe(NamedTuple):
    """The numbers of a distillation; the defaults made the network in the package."""

    steps: int = 12500
    batch: int = 16
    side: int = 112
    learning_rate: float = 2e-3
    alone: float = 0.24
    """Share of the steps in which every stage learns alone, from the teacher's activations."""
    handover: float = 0.08
    """Share of the steps, after those, in which the student's own activations take over."""
    direction: float = 1.0
    """Weight of one minus the cosine between the two dream gradients, from then on."""
    pool: int = 2000
    fresh: int = 2
    """Pictures of each batch that are replaced by new crops."""
    seed: int = 0


@dataclass
class Pool:
    """Pictures (count, 3, side, side) in [0, 1] that drift along dream gradients."""

    photographs: list[Tensor]
    count: int
    side: int
    generator: torch.Generator
    pictures: Tensor = field(init=False)

    def __post_init__(self) -> None:
        self.pictures = torch.empty(self.count, 3, self.side, self.side)
        for index in range(self.count):
            self.pictures[index] = self.fresh()

    def fresh(self) -> Tensor:
        """A crop of a photograph at a random scale, sometimes noisy, or coloured noise."""
        if self._uniform(0, 1) < 0.08:
            key = (int(self._uniform(0, 2**31)),)
            exponent, contrast = self._uniform(0.3, 1.4), self._uniform(0.03, 0.25)
            return noise(Size(self.side, self.side), key, exponent=exponent, contrast=contrast)
        photograph = self.photographs[int(self._uniform(0, len(self.photographs)))]
        height, width = photograph.shape[1:]
        crop = round(self.side * 2 ** self._uniform(-0.5, 1.2))
        crop = min(crop, height, width)
        top = int(self._uniform(0, height - crop + 1))
        left = int(self._uniform(0, width - crop + 1))
        picture = photograph[:, top : top + crop, left : left + crop].float() / 255
        picture = photographic(picture, Size(self.side, self.side))
        if self._uniform(0, 1) < 0.5:
            picture = picture.flip(2)
        if self._uniform(0, 1) < 0.5:
            sigma = self._uniform(0, 0.06)
            picture = picture + sigma * torch.randn(picture.shape, generator=self.generator)
        return picture.clamp(0, 1)

    def draw(self, batch: int, fresh: int) -> Tensor:
        """Indices of a batch, the first `fresh` of which have just been replaced by new crops."""
        chosen = torch.randperm(self.count, generator=self.generator)[:batch]
        for index in chosen[:fresh].tolist():
            self.pictures[index] = self.fresh()
        return chosen

    def push(self, chosen: Tensor, gradients: Tensor) -> None:
        """Step the chosen pictures along gradients, by 1 to 8 levels each; some are zoomed."""
        steps = 2 ** torch.empty(len(chosen), 1, 1, 1).uniform_(0, 3, generator=self.generator)
        scale = gradients.abs().mean((1, 2, 3), keepdim=True) + 1e-20
        moved = self.pictures[chosen] + steps / 255 * gradients / scale
        if self._uniform(0, 1) < 0.25:
            inner = round(self.side / self._uniform(1.02, 1.2))
            top = int(self._uniform(0, self.side - inner + 1))
            left = int(self._uniform(0, self.side - inner + 1))
            crop = moved[:, :, top : top + inner, left : left + inner]
            moved = F.interpolate(crop, (self.side, self.side), mode="bilinear", align_corners=True)
        self.pictures[chosen] = moved.clamp(0, 1)

    def _uniform(self, low: float, high: float) -> float:
        return low + (high - low) * torch.rand((), generator=self.generator).item()


def smoothed(gradient: Tensor, sigma: float) -> Tensor:
    """`gradient` (N, 3, H, W) under a Gaussian of `sigma` pixels; itself for 0."""
    if sigma == 0:
        return gradient
    reach = int(3 * sigma + 0.5)
    offsets = torch.arange(-reach, reach + 1, dtype=gradient.dtype, device=gradient.device)
    kernel = torch.exp(-0.5 * (offsets / sigma) ** 2)
    kernel = kernel / kernel.sum()
    planes = gradient.flatten(0, 1)[:, None]
    planes = F.conv2d(planes, kernel.view(1, 1, -1, 1), padding=(reach, 0))
    planes = F.conv2d(planes, kernel.view(1, 1, 1, -1), padding=(0, reach))
    return planes[:, 0].unflatten(0, gradient.shape[:2])


def cosine(first: Tensor, second: Tensor) -> Tensor:
    """The cosine between two batches of gradients, picture by picture: (N,)."""
    return F.cosine_similarity(first.flatten(1), second.flatten(1), dim=1, eps=1e-20)


def disagreement(first: Tensor, second: Tensor) -> Tensor:
    """One minus the cosine between two batches of gradients, averaged over `SMOOTHINGS`."""
    angles = [1 - cosine(smoothed(first, s), smoothed(second, s)).mean() for s in SMOOTHINGS]
    return torch.stack(angles).mean()


class Distillation:
    """A student, its teacher, their pool and optimiser: everything a checkpoint must hold.

    Args:
        teacher: the network to dream like; its weights stay as they are.
        layers: the teacher's layer for each stage of the student, shallowest first.
        student: a pocket network with one stage for each of `layers`.
        photographs: uint8 pictures (3, H, W), each side at least half of `recipe.side`.
        recipe: the numbers.
        bfloat16: compute the student in bfloat16 with float32 weights; faster where the
            processor has it.
    """

    def __init__(
        self,
        teacher: Network,
        layers: tuple[str, ...],
        student: Pocket,
        photographs: list[Tensor],
        recipe: Recipe,
        bfloat16: bool = False,
    ) -> None:
        torch.manual_seed(recipe.seed)
        self.bfloat16 = bfloat16
        self.teacher, self.layers, self.student, self.recipe = teacher, layers, student, recipe
        self.device = next(student.parameters()).device
        generator = torch.Generator().manual_seed(recipe.seed)
        self.pool = Pool(photographs, recipe.pool, recipe.side, generator)
        self.step = 0
        self._measure_teacher()
        self._initialise()
        self.optimiser = torch.optim.AdamW(
            student.parameters(), lr=1.0, betas=(0.9, 0.99), weight_decay=1e-4
        )
        self.average = {name: value.clone() for name, value in student.state_dict().items()}

    def _measure_teacher(self) -> None:
        """Set the student's units and the weight of each channel from the teacher's energies."""
        sample = self.pool.pictures[:64].to(self.device)
        with torch.no_grad():
            found = self.teacher(self.teacher.preprocessing.to_input(sample), self.layers)
        units = [found[layer].pow(2).mean().sqrt() for layer in self.layers]
        self.student.units.copy_(torch.stack(units))
        self.weights = {}
        for layer in self.layers:
            energy = found[layer].pow(2).mean((0, 2, 3), keepdim=True)
            self.weights[layer] = 1 / (energy + 0.05 * energy.mean())

    def _initialise(self) -> None:
        for name, parameter in self.student.named_parameters():
            if parameter.ndim == 4:
                torch.nn.init.kaiming_normal_(parameter)
            elif name.endswith("bias"):
                torch.nn.init.zeros_(parameter)

    def rate(self) -> float:
        """The learning rate now: a short warm-up, then half a cosine down to nothing."""
        done = self.step / self.recipe.steps
        warm = min(1.0, self.step / max(1, 0.02 * self.recipe.steps))
        cosine = torch.cos(torch.tensor(torch.pi * min(1.0, done))).item()
        return self.recipe.learning_rate * warm * (0.5 + 0.5 * cosine)

    def advance(self) -> dict[str, float]:
        """One step of training; the loss of each layer, and of the gradient where it is matched."""
        own, direction = self.phase()
        chosen = self.pool.draw(self.recipe.batch, self.recipe.fresh)
        pictures = self.pool.pictures[chosen].to(self.device)
        dreamed = self._dream_layer()

        theirs = self.teacher.preprocessing.to_input(pictures).requires_grad_(True)
        targets = self.teacher(theirs, self.layers)
        energy = targets[self.layers[dreamed]].pow(2).sum() / 2
        (their_gradient,) = torch.autograd.grad(energy, theirs)
        targets = {name: value.detach() for name, value in targets.items()}

        mine = self.student.preprocessing.to_input(pictures).requires_grad_(direction > 0)
        gradient = their_gradient
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bfloat16):
            predictions = self._predicted(mine, targets, own)
            losses = {
                stage.name: self._error(predictions[index], index, targets[self.layers[index]])
                for index, stage in enumerate(self.student.stages)
            }
            loss = torch.stack(list(losses.values())).mean()
            if direction > 0:
                energy = predictions[dreamed].float().pow(2).sum() / 2
                (my_gradient,) = torch.autograd.grad(energy, mine, create_graph=True)
                losses["direction"] = disagreement(my_gradient, their_gradient)
                loss = loss + direction * losses["direction"]
                if self.step % 3 == 0:
                    gradient = my_gradient.detach()

        for group in self.optimiser.param_groups:
            group["lr"] = self.rate()
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.student.parameters(), 1.0)
        self.optimiser.step()
        self._follow()
        if self.teacher.preprocessing.order == "BGR":
            gradient = gradient.flip(1)
        self.pool.push(chosen, gradient.cpu())
        self.step += 1
        return {name: value.item() for name, value in losses.items()}

    def _dream_layer(self) -> int:
        """The stage whose dream this step follows: half of the time the fourth from the top."""
        count = len(self.student.stages)
        if torch.rand((), generator=self.pool.generator) < 0.5:
            return max(0, count - 2)
        return int(torch.randint(1, count, (), generator=self.pool.generator))

    def phase(self) -> tuple[float, float]:
        """The share of the student's own activations now, and the weight of the direction."""
        done, recipe = self.step / self.recipe.steps, self.recipe
        own = (done - recipe.alone) / max(recipe.handover, 1e-9)
        ramp = (done - recipe.alone - recipe.handover) / max(recipe.handover, 1e-9)
        return min(max(own, 0.0), 1.0), recipe.direction * min(max(ramp, 0.0), 1.0)

    def _predicted(self, mine: Tensor, targets: dict[str, Tensor], own: float) -> list[Tensor]:
        """Every stage's prediction, each fed with a mix of the teacher's and its own input."""
        predictions, x = [], mine
        for index, layer in enumerate(self.layers):
            predictions.append(self.student.stage(index, x))
            x = predictions[-1]
            if own < 1:
                theirs = self._fitted(targets[layer], x) / self.student.units[index]
                x = torch.lerp(theirs, x.float(), own) if own > 0 else theirs
        return predictions

    @staticmethod
    def _fitted(target: Tensor, like: Tensor) -> Tensor:
        """`target` at the size of `like`: pooling rounds differently in some teachers."""
        size = like.shape[-2], like.shape[-1]
        return target if target.shape[-2:] == size else F.adaptive_avg_pool2d(target, size)

    def _error(self, prediction: Tensor, index: int, target: Tensor) -> Tensor:
        """Squared error over energy, each channel weighted by the inverse of its energy."""
        weight = self.weights[self.layers[index]]
        target = self._fitted(target, prediction)
        error = (prediction * self.student.units[index] - target).pow(2)
        return (error * weight).mean() / ((target * target * weight).mean() + 1e-12)

    def _follow(self) -> None:
        """Let the averaged weights, which are what is shipped, follow the trained ones."""
        decay = min(0.9985, (self.step + 1) / (self.step + 20))
        for name, value in self.student.state_dict().items():
            self.average[name].lerp_(value, 1 - decay)

    def state(self) -> dict[str, Any]:
        """Everything that `restore` needs to go on exactly from here."""
        return {
            "step": self.step,
            "student": self.student.state_dict(),
            "average": self.average,
            "optimiser": self.optimiser.state_dict(),
            "weights": self.weights,
            "pool": to_bytes(self.pool.pictures),
            "generator": self.pool.generator.get_state(),
            "recipe": tuple(self.recipe),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a `state`."""
        self.step = state["step"]
        self.student.load_state_dict(state["student"])
        self.average = state["average"]
        self.optimiser.load_state_dict(state["optimiser"])
        self.weights = state["weights"]
        self.pool.pictures = state["pool"].float() / 255
        self.pool.generator.set_state(state["generator"])


def to_bytes(pictures: Tensor) -> Tensor:
    """Pictures in [0, 1] as uint8."""
    return pictures.mul(255).round().to(torch.uint8)


def run(
    distillation: Distillation, folder: Path, *, every: int = 250
) -> Iterator[dict[str, float]]:
    """Train to the recipe's last step, yielding each step's losses.

    `folder` holds `checkpoint.pt`, replaced by rename every `every` steps, and `losses.csv`. A
    folder with a checkpoint is gone on with from there, rows past it dropped.
    """
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint, table = folder / "checkpoint.pt", folder / "losses.csv"
    if checkpoint.exists():
        distillation.restore(torch.load(checkpoint, weights_only=True))
    columns = [*(stage.name for stage in distillation.student.stages), "direction"]
    rows = table.read_text().splitlines()[1 : distillation.step + 1] if table.exists() else []
    with table.open("w", newline="") as stream:
        stream.writelines(row + "\n" for row in [",".join(["step", *columns]), *rows])
        writer = csv.writer(stream)
        while distillation.step < distillation.recipe.steps:
            losses = distillation.advance()
            row = [f"{losses[name]:.5f}" if name in losses else "" for name in columns]
            writer.writerow([distillation.step, *row])
            if distillation.step % every == 0 or distillation.step == distillation.recipe.steps:
                stream.flush()
                replaced(checkpoint, lambda path: torch.save(distillation.state(), path))
            yield losses


def replaced(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file beside `path` under another name, sync it and rename it over `path`."""
    part = path.with_name(path.name + ".part")
    try:
        write(part)
        with part.open("rb+") as stream:
            os.fsync(stream.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
