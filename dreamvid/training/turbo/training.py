"""Training a turbo network by the ascent that it replaces.

The first loss is the preset's own gain: what the network adds, of a given size, should raise it as
far as it can, looked at under a random shift and scale. The second is the distance to the dream of
the preset's own ascent, its jitter held, over a Laplacian pyramid. The others keep the tone, and
ask for the same in two views of one picture. Half of each batch are the network's own pictures,
moved and fed again: otherwise it would never have seen what it meets in a zoom.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from dreamvid.dream.dreamer import Dreamer
from dreamvid.dream.turbo.net import TurboNet
from dreamvid.dream.turbo.travel import sized, travel
from dreamvid.frames import size_of
from dreamvid.networks.layers import Choice
from dreamvid.training.turbo.losses import laplacian_distance, seen_apart, tone
from dreamvid.training.turbo.pictures import Pictures
from dreamvid.training.turbo.recipe import Recipe

LESSON_STEPS = (1, 2, 4, 8, 12)
LESSONS_AT_ONCE = 4
LESSON_EVERY = 24
"""Steps between two batches of new lessons."""
FEWEST_LESSONS = 16
"""Lessons before the first step."""
TINY = 1e-12


class TurboTraining:
    """A turbo network in training: the network, the dream it learns, pictures, and the optimiser.

    Args:
        dreamer: the preset's, with one octave; its network is the teacher.
        layers: the teacher's layers, the preset's own first.
        net: what is trained.
        photographs: uint8 pictures (3, H, W).
        recipe: the numbers.
    """

    def __init__(
        self,
        dreamer: Dreamer,
        layers: Sequence[str],
        net: TurboNet,
        photographs: list[Tensor],
        recipe: Recipe,
    ) -> None:
        torch.manual_seed(recipe.seed)
        self.dreamer, self.layers, self.recipe = dreamer, tuple(layers), recipe
        self.device = dreamer.network.device
        self.net = net.to(self.device)
        net.decoder.initialised()
        self.generator = torch.Generator().manual_seed(recipe.seed)
        self.pictures = Pictures(photographs, recipe.pool, recipe.side, self.generator)
        self.optimiser = torch.optim.AdamW(
            net.decoder.parameters(), lr=1.0, betas=(0.9, 0.99), weight_decay=1e-4
        )
        self.average = {name: value.clone() for name, value in net.decoder.state_dict().items()}
        self.step = 0
        side = recipe.side
        self.lessons: dict[str, Tensor] = {
            "pictures": torch.zeros(0, 3, side, side, dtype=torch.uint8),
            "added": torch.zeros(0, 3, side, side, dtype=torch.int8),
            "conditions": torch.zeros(0, len(self.layers) + 1),
        }

    def rate(self) -> float:
        """The learning rate now: a short warm-up, a plain, then half a cosine down to nothing."""
        recipe, done = self.recipe, self.step / self.recipe.steps
        warm = min(1.0, (self.step + 1) / max(1, 0.01 * recipe.steps))
        fall = max(0.0, (done - 1 + recipe.fall) / max(recipe.fall, 1e-9))
        cosine = torch.cos(torch.tensor(torch.pi * min(1.0, fall))).item()
        return recipe.learning_rate * warm * (0.5 + 0.5 * cosine)

    def advance(self) -> dict[str, float]:
        """One step of training; returns its losses."""
        recipe = self.recipe
        while len(self.lessons["pictures"]) < min(FEWEST_LESSONS, recipe.lessons):
            self._teach()
        if self.step % LESSON_EVERY == 0:
            self._teach()
        places, pictures, reaches = self.pictures.draw(recipe.batch)
        condition = torch.cat([self._weights(len(pictures)), reaches[:, None]], 1)
        pictures, condition = pictures.to(self.device), condition.to(self.device)

        added = self._added(pictures, condition)
        dreamed = (pictures + added).clamp(0, 1)
        losses = {"gain": self._gain_loss(dreamed, condition)}
        losses["tone"] = tone(pictures, added)
        losses["closeness"] = self._closeness()
        losses["steadiness"] = self._steadiness(pictures, condition, added)
        loss = losses["gain"] + recipe.closeness * losses["closeness"]
        loss = loss + recipe.tone * losses["tone"] + recipe.steadiness * losses["steadiness"]

        for group in self.optimiser.param_groups:
            group["lr"] = self.rate()
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.net.decoder.parameters(), 1.0)
        self.optimiser.step()
        self._follow()
        self.pictures.keep(places, dreamed)
        self.step += 1
        return {name: value.item() for name, value in losses.items()}

    def _added(self, pictures: Tensor, condition: Tensor) -> Tensor:
        """What the network adds to pictures, in units of a picture."""
        reach = condition[:, -1].exp2() / 255
        return reach[:, None, None, None] * sized(self.net(pictures, condition))

    def _weights(self, count: int) -> Tensor:
        """The weights of the layers for each picture of a batch, (count, layers)."""
        rows = torch.zeros(count, len(self.layers))
        rows[:, 0] = 1
        if len(self.layers) == 1:
            return rows
        for row in rows:
            if torch.rand((), generator=self.generator) >= self.recipe.other_layers:
                continue
            # Two layers in shares that are mostly nearly all or nothing.
            share = torch.rand((), generator=self.generator).mul(3).sub(1).clamp(0, 1)
            one, other = torch.randperm(len(self.layers), generator=self.generator)[:2].tolist()
            row.zero_()
            row[one] += share
            row[other] += 1 - share
        return rows

    def _gain_loss(self, dreamed: Tensor, condition: Tensor) -> Tensor:
        """Minus the mean logarithm of the gain that each picture's layers have in it."""
        view = seen_apart(dreamed, self.generator)
        network = self.dreamer.network
        weights = condition[:, :-1]
        used = [number for number in range(len(self.layers)) if weights[:, number].any()]
        logs = []
        inputs = network.preprocessing.to_input(view)
        for number in used:
            rows = weights[:, number].nonzero()[:, 0]
            hill = self.dreamer.goal.hill([Choice(self.layers[number])], size_of(view))
            gains = hill.gain(inputs[rows], (0, 0))
            logs.append((weights[rows, number] * (gains + TINY).log()).sum())
        return -torch.stack(logs).sum() / len(dreamed)

    def _teach(self) -> None:
        """Let the preset's ascent dream some pictures, and keep what it added."""
        draw = int(torch.randint(len(LESSON_STEPS), (), generator=self.generator))
        weights = self._weights(1)[0]
        fresh = [self.pictures.fresh() for _ in range(LESSONS_AT_ONCE // 2)]
        own = torch.randperm(self.pictures.count, generator=self.generator)
        own = own[: LESSONS_AT_ONCE - len(fresh)]
        old = [self.pictures.moved(self.pictures.own[place].float() / 255, False) for place in own]
        batch = (torch.stack([*fresh, *old]) * 255).round() / 255
        pairs = zip(self.layers, weights.tolist(), strict=True)
        choices = [Choice(layer, None, weight) for layer, weight in pairs if weight]
        size = self.dreamer.settings.ascent.step_size
        assert isinstance(size, float)
        settings = self.dreamer.settings.changed("ascent", iterations=LESSON_STEPS[draw])
        dreamer = Dreamer(self.dreamer.network, choices, settings)
        dreamed = dreamer.batch(batch.to(self.device), (self.recipe.seed, 0)).cpu()
        reach = torch.tensor(travel(size, LESSON_STEPS[draw])).log2()
        added = ((dreamed - batch) * 255).round().clamp(-127, 127)
        new = {
            "pictures": (batch * 255).round().to(torch.uint8),
            "added": added.to(torch.int8),
            "conditions": torch.cat([weights, reach[None]]).expand(len(batch), -1),
        }
        for name, value in new.items():
            self.lessons[name] = torch.cat([self.lessons[name], value])[-self.recipe.lessons :]

    def _closeness(self) -> Tensor:
        """The distance to the teacher's dream, both of the same size, over some lessons."""
        if not self.recipe.closeness:
            return torch.zeros((), device=self.device)
        count = len(self.lessons["pictures"])
        chosen = torch.randperm(count, generator=self.generator)[: max(1, self.recipe.batch // 4)]
        pictures, added, condition = (
            self.lessons[name][chosen].to(self.device).float()
            for name in ("pictures", "added", "conditions")
        )
        return laplacian_distance(sized(self.net(pictures / 255, condition)), sized(added))

    def _steadiness(self, pictures: Tensor, condition: Tensor, added: Tensor) -> Tensor:
        """How much less is added alike to a shifted, slightly noisy view of some pictures."""
        if not self.recipe.steadiness:
            return torch.zeros((), device=self.device)
        some = slice(0, None, 4)
        down, right = torch.randint(0, 16, (2,), generator=self.generator).tolist()
        view = pictures[some, :, down:, right:]
        view = view + 0.008 * torch.randn(view.shape, generator=self.generator).to(self.device)
        other = sized(self.net(view, condition[some]))
        mine = sized(added[some])[:, :, down:, right:]
        inner = (..., slice(16, -16), slice(16, -16))
        return (other[inner] - mine[inner]).square().mean() / 2

    def _follow(self) -> None:
        """Bring the averaged weights, which the file will hold, nearer to the weights."""
        decay = min(0.998, (self.step + 1) / (self.step + 20))
        for name, value in self.net.decoder.state_dict().items():
            self.average[name].lerp_(value, 1 - decay)

    def state(self) -> dict[str, Any]:
        """Everything that `restore` needs to go on exactly from here."""
        return {
            "step": self.step,
            "decoder": self.net.decoder.state_dict(),
            "average": self.average,
            "optimiser": self.optimiser.state_dict(),
            "pictures": self.pictures.state(),
            "lessons": self.lessons,
            "recipe": tuple(self.recipe),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state`, whatever device it was saved on."""
        self.step = state["step"]
        self.net.decoder.load_state_dict(state["decoder"])
        self.average = {name: value.to(self.device) for name, value in state["average"].items()}
        self.optimiser.load_state_dict(state["optimiser"])
        self.pictures.restore(state["pictures"])
        self.lessons = {name: value.clone() for name, value in state["lessons"].items()}
