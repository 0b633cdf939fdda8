"""The teacher's own dreams, to be close to.

A dream looks like chance, but most of it is not. Two dreams of one picture whose jitter differs
have a cosine of 0.47 in what they add, and the mean of four, brought to the size of one, raises the
objective as far as each of them. So there is something to be close to.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from dreamvid.dream.dreamer import Dreamer
from dreamvid.dream.turbo.travel import travel
from dreamvid.frames import Size, photographic, resized
from dreamvid.training.distil.pool import to_bytes
from dreamvid.training.turbo.pictures import Pictures
from dreamvid.training.turbo.wishes import Wish, text_of

AT_ONCE = 8
SHARES, LATER_SHARES = (1.0, 1.0, 1.0, 0.5), (0.5, 1.0, 2.0)
"""Of the preset's iterations, on first frames and on later ones; one of them by chance."""
FRESH, ENLARGED, OWN = 0.3, 0.6, 0.85
"""Up to which number by chance a dream is of fresh pictures, of a smaller octave's dreams, and of
what the network has made of pictures by now: what it has spoiled it learns to mend (as in DAgger,
Ross et al. 2011). The others go on from the dreams before them. Both are moved as in a film."""


class Taught(NamedTuple):
    """Some of the teacher's dreams."""

    pictures: Tensor
    """(N, 3, side, side), in [0, 1]."""
    added: Tensor
    """What the teacher added, in 8-bit levels."""
    reaches: Tensor
    """How far the teacher dreamed, (N,), binary logarithms of 8-bit levels."""
    wishes: list[Wish]
    """What it dreamed."""


class Dreams:
    """The latest of the teacher's dreams: as many as `most`."""

    def __init__(self, dreamer: Dreamer, most: int, side: int) -> None:
        """`dreamer` is the preset's, with one octave."""
        self.dreamer, self.most, self.side = dreamer, most, side
        self.wishes: list[Wish] = []
        self.kept: dict[str, Tensor] = {
            "pictures": torch.zeros(0, 3, side, side, dtype=torch.uint8),
            "added": torch.zeros(0, 3, side, side, dtype=torch.int8),
            "reaches": torch.zeros(0),
        }

    def __len__(self) -> int:
        return len(self.kept["pictures"])

    def add(self, pictures: Pictures, wish: Wish, key: int) -> None:
        """Let the teacher dream a few `pictures` more.

        Args:
            pictures: where they come from.
            wish: what it dreams.
            key: another one for each call.
        """
        kind = pictures.uniform(0, 1)
        fed = pictures.fed()
        own = ENLARGED <= kind < OWN and len(fed) > 0
        goes_on = own or (kind >= OWN and len(self) > 0)
        shares = LATER_SHARES if goes_on else SHARES
        share = shares[int(pictures.uniform(0, len(shares)))]
        ascent = self.dreamer.settings.ascent
        asked = ascent.later if goes_on and ascent.later is not None else ascent.iterations
        assert isinstance(asked, int)
        count = max(1, round(share * asked))
        settings = self.dreamer.settings.changed("ascent", iterations=count, later=None)
        dreamer = Dreamer(self.dreamer.network, wish, settings)
        if own:
            chosen = torch.randint(0, len(fed), (AT_ONCE,), generator=pictures.generator)
            batch = _moved_on(pictures, pictures.own[fed[chosen]])
        elif goes_on:
            last = self.kept["pictures"][-AT_ONCE:].float() + self.kept["added"][-AT_ONCE:]
            batch = _moved_on(pictures, last)
        else:
            batch = torch.stack([pictures.fresh() for _ in range(AT_ONCE)])
            batch = batch if kind < FRESH else self._enlarged(dreamer, batch, key)
        batch = batch.mul(255).round().div(255)
        dreamed = dreamer.batch(batch.to(dreamer.network.device), (key, 1)).cpu()
        size = settings.ascent.step_size
        assert isinstance(size, float)
        new = {
            "pictures": to_bytes(batch),
            "added": ((dreamed - batch) * 255).round().clamp(-127, 127).to(torch.int8),
            "reaches": torch.tensor([travel(size, count)]).log2().expand(len(batch)),
        }
        self.wishes = [*self.wishes, *[wish] * len(batch)][-self.most :]
        for name, value in new.items():
            self.kept[name] = torch.cat([self.kept[name], value])[-self.most :]

    def _enlarged(self, dreamer: Dreamer, batch: Tensor, key: int) -> Tensor:
        """Pictures with what is dreamed of them at the next smaller octave."""
        side = round(self.side / dreamer.settings.octaves.scale)
        if side < dreamer.network.smallest_side:
            return batch
        small = torch.stack([photographic(each, Size(side, side)) for each in batch])
        dreamed = dreamer.batch(small.to(dreamer.network.device), (key, 0)).cpu()
        return (batch + resized(dreamed - small, Size(self.side, self.side))).clamp(0, 1)

    def draw(self, count: int, generator: torch.Generator) -> Taught:
        """`count` of the dreams by chance, all or none of them mirrored."""
        chosen = torch.randint(0, len(self), (count,), generator=generator)
        pictures, added, reaches = (value[chosen].float() for value in self.kept.values())
        if torch.rand((), generator=generator) < 0.5:
            pictures, added = pictures.flip(3), added.flip(3)
        wishes = [self.wishes[place] for place in chosen.tolist()]
        return Taught(pictures / 255, added, reaches, wishes)

    def state(self) -> dict[str, Any]:
        """Everything that `restore` needs."""
        return {**self.kept, "wishes": list(map(text_of, self.wishes))}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state`."""
        self.kept = {name: state[name].clone() for name in self.kept}
        self.wishes = list(map(self.dreamer.network.choices, state["wishes"]))


def _moved_on(pictures: Pictures, last: Tensor) -> Tensor:
    """`last` (N, 3, side, side), in 8-bit levels, moved as a film moves its frames."""
    return torch.stack([pictures.moved((each / 255).clamp(0, 1)) for each in last])
