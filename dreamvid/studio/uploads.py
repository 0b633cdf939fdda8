"""Files that are dropped on the page: streamed to the disk, counted, looked at, then renamed."""

import asyncio
import json
import uuid
from pathlib import Path
from typing import Any

from starlette.requests import ClientDisconnect, Request

from dreamvid.errors import DreamvidError, MediaError, StorageError
from dreamvid.studio.items import FILMS, PICTURES, SOUNDS
from dreamvid.studio.places import Place, clean_stem, free_name
from dreamvid.studio.worker import Worker

LARGEST = 8_000_000_000
"""Bytes of one file."""
KEPT_FREE = 200_000_000
"""Bytes that stay free on the disk, as ``--min-free`` has it by itself."""
JSON_LARGEST = 400_000
AT_ONCE = 4
"""Uploads at the same time."""
PATIENCE = 20.0
"""Seconds in which more of a request must come."""
SUFFIXES = PICTURES | FILMS | SOUNDS


class RefusedError(DreamvidError):
    """A request that is too large, too slow or too many; `status` is that of HTTP."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Uploads:
    """What arrives in a folder."""

    def __init__(self, place: Place, worker: Worker) -> None:
        self.place, self.worker = place, worker
        self._now = 0

    async def take(self, request: Request) -> dict[str, Any]:
        """Keep the body of a request as a file of the folder; what it is and how it is called.

        Raises:
            RefusedError: it is too large, comes too slowly, or too many come at once.
            DreamvidError: it is no picture, film or sound.
        """
        given = request.query_params.get("name", "")
        suffix = Path(given.lower()).suffix
        if suffix not in SUFFIXES:
            raise MediaError(f"{clean_stem(given)}: {suffix[:12] or 'no suffix'} is no picture, "
                             "film or sound that can be read")  # fmt: skip
        if self._now >= AT_ONCE:
            raise RefusedError(429, f"{AT_ONCE} files arrive already; wait for one of them")
        part = self.place.arriving / f"{uuid.uuid4().hex}{suffix}"
        self._now += 1
        try:
            await self._stream(request, part)
            about = await self.worker.ask("kind", path=str(part))
            name = free_name(self.place.folder, clean_stem(given), suffix)
            part.rename(self.place.folder / name)
            return {**about, "name": name}
        except DreamvidError as error:
            text = str(error).replace(part.name, clean_stem(given) + suffix)
            if isinstance(error, RefusedError):
                raise
            raise MediaError(self.place.private(text)) from None
        finally:
            self._now -= 1
            part.unlink(missing_ok=True)

    async def _stream(self, request: Request, part: Path) -> None:
        room = min(LARGEST, await asyncio.to_thread(_room, self.place.folder))
        told = request.headers.get("content-length", "0")
        if told.isdigit() and int(told) > room:
            raise RefusedError(413, f"expected {room // 1_000_000} MB at most; make room")
        taken = 0
        with part.open("wb") as stream:
            async for chunk in patient(request):
                taken += len(chunk)
                if taken > room:
                    raise RefusedError(413, f"expected {room // 1_000_000} MB at most")
                await asyncio.to_thread(stream.write, chunk)
        if not taken:
            raise MediaError(f"{part.name}: is empty")


def _room(folder: Path) -> int:
    import shutil

    free = shutil.disk_usage(folder).free - KEPT_FREE
    if free <= 0:
        raise StorageError("the disk is full; make room, then drop the file again")
    return free


async def patient(request: Request):
    """The chunks of a body; `RefusedError` where its sender is too slow or gone."""
    stream = request.stream().__aiter__()
    while True:
        try:
            yield await asyncio.wait_for(stream.__anext__(), PATIENCE)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise RefusedError(408, "nothing more came; try again") from None
        except ClientDisconnect:
            raise RefusedError(400, "the connection was cut off") from None


async def read_json(request: Request) -> Any:
    """The body of a request as JSON, or a `RefusedError`."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise RefusedError(415, "expected application/json")
    body = bytearray()
    async for chunk in patient(request):
        body += chunk
        if len(body) > JSON_LARGEST:
            raise RefusedError(413, f"expected {JSON_LARGEST} bytes at most")
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise RefusedError(400, "expected JSON") from None
