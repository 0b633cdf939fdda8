"""How strongly a turbo network dreams, beside the ascent that it replaces."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from dreamvid.dream.dreamer import Dreamer
from dreamvid.dream.octaves import counted
from dreamvid.frames import Size
from dreamvid.networks.base import Network
from dreamvid.networks.layers import Choice
from dreamvid.settings import Settings
from dreamvid.training.distil.fidelity import middle

SIDE = 224
BATCH = 5
TINY = 1e-30


@dataclass(frozen=True)
class Strength:
    """The preset's objective before and after two dreams, for each picture.

    A rise is the mean after over the mean before, as on pocket's card.
    """

    before: tuple[float, ...] = field(repr=False)
    by_turbo: tuple[float, ...] = field(repr=False)
    by_ascent: tuple[float, ...] = field(repr=False)

    @property
    def rise_by_turbo(self) -> float:
        """Mean objective after the turbo dream over mean objective before."""
        return sum(self.by_turbo) / max(sum(self.before), TINY)

    @property
    def rise_by_ascent(self) -> float:
        """Mean objective after the preset's own dream over mean objective before."""
        return sum(self.by_ascent) / max(sum(self.before), TINY)

    @property
    def share(self) -> float:
        """`rise_by_turbo` over `rise_by_ascent`: 1 is the ascent's equal."""
        return self.rise_by_turbo / max(self.rise_by_ascent, TINY)

    def __str__(self) -> str:
        return (
            f"strength on {len(self.before)} pictures: the objective rises "
            f"{self.rise_by_turbo:.2f}x by turbo and {self.rise_by_ascent:.2f}x by the preset's "
            f"own ascent, a share of {self.share:.3f}"
        )


def strength(
    teacher: Network,
    choices: Sequence[Choice],
    settings: Settings,
    file: str,
    photographs: Sequence[Tensor],
    advanced: Callable[[int], object] = lambda done: None,
) -> Strength:
    """Let a preset's ascent and a turbo network dream the same pictures as first frames.

    Args:
        teacher: the preset's network.
        choices: its layers.
        settings: the preset's.
        file: the turbo network's file.
        photographs: pictures (3, H, W); the largest square in the middle of each, at 224 pixels.
        advanced: called with the number of pictures finished, after each batch.
    """
    settings = counted(settings, Size(SIDE, SIDE))
    ascent = Dreamer(teacher, choices, settings.changed("turbo", dream="ascent"))
    turbo = Dreamer(teacher, choices, settings.changed("turbo", dream=file))
    before, by_turbo, by_ascent = [], [], []

    @torch.no_grad()
    def gains(batch: Tensor) -> list[float]:
        return ascent.gain(teacher.preprocessing.to_input(batch)).tolist()

    for first in range(0, len(photographs), BATCH):
        some = [middle(photograph, SIDE) for photograph in photographs[first : first + BATCH]]
        batch = torch.stack(some).to(teacher.device)
        before += gains(batch)
        by_turbo += gains(turbo.batch(batch, (0, first)))
        by_ascent += gains(ascent.batch(batch, (0, first)))
        advanced(len(before))
    return Strength(tuple(before), tuple(by_turbo), tuple(by_ascent))
