"""The live dream of a folder as the server knows it: a process of its own, one at a time."""

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator, Mapping
from typing import Any

from dreamvid.errors import ResumeError, SettingsError
from dreamvid.live.control import PRESSED
from dreamvid.live.osc import ROOT
from dreamvid.studio import processes, records
from dreamvid.studio.items import Shelf
from dreamvid.studio.performances import Performance
from dreamvid.studio.places import Place
from dreamvid.studio.uploads import RefusedError

WORDS = (*(word for word in PRESSED if word != "quit"), "strength", "preset")
"""What the page may say to it."""
MOST_VIEWERS = 16
PATIENCE = 5.0
"""Seconds in which its process must answer."""
SHOWN = ("frames", "captured", "rate", "strength", "frozen", "clean", "preset", "beat", "steps",
         "octaves", "part", "size", "osc")  # fmt: skip
"""What of its state the page is told."""


class Live:
    """The live dream, if there is one. It goes on where the server ends."""

    def __init__(self, place: Place, shelf: Shelf) -> None:
        self.place, self.shelf = place, shelf
        self._process: subprocess.Popen[bytes] | None = None
        self._leaving = False
        self._viewers = 0

    def is_alive(self) -> bool:
        """Whether its process dreams, whichever server has begun it."""
        if self._process is not None and self._process.poll() is None:
            return self._status().get("phase") not in records.ENDED
        held = records.is_held(self.place.live)
        return held and self._status().get("phase") not in records.ENDED

    def _status(self) -> Mapping[str, Any]:
        return self.shelf.cached(self.place.live / "status.json", records.read) or {}

    def told(self) -> dict[str, Any]:
        """The live dream for the page."""
        alive, status = self.is_alive(), self._status()
        asked = self.shelf.cached(self.place.live / "asked.json", records.read) or {}
        phase = status.get("phase", "starting" if alive else "")
        if alive:
            state = "stopping" if self._leaving else phase
        else:
            self._leaving = False
            # A process that says nothing of its end was ended from outside.
            state = {"done": "off", "stopped": "off", "": "off", "failed": "failed"}.get(
                phase, "killed"
            )
        error = str(status.get("error", "")) if state == "failed" else ""
        if state == "killed":
            error = "the process of the live dream was ended from outside; start it again"
        return {
            "state": state,
            "asked": asked,
            "root": ROOT,
            "error": self.place.private(error),
            "said": [self.place.private(line) for line in status.get("said", [])][-6:],
            **{name: status[name] for name in SHOWN if name in status},
        }

    def start(self, asked: Performance) -> None:
        """Begin to dream live; `ResumeError` where it is done already."""
        if self.is_alive():
            raise ResumeError("live: it dreams already; stop it first")
        if not asked.is_of_device and not self.place.within(asked.source).is_file():
            raise SettingsError(f"source: {asked.source} is no longer in the folder")
        self._leaving = False
        records.written(self.place.live / "asked.json", asked.tree())
        self._process = processes.begun("performing", self.place, self.place.live)

    def stop(self) -> None:
        """Ask it to end."""
        if self.is_alive():
            self._leaving = True
            process = self._process
            processes.ask_to_stop(process.pid if process else self._status().get("pid"))

    async def say(self, word: Any, value: Any) -> None:
        """Say a word of control; `SettingsError` for one that is not known."""
        if word not in WORDS or not isinstance(value, bool | int | float | str):
            raise SettingsError(f"live: got {str(word)[:40]!r}, expected {', '.join(WORDS)}")
        body = json.dumps([word, value]).encode()
        _, writer = await self._connected("POST", "/say", body)
        writer.close()

    async def stream(self) -> AsyncIterator[bytes]:
        """Its picture as MJPEG, to be sent on as it comes; slow viewers miss pictures."""
        if self._viewers >= MOST_VIEWERS:
            raise RefusedError(503, "too many pages show the live dream; close some")
        reader, writer = await self._connected("GET", "/stream")

        async def parts() -> AsyncIterator[bytes]:
            self._viewers += 1
            try:
                while chunk := await reader.read(1 << 16):
                    yield chunk
            finally:
                self._viewers -= 1
                writer.close()

        return parts()

    async def _connected(
        self, method: str, path: str, body: bytes = b""
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to its process, after the head of the answer."""
        status = self._status()
        if not self.is_alive() or "port" not in status:
            raise RefusedError(409, "nothing is dreamed live now; start it first")
        port, key = status["port"], status["key"]
        head = (
            f"{method} {path}?key={key} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        gone = RefusedError(503, "the live dream does not answer; try again")
        try:
            async with asyncio.timeout(PATIENCE):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                try:
                    writer.write(head.encode() + body)
                    await writer.drain()
                    answer = await reader.readuntil(b"\r\n\r\n")
                except BaseException:
                    writer.close()
                    raise
        except (OSError, EOFError, TimeoutError, asyncio.LimitOverrunError):
            raise gone from None
        if b" 200 " not in answer.splitlines()[0]:
            writer.close()
            raise gone
        return reader, writer
