"""How a job's progress is shown: a bar on a terminal, plain lines elsewhere, or nothing."""

import sys
import time
from collections.abc import Mapping
from typing import Any, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
)

from dreamvid.cli.asking import confirmed
from dreamvid.jobs.disk import clock
from dreamvid.machine.streams import lasting

PLAIN_SECONDS = 10.0
"""Time between two plain lines."""


class Bar:
    """Progress on standard error; a context manager. `unit` is what is made, one by one."""

    def __init__(self, quiet: bool, unit: str = "frame") -> None:
        self.quiet = quiet
        self.unit = unit
        self.console = Console(file=lasting(sys.stderr), stderr=True, highlight=False)
        # Rich takes a file for a terminal where FORCE_COLOR is set, and draws on dumb ones.
        drawn = sys.stderr is not None and sys.stderr.isatty() and not self.console.is_dumb_terminal
        self.drawn = drawn and not quiet
        self.bar: Progress | None = None
        self.done = self.total = 0
        self.made = 0
        self.began = self.told = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar:
            self.bar.stop()

    def say(self, text: str) -> None:
        """A line worth knowing."""
        if not self.quiet:
            self.console.print(text, markup=False, soft_wrap=True)

    def ask(self, question: str) -> bool:
        """Ask on a terminal; elsewhere, and where it is to be quiet, the answer is yes."""
        if self.quiet or not (sys.stdin and sys.stdin.isatty() and sys.stderr.isatty()):
            return True
        if self.bar:
            self.bar.stop()
        return confirmed(question, True)

    def begin(self, done: int, total: int) -> None:
        """Units `done` of `total` are there already."""
        self.done, self.total, self.made = done, total, 0
        self.began = self.told = time.monotonic()
        if done:
            self.say(f"{done} of {total} {self.unit}s are there already")
        if self.bar:
            self.bar.stop()
        if self.drawn:
            self.bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[speed]}"),
                TextColumn("{task.fields[left]}"),
                console=self.console,
            )
            self.bar.add_task(f"{self.unit}s", total=total, completed=done, speed="", left="")
            self.bar.start()

    def frame(self, index: int, notes: Mapping[str, Any]) -> None:
        """Unit `index` is made.

        Of the notes, ``shown`` is a text to show beside the speed, ``left`` the seconds that the
        rest will take, where it is not by the units made so far.
        """
        self.made += 1
        now = time.monotonic()
        rate = self.made / max(now - self.began, 1e-9)
        speed = f"{rate:.2f} fps" if self.unit == "frame" else f"{rate:.2f} {self.unit}s/s"
        if shown := notes.get("shown"):
            speed += f", {shown}"
        left = f"{clock(notes.get('left', (self.total - index - 1) / rate))} left"
        # The steps of a single picture are soon told by the picture.
        soon = self.unit == "step" and self.told == self.began
        last = index + 1 == self.total and not soon
        if self.bar:
            task = self.bar.task_ids[0]
            self.bar.update(task, completed=index + 1, speed=speed, left=left)
            if index + 1 == self.total:
                self.bar.stop()
        elif not self.quiet and (now - self.told > PLAIN_SECONDS or last):
            self.told = now
            self.say(f"{self.unit} {index + 1} of {self.total}, {speed}, {left}")
