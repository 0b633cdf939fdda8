"""Actors that share the plan's folder: each is a worker, and the driver says what it should try."""

import contextlib
import importlib
import os
import random
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dreamvid.errors import DreamvidError, StorageError
from dreamvid.farm.claims import State
from dreamvid.farm.plans import Plan, PlanError
from dreamvid.farm.ray_crew import Crew
from dreamvid.farm.searching import UNSEEN
from dreamvid.farm.working import (
    ATTEMPTS,
    FULL,
    REFUSED,
    WAIT,
    Outcome,
    Worker,
    may_be_made,
)

GONE = "gone"
"""What has become of a unit in the hands of an actor that does not see the plan."""


class Hand:
    """An actor: a worker of the plan, which holds its networks from unit to unit."""

    def __init__(self, folder: str, identity: str, name: str, retry: bool, threads: int) -> None:
        self.name, self.fault = name, ""
        # Ray sets another number, and a dream differs by it.
        os.environ["OMP_NUM_THREADS"] = str(threads)
        self.worker: Worker | None = None
        try:
            plan = Plan.open(Path(folder))
            if plan.identity != identity:
                raise PlanError(f"{folder}: is another plan")
            self.worker = Worker(plan, name=name, retry=retry)
            self.at_work = self.worker.at_work()
            self.at_work.__enter__()
        except DreamvidError as error:
            self.fault = (
                f"{os.uname().nodename}: {error}; share the folder with every node of the cluster, "
                "under the same path, or give --no-shared-folder"
            )

    def __repr__(self) -> str:
        return self.name

    def ready(self) -> str:
        """What is wrong with this actor; empty where nothing is."""
        return self.fault

    def make(self, unit: str) -> Outcome:
        """Make a unit if nobody has it."""
        return Outcome(GONE, self.fault) if self.worker is None else self.worker.attempt(unit)

    def process(self) -> tuple[int, str]:
        """Its process, and its node."""
        ray = importlib.import_module("ray")
        return os.getpid(), ray.get_runtime_context().get_node_id()


def drive(ray: Any, driver: Worker, crew: Crew) -> None:
    """Hand out units until none is left that can be made.

    Raises:
        StorageError: the folder is full.
        DreamvidError: no actor can make anything.
    """
    busy: dict[Any, tuple[Any, str]] = {}
    failed: dict[str, int] = {}
    told = 0.0
    while True:
        states = driver.states(driver.pace if busy else 0)
        if time.monotonic() - told >= WAIT:
            told = time.monotonic()
            _tell(driver, states)
        open_ = [
            unit.name
            for unit in driver.plan.units
            if failed.get(unit.name, 0) < ATTEMPTS
            and not crew.given_up(unit.name)
            and may_be_made(unit, states, driver.retry)
        ]
        if not open_:
            return
        free = _hand_out(crew, busy, open_, states)
        done, _ = ray.wait(list(busy), num_returns=1, timeout=WAIT) if busy else ([], [])
        for each in done:
            hand, unit = busy.pop(each)
            _back(driver, crew, failed, hand, unit, ray.get(each))
        if not free or not done:
            time.sleep(WAIT / 5)


def _hand_out(
    crew: Crew,
    busy: dict[Any, tuple[Any, str]],
    open_: Sequence[str],
    states: Mapping[str, State],
) -> bool:
    """Give units to idle actors; whether there are some that nobody has."""
    given = {unit for _, unit in busy.values()}
    free = [unit for unit in open_ if unit not in given and not states.get(unit, UNSEEN).taken]
    # What another has may be free again by now, if the other has died.
    again = random.sample(open_, 1) if open_ and not free else []
    for unit in free or again:
        if not crew.idle:
            break
        if hand := crew.hand_for(unit):
            busy[hand.make.options(name=unit).remote(unit)] = (hand, unit)
    return bool(free)


def _back(
    driver: Worker, crew: Crew, failed: dict[str, int], hand: Any, unit: str, outcome: Outcome
) -> None:
    """What an actor has to say of its unit."""
    kind, reason = outcome
    if kind == FULL:
        raise StorageError(reason)
    if kind == GONE:
        crew.leave(hand, reason)
        return
    driver.ledger.states([unit])
    if kind:
        driver.failed[unit] = reason
    if kind == REFUSED:
        crew.refuse(hand, unit, reason)
        return
    crew.back(hand)
    if kind:
        failed[unit] = failed.get(unit, 0) + 1
        driver.tally.say(f"{unit}: failed: {reason}")


def _tell(driver: Worker, states: Mapping[str, State]) -> None:
    """Move the bar on by the frames of the units that are being made."""
    made = 0
    for unit in driver.plan.units:
        if "folder" in unit.facts and states.get(unit.name, UNSEEN).taken:
            with contextlib.suppress(OSError):
                journal = driver.maker.folder(unit) / "journal.jsonl"
                made += journal.read_bytes().count(b"\n")
    driver.tally.going_on(made)
