"""Questions about drafts: what is wrong with one, how it would look, how its curves run."""

import asyncio
import json
from collections.abc import Coroutine
from hashlib import blake2b
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

from dreamvid.errors import DreamvidError, SettingsError
from dreamvid.studio.drafts import Draft
from dreamvid.studio.studios import Studio
from dreamvid.studio.uploads import RefusedError, read_json
from dreamvid.studio.worker import IDLE, PRESSING, SKETCH

MOST_KEPT = 600
"""Sketches that are kept on the disk."""
SIDES = {"sketch": None, "card": 232}
"""The longer sides of what is drawn; None: the usual one of a sketch."""
SOON, CARD, WHOLE = 1.4, 4.0, 12.0
"""Seconds for a sketch as it is asked for, for a card, and for a sketch that is finished."""
_LOOK = 0.05


async def _while_asked(request: Request, answer: Coroutine[Any, Any, Any]) -> Any:
    """An answer; the question is withdrawn where nobody waits for it any more."""
    task = asyncio.ensure_future(answer)
    try:
        while not task.done():
            await asyncio.wait([task], timeout=_LOOK)
            if not task.done() and await request.is_disconnected():
                task.cancel()
                raise RefusedError(400, "nobody waits for it any more")
        return task.result()
    finally:
        task.cancel()


async def _schema(studio: Studio, request: Request) -> Response:
    found = await studio.worker.ask("schema")
    studio.films.usual_lane = found["device"]
    return JSONResponse(found)


async def _check(studio: Studio, request: Request) -> Response:
    draft = Draft.read(await read_json(request))
    found = await _while_asked(request, studio.worker.ask("check", draft=draft.tree()))
    found["error"] = studio.place.private(found["error"])
    return JSONResponse(found)


def _key(studio: Studio, kind: str, draft: Draft, more: str = "") -> str:
    """What a sketch is called: another one for everything that it depends on."""
    source = studio.place.folder / draft.source if draft.source else None
    changed = source.stat().st_mtime_ns if source is not None and source.exists() else 0
    tree = {**draft.tree(), "out": None, "settings": dict(sorted(draft.settings.items()))}
    text = json.dumps([kind, tree, changed, more], sort_keys=True)
    return blake2b(text.encode(), digest_size=16).hexdigest()


def _make_room(cache: Path) -> None:
    paths = sorted(cache.glob("*.jpg"), key=lambda path: path.stat().st_mtime)
    for path in paths[:-MOST_KEPT]:
        path.unlink(missing_ok=True)
        path.with_suffix(".json").unlink(missing_ok=True)


async def _drawn(
    studio: Studio, request: Request, key: str, what: str, urgency: int, **given: Any
) -> Response:
    path = studio.place.cache / f"{key}.jpg"
    told = path.with_suffix(".json")
    about = json.loads(told.read_text()) if path.exists() and told.exists() else None
    if about is None or (about.get("cut") and given.get("seconds") == WHOLE):
        question = studio.worker.ask(what, urgency, to=str(path), **given)
        try:
            about = await _while_asked(request, question)
        except RefusedError:
            raise
        except DreamvidError as error:
            # That a draft cannot be drawn is an answer, and no failure of the request.
            return JSONResponse({"picture": None, "error": str(error)})
        told.write_text(json.dumps(about))
        await asyncio.to_thread(_make_room, studio.place.cache)
    # The same sketch drawn to its end is another picture.
    return JSONResponse({**about, "picture": f"/api/sketches/{key}?{about.get('steps', 0)}"})


async def _sketch(studio: Studio, request: Request) -> Response:
    tree = await read_json(request)
    if not isinstance(tree, dict) or tree.get("for", "sketch") not in SIDES:
        raise SettingsError(f"for: expected {' or '.join(SIDES)}")
    side, draft = SIDES[tree.get("for", "sketch")], Draft.read(tree.get("draft"))
    given: dict[str, Any] = {"draft": draft.tree(), **({"side": side} if side else {})}
    whole = tree.get("whole") is True
    key = _key(studio, f"sketch {side}", draft)
    if not (side or whole):
        return await _drawn(studio, request, key, "sketch", SKETCH, within=SOON, **given)
    seconds = WHOLE if whole else CARD
    return await _drawn(studio, request, key, "sketch", IDLE, seconds=seconds, **given)


async def _cell(studio: Studio, request: Request) -> Response:
    tree = await read_json(request)
    layer = tree.get("layer") if isinstance(tree, dict) else None
    if not isinstance(layer, str) or len(layer) > 200:
        raise SettingsError("layer: expected a text")
    draft = Draft.read(tree.get("draft"))
    given = {"draft": draft.tree()}
    key = _key(studio, "cell", draft, layer)
    return await _drawn(studio, request, key, "cell", IDLE, layer=layer, seconds=CARD, **given)


async def _show_sketch(studio: Studio, request: Request) -> Response:
    key = request.path_params["key"]
    path = studio.place.cache / f"{key}.jpg"
    if not (key.isalnum() and len(key) == 32 and path.exists()):
        raise RefusedError(404, "there is no such sketch")
    headers = {"cache-control": "private, max-age=86400"}
    return FileResponse(path, media_type="image/jpeg", headers=headers)


async def _layers(studio: Studio, request: Request) -> Response:
    network = request.query_params.get("network", "pocket")
    if not all(each.isprintable() for each in network) or "/" in network or len(network) > 200:
        raise SettingsError("network: expected a name")
    return JSONResponse(await studio.worker.ask("layers", network=network))


async def _channels(studio: Studio, request: Request) -> Response:
    tree = await read_json(request)
    draft = Draft.read(tree.get("draft") if isinstance(tree, dict) else None)
    layer = str(tree.get("layer", ""))[:200]
    found = await studio.worker.ask("channels", draft=draft.tree(), layer=layer)
    return JSONResponse(found)


async def _curves(studio: Studio, request: Request) -> Response:
    tree = await read_json(request)
    names = tree.get("names") if isinstance(tree, dict) else None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise SettingsError("names: expected a list of settings")
    draft = Draft.read(tree.get("draft"))
    asked = studio.worker.ask("curves", PRESSING, draft=draft.tree(), names=names[:50])
    return JSONResponse(await _while_asked(request, asked))


async def _music(studio: Studio, request: Request) -> Response:
    draft = Draft.read(await read_json(request))
    asked = studio.worker.ask("music", SKETCH, draft=draft.tree())
    return JSONResponse(await _while_asked(request, asked))


async def _load(studio: Studio, request: Request) -> Response:
    item = studio.item(request)
    if item.record is not None and item.record.draft is not None:
        return JSONResponse({"draft": {**item.record.draft.tree(), "out": None}})
    return JSONResponse(await studio.worker.ask("load", name=item.name))


ROUTES = {
    ("GET", "/api/schema"): _schema,
    ("POST", "/api/check"): _check,
    ("POST", "/api/sketch"): _sketch,
    ("POST", "/api/cell"): _cell,
    ("GET", "/api/sketches/{key}"): _show_sketch,
    ("GET", "/api/layers"): _layers,
    ("POST", "/api/channels"): _channels,
    ("POST", "/api/curves"): _curves,
    ("POST", "/api/music"): _music,
    ("GET", "/api/items/{id}/draft"): _load,
}
