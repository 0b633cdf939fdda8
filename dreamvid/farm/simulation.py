"""A farm without dreams: workers that only claim, wait and finish, to measure the folder's limits.

::

    python -m dreamvid.farm.simulation DIR --units 10000 --workers 200 --seconds 0.05
"""

import argparse
import json
import multiprocessing
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from dreamvid.farm.claims import RECENT, Ledger, State, somewhere, taken_from


def simulated(
    folder: Path, units: Sequence[str], workers: int, seconds: float, processes: int = 2
) -> dict[str, float]:
    """What `workers` threads in some processes do in a new folder with units of so many seconds.

    Returns:
        The units that were made, how often one was made twice, the seconds it took, and the claims
        a second.
    """
    folder.mkdir(parents=True)
    began = time.monotonic()
    counts = [len(range(number, workers, processes)) for number in range(processes)]
    context = multiprocessing.get_context("spawn")
    with context.Pool(processes) as pool:
        made = pool.starmap(
            _several, [(folder, list(units), count, seconds) for count in counts], chunksize=1
        )
    took = time.monotonic() - began
    names = [name for part in made for name in part]
    return {
        "units": len(set(names)),
        "twice": len(names) - len(set(names)),
        "seconds": round(took, 2),
        "claims_per_second": round(len(names) / took, 1),
    }


def _several(folder: Path, units: list[str], workers: int, seconds: float) -> list[str]:
    """The units that so many threads have made."""
    made: list[str] = []
    threads = [
        threading.Thread(target=_one, args=(folder, units, seconds, made)) for _ in range(workers)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return made


def _one(folder: Path, units: list[str], seconds: float, made: list[str]) -> None:
    ledger, start, age = Ledger(folder, 300), somewhere(len(units)), 0.0
    with ledger.beating():
        while True:
            states = ledger.states(age)
            free = [unit for unit in units if states.get(unit, State()).number == 0]
            if not free and not age:
                return
            claim = taken_from(ledger, free, states, start)
            age = RECENT if claim else 0.0
            if claim:
                time.sleep(seconds)
                ledger.finish(claim, {})
                made.append(claim.unit)


def main() -> None:
    """Measure in a folder, which may lie on any disk or network."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--units", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=0.05)
    parser.add_argument("--processes", type=int, default=2)
    asked = parser.parse_args()
    units = [f"unit-{number:05d}" for number in range(1, asked.units + 1)]
    told = simulated(asked.folder, units, asked.workers, asked.seconds, asked.processes)
    print(json.dumps(told))  # noqa: T201


if __name__ == "__main__":
    main()
