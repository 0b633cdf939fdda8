"""What lies in the folder, shown: lists, pictures, frames, films."""

import asyncio
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

from dreamvid.errors import DreamvidError
from dreamvid.studio import pictures
from dreamvid.studio.items import Item, journal
from dreamvid.studio.studios import Studio
from dreamvid.studio.uploads import RefusedError

TYPES = {
    **dict.fromkeys((".mp4", ".m4v", ".mov"), "video/mp4"),
    **{".webm": "video/webm", ".mkv": "video/x-matroska", ".avi": "video/x-msvideo"},
    **{".gif": "image/gif", ".png": "image/png", ".apng": "image/apng", ".webp": "image/webp"},
    **dict.fromkeys((".jpg", ".jpeg"), "image/jpeg"),
    **{".wav": "audio/wav", ".mp3": "audio/mpeg", ".flac": "audio/flac", ".ogg": "audio/ogg"},
    **{".opus": "audio/ogg", ".m4a": "audio/mp4", ".aac": "audio/aac", ".avif": "image/avif"},
}
"""What a browser is told; anything else it can only save."""
FOR_EVER = "private, max-age=31536000, immutable"


async def _items(studio: Studio, request: Request) -> Response:
    return JSONResponse({"items": list(studio.watch.known.values())})


async def _file(studio: Studio, request: Request) -> Response:
    item = studio.item(request)
    if not item.path.is_file():
        raise RefusedError(404, f"{item.name}: is not there yet")
    kind = TYPES.get(item.path.suffix.lower(), "application/octet-stream")
    save = "save" in request.query_params or kind == "application/octet-stream"
    answer = FileResponse(
        item.path,
        media_type=kind,
        filename=item.name,
        content_disposition_type="attachment" if save else "inline",
        headers={"cache-control": "no-cache", "content-security-policy": "sandbox"},
    )
    # One part is all that a player asks for.
    answer.max_ranges = 4
    return answer


def _jpeg(content: bytes, cache: str = FOR_EVER) -> Response:
    return Response(content, media_type="image/jpeg", headers={"cache-control": cache})


async def _frame(studio: Studio, request: Request) -> Response:
    """A finished frame of a film, at the width of the pane that shows it."""
    item, text = studio.item(request), request.path_params["index"]
    index = int(text) if text.isdigit() and len(text) < 9 else -1
    if item.job is None or not 0 <= index < studio.shelf.frames(item.job):
        raise RefusedError(404, "there is no such frame")
    path = item.job / "frames" / f"{index:06d}.png"
    width = pictures.next_width(request.query_params.get("w", ""))
    return _jpeg(await _read(pictures.jpeg, path, width))


async def _read(read, *given) -> bytes:
    try:
        return await asyncio.to_thread(read, *given)
    except (OSError, ValueError, SyntaxError) as error:
        raise RefusedError(404, f"no picture can be read ({error})") from None


async def _picture(studio: Studio, request: Request) -> Response:
    """A still of anything: of a film its newest frame."""
    item = studio.item(request)
    width = pictures.next_width(request.query_params.get("w", ""))
    frames = studio.shelf.frames(item.job) if item.job else 0
    if item.job is not None and frames:
        path = item.job / "frames" / f"{frames - 1:06d}.png"
        return _jpeg(await _read(pictures.jpeg, path, width), "no-cache")
    try:
        return _jpeg(await _read(pictures.jpeg, item.path, width), "no-cache")
    except RefusedError:
        return _jpeg(await _by_worker(studio, item, width), "no-cache")


async def _by_worker(studio: Studio, item: Item, width: int) -> bytes:
    """A picture that only dreamvid's own readers can read."""
    if not item.path.is_file() or item.kind == "sound":
        raise RefusedError(404, f"{item.name}: has no picture yet")
    stamp = item.path.stat().st_mtime_ns
    kept = studio.place.cache / f"still-{item.ident}-{stamp}-{width}.jpg"
    if not kept.exists():
        try:
            await studio.worker.ask("picture", 1, path=item.name, to=str(kept), side=width)
        except DreamvidError as error:
            raise RefusedError(404, str(error)) from None
    return await asyncio.to_thread(Path.read_bytes, kept)


async def _strip(studio: Studio, request: Request) -> Response:
    """Pictures from all over a film, side by side, for a thumbnail that moves."""
    item = studio.item(request)
    frames = studio.shelf.frames(item.job) if item.job else 0
    stamp = item.path.stat().st_mtime_ns if item.path.exists() else 0
    kept = studio.place.cache / f"strip-{item.ident}-{frames}-{stamp}.jpg"
    if not kept.exists():
        content = await _read(pictures.strip, studio.shelf, item)
        for old in studio.place.cache.glob(f"strip-{item.ident}-*.jpg"):
            old.unlink(missing_ok=True)
        await asyncio.to_thread(kept.write_bytes, content)
        return _jpeg(content)
    return _jpeg(await asyncio.to_thread(kept.read_bytes))


async def _journal(studio: Studio, request: Request) -> Response:
    item, text = studio.item(request), request.query_params.get("from", "0")
    start = int(text) if text.isdigit() and len(text) < 9 else 0
    found = await asyncio.to_thread(journal, item.job, start) if item.job else []
    return JSONResponse({"frames": found[:20_000]})


ROUTES = {
    ("GET", "/api/items"): _items,
    ("GET", "/api/items/{id}/file"): _file,
    ("GET", "/api/items/{id}/frames/{index}"): _frame,
    ("GET", "/api/items/{id}/picture"): _picture,
    ("GET", "/api/items/{id}/strip"): _strip,
    ("GET", "/api/items/{id}/journal"): _journal,
}
