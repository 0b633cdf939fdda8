"""A plan on Ray: an actor for each GPU, or for some processors, and a driver that hands out units.

The folder of the plan stays the truth: actors take units as other workers do, so `dreamvid work`
may help, and whatever dies is gone on with.
"""

import contextlib
import importlib
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dreamvid.errors import DreamvidError, Stopped, StorageError
from dreamvid.farm.claims import State
from dreamvid.farm.plans import Plan, PlanError
from dreamvid.farm.working import ATTEMPTS, WAIT, Worker, may_be_made, results
from dreamvid.jobs.progress import Progress, Silence
from dreamvid.jobs.stopping import stoppable
from dreamvid.machine.threads import cores

SAFE = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "token",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}
"""Nothing is reported to anybody, and nobody without the token runs code here. What the user's own
variables say stays."""


def farm(
    folder: Path,
    again: str,
    *,
    address: str | None = None,
    workers: int | None = None,
    retry: bool = False,
    progress: Progress | None = None,
) -> list[Path]:
    """Make a plan on Ray, and return its results.

    Args:
        folder: the plan's, which all nodes share.
        again: the command that goes on.
        address: that of a cluster; None: one is started here, and ends with this.
        workers: how many actors; None: as many as there are GPUs, or processors for.
        retry: whether units are tried that were given up.
        progress: who is told.

    Raises:
        PlanError: the folder is no plan, or is not shared.
        FarmError: some units cannot be made; all others are.
        Stopped: by a signal; the same command goes on.
    """
    plan = Plan.open(folder)
    ray = ray_here()
    driver = Worker(plan, progress, retry=retry)
    name = f"farm-{plan.identity[:8]}-{os.getpid()}"
    try:
        with stoppable(folder, again):
            _connected(ray, address, workers, plan.threads)
            try:
                hands = _hands(ray, plan, name, workers, retry, progress or Silence())
                _drive(ray, driver, hands)
            finally:
                ray.shutdown()
                _left(driver, name)
    except Stopped as stopped:
        raise Stopped(stopped.signal, stopped.folder, again) from None
    driver.must_be_whole(plan.units, driver.states())
    return results(plan)


def ray_here() -> Any:
    """Ray, with nothing of it open to others; a `DreamvidError` where it is not installed."""
    for name, value in SAFE.items():
        os.environ.setdefault(name, value)
    try:
        return importlib.import_module("ray")
    except ImportError:
        raise PlanError(
            "dreamvid farm needs Ray, which is not installed; "
            "pip install 'dreamvid[ray]', or use `dreamvid work`, which needs nothing"
        ) from None


def _connected(ray: Any, address: str | None, workers: int | None, threads: int) -> None:
    options: dict[str, Any] = {"log_to_driver": False, "configure_logging": False}
    if address is None:
        # Ray takes each thread for a processor; more workers than processors only share them.
        count = max(cores(), (workers or 0) * threads)
        options |= {"num_cpus": count, "include_dashboard": None}
    try:
        ray.init(address=address, **options)
    except Exception as error:  # a node that does not start raises just that
        told = " ".join(str(error).split())[:200]
        raise PlanError(
            f"Ray cannot be {f'reached at {address}' if address else 'started here'}: {told}; "
            "see that it runs, and that its token is in RAY_AUTH_TOKEN or ~/.ray/auth_token"
        ) from None


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
            host = os.uname().nodename
            self.fault = (
                f"{host}: {error}; share the folder with every node of the cluster, under the "
                "same path"
            )

    def __repr__(self) -> str:
        return self.name

    def ready(self) -> str:
        """What is wrong with this actor; empty where nothing is."""
        return self.fault

    def make(self, unit: str) -> tuple[str, bool]:
        """Make a unit if nobody has it: why it cannot be made, and whether the folder is full."""
        if self.worker is None:
            return self.fault, True
        try:
            return self.worker.attempt(unit), False
        except StorageError as error:
            return str(error), True

    def process(self) -> tuple[int, str]:
        """Its process, and its node."""
        ray = importlib.import_module("ray")
        return os.getpid(), ray.get_runtime_context().get_node_id()


def _hands(
    ray: Any, plan: Plan, name: str, workers: int | None, retry: bool, progress: Progress
) -> list[Any]:
    """The actors, all of which see the plan."""
    have = ray.cluster_resources()
    gpus = int(have.get("GPU", 0))
    most = gpus or max(1, int(have.get("CPU", 1)) // plan.threads)
    count = min(workers or most, most)
    if workers and workers > most:
        what = f"{gpus} GPUs" if gpus else f"processors for {most} workers of {plan.threads}"
        progress.say(f"the cluster has {what}, so there are {count} workers")
    # Machines die as often as they like; what a unit may fail is counted in the folder.
    options: dict[str, Any] = {
        "num_cpus": 0 if gpus else plan.threads,
        "num_gpus": 1 if gpus else 0,
        "max_restarts": -1,
        "max_task_retries": -1,
    }
    arguments = (str(plan.folder), plan.identity)
    hands = [
        ray.remote(Hand)
        .options(**options, name=f"{name}-{number}")
        .remote(*arguments, f"{name}-{number}", retry, plan.threads)
        for number in range(1, count + 1)
    ]
    if fault := ray.get(hands[0].ready.remote()):
        raise PlanError(fault)
    progress.say(f"{count} workers of {'a GPU' if gpus else f'{plan.threads} threads'} each")
    return hands


def _drive(ray: Any, driver: Worker, hands: list[Any]) -> None:
    """Hand out units until none is left that can be made."""
    idle, busy = list(hands), {}
    failed: dict[str, int] = {}
    while True:
        states = driver.states()
        _tell(driver, states)
        open_ = [
            unit
            for unit in driver.plan.units
            if failed.get(unit.name, 0) < ATTEMPTS and may_be_made(unit, states, driver.retry)
        ]
        if not open_:
            return
        given = {unit for _, unit in busy.values()}
        waiting = [unit.name for unit in open_ if unit.name not in given]
        # What another has may be free again by now, if the other has died.
        again = [unit.name for unit in open_ if unit.name in given] if not waiting else []
        for unit in [*waiting, *again[:1]]:
            if not idle:
                break
            hand = idle.pop()
            busy[hand.make.options(name=unit).remote(unit)] = (hand, unit)
        done, _ = ray.wait(list(busy), num_returns=1, timeout=WAIT)
        for each in done:
            hand, unit = busy.pop(each)
            idle.append(hand)
            fault, full = ray.get(each)
            if full:
                raise StorageError(fault)
            if fault:
                failed[unit] = failed.get(unit, 0) + 1
                driver.failed[unit] = fault
                driver.tally.say(f"{unit}: failed: {fault}")
        if done and not waiting:
            time.sleep(WAIT / 5)


def _tell(driver: Worker, states: Mapping[str, State]) -> None:
    """Move the bar on by the frames of the units that are being made."""
    made = 0
    for unit in driver.plan.units:
        if "folder" in unit.facts and states.get(unit.name, State()).taken:
            with contextlib.suppress(OSError):
                journal = driver.maker.folder(unit) / "journal.jsonl"
                made += journal.read_bytes().count(b"\n")
    driver.tally.going_on(made)


def _left(driver: Worker, name: str) -> None:
    """Leave to others what actors had that are gone now."""
    for unit, state in driver.ledger.states().items():
        if state.taken:
            driver.ledger.leave(unit, state.number, name)
