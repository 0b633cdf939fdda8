"""Training a pocket network: a small student that dreams like a large teacher.

There are three phases. First every stage learns alone from the teacher's activations, as a shallow
regression. Then its input goes over, little by little, from the teacher's activations to the
student's own; an abrupt change would destroy what was learned. At last the *direction* of the dream
gradient is matched too, smoothed at several widths, because a dream follows gradients, not
activations. The student learns from a pool of crops and coloured noise. Every step pushes some of
them along a dream gradient, so that the student meets the pictures it will meet when it dreams (the
idea of dataset aggregation, Ross et al. 2011).
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from dreamvid.networks.base import Network
from dreamvid.networks.pocket import Pocket
from dreamvid.training.distil.gradients import disagreement
from dreamvid.training.distil.pool import Pool, to_bytes
from dreamvid.training.distil.recipe import Recipe


class Distillation:
    """A student in training: the student, its teacher, the pictures and the optimiser.

    Args:
        teacher: the network to dream like; its weights stay as they are.
        layers: the teacher's layer for each stage of the student, shallowest first.
        student: a pocket network with one stage for each of `layers`.
        photographs: uint8 pictures (3, H, W), each side at least half of `recipe.side`.
        recipe: the numbers.
        bfloat16: compute the student in bfloat16 with float32 weights, which is faster where the
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
        """One step of training. Returns each layer's loss, and the gradient's where it counts."""
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
        """The stage whose dream this step follows; in half of the steps, the last but one."""
        count = len(self.student.stages)
        if torch.rand((), generator=self.pool.generator) < 0.5:
            return max(0, count - 2)
        return int(torch.randint(1, count, (), generator=self.pool.generator))

    def phase(self) -> tuple[float, float]:
        """The share of the student's own activations now, and the weight of the direction now."""
        done, recipe = self.step / self.recipe.steps, self.recipe
        own = (done - recipe.alone) / max(recipe.handover, 1e-9)
        ramp = (done - recipe.alone - recipe.handover) / max(recipe.handover, 1e-9)
        return min(max(own, 0.0), 1.0), recipe.direction * min(max(ramp, 0.0), 1.0)

    def _predicted(self, mine: Tensor, targets: dict[str, Tensor], own: float) -> list[Tensor]:
        """Every stage's prediction. Its input is a mix of the teacher's and the student's own."""
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
        """Bring the averaged weights, which the student's file will hold, nearer to the weights."""
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
