"""What changes in the folder, told to every page that is open."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from typing import Any

from dreamvid.studio.background import Background
from dreamvid.studio.films import Films
from dreamvid.studio.items import LIVE, Shelf
from dreamvid.studio.live import Live

TICK = 0.7
"""Seconds between two looks while something happens."""
REST = 2.0
"""Seconds between two looks at what may only be changed from outside."""
MOST_PAGES = 64
ALIVE = 15.0
"""Seconds after which a page that heard nothing is told that the server is there."""


class Watch(Background):
    """Looks at the folder, begins waiting films, and tells the pages what has changed."""

    def __init__(self, films: Films, shelf: Shelf, live: Live) -> None:
        self.films, self.shelf, self.live = films, shelf, live
        self.known: dict[str, dict[str, Any]] = {}
        self.dreamed = live.told()
        """The live dream as the page is told of it."""
        self._pages: set[asyncio.Queue[None]] = set()
        self._soon = asyncio.Event()
        self._scanned = 0.0
        self._folder = 0

    def look(self) -> None:
        """Look at once: something was asked for."""
        self._scanned = 0.0
        self._soon.set()

    async def run(self) -> None:
        """Look again and again."""
        while True:
            found, dreamed = await asyncio.to_thread(lambda: (self._found(), self.live.told()))
            if (found, dreamed) != (self.known, self.dreamed):
                self.known, self.dreamed = found, dreamed
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
        live: dict[str, Any] | None = None
        try:
            yield b"retry: 1000\n\n"
            first = True
            while True:
                now, dreamed = self.known, self.dreamed
                changed = [told for ident, told in now.items() if seen.get(ident) is not told
                           and seen.get(ident) != told]  # fmt: skip
                gone = [ident for ident in seen if ident not in now]
                if changed or gone or first:
                    seen, first = now, False
                    yield _event("items", {"items": changed, "gone": gone})
                if dreamed != live:
                    live = dreamed
                    yield _event("live", dreamed)
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


def _event(name: str, tree: dict[str, Any]) -> bytes:
    return f"event: {name}\ndata: {json.dumps(tree)}\n\n".encode()
