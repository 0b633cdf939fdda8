"""The course in which a head of words learns: pictures are pushed, features kept, lessons learned.

Every round has two parts. A batch of pictures is looked at, and pushed towards the pictures'
classes: by the head itself, by the teacher's later layers on the student's features, or by the
whole teacher. So the head meets the pictures that it will itself dream (dataset aggregation, Ross
et al. 2011). Then the head learns from the features kept so far. The later layers cost more than
the head, so each lesson is learned again a few times.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from dreamvid.networks.googlenet import GoogLeNet
from dreamvid.networks.pocket import Pocket, WordHead
from dreamvid.training.words.lessons import CUT, Tail, answered, errors, raised, spliced
from dreamvid.training.words.pictures import Pictures


class Recipe(NamedTuple):
    """The numbers of a course; those of the head in the package."""

    rounds: int = 360
    batch: int = 16
    """Pictures that are looked at in a round."""
    learned: int = 3
    """Steps of learning in a round."""
    lessons: int = 24
    """New ones in a step."""
    again: int = 48
    """Those learned again in a step."""
    side: int = 128
    pictures: int = 640
    kept: int = 4096
    """Pictures whose features are kept."""
    remembered: int = 1536
    """Lessons that may be learned again, and pictures whose features of the teacher are kept."""
    true: float = 0.35
    """The share of pictures that the teacher sees, and of lessons in its own features."""
    alone: int = 150
    """Rounds before the head pushes any picture."""
    learning_rate: float = 2e-3
    falling: float = 0.3
    """The share of the rounds, the last ones, in which the learning rate falls to nothing. Nothing
    before depends on the number of rounds."""
    seed: int = 0


class Kept:
    """The last rows of some tensors, in 16 bits where they are numbers with a fraction."""

    def __init__(self, most: int) -> None:
        self.most, self.count = most, 0
        self.rows: dict[str, Tensor] = {}

    def add(self, **tensors: Tensor) -> None:
        """Keep more rows, in the place of the oldest."""
        for name, tensor in tensors.items():
            tensor = tensor.detach().half() if tensor.is_floating_point() else tensor
            if name not in self.rows:
                self.rows[name] = torch.zeros(self.most, *tensor.shape[1:], dtype=tensor.dtype)
            places = torch.arange(self.count, self.count + len(tensor)) % self.most
            self.rows[name][places] = tensor
        self.count += len(next(iter(tensors.values())))

    def drawn(self, count: int, generator: torch.Generator) -> list[Tensor]:
        """So many rows of each tensor, in the order in which they were first added."""
        chosen = torch.randint(min(self.count, self.most), (count,), generator=generator)
        rows = [each[chosen] for each in self.rows.values()]
        return [each.float() if each.is_floating_point() else each for each in rows]


class Course:
    """A head in training: the head, its teacher, the pictures, the features, the optimiser.

    Args:
        teacher: with a class head; its weights stay as they are, and so do the student's.
        student: pocket, in float32.
        photographs: uint8 pictures (3, H, W).
        classes: what each of them shows.
        recipe: the numbers.
    """

    def __init__(
        self,
        teacher: GoogLeNet,
        student: Pocket,
        photographs: list[Tensor],
        classes: list[int],
        recipe: Recipe,
    ) -> None:
        torch.manual_seed(recipe.seed)
        self.teacher, self.student, self.recipe = teacher, student, recipe
        self.tail, self.unit = Tail(teacher), student.units[-1]
        self.head = WordHead(student.stages[-1].channels, teacher.class_count).initialised()
        self.average = {name: value.clone() for name, value in self.head.state_dict().items()}
        self.generator = torch.Generator().manual_seed(recipe.seed)
        self.pool = Pictures(photographs, classes, recipe.pictures, recipe.side, self.generator)
        self.own, self.both = Kept(recipe.kept), Kept(recipe.remembered)
        self.lessons = Kept(recipe.remembered)
        self.optimiser = torch.optim.AdamW(
            self.head.parameters(), lr=recipe.learning_rate, betas=(0.9, 0.99), weight_decay=1e-2
        )
        self.round = 0

    def advance(self) -> dict[str, float]:
        """One round. Returns the errors of its last step."""
        if not self.own.count:
            self._begin()
        self._push()
        losses: dict[str, float] = {}
        for _ in range(self.recipe.learned):
            losses = self._learn()
        self.round += 1
        return losses

    def rate(self) -> float:
        """The learning rate now: a short warm-up, a plateau, and half a cosine down to nothing."""
        recipe = self.recipe
        falling = recipe.falling * recipe.rounds
        done = max(0.0, (self.round + 1 - (recipe.rounds - falling)) / max(falling, 1))
        cosine = 0.5 + 0.5 * torch.cos(torch.tensor(torch.pi * min(1.0, done))).item()
        return recipe.learning_rate * min(1.0, (self.round + 1) / 20) * cosine

    @torch.no_grad()
    def _begin(self) -> None:
        """Keep the features of every picture as it is now, and of a crop of each photograph."""
        batch, pool = self.recipe.batch, self.pool
        for first in range(0, len(pool.pictures), batch):
            self._look(pool.pictures[first : first + batch], pool.labels[first : first + batch])
        numbers = torch.arange(len(pool.photographs))
        for some in numbers.split(batch):
            crops = torch.stack([pool.crop(number, 0.2, 1.0) for number in some.tolist()])
            self._look(crops, torch.tensor([pool.classes[number] for number in some.tolist()]))

    def _look(self, pictures: Tensor, labels: Tensor) -> None:
        """Keep the student's features of pictures, and some of the teacher's."""
        inputs = _last(self.student.preprocessing.to_input(pictures))
        features = self._features(inputs)
        self.own.add(own=features, labels=labels)
        if self.both.count == 0 or self.pool.uniform(0, 1) < self.recipe.true:
            seen = _last(self.teacher.preprocessing.to_input(pictures))
            self.both.add(own=features, true=self.teacher(seen, [CUT])[CUT], labels=labels)

    def _features(self, inputs: Tensor) -> Tensor:
        """The deepest stage in the student's own units."""
        deepest = self.student.stages[-1].name
        return self.student(inputs, [deepest])[deepest] / self.unit

    def _push(self) -> None:
        """Look at a batch, keep its features and push its pictures towards their classes."""
        chosen = self.pool.draw(self.recipe.batch)
        pictures, labels = self.pool.pictures[chosen], self.pool.labels[chosen]
        kind, true = self.pool.uniform(0, 1), self.recipe.true
        inputs = _last(self.student.preprocessing.to_input(pictures))
        theirs = _last(self.teacher.preprocessing.to_input(pictures))
        if kind < 0.4 * true:
            theirs.requires_grad_(True)
            seen = self.teacher(theirs, [CUT])[CUT]
            score = raised(self.tail(seen).mean((2, 3)), labels)
            (gradient,) = torch.autograd.grad(score.sum(), theirs)
            with torch.no_grad():
                features = self._features(inputs)
        else:
            inputs.requires_grad_(True)
            features = self._features(inputs)
            if kind < 0.8 and self.round >= self.recipe.alone:
                places = self.head(features)
            else:
                places = self.tail(features * self.unit)
            score = raised(places.mean((2, 3)), labels)
            (gradient,) = torch.autograd.grad(score.sum(), inputs)
            with torch.no_grad():
                seen = self.teacher(theirs, [CUT])[CUT] if kind < true else None
        self.own.add(own=features, labels=labels)
        if seen is not None:
            self.both.add(own=features, true=seen, labels=labels)
        # Both networks see BGR.
        self.pool.push(chosen, gradient.flip(1))

    def _lessons(self, count: int) -> tuple[Tensor, Tensor, Tensor]:
        """Features of the student, those that the teacher's later layers see, and classes."""
        draw = self.generator
        if self.pool.uniform(0, 1) < self.recipe.true:
            (one, true_one, first), (two, true_two, second) = (
                self.both.drawn(count, draw) for _ in range(2)
            )
            (own, theirs), share = spliced(((one, two), (true_one, true_two)), draw)
        else:
            (one, first), (two, second) = (self.own.drawn(count, draw) for _ in range(2))
            (own,), share = spliced(((one, two),), draw)
            theirs = own * self.unit
        return _last(own), _last(theirs), torch.where(share > 0.5, second, first)

    def _learn(self) -> dict[str, float]:
        """A step of learning from new lessons and from some that are remembered."""
        own, theirs, labels = self._lessons(self.recipe.lessons)
        places, gradient, labels = answered(
            self.tail, theirs, lambda scores: self._asked(scores, labels)
        )
        new = [own, places, gradient, labels]
        if self.lessons.count:
            old = self.lessons.drawn(self.recipe.again, self.generator)
            batch = [torch.cat(pair) for pair in zip(new, old, strict=True)]
        else:
            batch = new
        self.lessons.add(own=own, places=places, gradient=gradient, labels=labels)
        found = errors(self.head, _last(batch[0]), *batch[1:])
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate()
        self.optimiser.zero_grad(set_to_none=True)
        torch.stack(list(found.values())).sum().backward()
        torch.nn.utils.clip_grad_norm_(self.head.parameters(), 1.0)
        self.optimiser.step()
        decay = min(0.998, (self.round + 1) / (self.round + 10))
        for name, value in self.head.state_dict().items():
            self.average[name].lerp_(value, 1 - decay)
        return {name: value.item() for name, value in found.items()}

    def _asked(self, scores: Tensor, labels: Tensor) -> Tensor:
        """The classes to raise: chance, what a picture is taken for, and what it is pushed to."""
        count = len(labels)
        kind = torch.rand(count, generator=self.generator)
        place = torch.randint(20, (count, 1), generator=self.generator)
        chance = torch.randint(scores.shape[1], (count,), generator=self.generator)
        near = scores.topk(20, 1).indices.gather(1, place)[:, 0]
        return torch.where(kind < 0.3, chance, torch.where(kind < 0.6, near, labels))

    def state(self) -> dict[str, Any]:
        """Everything that `restore` needs to go on exactly from here."""
        kept = {"own": self.own, "both": self.both, "lessons": self.lessons}
        return {
            "round": self.round,
            "head": self.head.state_dict(),
            "average": self.average,
            "optimiser": self.optimiser.state_dict(),
            "pool": self.pool.state(),
            "generator": self.generator.get_state(),
            "kept": {name: (each.count, each.rows) for name, each in kept.items()},
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state`."""
        self.round, self.average = state["round"], dict(state["average"])
        self.head.load_state_dict(state["head"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.pool.restore(state["pool"])
        self.generator.set_state(state["generator"])
        for name, (count, rows) in state["kept"].items():
            kept = getattr(self, name)
            kept.count, kept.rows = count, rows


def _last(tensor: Tensor) -> Tensor:
    return tensor.contiguous(memory_format=torch.channels_last)
