"""A plan on Ray: an actor for each GPU, or for some processors, and a driver that hands out units.

The folder of the plan stays the truth, whether the actors see it or not. So `dreamvid work` may
help, and whatever dies is gone on with.
"""

import importlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dreamvid import __version__
from dreamvid.errors import Stopped, in_one_line
from dreamvid.farm.plans import Plan, PlanError
from dreamvid.farm.ray_crew import Crew
from dreamvid.farm.ray_guests import Guest
from dreamvid.farm.ray_hands import Hand, drive
from dreamvid.farm.ray_host import Host
from dreamvid.farm.working import Worker, results
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
    shared: bool = True,
    retry: bool = False,
    progress: Progress | None = None,
) -> list[Path]:
    """Make a plan on Ray, and return its results.

    Args:
        folder: the plan's.
        again: the command that goes on.
        address: that of a cluster; None: one is started here, and ends with this.
        workers: how many actors; None: as many as there are GPUs, or processors for.
        shared: whether all nodes share the folder; else units travel by content, and their frames
            come back.
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
                say = (progress or Silence()).say
                hands = _hands(ray, plan, workers, say, _maker(ray, plan, name, shared, retry))
                if shared:
                    drive(ray, driver, Crew(hands, say))
                else:
                    with driver.at_work():
                        Host(ray, driver, Crew(hands, say)).run()
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
        told = in_one_line(error)[:200]
        raise PlanError(
            f"Ray cannot be {f'reached at {address}' if address else 'started here'}: {told}; "
            "see that it runs, and that its token is in RAY_AUTH_TOKEN or ~/.ray/auth_token"
        ) from None


def _maker(
    ray: Any, plan: Plan, name: str, shared: bool, retry: bool
) -> Callable[[int, dict[str, Any]], Any]:
    """What starts an actor, by its number and what it takes of its node."""

    def make(number: int, options: dict[str, Any]) -> Any:
        called = f"{name}-{number}"
        # Machines die as often as they like; what a unit may fail is counted.
        options = {**options, "name": called, "max_restarts": -1}
        if shared:
            options |= {"max_task_retries": -1}
            words = (str(plan.folder), plan.identity, called, retry, plan.threads)
            return ray.remote(Hand).options(**options).remote(*words)
        return ray.remote(Guest).options(**options).remote(plan, __version__, called)

    return make


def _hands(
    ray: Any,
    plan: Plan,
    workers: int | None,
    say: Callable[[str], None],
    make: Callable[[int, dict[str, Any]], Any],
) -> list[Any]:
    """The actors, the first of which is ready."""
    have = ray.cluster_resources()
    gpus = int(have.get("GPU", 0))
    most = gpus or max(1, int(have.get("CPU", 1)) // plan.threads)
    count = min(workers or most, most)
    if workers and workers > most:
        what = f"{gpus} GPUs" if gpus else f"processors for {most} workers of {plan.threads}"
        say(f"the cluster has {what}, so there are {count} workers")
    options = {"num_cpus": 0 if gpus else plan.threads, "num_gpus": 1 if gpus else 0}
    hands = [make(number, options) for number in range(1, count + 1)]
    try:
        fault = ray.get(hands[0].ready.remote())
    except ray.exceptions.RayError as error:
        fault = f"a worker does not start: {' '.join(str(error).split())[:200]}"
    if fault:
        raise PlanError(fault)
    say(f"{count} workers of {'a GPU' if gpus else f'{plan.threads} threads'} each")
    return hands


def _left(driver: Worker, name: str) -> None:
    """Leave to others what actors had that are gone now."""
    for claim in list(driver.ledger.held.values()):
        driver.ledger.release(claim)
    for unit, state in driver.states().items():
        if state.taken:
            driver.ledger.leave(unit, state.number, name)
