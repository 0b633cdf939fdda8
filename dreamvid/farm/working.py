"""A worker: it takes units until the plan is whole, and joins what can be joined."""

import contextlib
import random
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from dreamvid.errors import (
    DreamvidError,
    MediaError,
    NetworkError,
    ResumeError,
    SettingsError,
    Stopped,
    StorageError,
)
from dreamvid.farm.claims import Claim, ClaimLost, Ledger, State, block_of, names
from dreamvid.farm.making import Maker
from dreamvid.farm.plans import Plan, PlanError, Unit
from dreamvid.farm.searching import RECENT, UNSEEN, Search
from dreamvid.farm.tally import Tally
from dreamvid.jobs.disk import clock
from dreamvid.jobs.image_folders import NAMED
from dreamvid.jobs.progress import Progress, Silence
from dreamvid.jobs.stopping import stoppable
from dreamvid.media import atomic

ATTEMPTS = 3
"""Workers that may fail at a unit before it is given up."""
REFUSALS = 3
"""Units in a row that a worker cannot begin before it gives up itself."""
WAIT = 1.0
"""Seconds between two looks at the least where all units are taken."""
PACE = 0.5
"""Seconds between two looks for each block: hundreds of workers must not keep a server listing."""
OWN = (NetworkError, PlanError, ResumeError, SettingsError)
"""What is more likely wrong with a worker than with a unit, where no frame was made."""


REFUSED, FAILED, FULL = "refused", "failed", "full"


class Outcome(NamedTuple):
    """What has become of a unit in the hands of one worker."""

    kind: str = ""
    """REFUSED: the worker cannot begin it; FAILED; FULL: the folder is; or empty."""
    reason: str = ""


class FarmError(DreamvidError):
    """Some units of a plan could not be made."""

    exit_status = 1


class Worker:
    """One that takes units of a plan, makes them and tells of them.

    Args:
        plan: what is to be made.
        progress: who is told.
        name: that of the worker, where it is started again by others under the same.
        retry: whether units are tried that were given up.
    """

    def __init__(
        self,
        plan: Plan,
        progress: Progress | None = None,
        *,
        name: str = "",
        retry: bool = False,
    ) -> None:
        self.plan, self.retry = plan, retry
        self.ledger = Ledger(plan.claims, plan.silence, name)
        self.tally = Tally(progress or Silence(), sum(unit.frames for unit in plan.units))
        self.tally.ledger = self.ledger
        self.maker = Maker(plan, self.tally)
        self.units = {unit.name: unit for unit in plan.units}
        self.pace = max(RECENT, PACE * len(set(map(block_of, self.units))))
        self.may_try: Callable[[str], bool] = lambda unit: True
        """Whether somebody who works for this one may try a unit."""
        self.refused: dict[str, DreamvidError] = {}
        self.failed: dict[str, str] = {}
        self.in_a_row = 0

    @contextlib.contextmanager
    def at_work(self) -> Iterator[None]:
        """Tell others that this worker lives, as long as the block lasts.

        No other worker writes into a file that it has begun.
        """
        mark = f"{self.ledger.owner['pid']}x{secrets.token_hex(4)}"
        with atomic.marked(mark), self.ledger.beating():
            yield

    def work(self, only: Sequence[Unit] | None = None) -> None:
        """Take units until there are none left for anybody; with `only`, just those.

        Raises:
            FarmError: some units cannot be made; all others are.
            DreamvidError: this worker cannot make any, or the folder is full.
        """
        units = self.plan.units if only is None else only
        search = self.search_in(units)
        while True:
            self.states(self.pace)
            if claim := self.take(units, search):
                self.make(claim)
                continue
            states = self.ledger.known
            waited = [unit.name for unit in units if states.get(unit.name, UNSEEN).taken]
            if only is not None and waited:
                raise ClaimLost(f"{names(waited)}: another worker is at it; wait for it or stop it")
            if not waited:
                break
            pause = max(WAIT, PACE * len(set(map(block_of, waited))))
            time.sleep(min(pause, self.plan.silence / 4))
        self.must_be_whole(units, self.states())

    def attempt(self, name: str) -> Outcome:
        """Make one unit if nobody has it."""
        unit = self.plan.unit(name)
        self.refused.clear()
        self.failed.clear()
        try:
            if claim := self.take(unit, self.search_in(unit)):
                self.in_a_row = 0
                self.make(claim)
        except StorageError as error:
            return Outcome(FULL, str(error))
        if name in self.refused:
            return Outcome(REFUSED, str(self.refused[name]))
        return Outcome(FAILED, self.failed[name]) if name in self.failed else Outcome()

    def states(self, age: float = 0.0) -> dict[str, State]:
        """The claims of all units as they are now, or were so many seconds ago; moves the bar."""
        states = self.ledger.states(self.units, age)
        self.tally.units(sum(self.units[name].frames for name in states if _is_done(name, states)))
        return states

    def search_in(self, units: Sequence[Unit]) -> Search:
        """Where to look for a unit that waits for no other."""
        return Search(self.ledger, [unit.name for unit in units if not unit.needs])

    def take(self, units: Sequence[Unit], search: Search) -> Claim | None:
        """A unit in this worker's hands; None where there is none to take now."""
        if claim := search.take(self._wanted):
            return claim
        states = self.ledger.states(name for unit in units for name in (unit.name, *unit.needs))
        if claim := search.take(self._wanted):
            return claim
        free = [unit.name for unit in units if self._may(unit, states)]
        for name in free:
            state = states.get(name, UNSEEN)
            if not state.taken and (claim := self.ledger.take(name, state.number + 1)):
                return claim
        silent = set(self.ledger.silent(states))
        for name in random.sample(lost := [name for name in free if name in silent], len(lost)):
            if claim := self.ledger.take(name, states[name].number + 1):
                self.tally.say(f"{claim.unit}: taken over from a worker that is silent")
                return claim
        return None

    def _wanted(self, name: str, state: State) -> bool:
        return self._may(self.units[name], {name: state})

    def _may(self, unit: Unit, states: Mapping[str, State]) -> bool:
        if unit.name in self.refused or unit.name in self.failed or not self.may_try(unit.name):
            return False
        return may_be_made(unit, states, self.retry)

    def make(self, claim: Claim) -> None:
        """Make a unit that was taken, and say what became of it."""
        unit = self.units[claim.unit]
        began, ledger = time.monotonic(), self.ledger
        self.tally.claim, self.tally.before = claim, unit.facts.get("begin", 0)
        try:
            told = self.maker.make(unit)
            if not ledger.holds(claim):
                raise ClaimLost(f"{unit}: another worker has taken it over")
            ledger.finish(claim, {**told, "seconds": round(time.monotonic() - began, 3)})
            self.in_a_row = 0
        except ClaimLost as error:
            ledger.held.pop(unit.name, None)
            self.tally.say(str(error))
        except StorageError:
            ledger.release(claim)
            raise
        except OWN as error:
            if self.tally.made:
                self.fail(claim, str(error))
                return
            ledger.release(claim)
            self.refused[unit.name] = type(error)(f"{unit}: {error}")
            self.in_a_row += 1
            if self.in_a_row >= REFUSALS:
                raise self.refused[unit.name] from None
        except Exception as error:
            self.fail(claim, reason_of(error))
        except BaseException:
            ledger.release(claim)
            raise
        finally:
            self.tally.claim = None

    def fail(self, claim: Claim, reason: str) -> None:
        """Say that a unit cannot be made, and why."""
        self.failed[claim.unit] = reason
        self.tally.say(f"{claim.unit}: failed: {reason}")
        self.ledger.fail(claim, reason)

    def must_be_whole(self, units: Sequence[Unit], states: Mapping[str, State]) -> None:
        """Raise an error that names what is not whole, where anything is not."""
        left = [unit for unit in units if not _is_done(unit.name, states)]
        if not left:
            self._must_have_all()
            return
        failed = {
            unit.name: self.failed.get(unit.name)
            or self.ledger.reason(unit.name, max(states[unit.name].failed))
            for unit in left
            if unit.name in self.failed or states.get(unit.name, UNSEEN).failed
        }
        if not failed and self.refused:
            raise next(iter(self.refused.values()))
        if failed:
            name, reason = next(iter(failed.items()))
            more = f" ({len(failed)} units: {names(failed)})" if len(failed) > 1 else ""
            raise FarmError(
                f"{name}: cannot be made{more}: {reason}; all that does not need it is made; "
                f"`dreamvid work {self.plan.folder} --retry` tries it again"
            )
        needed = [each for each in left[0].needs if not _is_done(each, states)]
        raise FarmError(f"{left[0]}: waits for {names(needed)}; make them first")

    def _must_have_all(self) -> None:
        """Raise `MediaError` where pictures were bad and had to be left out."""
        for unit in self.plan.units:
            if unit.kind == "gather" and (bad := self.ledger.told(unit.name).get("left_out")):
                told = "; ".join(bad[:NAMED]) + ("; …" if len(bad) > NAMED else "")
                raise MediaError(f"{len(bad)} pictures were left out: {told}")


def work(
    folder: Path,
    again: str,
    *,
    unit: str | None = None,
    retry: bool = False,
    progress: Progress | None = None,
) -> list[Path]:
    """Work on the plan in a folder until it is whole, and return its results.

    Args:
        folder: the plan's.
        again: the command that goes on.
        unit: the only unit to make, or a range of them; then nothing is waited for.
        retry: whether units are tried that were given up.
        progress: who is told.

    Raises:
        PlanError: the folder is no plan of this version.
        FarmError: some units cannot be made; all others are.
        Stopped: by a signal; the same command goes on.
    """
    plan = Plan.open(folder)
    worker = Worker(plan, progress, retry=retry)
    began = time.monotonic()
    try:
        with stoppable(folder, again), worker.at_work():
            worker.work(None if unit is None else plan.unit(unit))
    except Stopped as stopped:
        raise Stopped(stopped.signal, stopped.folder, again) from None
    if progress is not None:
        progress.say(f"worked for {clock(time.monotonic() - began)}")
    return results(plan)


def results(plan: Plan) -> list[Path]:
    """What a plan has made so far."""
    found = [plan.results / unit.facts["result"] for unit in plan.units if "result" in unit.facts]
    found += [plan.results for unit in plan.units if unit.kind == "gather"]
    return [path for path in found if path.exists()]


def may_be_made(unit: Unit, states: Mapping[str, State], retry: bool) -> bool:
    """Whether a unit is lacking, has not been given up, or is tried again, and needs no other."""
    state = states.get(unit.name, UNSEEN)
    if state.done or (len(state.failed) >= ATTEMPTS and not retry):
        return False
    return all(_is_done(each, states) for each in unit.needs)


def _is_done(name: str, states: Mapping[str, State]) -> bool:
    return name in states and states[name].done


def reason_of(error: Exception) -> str:
    """What to say of an error in one line."""
    if isinstance(error, DreamvidError):
        return str(error)
    with contextlib.suppress(Exception):
        return f"{type(error).__name__}: {' '.join(str(error).split())}"
    return type(error).__name__
