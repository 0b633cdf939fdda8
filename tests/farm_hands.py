"""Workers as processes that share one start: torch is imported once, and each is a fork of that.

::

    python farm_hands.py '{"plan": "farm", "count": 3, "kills": 0, "clocks": [0, 300]}'

It prints the exit statuses as JSON. `kills`: so many workers are killed at random instants before
the `count` that are left alone. `clocks`: seconds by which each worker's clock is wrong. Each has a
host name of its own, and does not see that others are processes of the same machine.
"""

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import torch

from dreamvid import cli
from dreamvid.cli.progress import Bar
from dreamvid.farm import claims, working  # noqa: F401 - imported once for all
from dreamvid.jobs import films, image_folders  # noqa: F401
from dreamvid.studies import sheets  # noqa: F401


def worker(asked, number):
    """Become a worker of a machine of its own."""
    torch.set_num_threads(1)
    skew = (asked.get("clocks") or [0])[number % len(asked.get("clocks") or [0])]
    host, this = f"machine-{number}", claims.this_process
    real = time.time
    if skew:
        time.time = lambda: real() + skew
    if asked.get("strangers"):
        claims.this_process = lambda: {**this(), "host": host, "machine": host}
    sys.argv = ["dreamvid", "work", asked["plan"], "-q", *asked.get("flags", [])]
    log = Path(asked["plan"]).parent / f"worker-{number}.log"
    sys.stderr = sys.stdout = log.open("w")
    Bar.drawn = False
    cli.main()


def begun(asked, number):
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        worker(asked, number)
    except SystemExit as end:
        status = int(end.code or 0)
    except BaseException as error:
        print(repr(error), file=sys.stderr)
    finally:
        sys.stderr.flush()
        os._exit(status)


def main():
    asked = json.loads(sys.argv[1])
    chance = random.Random(asked.get("seed", 0))
    for number in range(asked.get("kills", 0)):
        child = begun(asked, number)
        time.sleep(chance.uniform(*asked.get("after", (0.1, 0.8))))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    children = [begun(asked, number) for number in range(asked.get("count", 1))]
    if asked.get("freeze"):
        time.sleep(chance.uniform(*asked["freeze"]))
        os.kill(children[0], signal.SIGSTOP)
        for child in children[1:]:
            os.waitpid(child, 0)
        os.kill(children[0], signal.SIGCONT)
    statuses = []
    for child in children:
        try:
            statuses.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        except ChildProcessError:
            statuses.append(None)
    sys.stdout.write(json.dumps(statuses))


if __name__ == "__main__":
    main()
