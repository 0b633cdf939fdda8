"""The application: what lies at which address."""

import contextlib
import mimetypes
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.responses import StreamingResponse as Streaming
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from dreamvid.errors import DreamvidError, JobLockedError, StorageError, in_one_line
from dreamvid.studio import asking, directing, doing, showing
from dreamvid.studio.guarding import Door, Guard
from dreamvid.studio.studios import Studio
from dreamvid.studio.uploads import RefusedError

PAGE = Path(__file__).parent / "page"
mimetypes.add_type("text/javascript", ".js")


Handler = Callable[[Studio, Request], Awaitable[Response]]


def status_of(error: DreamvidError) -> int:
    """The status of HTTP that an error has."""
    if isinstance(error, RefusedError):
        return error.status
    if isinstance(error, JobLockedError):
        return 409
    return 507 if isinstance(error, StorageError) else 400


def handled(studio: Studio, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """A handler whose errors are told in one line, as the command line tells them."""

    async def handle(request: Request) -> Response:
        try:
            return await handler(studio, request)
        except DreamvidError as error:
            text = studio.place.private(in_one_line(error))
            return JSONResponse({"error": text}, status_of(error))
        except OSError as error:
            text = studio.place.private(error.strerror or str(error))
            return JSONResponse({"error": text}, 507)

    return handle


async def _page(request: Request) -> Response:
    return FileResponse(PAGE / "index.html", headers={"cache-control": "no-cache"})


async def _events(studio: Studio, request: Request) -> Response:
    if studio.watch.is_full:
        raise RefusedError(503, "too many pages are open; close some")
    headers = {"cache-control": "no-store"}
    return Streaming(studio.watch.events(), media_type="text/event-stream", headers=headers)


async def _not_found(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    text = {404: "there is nothing here", 405: "this cannot be asked here"}.get(status, "refused")
    return PlainTextResponse(f"dreamvid studio: {text}", status)


def application(studio: Studio, door: Door) -> Guard:
    """The whole application behind its guard."""

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        studio.worker.start()
        studio.watch.start()
        yield
        await studio.watch.stop()
        await studio.worker.stop()

    routes: list[BaseRoute] = [Route("/", _page)]
    pages = {("GET", "/api/events"): _events}
    for table in (pages, asking.ROUTES, doing.ROUTES, directing.ROUTES, showing.ROUTES):
        routes += [
            Route(path, handled(studio, handler), methods=[method])
            for (method, path), handler in table.items()
        ]
    routes.append(Mount("/", StaticFiles(directory=PAGE)))
    handlers = {HTTPException: _not_found}
    return Guard(Starlette(routes=routes, lifespan=lifespan, exception_handlers=handlers), door)
