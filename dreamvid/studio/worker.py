"""The warm worker as the server knows it: one question at a time, the pressing ones first.

What draws for long is interrupted where something more pressing is asked, and asked again after it.
"""

import asyncio
import contextlib
import itertools
import json
import time
from dataclasses import dataclass, field
from typing import Any

from dreamvid.errors import DreamvidError, StorageError
from dreamvid.studio.background import Background
from dreamvid.studio.places import Place
from dreamvid.studio.processes import command

LINE = 32_000_000
"""The longest answer in bytes."""
PRESSING, SKETCH, IDLE = 0, 1, 2
"""Checks and curves come before sketches, and those before sheets and presets."""
MOST = 400
"""The most questions that wait; more would only be answered when nobody asks any more."""
LEAST = 0.3
"""Seconds that a picture is drawn for, however long its question has waited."""
_PATIENCE = 600.0


@dataclass(order=True)
class _Question:
    rank: tuple[int, int]
    """Its urgency and its number."""
    text: dict[str, Any] = field(compare=False)
    answer: asyncio.Future[dict[str, Any]] = field(compare=False)
    until: float | None = field(compare=False)
    """When its picture is to be there; None: it takes the seconds that it names."""

    def told(self) -> dict[str, Any]:
        """The question as the worker is asked it."""
        asked = {"number": self.rank[1], **self.text}
        if self.until is not None:
            asked["seconds"] = round(max(LEAST, self.until - time.monotonic()), 3)
        return asked


class Worker(Background):
    """The process and those who wait for it. It is begun anew where it ends."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self._numbers = itertools.count()
        self._waiting: list[_Question] = []
        self._now: _Question | None = None
        self._come = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None

    async def stop(self) -> None:
        """End the process."""
        await super().stop()
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def ask(
        self, what: str, urgency: int = PRESSING, within: float | None = None, **given: Any
    ) -> dict[str, Any]:
        """An answer, or a `DreamvidError`. A question that nobody waits for is not answered.

        `within` so many seconds a picture is drawn, however long the question waits.
        """
        if len(self._waiting) >= MOST:
            raise StorageError("too much is asked at once; wait a moment")
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        until = None if within is None else time.monotonic() + within
        rank = (urgency, next(self._numbers))
        question = _Question(rank, {"what": what, **given}, answer, until)
        self._wait(question)
        if self._now is not None and urgency < self._now.rank[0] == IDLE:
            self._interrupt()
        try:
            found = await answer
        finally:
            if question in self._waiting:
                self._waiting.remove(question)
            elif question is self._now:
                self._interrupt()
        if "error" in found:
            raise DreamvidError(self.place.private(found["error"]))
        return found["answer"]

    def _wait(self, question: _Question) -> None:
        self._waiting.append(question)
        self._come.set()

    def _interrupt(self) -> None:
        """Have the picture that is drawn now given up; other questions are answered to the end."""
        process, now = self._process, self._now
        if process is None or process.stdin is None or now is None:
            return
        with contextlib.suppress(OSError, RuntimeError):
            process.stdin.write(_line({"enough": now.rank[1]}))

    async def run(self) -> None:
        """Answer; the process starts at once, so that it is warm when it is needed."""
        await self._begin()
        while True:
            await self._come.wait()
            if not self._waiting:
                self._come.clear()
                continue
            self._now = question = min(self._waiting)
            self._waiting.remove(question)
            found = await self._answered(question.told())
            self._now = None
            if question.answer.done():
                continue
            if found.get("answer", {}).get("interrupted"):
                self._wait(question)
            else:
                question.answer.set_result(found)

    async def _answered(self, text: dict[str, Any]) -> dict[str, Any]:
        if self._process is None or self._process.returncode is not None:
            await self._begin()
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(_line(text))
            await process.stdin.drain()
            line = await asyncio.wait_for(process.stdout.readline(), _PATIENCE)
            return json.loads(line)
        except (OSError, ValueError, TimeoutError):
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
            await process.wait()
            return {"error": "the worker that draws sketches has ended; it begins anew, try again"}

    async def _begin(self) -> None:
        with (self.place.hidden / "worker.log").open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                *command("working", self.place),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                limit=LINE,
                cwd=self.place.folder,
                start_new_session=True,
            )


def _line(tree: dict[str, Any]) -> bytes:
    return json.dumps(tree).encode() + b"\n"
