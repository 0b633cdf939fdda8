"""A network in training: its optimiser, its epochs, and the rows of its table."""

import json
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dreamvid import __version__
from dreamvid.errors import NetworkError
from dreamvid.frames import Frame, drawn
from dreamvid.training.train import schools
from dreamvid.training.train.pictures import Dataset
from dreamvid.training.train.recipe import Recipe

SMOOTHING = 0.1
"""The share of each label that is spread over all classes, against overconfidence."""
HELP = 0.3
"""The weight of the loss of each helping head."""
WARM_UP = 0.1
"""The share of the steps in which the learning rate rises."""
RATES = {"sgd": 0.02, "adam": 1e-3, "adamw": 1e-3}


class Row(NamedTuple):
    """An epoch in the table of a training; accuracies are shares of 1."""

    epoch: int
    learning_rate: float
    loss: float
    accuracy: float
    held_out_loss: float
    held_out_accuracy: float


class Training:
    """A network in training: everything that a checkpoint must hold.

    Args:
        pictures: What it learns.
        recipe: How it learns; its `side` is set.
        device: Where it is trained.
        fresh: Whether the training begins; one that is restored needs no first weights.
    """

    def __init__(
        self, pictures: Dataset, recipe: Recipe, device: torch.device, fresh: bool = True
    ) -> None:
        self.pictures, self.recipe, self.device = pictures, recipe, device
        with _seeded(recipe.seed):
            self.module, self.preprocessing = schools.school(recipe, len(pictures.classes), fresh)
            self.module.to(device, memory_format=torch.channels_last)  # pyright: ignore
        plain = not any("BatchNorm" in type(module).__name__ for module in self.module.modules())
        gentle = plain or not recipe.from_scratch
        self.rate = recipe.learning_rate or RATES[recipe.optimiser] * (0.1 if gentle else 1)
        parameters = self.module.parameters()
        if recipe.optimiser == "sgd":
            self.optimiser: torch.optim.Optimizer = torch.optim.SGD(
                parameters, self.rate, momentum=0.9, nesterov=True, weight_decay=5e-4
            )
        elif recipe.optimiser == "adam":
            self.optimiser = torch.optim.Adam(parameters, self.rate)
        else:
            self.optimiser = torch.optim.AdamW(parameters, self.rate, weight_decay=0.02)
        self.rows: list[Row] = []

    @property
    def epoch(self) -> int:
        """Epochs done."""
        return len(self.rows)

    @property
    def best(self) -> Row:
        """The epoch with the best accuracy on what was held out, then with the least loss."""
        return max(self.rows, key=lambda row: (row.held_out_accuracy, -row.held_out_loss))

    @property
    def finished(self) -> bool:
        """Whether all epochs are done, or the accuracy has not risen for `recipe.patience`."""
        patience = self.recipe.patience
        tired = bool(patience and self.rows) and self.epoch - self.best.epoch >= patience
        return tired or self.epoch >= self.recipe.epochs

    def advance(self, tell: Callable[[int, int], None] = lambda done, total: None) -> Row:
        """One epoch; `tell` is called with the batches done and the batches in all."""
        recipe, epoch = self.recipe, self.epoch
        with _seeded(recipe.seed, epoch):
            order = torch.randperm(len(self.pictures.training)).numpy()
            # No batch is smaller than asked for: batch normalisation needs more than one picture.
            batches = np.array_split(order, max(1, len(order) // recipe.batch))
            loss_sum = right = rate = 0.0
            for number, chosen in enumerate(batches):
                rate = self._rate_at((epoch + (number + 1) / len(batches)) / recipe.epochs)
                loss, hits = self._step(chosen.tolist(), rate)
                loss_sum, right = loss_sum + loss * len(chosen), right + hits
                tell(number + 1, len(batches))
        row = Row(epoch + 1, rate, loss_sum / len(order), right / len(order), *self.evaluated())
        self.rows.append(row)
        return row

    def _rate_at(self, done: float) -> float:
        """The learning rate with a share `done` of the steps: a warm-up, then half a cosine."""
        if done < WARM_UP:
            return self.rate * done / WARM_UP
        return self.rate * (0.5 + 0.5 * math.cos(math.pi * (done - WARM_UP) / (1 - WARM_UP)))

    def _step(self, chosen: list[int], rate: float) -> tuple[float, int]:
        """Learn from one batch; returns its loss and how many pictures were classified right."""
        self.module.train()
        examples = [self.pictures.training[index] for index in chosen]
        key = (self.recipe.seed, self.epoch)
        views = [
            self.pictures.views.varied(example.path, (*key, index))
            for index, example in zip(chosen, examples, strict=True)
        ]
        *helpers, scores = schools.scores_of(self.module, self._inputs(views))
        labels = torch.tensor([example.label for example in examples], device=self.device)
        loss = F.cross_entropy(scores, labels, label_smoothing=SMOOTHING)
        total = loss
        for helper in helpers:
            total = total + HELP * F.cross_entropy(helper, labels, label_smoothing=SMOOTHING)
        if not math.isfinite(total.item()):
            raise NetworkError(
                f"{self.recipe.network}: the training diverged in epoch {self.epoch + 1}; start "
                f"anew with a learning rate below {self.rate:g}"
            )
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.zero_grad(set_to_none=True)
        total.backward()
        nn.utils.clip_grad_norm_(self.module.parameters(), 1.0)
        self.optimiser.step()
        return loss.item(), int((scores.argmax(1) == labels).sum())

    @torch.no_grad()
    def evaluated(self) -> tuple[float, float]:
        """The loss and the accuracy on the pictures that were held out."""
        self.module.eval()
        loss = right = 0.0
        examples, batch = self.pictures.held_out, self.recipe.batch
        for start in range(0, len(examples), batch):
            some = examples[start : start + batch]
            scores = self.module(self._inputs([self.pictures.views.plain(e.path) for e in some]))
            labels = torch.tensor([example.label for example in some], device=self.device)
            loss += F.cross_entropy(scores, labels, reduction="sum").item()
            right += int((scores.argmax(1) == labels).sum())
        return loss / len(examples), right / len(examples)

    def _inputs(self, views: Sequence[Frame]) -> Tensor:
        batch = torch.stack(tuple(views)).to(self.device, memory_format=torch.channels_last)
        return self.preprocessing.to_input(batch)

    def _sample(self) -> Tensor:
        """Some training pictures of all classes, as the network sees them."""
        few = self.pictures.training[:: max(1, len(self.pictures.training) // 64)]
        return self._inputs([self.pictures.views.plain(example.path) for example in few])

    def state(self) -> dict[str, Any]:
        """Everything that `restore` needs to go on exactly from here."""
        return {
            "module": self.module.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "rows": [tuple(row) for row in self.rows],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a `state`."""
        self.module.load_state_dict(state["module"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.rows = [Row(*row) for row in state["rows"]]

    def tensors(self, best: dict[str, Tensor]) -> tuple[dict[str, Tensor], float]:
        """The file's tensors, made from the weights `best`, and the accuracy with those tensors."""
        self.module.load_state_dict(best)
        schools.prepare(self.module, self._sample() if self.recipe.from_scratch else None)
        _, accuracy = self.evaluated()
        return schools.exported(self.module), accuracy

    def metadata(self, accuracy: float) -> dict[str, str]:
        """The file's metadata: JSON values, and plain names."""
        return {
            "network": self.recipe.network,
            "classes": json.dumps(self.pictures.classes),
            "accuracy": json.dumps(round(accuracy, 4)),
            "side": json.dumps(self.recipe.side),
            "preprocessing": self.preprocessing.text(),
            "dreamvid": __version__,
            **schools.shape_of(self.module),
        }


@contextmanager
def _seeded(*key: int) -> Iterator[None]:
    """Seed torch's own generators by `key`, for layers such as dropout that draw from them."""
    with torch.random.fork_rng():
        torch.manual_seed(drawn(key, 0, 2**62))
        yield
