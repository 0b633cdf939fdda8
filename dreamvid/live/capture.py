"""Where live pictures come from: a camera, a film at its own pace, the screen. The newest wins."""

import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Self

import cv2
import numpy as np

from dreamvid.errors import MediaError, SettingsError
from dreamvid.sizes import Size

SCREEN = "screen"
TIRED = 2.0
"""Seconds without a picture after which a camera counts as unplugged."""


class Captured(NamedTuple):
    """A picture, and its number among all that were captured."""

    number: int
    pixels: np.ndarray
    """(H, W, 3), RGB, uint8."""


class Ended(Exception):
    """There will be no more pictures; its text says why."""


Grab = Callable[[], np.ndarray | None]
"""The next picture (H, W, 3), BGR, uint8; None where there is none any more."""


class Opened(NamedTuple):
    """Something that pictures can be taken from."""

    name: str
    grab: Grab
    close: Callable[[], None]
    fps: float = 0.0
    """A film's own rate, at which it plays; 0: as fast as pictures come."""
    why: str = "has no more pictures"


def opened(source: str) -> Opened:
    """A source by its name: the number of a camera, ``screen``, or a film's path.

    Raises:
        MediaError: it cannot be opened.
    """
    if source == SCREEN:
        return _screen()
    if re.fullmatch("[0-9]{1,3}", source):
        device = cv2.VideoCapture(int(source))
        if not device.isOpened():
            device.release()
            raise MediaError(
                f"camera {source}: cannot be opened; plug one in, choose another number, or give "
                "a film"
            )
        return Opened(f"camera {source}", _grabbing(device), device.release, why="gives no more")
    if not Path(source).is_file():
        raise MediaError(
            f"{source}: no such film; expected a file, the number of a camera, or {SCREEN}"
        )
    film = cv2.VideoCapture(source)
    if not film.isOpened():
        raise MediaError(f"{source}: not a film that can be read; give another")
    rate = film.get(cv2.CAP_PROP_FPS)
    rate = rate if 0.1 < rate < 1000 else 25.0
    return Opened(Path(source).name, _grabbing(film), film.release, rate, "is at its end")


def shape_of(source: str) -> Size:
    """The size of the pictures of a source, found by opening it."""
    found = opened(source)
    try:
        picture = found.grab()
        if picture is None:
            raise MediaError(f"{source}: gives no pictures; give another source")
        return Size(*picture.shape[:2])
    finally:
        found.close()


def _grabbing(device: cv2.VideoCapture) -> Grab:
    def grab() -> np.ndarray | None:
        there, picture = device.read()
        return picture if there else None

    return grab


def _screen() -> Opened:
    try:
        import mss  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise SettingsError(
            "screen: needs mss; install it with pip install 'dreamvid[live]'"
        ) from None
    try:
        taker = mss.MSS()
        whole = taker.monitors[1 if len(taker.monitors) > 1 else 0]
    # Each system has errors of its own for a screen that is not there.
    except Exception as error:
        raise MediaError(
            f"{SCREEN}: cannot be read ({str(error).partition(chr(10))[0][:80]}); give a camera's "
            "number or a film"
        ) from None
    return Opened(
        SCREEN, lambda: np.asarray(taker.grab(whole))[:, :, :3], taker.close, why="is gone"
    )


class Newest:
    """A thread that captures, and a slot of one: who is slow misses pictures, and never waits.

    A context manager. With `every`, each picture waits to be taken instead, for recordings of
    films that shall lack none.
    """

    def __init__(self, source: Opened, every: bool = False) -> None:
        self.source, self.every = source, every
        self.captured = 0
        self._slot: Captured | None = None
        self._why = ""
        self._changed = threading.Condition()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        self._thread.join(TIRED)
        if not self._thread.is_alive():
            self.source.close()

    def take(self, timeout: float = TIRED) -> Captured:
        """The newest picture, each at most once.

        Raises:
            Ended: there are no more, or none came for so long.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._slot is not None or self._why, timeout)
            found, self._slot = self._slot, None
            self._changed.notify_all()
            if found is None:
                raise Ended(f"{self.source.name} {self._why or 'gives no pictures'}")
            return found

    def _run(self) -> None:
        began = time.monotonic()
        number = 0
        why = self.source.why
        try:
            while (picture := self.source.grab()) is not None:
                pixels = cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_BGR2RGB)
                if self.source.fps and not self.every:
                    ahead = began + number / self.source.fps - time.monotonic()
                    if ahead > 0:
                        time.sleep(min(ahead, TIRED))
                with self._changed:
                    self._changed.wait_for(
                        lambda: self._stopped or not (self.every and self._slot is not None)
                    )
                    if self._stopped:
                        return
                    self._slot = Captured(number, pixels)
                    number += 1
                    self.captured = number
                    self._changed.notify_all()
        # A driver may raise anything; the dream shall end in one line.
        except Exception as error:
            why = f"failed ({str(error).partition(chr(10))[0][:80]})"
        finally:
            with self._changed:
                self._why = why
                self._changed.notify_all()
