"""Requests about the live dream: begun, ended, controlled, shown."""

import ipaddress

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.responses import StreamingResponse as Streaming

from dreamvid.errors import SettingsError
from dreamvid.studio.performances import Performance
from dreamvid.studio.studios import Studio
from dreamvid.studio.uploads import RefusedError, read_json

MJPEG = "multipart/x-mixed-replace; boundary=dreamvid"


async def _told(studio: Studio, request: Request) -> Response:
    return JSONResponse(studio.watch.dreamed)


async def _start(studio: Studio, request: Request) -> Response:
    asked = Performance.read(await read_json(request))
    if asked.is_of_device and not is_here(request):
        raise RefusedError(403, "source: a camera or the screen is begun on its own machine only")
    studio.live.start(asked)
    studio.watch.look()
    return JSONResponse({"done": True}, 201)


async def _stop(studio: Studio, request: Request) -> Response:
    studio.live.stop()
    studio.watch.look()
    return JSONResponse({"done": True})


async def _say(studio: Studio, request: Request) -> Response:
    tree = await read_json(request)
    if not isinstance(tree, dict):
        raise SettingsError("live: expected a word and a value")
    await studio.live.say(tree.get("word"), tree.get("value", True))
    return JSONResponse({"done": True})


async def _stream(studio: Studio, request: Request) -> Response:
    parts = await studio.live.stream()
    return Streaming(parts, media_type=MJPEG, headers={"cache-control": "no-store"})


def is_here(request: Request) -> bool:
    """Whether a request comes from this machine."""
    try:
        return request.client is not None and ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False


ROUTES = {
    ("GET", "/api/live"): _told,
    ("POST", "/api/live"): _start,
    ("DELETE", "/api/live"): _stop,
    ("POST", "/api/live/say"): _say,
    ("GET", "/api/live/stream"): _stream,
}
