"""What is dreamed of pictures in a turbo training: layers, mixtures of them, and channels."""

from collections.abc import Sequence

import torch
from torch import Tensor

from dreamvid.dream.turbo.net import TurboNet
from dreamvid.networks.base import Network
from dreamvid.networks.layers import Choice
from dreamvid.training.turbo.recipe import Recipe

Wish = tuple[Choice, ...]
TOURED = 0.8
"""The share of channels that are taken from the teacher's tour, where it has one."""


class Wishes:
    """Draws what is dreamed of a picture, by chance."""

    def __init__(
        self, teacher: Network, net: TurboNet, recipe: Recipe, generator: torch.Generator
    ) -> None:
        self.net, self.recipe, self.generator = net, recipe, generator
        self.channels = channels_of(teacher, net, recipe)
        """The layer of which single channels are dreamed, or nothing."""
        self.tour = torch.tensor(teacher.tour)

    def draw(self) -> Wish:
        """A wish of one or two parts, of which one mostly has nearly all of the weight."""
        share = self._uniform() * 3 - 1
        weights = [weight for weight in (share, 1 - share) if 0 < weight < 1] or [1.0]
        if self.channels and self._uniform() < self.recipe.channels:
            return tuple(Choice(self.channels, (self._channel(),), each) for each in weights)
        layers = list(self.net.layers)
        if len(layers) == 1 or self._uniform() >= self.recipe.other_layers:
            return (Choice(layers[0]),)
        order = torch.randperm(len(layers), generator=self.generator).tolist()
        return tuple(
            Choice(layers[place], None, each) for place, each in zip(order, weights, strict=False)
        )

    def told(self, wishes: Sequence[Wish], reaches: Tensor) -> tuple[Tensor, Tensor]:
        """What a network is told of wishes and how far to dream, see `TurboNet.forward`."""
        told = [self.net.told(wish) for wish in wishes]
        weights, shares = (torch.stack(each) for each in zip(*told, strict=True))
        device = self.net.decoder.deep.weight.device
        return torch.cat([weights, reaches[:, None]], 1).to(device), shares.to(device)

    def _channel(self) -> int:
        count = len(self.tour)
        if count and self._uniform() < TOURED:
            return int(self.tour[int(self._uniform() * count)])
        return int(self._uniform() * self.net.decoder.deep.in_channels)

    def _uniform(self) -> float:
        return torch.rand((), generator=self.generator).item()


def channels_of(teacher: Network, net: TurboNet, recipe: Recipe) -> str:
    """The layer of which a network learns single channels, or nothing.

    It sees those of its own trunk alone, so the teacher must be pocket, too.
    """
    own = recipe.channels > 0 and teacher.name == net.trunk.name and net.layers[0] == net.deepest
    return net.deepest if own else ""


def text_of(wish: Wish) -> list[str]:
    """The wish as selectors of layers, for a file."""
    return [f"{each.place}={each.weight!r}" for each in wish]
