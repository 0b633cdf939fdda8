"""A farm without dreams: workers that only claim, wait and finish, to measure the folder's limits.

::

    python -m dreamvid.farm.simulation DIR --units 10000 --workers 200 --seconds 0.05
    python -m dreamvid.farm.simulation DIR --like PLAN --speed 100
"""

import argparse
import itertools
import json
import multiprocessing
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from dreamvid.farm.claims import Ledger, State
from dreamvid.farm.searching import Search

OPERATIONS = (
    "open",
    "os.listdir",
    "os.rename",
    "os.link",
    "os.remove",
    "os.utime",
    "os.mkdir",
)
"""What is counted of what a worker asks of the folder, as Python calls it."""
Made = tuple[list[str], int]
"""The units that were made, and the operations that it took."""


def simulated(
    folder: Path, units: Sequence[str], workers: int, times: Sequence[float], processes: int = 2
) -> dict[str, float]:
    """What `workers` threads in some processes do in a new folder.

    Args:
        folder: that of the claims, which is made.
        units: their names.
        workers: how many.
        times: the seconds of the units; where there are fewer, they begin anew.
        processes: Python runs one thread of a process at a time.

    Returns:
        The units that were made, how often one was made twice, the seconds it took, and the claims
        and the operations on files that belong to one of them.
    """
    folder.mkdir(parents=True)
    began = time.monotonic()
    counts = [len(range(number, workers, processes)) for number in range(processes)]
    context = multiprocessing.get_context("spawn")
    with context.Pool(processes) as pool:
        made = pool.starmap(
            _several, [(folder, list(units), count, times) for count in counts], chunksize=1
        )
    took = time.monotonic() - began
    names = [name for part, _ in made for name in part]
    return {
        "units": len(set(names)),
        "twice": len(names) - len(set(names)),
        "seconds": round(took, 2),
        "claims_per_second": round(len(names) / took, 1),
        "operations_per_claim": round(sum(count for _, count in made) / len(names), 2),
    }


def _several(folder: Path, units: list[str], workers: int, times: Sequence[float]) -> Made:
    """What so many threads have made."""
    made: list[str] = []
    lasts = dict(zip(units, itertools.cycle(times), strict=False))
    threads = [threading.Thread(target=_one, args=(folder, lasts, made)) for _ in range(workers)]
    counts = {name: itertools.count() for name in OPERATIONS}

    def counted(event: str, _: object) -> None:
        if event in counts:
            next(counts[event])

    sys.addaudithook(counted)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return made, sum(next(count) for count in counts.values())


def _one(folder: Path, lasts: dict[str, float], made: list[str]) -> None:
    """One worker, from its start until it sees nothing to take."""
    ledger = Ledger(folder, 300)
    search = Search(ledger, list(lasts))
    with ledger.beating():
        while claim := search.take(_untaken):
            time.sleep(lasts[claim.unit])
            ledger.finish(claim, {})
            made.append(claim.unit)


def _untaken(name: str, state: State) -> bool:
    return state.number == 0


def recorded(plan: Path) -> list[float]:
    """The seconds that the units of a plan have taken."""
    lines = [path.read_text("utf-8") for path in sorted((plan / "claims").glob("*/*.done"))]
    return [float(json.loads(line)["seconds"]) for line in lines]


def main() -> None:
    """Measure in a folder, which may lie on any disk or network."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--units", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=0.05)
    parser.add_argument("--like", type=Path, help="a plan that is whole, whose times are taken")
    parser.add_argument("--speed", type=float, default=1, help="so much faster than --like")
    parser.add_argument("--processes", type=int, default=2)
    asked = parser.parse_args()
    units = [f"unit-{number:05d}" for number in range(1, asked.units + 1)]
    like = [each / asked.speed for each in recorded(asked.like)] if asked.like else []
    times = like or [asked.seconds]
    told = simulated(asked.folder, units, asked.workers, times, asked.processes)
    print(json.dumps(told))  # noqa: T201


if __name__ == "__main__":
    main()
