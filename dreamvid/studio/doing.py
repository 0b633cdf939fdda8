"""Requests that change something: uploads, films, the queue, the trash."""

import asyncio
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from dreamvid.errors import SettingsError
from dreamvid.studio.drafts import Draft
from dreamvid.studio.places import ident
from dreamvid.studio.studios import Studio
from dreamvid.studio.uploads import read_json


async def _done(studio: Studio, act: Callable[..., Any], *given: Any) -> Response:
    """Do something beside all other requests; look at once what came of it."""
    answer = await asyncio.to_thread(act, *given)
    studio.watch.look()
    return JSONResponse({"done": answer})


async def _upload(studio: Studio, request: Request) -> Response:
    about = await studio.uploads.take(request)
    studio.watch.look()
    return JSONResponse({**about, "id": ident(about["name"])}, 201)


async def _begin(studio: Studio, request: Request) -> Response:
    draft = Draft.read(await read_json(request))
    # What is wrong is told now, beside the setting, and not by a film that failed.
    found = await studio.worker.ask("check", draft=draft.tree())
    if found["error"]:
        raise SettingsError(found["error"])
    if draft.source is None and draft.command != "loop":
        raise SettingsError("source: choose a picture or a film first")
    name = await asyncio.to_thread(studio.films.begin, draft)
    studio.watch.look()
    return JSONResponse({"id": name}, 201)


async def _stop(studio: Studio, request: Request) -> Response:
    return await _done(studio, studio.films.stop, studio.item(request))


async def _resume(studio: Studio, request: Request) -> Response:
    tree = await read_json(request)
    frames = tree.get("frames") if isinstance(tree, dict) else None
    if frames is not None and not isinstance(frames, str):
        raise SettingsError("frames: expected a text such as 600 or 10s")
    return await _done(studio, studio.films.go_on, studio.item(request), frames or None)


async def _encode(studio: Studio, request: Request) -> Response:
    return await _done(studio, studio.films.encode_so_far, studio.item(request))


async def _move(studio: Studio, request: Request) -> Response:
    tree = await read_json(request)
    name = tree.get("before") if isinstance(tree, dict) else None
    before = studio.shelf.items.get(name) if isinstance(name, str) else None
    return await _done(studio, studio.films.move, studio.item(request), before)


async def _discard(studio: Studio, request: Request) -> Response:
    return await _done(studio, studio.films.discard, studio.item(request))


async def _trash(studio: Studio, request: Request) -> Response:
    return JSONResponse({"items": await asyncio.to_thread(studio.films.discarded)})


async def _restore(studio: Studio, request: Request) -> Response:
    return await _done(studio, studio.films.restore, request.path_params["name"])


async def _empty(studio: Studio, request: Request) -> Response:
    return await _done(studio, studio.films.empty, request.path_params.get("name"))


ROUTES = {
    ("PUT", "/api/uploads"): _upload,
    ("POST", "/api/films"): _begin,
    ("POST", "/api/items/{id}/stop"): _stop,
    ("POST", "/api/items/{id}/resume"): _resume,
    ("POST", "/api/items/{id}/encode"): _encode,
    ("POST", "/api/items/{id}/move"): _move,
    ("DELETE", "/api/items/{id}"): _discard,
    ("GET", "/api/trash"): _trash,
    ("POST", "/api/trash/{name}/restore"): _restore,
    ("DELETE", "/api/trash/{name}"): _empty,
    ("DELETE", "/api/trash"): _empty,
}
