"""The server: it listens, says where, opens the browser, and leaves films at work when it ends."""

import asyncio
import socket
import threading
import webbrowser
from asyncio import Transport
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dreamvid.errors import DreamvidError, SettingsError, StorageError
from dreamvid.studio.records import holding

try:
    import uvicorn
    from uvicorn.protocols.http.h11_impl import H11Protocol

    from dreamvid.studio.app import application
    from dreamvid.studio.guarding import Door
    from dreamvid.studio.studios import Studio
except ModuleNotFoundError as error:
    if error.name not in ("uvicorn", "starlette", "anyio", "h11", "click"):
        raise
    raise DreamvidError(
        f"studio: needs {error.name}, which is not installed; pip install 'dreamvid[studio]'"
    ) from None

MOST_CONNECTIONS = 250
PATIENCE = 10.0
"""Seconds in which the head of a request must come."""


class Impatient(H11Protocol):
    """A connection that is closed where no whole request comes over it."""

    def connection_made(self, transport: Transport) -> None:  # pyright: ignore
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self.loop.call_later(PATIENCE, self._look, None)

    def _look(self, before: Any) -> None:
        if self.transport is None or self.transport.is_closing():
            return
        idle = self.cycle is None or self.cycle.response_complete
        if idle and self.cycle is before:
            self.transport.close()
        else:
            self.loop.call_later(PATIENCE, self._look, self.cycle)


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens there; a `SettingsError` says why it cannot."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    found = socket.socket(family, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((host, port))
        # Whoever reads the address may come at once.
        found.listen(1024)
    except (OSError, OverflowError) as error:
        found.close()
        reason = getattr(error, "strerror", None) or error
        raise SettingsError(
            f"studio: cannot listen on {host}:{port} ({reason}); choose another --port or --host"
        ) from None
    return found


def serve(
    folder: Path,
    host: str = "127.0.0.1",
    port: int = 8765,
    *,
    browser: bool = True,
    say: Callable[[str], None] = lambda text: None,
) -> None:
    """Show a folder in the browser until a signal comes. Films that are made go on after it.

    A port of 0 is any that is free.

    Raises:
        SettingsError: there is no such folder, or nobody can listen there.
        JobLockedError: another studio shows the folder.
    """
    if not folder.is_dir():
        raise SettingsError(f"{folder}: no such folder; make it first")
    studio = Studio.of(folder)
    try:
        studio.place.prepare()
    except OSError as error:
        raise StorageError(f"{folder}: cannot be written ({error.strerror})") from None
    taken = f"{folder}: another studio shows it already; use that one"
    with holding(studio.place.hidden, taken), listening(host, port) as listener:
        door = Door.on(host, listener.getsockname()[1])
        config = uvicorn.Config(
            application(studio, door),
            http=Impatient,
            ws="none",
            loop="asyncio",
            log_level="critical",
            access_log=False,
            server_header=False,
            date_header=False,
            limit_concurrency=MOST_CONNECTIONS,
            timeout_keep_alive=5,
            timeout_graceful_shutdown=2,
        )
        say(f"the studio of {folder.resolve()} is at {door.address}; Ctrl-C ends it")
        if browser:
            threading.Timer(0.6, webbrowser.open, (door.address,)).start()
        asyncio.run(uvicorn.Server(config).serve(sockets=[listener]))
        if studio.live.is_alive():
            say("the live dream goes on; open the studio again to stop it")
