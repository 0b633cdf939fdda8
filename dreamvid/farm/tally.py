"""The progress of a whole plan, of which a worker makes one unit after another."""

import time
from collections.abc import Mapping
from typing import Any

from dreamvid.farm.claims import Claim, ClaimLost, Ledger
from dreamvid.jobs.progress import Progress


class Tally:
    """A `Progress` of all units together, which also stops a worker that has lost its unit."""

    def __init__(self, progress: Progress, total: int) -> None:
        self.progress, self.total = progress, total
        self.others = self.made = self.before = 0
        self.ledger: Ledger | None = None
        self.claim: Claim | None = None
        self.said: set[str] = set()
        self.began = time.monotonic()
        self.first: int | None = None

    def say(self, text: str) -> None:
        """A line worth knowing, once."""
        if text not in self.said and not text.endswith(" free"):
            self.progress.say(text)
        self.said.add(text)

    def begin(self, done: int, total: int) -> None:
        """Frames `done` of a unit are there already."""
        self.made = done - self.before

    def frame(self, index: int, notes: Mapping[str, Any]) -> None:
        """A frame of a unit is there."""
        self.made += 1
        if self.ledger and self.claim and not self.ledger.holds(self.claim):
            raise ClaimLost(f"{self.claim.unit}: another worker has taken it over")
        self._tell()

    def units(self, done: int) -> None:
        """The units that are whole have so many frames."""
        if self.first is None:
            self.first = done
            self.progress.begin(done, self.total)
        elif done > self.others:
            self.others, self.made = done, 0
            self._tell()
        self.others, self.made = done, 0

    def going_on(self, made: int) -> None:
        """Units that are not whole have so many frames."""
        if made > self.made:
            self.made = made
            self._tell()

    def _tell(self) -> None:
        made = min(self.others + self.made, self.total)
        rate = (made - (self.first or 0)) / max(time.monotonic() - self.began, 1e-9)
        if made:
            self.progress.frame(made - 1, {"left": (self.total - made) / max(rate, 1e-9)})

    def ask(self, question: str) -> bool:
        """Nobody can be asked."""
        return True
