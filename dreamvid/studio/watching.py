"""What changes in the folder, told to every page that is open."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from typing import Any

from dreamvid.studio.films import Films
from dreamvid.studio.items import LIVE, Shelf

TICK = 0.4
"""Seconds between two looks while something happens."""
REST = 2.0
"""Seconds between two looks at what may only be changed from outside."""
MOST_PAGES = 64
ALIVE = 15.0
"""Seconds after which a page that heard nothing is told that the server is there."""


class Watch:
    """Looks at the folder, begins waiting films, and tells the pages what has changed."""

    def __init__(self, films: Films, shelf: Shelf) -> None:
        self.films, self.shelf = films, shelf
        self.known: dict[str, dict[str, Any]] = {}
        self._pages: set[asyncio.Queue[None]] = set()
        self._soon = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._scanned = 0.0
        self._folder = 0

    def start(self) -> None:
        """Begin to look."""
        self._task = asyncio.create_task(self._look())

    async def stop(self) -> None:
        """Look no longer."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def look(self) -> None:
        """Look at once: something was asked for."""
        self._scanned = 0.0
        self._soon.set()

    async def _look(self) -> None:
        while True:
            found = await asyncio.to_thread(self._found)
            if found != self.known:
                self.known = found
                for page in self._pages:
                    with contextlib.suppress(asyncio.QueueFull):
                        page.put_nowait(None)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._soon.wait(), TICK)
            self._soon.clear()

    def _found(self) -> dict[str, dict[str, Any]]:
        """All items as the page is told of them; those that rest are looked at seldom."""
        changed = self.shelf.place.folder.stat().st_mtime_ns
        if time.monotonic() - self._scanned > REST or changed != self._folder:
            self._folder, self._scanned = changed, time.monotonic()
            items = self.shelf.scan()
            self.films.settle()
            self.films.tick()
            return {ident: self.films.told(item) for ident, item in items.items()}
        found = dict(self.known)
        live = [ident for ident, told in found.items() if told["state"] in (*LIVE, "waiting")]
        for ident in live:
            if item := self.shelf.items.get(ident):
                found[ident] = self.films.told(item)
                if found[ident]["state"] not in (*LIVE, "waiting"):
                    self._scanned = 0.0
        return found

    async def events(self) -> AsyncIterator[bytes]:
        """What a page is sent: everything at first, then what has changed.

        A page that reads slowly is told the last state when it comes to it.
        """
        page: asyncio.Queue[None] = asyncio.Queue(maxsize=1)
        self._pages.add(page)
        seen: dict[str, dict[str, Any]] = {}
        try:
            yield b"retry: 1000\n\n"
            first = True
            while True:
                now = self.known
                changed = [told for ident, told in now.items() if seen.get(ident) is not told
                           and seen.get(ident) != told]  # fmt: skip
                gone = [ident for ident in seen if ident not in now]
                if changed or gone or first:
                    seen, first = now, False
                    data = json.dumps({"items": changed, "gone": gone})
                    yield f"event: items\ndata: {data}\n\n".encode()
                try:
                    await asyncio.wait_for(page.get(), ALIVE)
                except TimeoutError:
                    yield b": here\n\n"
        finally:
            self._pages.discard(page)

    @property
    def is_full(self) -> bool:
        """Whether no more pages can be told."""
        return len(self._pages) >= MOST_PAGES
