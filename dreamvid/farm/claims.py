"""Who makes which unit: files in a folder that machines share, without a server and without locks.

::

    claims/000/             a block: the units of a hundred numbers, which are listed in one look
      shot-0003.1           made by the first who took the unit, and by nobody else
      shot-0003.1.free      that one has left it
      shot-0003.2           the second who took it; a higher number counts, an older one has lost
      shot-0003.2.failed    why it could not be made; as .free otherwise
      shot-0003.done        it is whole

None of these is ever removed or renamed, so a machine that sees one late cannot take what another
has. An owner touches its file. Whether it is silent is judged by the reader's own clock, from one
look to the next: what the clocks of machines say is never compared.
"""

import contextlib
import json
import math
import os
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from dreamvid.errors import DreamvidError, StorageError
from dreamvid.farm.files import create, replace, storage
from dreamvid.farm.processes import began, this_process

BLOCK = 100
"""Units whose claims lie in one folder."""
BEATS = 12
"""How often an owner touches its file in the time after which it counts as silent."""
_NAME = re.compile(r"(?P<unit>[\w-]+)\.(?:(?P<number>\d+)(?P<end>\.free|\.failed)?|done)")


class ClaimLost(DreamvidError):
    """Another worker has taken a unit over from this one, which was silent for too long."""

    exit_status = 75


@dataclass(frozen=True)
class Claim:
    """A unit in this worker's hands."""

    unit: str
    number: int
    path: Path


@dataclass
class State:
    """What the files say of a unit."""

    number: int = 0
    """Of the last who took it; 0: nobody yet."""
    ended: set[int] = field(default_factory=set)
    """Those who have left it."""
    failed: set[int] = field(default_factory=set)
    """Those who could not make it."""
    done: bool = False

    @property
    def taken(self) -> bool:
        """Whether somebody has it."""
        return self.number > 0 and self.number not in self.ended and not self.done


class Ledger:
    """The claims of a plan, as one worker sees and makes them.

    Args:
        folder: where they lie; it exists.
        silence: seconds after which an owner who has not touched its file has lost it.
        name: that of this worker, the same after it was started again; none: one of its own.
        clock: seconds that pass, of this machine alone.
    """

    def __init__(
        self,
        folder: Path,
        silence: float,
        name: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.folder, self.silence, self.clock = folder, silence, clock
        self.owner = {**this_process(), "name": name}
        self.held: dict[str, Claim] = {}
        self.known: dict[str, State] = {}
        self._looked: dict[str, float] = {}
        self._seen: dict[tuple[str, int], tuple[int, float]] = {}
        self._watched = -silence
        self._dead: set[tuple[str, int]] = set()

    def states(self, units: Iterable[str], age: float = 0.0) -> dict[str, State]:
        """What is known of every unit, those of `units` looked at if they may have changed.

        A unit that is whole stays so and is never looked at again. Nor is a block at which this
        worker has looked less than `age` seconds ago.
        """
        open_ = {block_of(unit) for unit in units if self._is_open(unit)}
        for block in open_:
            now = self.clock()
            if now - self._looked.get(block, -math.inf) >= age:
                self._looked[block] = now
                self._look(self.folder / block)
        return self.known

    def _is_open(self, unit: str) -> bool:
        return unit not in self.known or not self.known[unit].done

    def _look(self, block: Path) -> None:
        """Add what the files of a block say to what is known; they may be seen late."""
        try:
            names = os.listdir(block)  # noqa: PTH208 - names are all that is needed
        except FileNotFoundError:
            return  # nobody has taken anything there
        except OSError as error:
            raise storage(block, error) from error
        for match in filter(None, map(_NAME.fullmatch, names)):
            state = self._known(match["unit"])
            if match["number"] is None:
                state.done = True
                continue
            number = int(match["number"])
            state.number = max(state.number, number)
            if match["end"]:
                state.ended.add(number)
            if match["end"] == ".failed":
                state.failed.add(number)

    def _known(self, unit: str) -> State:
        return self.known.setdefault(unit, State())

    def _path(self, unit: str, end: str | int) -> Path:
        return self.folder / block_of(unit) / f"{unit}.{end}"

    def take(self, unit: str, number: int) -> Claim | None:
        """Take a unit as the one of that number; None where somebody else has done so."""
        path, state = self._path(unit, number), self._known(unit)
        state.number = max(state.number, number)  # whoever has it
        try:
            create(path, json.dumps(self.owner))
        except FileExistsError:
            return None
        claim = self.held[unit] = Claim(unit, number, path)
        return claim

    def holds(self, claim: Claim) -> bool:
        """Whether nobody has taken the unit over."""
        return not self._path(claim.unit, claim.number + 1).exists()

    def finish(self, claim: Claim, told: Mapping[str, Any]) -> None:
        """Say that a unit is whole, with what is worth keeping of it."""
        replace(self._path(claim.unit, "done"), json.dumps({**self.owner, **told}))
        self.held.pop(claim.unit, None)
        self._known(claim.unit).done = True

    def release(self, claim: Claim) -> None:
        """Leave a unit to others; where even that cannot be written, its silence tells."""
        self.held.pop(claim.unit, None)
        self._known(claim.unit).ended.add(claim.number)
        with contextlib.suppress(StorageError):
            replace(claim.path.with_name(f"{claim.path.name}.free"), "")

    def leave(self, unit: str, number: int, name: str) -> None:
        """Leave to others what a worker has whose name begins so; it has ended."""
        path = self._path(unit, number)
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            if json.loads(path.read_text("utf-8"))["name"].startswith(name):
                self.release(Claim(unit, number, path))

    def fail(self, claim: Claim, reason: str) -> None:
        """Say why a unit cannot be made."""
        self.held.pop(claim.unit, None)
        state = self._known(claim.unit)
        state.ended.add(claim.number)
        state.failed.add(claim.number)
        replace(claim.path.with_name(f"{claim.path.name}.failed"), reason)

    def reason(self, unit: str, number: int) -> str:
        """Why somebody could not make a unit."""
        with contextlib.suppress(OSError):
            return self._path(unit, f"{number}.failed").read_text("utf-8")
        return "it does not say why"

    def told(self, unit: str) -> dict[str, Any]:
        """What was kept of a unit that is whole."""
        with contextlib.suppress(OSError, ValueError):
            return dict(json.loads(self._path(unit, "done").read_text("utf-8")))
        return {}

    def silent(self, states: Mapping[str, State]) -> list[str]:
        """The units whose owners have said nothing for too long, or are known to be dead.

        Looks that are soon repeated look at nothing: the same units are given again.
        """
        now = self.clock()
        if now - self._watched >= self.silence / BEATS:
            self._watched = now
            taken = {(unit, state.number) for unit, state in states.items() if state.taken}
            self._dead = {each for each in taken if self._is_silent(*each)}
            self._seen = {each: seen for each, seen in self._seen.items() if each in taken}
        return [unit for unit, number in sorted(self._dead) if states[unit].number == number]

    def _is_silent(self, unit: str, number: int) -> bool:
        path = self._path(unit, number)
        if unit in self.held:
            return False
        try:
            touched = path.stat().st_mtime_ns
        except OSError:
            return False  # seen too late or too early; the next look tells
        before, since = self._seen.setdefault((unit, number), (touched, self.clock()))
        if touched != before:
            self._seen[unit, number] = (touched, self.clock())
        elif self.clock() - since > self.silence:
            return True
        return self._is_dead(path)

    def _is_dead(self, path: Path) -> bool:
        """Whether an owner was a process of this machine, or this worker's own, that has ended."""
        try:
            owner = json.loads(path.read_text("utf-8"))
            if owner["name"] and owner["name"] == self.owner["name"]:
                return owner != self.owner
            if not owner["machine"] or owner["machine"] != self.owner["machine"]:
                return False
            return began(int(owner["pid"])) != owner["began"]
        except (OSError, ValueError, KeyError, TypeError):
            return False

    @contextlib.contextmanager
    def beating(self) -> Iterator[None]:
        """Touch the files of what is held from time to time, as long as the block lasts."""
        ended = threading.Event()

        def beat() -> None:
            while not ended.wait(self.silence / BEATS):
                for claim in list(self.held.values()):
                    # The clock of the folder's own machine, where it has one.
                    with contextlib.suppress(OSError):
                        os.utime(claim.path)

        thread = threading.Thread(target=beat, daemon=True, name="heartbeat")
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


@cache
def block_of(unit: str) -> str:
    """The folder in which the claims of a unit lie, by the number that it is called by."""
    number = re.search(r"\d+$", unit)
    return f"{int(number[0]) // BLOCK if number else 0:03d}"


def names(units: Iterable[str]) -> str:
    """Some units, for a line of text."""
    known = list(units)
    return ", ".join(known[:3]) + (f" and {len(known) - 3} more" if len(known) > 3 else "")
