"""Where a worker looks for a unit: block after block, each worker in an order of its own."""

import random
from collections import deque
from collections.abc import Callable, Sequence

from dreamvid.farm.claims import Claim, Ledger, State, block_of

RECENT = 2.0
"""Seconds for which a worker goes by its last look at a block, as long as it finds a unit there."""
UNSEEN = State()
"""What is known of a unit that nobody has taken."""
Wanted = Callable[[str, State], bool]


class Search:
    """The units that one worker may take, in the order in which it tries them.

    It stays in a block until nothing is left there to take, and starts where no other is likely to
    be. So a claim costs as many operations on files where there are ten thousand units as where
    there are a hundred.
    """

    def __init__(self, ledger: Ledger, units: Sequence[str]) -> None:
        self.ledger, chance = ledger, random.SystemRandom()
        blocks: dict[str, list[str]] = {}
        for name in units:
            blocks.setdefault(block_of(name), []).append(name)
        order = list(blocks.values())
        chance.shuffle(order)
        self.blocks = deque(_turned(names, chance.randrange(len(names))) for names in order)

    def take(self, wanted: Wanted) -> Claim | None:
        """Take a unit that is wanted and that nobody has; None where there is none to be seen."""
        for _ in range(len(self.blocks)):
            if claim := self._take_in(self.blocks[0], wanted):
                return claim
            self.blocks.rotate(-1)
        return None

    def _take_in(self, names: Sequence[str], wanted: Wanted) -> Claim | None:
        age = RECENT
        while True:
            states = self.ledger.states(names, age)
            for name in names:
                state = states.get(name, UNSEEN)
                if not state.taken and wanted(name, state):
                    break
            else:
                return None
            if claim := self.ledger.take(name, state.number + 1):
                return claim
            age = 0.0  # somebody else is here, and has more of it than was known


def _turned(names: Sequence[str], start: int) -> list[str]:
    return [*names[start:], *names[:start]]
