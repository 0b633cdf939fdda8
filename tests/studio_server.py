"""A studio in a process of its own, for tests, and requests to it."""

import contextlib
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import quote

import cv2
import numpy as np

SMALL = {"film.size": "96x64", "octaves.count": "1", "ascent.iterations": "1", "ascent.later": "1"}
"""Settings of a film that is made quickly."""


class Server:
    """`dreamvid studio FOLDER` on a free port; a context manager."""

    def __init__(self, folder: Path, *flags: str):
        self.folder = folder
        command = [sys.executable, "-m", "dreamvid", "studio", folder, "--port", "0", *flags]
        self.process = subprocess.Popen(
            [*command, "--no-browser"], stdout=subprocess.PIPE, text=True, start_new_session=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        line = self.process.stdout.readline()
        self.address = re.search(r"http://\S+/", line)[0]
        self.token = (re.search(r"token=([^;\s]+)", line) or [None, None])[1]
        self.port = int(re.search(r":(\d+)/", self.address)[1])
        self.host = f"127.0.0.1:{self.port}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end(signal.SIGINT)

    def end(self, number):
        """Send the server a signal and wait until it has gone."""
        self.process.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(15)
        self.process.kill()
        self.process.stdout.close()
        return self.process.wait()

    def request(self, method, path, body=None, **headers):
        """The status, the headers and the body of an answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        given = {"Host": self.host, "Origin": f"http://{self.host}"}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        if isinstance(body, dict | list):
            body = json.dumps(body).encode()
            given.setdefault("Content-Type", "application/json")
        given = {name: value for name, value in given.items() if value is not None}
        try:
            connection.request(method, path, body, given)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def ask(self, method, path, body=None):
        """The JSON of an answer that is no refusal."""
        status, _, content = self.request(method, path, body)
        assert status < 300, (method, path, status, content[:300])
        return json.loads(content)

    def upload(self, path, name=None):
        """Drop a file; what the server made of it."""
        query = quote(name or path.name)
        return self.ask("PUT", f"/api/uploads?name={query}", path.read_bytes())

    def items(self):
        """What lies in the folder, by the names."""
        return {item["name"]: item for item in self.ask("GET", "/api/items")["items"]}

    def until(self, name, test, seconds=60.0):
        """Wait until an item is as it should be; the item."""
        until = time.monotonic() + seconds
        item = None
        while time.monotonic() < until:
            item = self.items().get(name)
            if item and test(item):
                return item
            time.sleep(0.05)
        raise AssertionError(f"{name}: not within {seconds} s; it is {item}")

    def names(self, *wanted, seconds=60.0):
        """The names of these items by what they are called in addresses, once all are listed."""
        until = time.monotonic() + seconds
        while True:
            names = {item["id"]: item["name"] for item in self.items().values()}
            if names.keys() >= set(wanted):
                return names
            assert time.monotonic() < until, (wanted, names)
            time.sleep(0.05)

    def until_live(self, test, seconds=60.0):
        """Wait until the live dream is as it should be; what is told of it."""
        until = time.monotonic() + seconds
        told = None
        while time.monotonic() < until:
            told = self.ask("GET", "/api/live")
            if test(told):
                return told
            time.sleep(0.05)
        raise AssertionError(f"live: not within {seconds} s; it is {told}")

    def begin(self, source, frames=12, **settings):
        """Ask for a small zoom; what it is called in addresses."""
        named = {name.replace("__", "."): value for name, value in settings.items()}
        settings = {**SMALL, "film.frames": str(frames), **named}
        draft = {"command": "zoom", "source": source, "settings": settings}
        return self.ask("POST", "/api/films", draft)["id"]


def camera(path):
    """A film of moving stripes, long enough to stand for a camera."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (96, 64))
    for number in range(3000):
        picture = np.zeros((64, 96, 3), np.uint8)
        picture[:, :, 2] = 60 + 120 * ((np.arange(96) + 2 * number) // 12 % 2)
        picture[:24, :, 1] = 90
        writer.write(picture)
    writer.release()
