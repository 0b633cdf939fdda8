"""Making a pocket network: a small student that dreams like a large teacher.

Three things are matched. First each stage alone, fed with the teacher's own activations, so that
every stage is a shallow regression. Then the teacher's activations are faded out for the
student's own: an abrupt change would wreck what was learned. Then also the *direction* of the
dream gradient, smoothed at several widths, because a dream follows gradients, not activations.
The pictures are a pool in motion: crops of photographs and coloured noise that are pushed along
dream gradients again and again, so that the student meets what it will meet when it dreams (the
idea of dataset aggregation, Ross et al. 2011).
"""

import csv
import io
import math
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from dreamvid import networks
from dreamvid.errors import NetworkError, ResumeError, SettingsError
from dreamvid.media import atomic_write, storage_checked
from dreamvid.networks.base import Network
from dreamvid.networks.pocket import Pocket
from dreamvid.registry import Fraction01, Positive, Within, checked_value, did_you_mean
from dreamvid.settings import assigned
from dreamvid.training.distil.pool import Pool, to_bytes

CHECKPOINT, TABLE = "checkpoint.pt", "losses.csv"
EVERY = 250
"""Steps between checkpoints."""

SMOOTHINGS = (0.0, 1.0, 2.0, 4.0)
"""Standard deviations in pixels at which the two dream gradients are compared."""


class Recipe(NamedTuple):
    """The numbers of a distillation; the defaults made the network in the package."""

    steps: Annotated[int, Within(1, 10_000_000)] = 12500
    batch: Annotated[int, Within(1, 1024)] = 16
    side: Annotated[int, Within(32, 1024)] = 112
    learning_rate: Positive = 2e-3
    alone: Fraction01 = 0.24
    """Share of the steps in which every stage learns alone, from the teacher's activations."""
    handover: Fraction01 = 0.08
    """Share of the steps, after those, in which the student's own activations take over."""
    direction: Annotated[float, Within(0, 1000)] = 1.0
    """Weight of one minus the cosine between the two dream gradients, from then on."""
    pool: Annotated[int, Within(1, 1_000_000)] = 2000
    fresh: Annotated[int, Within(0, 1024)] = 2
    """Pictures of each batch that are replaced by new crops."""
    seed: Annotated[int, Within(0, 2**63 - 1)] = 0


def recipe_of(options: Mapping[str, Any]) -> Recipe:
    """The default recipe with `options` in it; `SettingsError` names the first bad one."""
    fields = typing.get_type_hints(Recipe, include_extras=True)
    checked = {}
    for name, value in options.items():
        if name not in fields:
            raise SettingsError(
                f"recipe.{name}: no such setting{did_you_mean(name, fields)} "
                f"(recipe has {', '.join(fields)})"
            )
        checked[name] = checked_value(value, fields[name], f"recipe.{name}")
    recipe = Recipe(**checked)
    if not recipe.fresh <= recipe.batch <= recipe.pool:
        raise SettingsError(
            f"recipe: got fresh {recipe.fresh}, batch {recipe.batch} and pool {recipe.pool}, "
            "wanted fresh at most batch and batch at most pool"
        )
    return recipe


def recipe_assigned(texts: Sequence[str]) -> dict[str, Any]:
    """The options of a recipe that ``--set name=value`` texts make; values are TOML."""
    for text in texts:
        if "=" not in text:
            raise SettingsError(f"--set: got {text!r}, wanted name=value, as in pool=500")
    return assigned([f"recipe.{text}" for text in texts]).get("recipe", {})


def in_bfloat16(precision: str, device: torch.device) -> bool:
    """Whether a student is computed in bfloat16; ``auto`` is wherever `device` is made for it."""
    if checked_value(precision, Literal["auto", "bf16", "fp32"], "precision") != "auto":
        return precision == "bf16"
    return networks.has_bfloat16(device)


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
        self.device = student.device
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
        order = self.student.preprocessing.order
        if self.teacher.preprocessing.order != order:
            their_gradient = their_gradient.flip(1)
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
        if order == "BGR":
            gradient = gradient.flip(1)
        self.pool.push(chosen, gradient.cpu())
        self.step += 1
        return {name: value.item() for name, value in losses.items()}

    def _dream_layer(self) -> int:
        """The stage whose dream this step follows: half of the time the last but one."""
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

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state`, whatever device it was saved on."""
        self.step = state["step"]
        self.student.load_state_dict(state["student"])
        self.average = {name: value.to(self.device) for name, value in state["average"].items()}
        self.optimiser.load_state_dict(state["optimiser"])
        self.weights = {name: value.to(self.device) for name, value in state["weights"].items()}
        self.pool.restore(state["pool"])
        self.pool.generator.set_state(state["generator"])


def run(
    distillation: Distillation,
    folder: Path,
    *,
    every: int = EVERY,
    saved: Callable[[], object] = lambda: None,
) -> Iterator[dict[str, float]]:
    """Train to the recipe's last step, yielding each step's losses.

    `folder` holds `checkpoint.pt`, replaced by rename every `every` steps, and `losses.csv`. A
    folder with a checkpoint is gone on with from there, rows past it dropped. `saved` is called
    after each checkpoint.
    """
    with storage_checked(folder):
        folder.mkdir(parents=True, exist_ok=True)
    checkpoint, table = folder / CHECKPOINT, folder / TABLE
    if checkpoint.exists():
        distillation.restore(read_checkpoint(checkpoint))
    columns = [*(stage.name for stage in distillation.student.stages), "direction"]
    rows = table.read_text().splitlines()[1 : distillation.step + 1] if table.exists() else []
    with atomic_write(table) as part:
        part.write_text("".join(row + "\n" for row in [",".join(["step", *columns]), *rows]))
    with storage_checked(folder), table.open("a", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        while distillation.step < distillation.recipe.steps:
            losses = distillation.advance()
            _must_be_finite(losses, distillation.step)
            row = [f"{losses[name]:.5f}" if name in losses else "" for name in columns]
            writer.writerow([distillation.step, *row])
            if distillation.step % every == 0 or distillation.step == distillation.recipe.steps:
                stream.flush()
                save_checkpoint(distillation, checkpoint)
                saved()
            yield losses


def save_checkpoint(distillation: Distillation, path: Path) -> None:
    """Write the state to `path` by rename, and go on with exactly what was written."""
    state = distillation.state()
    # torch reports a full disk as an error of its own; a plain write says what is wrong.
    buffer = io.BytesIO()
    torch.save(state, buffer)
    with atomic_write(path) as part:
        part.write_bytes(buffer.getbuffer())
    # The pool is saved with 8 bits. Rounded here too, a resumed run equals an unbroken one.
    distillation.pool.restore(state["pool"])


def read_checkpoint(path: Path) -> dict[str, Any]:
    """The state in a checkpoint, or a `ResumeError` in one line."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    # Damaged files raise nearly anything: EOFError, KeyError, RuntimeError, UnpicklingError...
    except Exception as error:
        reason = str(error).partition("\n")[0][:80]
        raise ResumeError(
            f"{path}: damaged, or no checkpoint ({reason}); start anew with --overwrite"
        ) from error


def _must_be_finite(losses: Mapping[str, float], step: int) -> None:
    if bad := [name for name, value in losses.items() if not math.isfinite(value)]:
        raise NetworkError(
            f"step {step}: the error of {bad[0]} is not finite; "
            "begin anew with --overwrite and a smaller --set learning_rate"
        )
