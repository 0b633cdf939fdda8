"""The driver of actors that see no folder of the plan.

It holds the claims of what they make, and keeps what comes back in the plan's folder. So an actor
that dies loses no frame that has reached the driver, and another goes on from there.
"""

import contextlib
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dreamvid.errors import DreamvidError
from dreamvid.farm.claims import Claim
from dreamvid.farm.parcels import Packer
from dreamvid.farm.plans import Unit
from dreamvid.farm.ray_crew import Crew
from dreamvid.farm.ray_guests import AHEAD, END, FILM, FRAME, SAID
from dreamvid.farm.searching import UNSEEN
from dreamvid.farm.working import FAILED, REFUSED, WAIT, Worker, reason_of
from dreamvid.jobs.folder import Job
from dreamvid.jobs.image_folders import STATE
from dreamvid.jobs.journal import Journal
from dreamvid.media import atomic_write, storage_checked

OPTIONS = {"num_returns": "streaming", "_generator_backpressure_num_objects": AHEAD}


@dataclass
class Errand:
    """A unit that an actor is making."""

    hand: Any
    claim: Claim
    unit: Unit
    folder: Path
    job: Job | None
    journal: Journal[Any]
    made: int = 0
    ended: bool = False
    films: set[Path] = field(default_factory=set)
    """Films of which some pieces are here."""


class Host:
    """What hands out units by content, and keeps what comes back."""

    def __init__(self, ray: Any, driver: Worker, crew: Crew) -> None:
        self.ray, self.driver, self.crew = ray, driver, crew
        self.packer = Packer(driver.plan, ray.put)
        self.search = driver.search_in(driver.plan.units)
        self.busy: dict[Any, Errand] = {}
        self.mending: dict[Any, Any] = {}
        """Actors that have died, by what tells that they are there again."""
        driver.may_try = self._may_try

    def run(self) -> None:
        """Have all units made, and join what can be joined.

        Raises:
            DreamvidError: no actor can make anything, or the folder is full.
        """
        looked = -WAIT
        while True:
            if self.crew.idle and time.monotonic() - looked >= WAIT:
                looked = time.monotonic()
                self.driver.states(self.driver.pace)
                while self.crew.idle and self._give():
                    pass
                if not self.busy and not self._must_wait():
                    break
            waiting = [*self.busy, *self.mending]
            ready, _ = self.ray.wait(waiting, timeout=WAIT) if waiting else ([], [])
            for each in ready:
                if each in self.mending:
                    self._mended(each)
                else:
                    self._hear(each)
                if each not in self.busy:
                    looked = -WAIT  # somebody may be idle
            if not waiting:
                time.sleep(WAIT)
        for hand in self.crew.hands:
            with contextlib.suppress(self.ray.exceptions.RayError):
                self.ray.get(hand.leave.remote(), timeout=WAIT)

    def _may_try(self, unit: str) -> bool:
        """Whether there is somebody who has not refused a unit; what joins is made here."""
        if self.driver.units[unit].needs:
            return True
        return not self.crew.given_up(unit) and self.crew.may_try(unit)

    def _must_wait(self) -> bool:
        """Whether others have units in their hands, or actors that could make one start again."""
        known = self.driver.ledger.known
        taken = any(known.get(name, UNSEEN).taken for name in self.driver.units)
        return taken or bool(self.mending)

    def _give(self) -> bool:
        """Give one unit to an idle actor; whether there was one."""
        driver = self.driver
        claim = driver.take(driver.plan.units, self.search)
        if claim is None:
            return False
        unit = driver.units[claim.unit]
        if unit.needs:
            driver.make(claim)  # it needs all frames, which are here
            return True
        folder = driver.maker.folder(unit)
        parcel = self.packer.parcel(unit)
        job = Job.open(folder) if (folder / "job.json").exists() else None
        journal = job.journal if job else Journal(folder / STATE / "journal.jsonl", "name", str)
        hand = self.crew.hand_for(unit.name)
        words = hand.make.options(name=unit.name, **OPTIONS).remote(parcel)
        self.busy[words] = Errand(hand, claim, unit, folder, job, journal)
        return True

    def _mended(self, ready: Any) -> None:
        """An actor that has died is there again, or has died again."""
        hand = self.mending.pop(ready)
        try:
            fault = self.ray.get(ready)
        except self.ray.exceptions.RayError:
            self.mending[hand.ready.remote()] = hand
            time.sleep(WAIT / 5)
            return
        if fault:
            self.crew.leave(hand, fault)
        else:
            self.crew.back(hand)

    def _hear(self, words: Any) -> None:
        """Take the next word of an actor."""
        errand, exceptions = self.busy[words], self.ray.exceptions
        try:
            self._keep(errand, *self.ray.get(next(words)))
            return
        except StopIteration:
            lost = not errand.ended
        except exceptions.RayTaskError as error:
            self._fail(errand, reason_of(error.cause))
            lost = False
        except exceptions.RayError:
            lost = True
        del self.busy[words]
        for path in errand.films:
            path.unlink(missing_ok=True)
        if lost:
            self.driver.ledger.release(errand.claim)
            self.mending[errand.hand.ready.remote()] = errand.hand

    def _keep(self, errand: Errand, kind: str, *rest: Any) -> None:
        """Do what belongs to a word."""
        driver, claim = self.driver, errand.claim
        if kind == SAID:
            driver.tally.say(*rest)
        elif kind == FRAME and driver.ledger.holds(claim):
            self._keep_frame(errand, *rest)
        elif kind == FILM:
            self._keep_film(errand, *rest)
        elif kind == END:
            errand.ended = True
            if driver.ledger.holds(claim):
                driver.ledger.finish(claim, *rest)
            driver.ledger.held.pop(claim.unit, None)
            self.crew.back(errand.hand)
        elif kind == REFUSED:
            errand.ended = True
            driver.ledger.release(claim)
            self.crew.refuse(errand.hand, claim.unit, *rest)
            if self.crew.given_up(claim.unit):
                driver.refused[claim.unit] = DreamvidError(*rest)
        elif kind == FAILED:
            self._fail(errand, *rest)

    def _fail(self, errand: Errand, reason: str) -> None:
        errand.ended = True
        self.driver.fail(errand.claim, reason)
        self.crew.back(errand.hand)

    def _keep_frame(self, errand: Errand, name: str, data: bytes, line: dict[str, Any]) -> None:
        """Write a frame and its line as the actor has them."""
        with atomic_write(errand.folder / name) as part:
            part.write_bytes(data)
        errand.journal.add(line)
        if errand.job:
            errand.job.show(line["index"])
        errand.made += 1
        self.driver.tally.going_on(sum(each.made for each in self.busy.values()))

    def _keep_film(self, errand: Errand, name: str, data: bytes, last: bool) -> None:
        """Write a piece of a film; the last one makes it whole."""
        path = self.driver.plan.results / name
        pieces = errand.folder / f".{name.replace('/', '-')}.part"
        with storage_checked(pieces):
            path.parent.mkdir(parents=True, exist_ok=True)
            with pieces.open("ab" if pieces in errand.films else "wb") as stream:
                stream.write(data)
        errand.films.add(pieces)
        if last:
            with atomic_write(path) as part:
                pieces.replace(part)
