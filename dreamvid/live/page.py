"""A page that shows the dream in any browser: JPEG pictures, one after the other (MJPEG)."""

import json
import secrets
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import cv2
import numpy as np

from dreamvid.errors import SettingsError
from dreamvid.live.control import Post

QUALITY = 85
BETWEEN = "dreamvid"
LOCAL = ("127.0.0.1", "localhost")
LONGEST = 1000
"""Bytes of a word that is said."""
PAGE = b"""<!doctype html><meta charset="utf-8"><title>dreamvid live</title>
<style>html,body{margin:0;height:100%;background:#000}img{width:100%;height:100%;object-fit:contain}
</style><img src="/stream" alt="the dream">"""


class Page:
    """A server on this computer; each viewer gets the newest picture that it can take.

    With a key, only those see it who give it as ``?key=``, and they may say words to `post` too:
    a `POST` of a JSON list of a word and a value to ``/say``.
    """

    def __init__(
        self, port: int, host: str = "127.0.0.1", key: str = "", post: Post | None = None
    ) -> None:
        """Raise `SettingsError` where another program has the port."""
        self.key, self.post = key, post
        self._changed = threading.Condition()
        self._jpeg, self._number, self._open = b"", 0, True
        page = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                page._answer(self)

            def do_POST(self) -> None:
                page._hear(self)

            def log_message(self, format: str, *args: Any) -> None:
                """Nothing is printed."""

        try:
            self._server = ThreadingHTTPServer((host, port), Handler)
        except OSError as error:
            raise SettingsError(
                f"--port: {port} cannot be listened to ({error.strerror}); choose another"
            ) from None
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._open = False
            self._changed.notify_all()
        self._server.shutdown()
        self._server.server_close()

    def show(self, pixels: np.ndarray) -> None:
        """A picture (H, W, 3), RGB, uint8."""
        options = [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
        done, jpeg = cv2.imencode(".jpg", pixels[:, :, ::-1], options)
        if done:
            with self._changed:
                self._jpeg, self._number = jpeg.tobytes(), self._number + 1
                self._changed.notify_all()

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        path = self._asked(request)
        if path is None:
            request.send_error(403)
        elif path == "/":
            self._send(request, "text/html; charset=utf-8", PAGE)
        elif path == "/latest.jpg":
            self._send(request, "image/jpeg", self._jpeg)
        elif path == "/stream":
            self._stream(request)
        else:
            request.send_error(404)

    def _hear(self, request: BaseHTTPRequestHandler) -> None:
        path = self._asked(request)
        if path is None or not self.key or self.post is None:
            request.send_error(403)
            return
        try:
            length = int(request.headers.get("Content-Length", ""))
            word, value = json.loads(request.rfile.read(min(max(0, length), LONGEST)))
        except (ValueError, TypeError, RecursionError):
            request.send_error(400)
            return
        self.post(str(word), value)
        self._send(request, "application/json", b"{}")

    def _asked(self, request: BaseHTTPRequestHandler) -> str | None:
        """The path that is asked for; None where whoever asks may not see the dream."""
        # A page of another site could show the dream otherwise, by a name that leads here.
        host = request.headers.get("Host", "").rpartition(":")[0]
        asked = urlsplit(request.path)
        given = parse_qs(asked.query).get("key", [""])[0]
        known = secrets.compare_digest(given.encode(), self.key.encode())
        return asked.path if host in LOCAL and known else None

    @staticmethod
    def _send(request: BaseHTTPRequestHandler, kind: str, content: bytes) -> None:
        request.send_response(200)
        request.send_header("Content-Type", kind)
        request.send_header("Content-Length", str(len(content)))
        request.send_header("Cache-Control", "no-store")
        request.end_headers()
        request.wfile.write(content)

    def _stream(self, request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Type", f"multipart/x-mixed-replace; boundary={BETWEEN}")
        request.send_header("Cache-Control", "no-store")
        request.end_headers()
        seen = 0
        try:
            while self._open:
                with self._changed:
                    self._changed.wait_for(lambda: self._number > seen or not self._open)  # noqa: B023
                    jpeg, seen = self._jpeg, self._number
                head = f"--{BETWEEN}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}"
                request.wfile.write(f"{head}\r\n\r\n".encode() + jpeg + b"\r\n")
        except OSError:
            return  # the viewer has gone
