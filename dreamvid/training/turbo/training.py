"""Training a turbo network by the ascent that it replaces.

Half of each batch are dreams of the preset's own ascent. What the network adds should point where
the ascent's does, and at first that is all it learns: no gain leads there from afar. The gain is
the second loss: what is added, of a given size, should raise the preset's objective as far as it
can, looked at under a random shift and scale. The others keep the tone, and ask for the same in two
views of one picture. The other half are fresh pictures and, most of them, the network's own, moved
and fed again: otherwise it would never have seen what it meets in a zoom.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from dreamvid.dream.blur import softened
from dreamvid.dream.dreamer import Dreamer
from dreamvid.dream.octaves import climbed, octave_sizes
from dreamvid.dream.turbo.adding import SOFT
from dreamvid.dream.turbo.net import TurboNet
from dreamvid.dream.turbo.travel import sized
from dreamvid.frames import size_of
from dreamvid.objectives.registered import objectives
from dreamvid.objectives.seeing import picked
from dreamvid.training.turbo.dreams import AT_ONCE, Dreams
from dreamvid.training.turbo.losses import seen_apart, tone, turned_away
from dreamvid.training.turbo.pictures import Pictures
from dreamvid.training.turbo.recipe import Recipe
from dreamvid.training.turbo.wishes import Wish, Wishes, text_of

LESSON_EVERY = 24
"""Steps between two batches of new lessons, once there are enough to begin."""
FEWEST_LESSONS = 64
"""Lessons before the first step."""
CHANGED = 0.05
"""How often something else is dreamed of a picture of the pool than the time before."""
BELOW = 2
"""How many smaller octaves are dreamed before the network learns from its own picture."""
FAINT = 1.0
"""Added to gains before their logarithm: a channel that sees nothing gives no direction."""
Told = tuple[Tensor, Tensor]
"""What a network is told besides pictures, see `TurboNet.forward`."""


class TurboTraining:
    """A turbo network in training: the network, the dream it learns, pictures, and the optimiser.

    Args:
        dreamer: the preset's, with one octave; its network is the teacher.
        net: what is trained, as it begins.
        photographs: uint8 pictures (3, H, W).
        recipe: the numbers.
    """

    def __init__(
        self,
        dreamer: Dreamer,
        net: TurboNet,
        photographs: list[Tensor],
        recipe: Recipe,
    ) -> None:
        torch.manual_seed(recipe.seed)
        self.dreamer, self.recipe = dreamer, recipe
        self.device = dreamer.network.device
        self.net = net.to(self.device)
        self.generator = torch.Generator().manual_seed(recipe.seed)
        self.pictures = Pictures(photographs, recipe.pool, recipe.side, self.generator)
        self.optimiser = torch.optim.AdamW(
            net.decoder.parameters(), lr=1.0, betas=(0.9, 0.99), weight_decay=1e-4
        )
        self.average = {name: value.clone() for name, value in net.decoder.state_dict().items()}
        self.step = 0
        self.dreams = Dreams(dreamer, recipe.lessons, recipe.side)
        self.wishes = Wishes(dreamer.network, net, recipe, self.generator)
        self.asked: dict[int, Wish] = {}
        """What is dreamed of the pictures of the pool, by their places."""

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
        while len(self.dreams) < min(FEWEST_LESSONS, recipe.lessons):
            self._teach(len(self.dreams) // AT_ONCE)
        if self.step % LESSON_EVERY == 0:
            self._teach(FEWEST_LESSONS + self.step)
        opening = self.step < recipe.opening * recipe.steps
        taught = self.dreams.draw(recipe.batch if opening else recipe.batch // 2, self.generator)
        count = len(taught.pictures)
        places, own, reaches, wishes = self._own(recipe.batch - count)
        pictures = torch.cat([taught.pictures.to(self.device), own])
        wishes = [*taught.wishes, *wishes]
        told = self.wishes.told(wishes, torch.cat([taught.reaches, reaches]))

        added = self._added(pictures, told)
        dreamed = (pictures + added).clamp(0, 1)
        with torch.set_grad_enabled(not opening):
            losses = {"gain": self._gain_loss(dreamed, wishes)}
        losses["tone"] = tone(pictures, added)
        losses["closeness"] = turned_away(sized(added[:count]), sized(taught.added.to(self.device)))
        losses["steadiness"] = self._steadiness(pictures, told, added)
        loss = recipe.closeness * losses["closeness"] + recipe.tone * losses["tone"]
        loss = loss + recipe.steadiness * losses["steadiness"]
        loss = loss if opening else loss + losses["gain"]

        for group in self.optimiser.param_groups:
            group["lr"] = self.rate()
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.net.decoder.parameters(), 1.0)
        self.optimiser.step()
        self._follow()
        self.pictures.keep(places, self._kept(places, pictures[count:], added[count:].detach()))
        self.step += 1
        return {name: value.item() for name, value in losses.items()}

    def _kept(self, places: Tensor, pictures: Tensor, added: Tensor) -> Tensor:
        """What a film would keep: what is added to a dream is softened there."""
        later = self.pictures.ages[places].gt(0)[:, None, None, None].to(added.device)
        return pictures + torch.where(later, softened(added, SOFT), added)

    def _own(self, count: int) -> tuple[Tensor, Tensor, Tensor, list[Wish]]:
        """Places in the pool, their pictures, how far to dream them, and of what."""
        places, pictures, reaches = self.pictures.draw(count)
        for place in places.tolist():
            fresh = not self.pictures.ages[place] or place not in self.asked
            if fresh or torch.rand((), generator=self.generator) < CHANGED:
                self.asked[place] = self.wishes.draw()
        wishes = [self.asked[place] for place in places.tolist()]
        pictures = pictures.to(self.device)
        if count:
            pictures = self._below(places, pictures, wishes, reaches)
        return places, pictures, reaches, wishes

    @torch.no_grad()
    def _below(
        self, places: Tensor, pictures: Tensor, wishes: list[Wish], reaches: Tensor
    ) -> Tensor:
        """Pictures as the largest octave gets them: the smaller ones are dreamed already."""
        settings, teacher = self.dreamer.settings, self.dreamer.network
        many = settings.changed("octaves", count=BELOW + 1).octaves
        sizes = octave_sizes(size_of(pictures), many)
        count = sum(min(size) >= teacher.smallest_side for size in sizes)
        octaves = settings.changed("octaves", count=count).octaves
        told = self.wishes.told(wishes, reaches)

        def dream(start: Tensor, octave: int) -> Tensor:
            if octave == count - 1:
                return start
            return self._kept(places, start, self._added(start, told)).clamp(0, 1)

        return climbed(pictures, dream, octaves)

    def _teach(self, key: int) -> None:
        self.dreams.add(self.pictures, self.wishes.draw(), key)

    def _added(self, pictures: Tensor, told: Told) -> Tensor:
        """What the network adds to pictures, in units of a picture."""
        reach = told[0][:, -1].exp2() / 255
        return reach[:, None, None, None] * sized(self.net(pictures, *told))

    def _gain_loss(self, dreamed: Tensor, wishes: Sequence[Wish]) -> Tensor:
        """Minus the mean logarithm of the gain of what is wished of each picture."""
        network = self.dreamer.network
        inputs = network.preprocessing.to_input(seen_apart(dreamed, self.generator))
        found = network(inputs, {choice.layer for wish in wishes for choice in wish})
        gain_of = objectives[self.dreamer.settings.objective["name"]]
        gains = [
            sum(
                choice.weight * gain_of(picked(found[choice.layer][row : row + 1], choice))
                for choice in wish
            )
            for row, wish in enumerate(wishes)
        ]
        return -(torch.cat(gains) + FAINT).log().mean()  # pyright: ignore[reportArgumentType]

    def _steadiness(self, pictures: Tensor, told: Told, added: Tensor) -> Tensor:
        """How much less is added alike to a shifted, slightly noisy view of some pictures."""
        if not self.recipe.steadiness:
            return torch.zeros((), device=self.device)
        some = slice(0, None, 4)
        down, right = torch.randint(0, 16, (2,), generator=self.generator).tolist()
        view = pictures[some, :, down:, right:]
        view = view + 0.008 * torch.randn(view.shape, generator=self.generator).to(self.device)
        other = sized(self.net(view, *(each[some] for each in told)))
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
            "lessons": self.dreams.state(),
            "asked": {place: text_of(wish) for place, wish in self.asked.items()},
            "recipe": tuple(self.recipe),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state`, whatever device it was saved on."""
        self.step = state["step"]
        self.net.decoder.load_state_dict(state["decoder"])
        self.average = {name: value.to(self.device) for name, value in state["average"].items()}
        self.optimiser.load_state_dict(state["optimiser"])
        self.pictures.restore(state["pictures"])
        self.dreams.restore(state["lessons"])
        read = self.dreamer.network.choices
        self.asked = {place: read(wish) for place, wish in state["asked"].items()}
