"""Who may come in: the right host, the right origin, the token; and what every answer forbids.

A page of another site can send requests to this machine, and can have its own name point here. So
the `Host` of every request must be ours, and each write must come from our own page.
"""

import ipaddress
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlsplit

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOCAL = ("127.0.0.1", "localhost", "::1")
SAFE = ("GET", "HEAD")
COOKIE = "dreamvid-studio"
MOST_RANGES = 4
"""Parts of a file in one request; a player asks for one."""
HEADERS = {
    "content-security-policy": "default-src 'self'; img-src 'self' blob:; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "x-frame-options": "DENY",
}


@dataclass(frozen=True)
class Door:
    """Where the studio listens, and the token that others than this machine need."""

    host: str = "127.0.0.1"
    port: int = 8765
    token: str | None = None

    @classmethod
    def on(cls, host: str, port: int) -> "Door":
        """A door with a token, unless only this machine can come to it."""
        return cls(host, port, None if host in LOCAL else secrets.token_urlsafe(18))

    @property
    def address(self) -> str:
        """What is opened in a browser."""
        host = socket.gethostname() if self.host in ("0.0.0.0", "::") else self.host
        shown = f"[{host}]" if ":" in host else host
        return f"http://{shown}:{self.port}/" + (f"?token={self.token}" if self.token else "")

    def knows(self, host: str) -> bool:
        """Whether a `Host` header, or the host of an origin, is this server."""
        try:
            parts = urlsplit(f"//{host}")
            name, port = (parts.hostname or "").lower(), parts.port or 80
        except ValueError:
            return False
        if port != self.port or parts.path or parts.username is not None:
            return False
        if self.host in LOCAL:
            return name in LOCAL
        # A name that an attacker owns can point here; a number cannot be owned.
        names = (*LOCAL, self.host.lower(), socket.gethostname().lower())
        return name in names or _is_number(name)


def _is_number(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


@dataclass
class Guard:
    """An ASGI application around another one, which lets through only what may come in."""

    app: ASGIApp
    door: Door
    refused: dict[str, int] = field(default_factory=dict)
    """How often each reason was given."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1")
                   for name, value in scope["headers"]}  # fmt: skip

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = {name for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *(
                    (name.encode(), value.encode())
                    for name, value in HEADERS.items() if name.encode() not in own
                )]  # fmt: skip
            await send(message)

        answer = self._refusal(scope, headers) or self._at_door(Request(scope), headers)
        if answer is not None:
            await answer(scope, receive, guarded)
        else:
            await self.app(scope, receive, guarded)

    def _refuse(self, status: int, reason: str) -> Response:
        self.refused[reason] = self.refused.get(reason, 0) + 1
        return PlainTextResponse(f"dreamvid studio: {reason}", status)

    def _refusal(self, scope: Scope, headers: Mapping[str, str]) -> Response | None:
        """Why a request is refused whoever sends it; None where it is not."""
        if not self.door.knows(headers.get("host", "")):
            return self._refuse(400, "this address is not the studio's own")
        site = headers.get("sec-fetch-site", "same-origin")
        if scope["method"] not in SAFE:
            origin = urlsplit(headers.get("origin", ""))
            if origin.scheme != "http" or not self.door.knows(origin.netloc):
                return self._refuse(403, "only the studio's own page may change anything")
            if site not in ("same-origin", "none"):
                return self._refuse(403, "only the studio's own page may change anything")
        elif site not in ("same-origin", "none") and scope["path"] != "/":
            return self._refuse(403, "other pages may not read this")
        if headers.get("range", "").count(",") >= MOST_RANGES:
            return self._refuse(416, f"expected {MOST_RANGES} ranges at most")
        return None

    def _at_door(self, request: Request, headers: Mapping[str, str]) -> Response | None:
        """The token, where there is one: from the address once, then from the cookie."""
        token = self.door.token
        if token is None:
            return None
        given = parse_qs(request.url.query).get("token", [""])[0]
        if request.url.path == "/" and secrets.compare_digest(given.encode(), token.encode()):
            answer = RedirectResponse("/", 303)
            answer.set_cookie(COOKIE, token, httponly=True, samesite="strict")
            return answer
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        except CookieError:
            cookie = None
        if cookie is not None and secrets.compare_digest(cookie.value.encode(), token.encode()):
            return None
        return self._refuse(403, "open the address with the token that dreamvid printed")
