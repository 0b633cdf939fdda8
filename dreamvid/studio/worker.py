"""The warm worker as the server knows it: one question at a time, the pressing ones first."""

import asyncio
import contextlib
import itertools
import json
import sys
from dataclasses import dataclass, field
from typing import Any

from dreamvid.errors import DreamvidError, StorageError
from dreamvid.studio.places import Place

LINE = 32_000_000
"""The longest answer in bytes."""
PRESSING, SKETCH, IDLE = 0, 1, 2
"""Checks and curves come before sketches, and those before sheets and presets."""
MOST = 400
"""The most questions that wait; more would only be answered when nobody asks any more."""
_PATIENCE = 600.0


@dataclass(order=True)
class _Question:
    rank: tuple[int, int]
    text: dict[str, Any] = field(compare=False)
    answer: asyncio.Future[dict[str, Any]] = field(compare=False)


class Worker:
    """The process and those who wait for it. It is begun anew where it ends."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self._numbers = itertools.count()
        self._waiting: list[_Question] = []
        self._come = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to answer; the process starts at once, so that it is warm when it is needed."""
        self._task = asyncio.create_task(self._work())

    async def stop(self) -> None:
        """End the process."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def ask(self, what: str, urgency: int = PRESSING, **given: Any) -> dict[str, Any]:
        """An answer, or a `DreamvidError`. A question that nobody waits for is not answered."""
        if len(self._waiting) >= MOST:
            raise StorageError("too much is asked at once; wait a moment")
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        question = _Question((urgency, next(self._numbers)), {"what": what, **given}, answer)
        self._waiting.append(question)
        self._come.set()
        try:
            found = await answer
        finally:
            if question in self._waiting:
                self._waiting.remove(question)
        if "error" in found:
            raise DreamvidError(self.place.private(found["error"]))
        return found["answer"]

    async def _work(self) -> None:
        await self._begin()
        while True:
            await self._come.wait()
            if not self._waiting:
                self._come.clear()
                continue
            question = min(self._waiting)
            self._waiting.remove(question)
            found = await self._answered(question.text)
            if not question.answer.done():
                question.answer.set_result(found)

    async def _answered(self, text: dict[str, Any]) -> dict[str, Any]:
        if self._process is None or self._process.returncode is not None:
            await self._begin()
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(text).encode() + b"\n")
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
                sys.executable,
                "-m",
                "dreamvid.studio.working",
                str(self.place.folder),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                cwd=self.place.folder,
                limit=LINE,
                start_new_session=True,
            )
