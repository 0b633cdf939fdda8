"""The studio's own processes: each in the folder and in a session of its own.

So Ctrl-C at the server does not reach them, and films and a live dream go on without it.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from dreamvid.studio.places import Place


def command(module: str, place: Place, *words: str) -> list[str]:
    """The command line of a module of the studio that works in a folder."""
    return [sys.executable, "-m", f"dreamvid.studio.{module}", str(place.folder), *words]


def begun(module: str, place: Place, at: Path, *words: str) -> subprocess.Popen[bytes]:
    """Begin one that tells in `at` how far it is, and goes on without the server."""
    (at / "status.json").unlink(missing_ok=True)
    with (at / "log.txt").open("ab") as log:
        return subprocess.Popen(
            command(module, place, *words),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=place.folder,
            start_new_session=True,
        )


def ask_to_stop(pid: Any) -> None:
    """Ask a process to end as Ctrl-C does, if it is still there."""
    if not isinstance(pid, int) or pid <= 1:
        return
    try:
        os.kill(pid, signal.SIGINT)
    except ProcessLookupError:
        return
