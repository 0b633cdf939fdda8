"""A real browser for tests: headless Chromium over its own pipe, without a driver or a library.

What it is told and what it tells are JSON, each ended by a zero byte (the Chrome DevTools
Protocol over `--remote-debugging-pipe`).
"""

import base64
import contextlib
import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
    *("--no-first-run", "--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--disable-extensions", "--disable-default-apps", "--mute-audio"),
    *("--autoplay-policy=no-user-gesture-required", "--hide-scrollbars", "--disable-translate"),
    *("--force-color-profile=srgb", "--remote-debugging-pipe", "--no-default-browser-check"),
)


def found() -> str | None:
    """Where a browser is; None where there is none."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Browser:
    """Chromium with one page; a context manager."""

    def __init__(self, folder: Path, width: int = 1280, height: int = 800):
        asked, self._out = os.pipe()
        self._in, told = os.pipe()

        def placed():
            # The browser reads at 3 and writes at 4.
            ends = (os.dup(asked), os.dup(told))
            os.dup2(ends[0], 3)
            os.dup2(ends[1], 4)

        command = [found(), *FLAGS, f"--user-data-dir={folder}", f"--window-size={width},{height}"]
        self.process = subprocess.Popen(
            [*command, "about:blank"], preexec_fn=placed, close_fds=False, start_new_session=True,
            stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(asked)
        os.close(told)
        self._number, self._rest, self._session = 0, b"", None
        self.requests: list[str] = []
        self.complaints: list[str] = []
        pages = self._ask("Target.getTargets")["targetInfos"]
        page = next(each["targetId"] for each in pages if each["type"] == "page")
        attached = self._ask("Target.attachToTarget", targetId=page, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self._ask(f"{domain}.enable")
        self.size(width, height)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(Exception):
            self._session = None
            self._ask("Browser.close")
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, 9)
        self.process.wait()
        os.close(self._out)
        os.close(self._in)

    def _ask(self, method, **given):
        self._number += 1
        told = {"id": self._number, "method": method, "params": given}
        if self._session:
            told["sessionId"] = self._session
        os.write(self._out, json.dumps(told).encode() + b"\0")
        number, until = self._number, time.monotonic() + 30
        while True:
            message = self._read(until)
            if message is None:
                raise TimeoutError(f"{method}: no answer from the browser")
            if message.get("id") == number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']['message']}")
                return message["result"]
            self._note(message)

    def _read(self, until):
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._in], [], [], max(0, until - time.monotonic()))
            if not ready:
                return None
            chunk = os.read(self._in, 1 << 20)
            if not chunk:
                raise RuntimeError("the browser has ended")
            self._rest += chunk
        line, _, self._rest = self._rest.partition(b"\0")
        return json.loads(line)

    def _note(self, message):
        given, method = message.get("params", {}), message.get("method")
        if method == "Network.requestWillBeSent":
            self.requests.append(given["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(str(given["exceptionDetails"].get("exception", given))[:600])
        elif method == "Log.entryAdded" and given["entry"]["level"] == "error":
            self.complaints.append(f"{given['entry']['text']} {given['entry'].get('url', '')}")
        elif method == "Runtime.consoleAPICalled" and given["type"] in ("error", "assert"):
            self.complaints.append(str(given["args"])[:600])

    def size(self, width, height, scale=1):
        """Make the page so large."""
        self._ask("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=scale, mobile=width < 600)  # fmt: skip

    def go(self, address):
        """Open an address and wait until it has loaded."""
        self._ask("Page.navigate", url=address)
        self.until("document.readyState === 'complete'")

    def run(self, script):
        """The value of an expression on the page; promises are waited for."""
        found = self._ask("Runtime.evaluate", expression=script, awaitPromise=True,
                          returnByValue=True, userGesture=True)  # fmt: skip
        if "exceptionDetails" in found:
            raise RuntimeError(str(found["exceptionDetails"].get("exception"))[:800])
        return found["result"].get("value")

    def until(self, script, seconds=25.0):
        """Wait until an expression is true; its value."""
        until = time.monotonic() + seconds
        # An element has no value of its own.
        there = f"(found => found instanceof Node || found)({script})"
        while time.monotonic() < until:
            with contextlib.suppress(RuntimeError):
                if value := self.run(there):
                    return value
            time.sleep(0.05)
        raise AssertionError(f"not within {seconds} s: {script}; {self.complaints[-3:]}")

    def click(self, selector):
        """Click the middle of an element, as a person does."""
        x, y = self.middle(selector)
        self._mouse("mousePressed", x, y, clickCount=1, button="left")
        self._mouse("mouseReleased", x, y, clickCount=1, button="left")

    def middle(self, selector):
        """Where an element is, scrolled into view first."""
        script = (
            "(() => { const e = document.querySelector(%s); e.scrollIntoView({block: 'center'});"
            "const b = e.getBoundingClientRect(); "
            "return [b.x + b.width / 2, b.y + b.height / 2] })()"
        )
        return self.run(script % json.dumps(selector))

    def click_twice(self, selector, across, down):
        """Double-click a place of an element, given as parts of its sides."""
        script = (
            "(() => { const b = document.querySelector(%s).getBoundingClientRect();"
            "return [b.x + b.width * %f, b.y + b.height * %f] })()"
        )
        self.middle(selector)
        x, y = self.run(script % (json.dumps(selector), across, down))
        for count in (1, 2):
            self._mouse("mousePressed", x, y, clickCount=count, button="left")
            self._mouse("mouseReleased", x, y, clickCount=count, button="left")

    def drag(self, selector, right, down):
        """Drag an element by so many pixels."""
        x, y = self.middle(selector)
        self._mouse("mousePressed", x, y, clickCount=1, button="left")
        for part in (0.25, 0.5, 0.75, 1):
            # Without its button a move ends the capture of the pointer.
            place = (x + right * part, y + down * part)
            self._mouse("mouseMoved", *place, button="left", buttons=1)
        self._mouse("mouseReleased", x + right, y + down, clickCount=1, button="left")

    def _mouse(self, kind, x, y, **more):
        self._ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def press(self, key, code=None):
        """Press a key that has a name, such as Tab or ArrowRight."""
        codes = {"Tab": 9, "ArrowRight": 39, "ArrowUp": 38, "ArrowLeft": 37, "Enter": 13}
        codes["Delete"] = 46
        for kind in ("rawKeyDown", "keyUp"):
            self._ask("Input.dispatchKeyEvent", type=kind, key=key, code=code or key,
                      windowsVirtualKeyCode=codes.get(key, 0))  # fmt: skip

    def choose_files(self, selector, paths):
        """Choose files as if in the dialog of the system."""
        root = self._ask("DOM.getDocument")["root"]["nodeId"]
        node = self._ask("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self._ask("DOM.setFileInputFiles", nodeId=node, files=[str(path) for path in paths])

    def picture(self, path, kind="png", quality=None):
        """Write what is seen to a file."""
        more = {"quality": quality} if quality else {}
        data = self._ask("Page.captureScreenshot", format=kind, **more)["data"]
        Path(path).write_bytes(base64.b64decode(data))
