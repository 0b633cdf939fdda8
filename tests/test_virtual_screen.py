"""A screen that is not there: the window of a live dream on it, and the screen as a source."""

import ctypes
import os
import shutil
import subprocess
import sys
import time

import cv2
import mss
import numpy as np
import pytest

from dreamvid.errors import MediaError, SettingsError
from dreamvid.live import running
from dreamvid.live.capture import SCREEN, opened
from dreamvid.live.control import Post
from dreamvid.live.outputs import Nowhere, Window
from dreamvid.settings import Settings
from dreamvid.sizes import Size

WIDTH, HEIGHT = 160, 120
"""Of the screen. Its pointer is in the middle, and keys go to the window below it."""
QUICK = Settings().changed("octaves", count=1).changed("ascent", iterations=0, later=0)
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="X is for Linux")


def library(name):
    try:
        return ctypes.CDLL(name)
    except OSError:
        pytest.skip(f"{name} is not installed")


@pytest.fixture(scope="module")
def display():
    """The name of a virtual screen."""
    pytest.importorskip("mss", reason="mss is not installed")
    library("libXtst.so.6")
    if not shutil.which("Xvfb"):
        pytest.skip("Xvfb is not installed")
    read, write = os.pipe()
    asked = ["Xvfb", "-displayfd", str(write), "-screen", "0", f"{WIDTH}x{HEIGHT}x24"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    # Without -noreset it would be closed for a moment whenever its last window goes.
    server = subprocess.Popen([*asked, "-noreset", "-nolisten", "tcp"], pass_fds=[write], **quiet)
    os.close(write)
    with os.fdopen(read) as told:
        number = told.readline().strip()
    yield f":{number}"
    server.terminate()
    server.wait(10)


def press(name, key):
    """Press and release a key on a screen."""
    x, test = library("libX11.so.6"), library("libXtst.so.6")
    x.XOpenDisplay.restype = ctypes.c_void_p
    display = ctypes.c_void_p(x.XOpenDisplay(name.encode()))
    code = x.XKeysymToKeycode(display, ctypes.c_ulong(ord(key)))
    for down in (1, 0):
        test.XTestFakeKeyEvent(display, code, down, ctypes.c_ulong(0))
    x.XCloseDisplay(display)


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """A minute of a red picture whose lower half is blue."""
    path = tmp_path_factory.mktemp("screen") / "still.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (120, 88))
    picture = np.zeros((88, 120, 3), np.uint8)
    picture[:44, :, 2] = picture[44:, :, 0] = 200
    for _ in range(600):
        writer.write(picture)
    writer.release()
    return path


def showing(asked, folder):
    """A program whose window shows something.

    On a screen without a window manager Qt leaves one window in five black while other programs are
    busy, also one of OpenCV alone. It is then opened again.
    """
    for _ in range(5):
        shower = subprocess.Popen(asked, cwd=folder, stderr=subprocess.PIPE, text=True)
        latest = time.monotonic() + 20
        with mss.MSS() as screen:
            while time.monotonic() < latest and shower.poll() is None:
                if np.asarray(screen.grab(screen.monitors[0]))[..., :3].max() > 150:
                    return shower
                time.sleep(0.1)
        shower.kill()
        _, said = shower.communicate()
    pytest.fail(f"no window shows anything: {said}")


def test_a_dream_of_the_screen_shows_the_window_of_another(display, film, tmp_path, monkeypatch):
    monkeypatch.setenv("DISPLAY", display)
    asked = [sys.executable, "-m", "dreamvid", "live", film, "--to", "window", "--size", "120x88"]
    calm = ["--dream", "ascent", "--octaves", "1", "--iterations", "0", "--set", "ascent.later=0"]
    shower = showing([*asked, *calm], tmp_path)
    try:
        seen = []

        def watch(show, captured):
            # A window is on the screen before its picture is.
            red, _, blue = seen[-1][20, 60]
            painted = red > 150 > blue
            if painted or shower.poll() is not None:
                show.post("quit")
            time.sleep(0.05)

        size = Size(HEIGHT, WIDTH)
        told = running.live(
            running.Asked(SCREEN, QUICK, size, 0.0, frames=1000),
            [Nowhere(seen.append)],
            [],
            Post(),
            watch=watch,
        )
        assert told.frames == len(seen) <= told.captured
        press(display, "q")
        _, said = shower.communicate(timeout=30)
    finally:
        shower.kill()
    assert shower.returncode == 0, said
    assert "frames dreamed" in said.splitlines()[-1]
    assert "Qt" not in said
    red, blue = seen[-1][10:34, 10:110], seen[-1][54:78, 10:110]
    assert red.mean((0, 1)) == pytest.approx([200, 0, 0], abs=12)
    assert blue.mean((0, 1)) == pytest.approx([0, 0, 200], abs=12)
    assert not seen[-1][100:].any()


@linux
def test_a_screen_that_does_not_answer_is_told_in_one_line(monkeypatch):
    monkeypatch.setenv("DISPLAY", ":9999")
    with pytest.raises(SettingsError, match=r"DISPLAY is :9999.*--to page") as told:
        Window(Post())
    assert "\n" not in str(told.value)
    pytest.importorskip("mss", reason="mss is not installed")
    with pytest.raises(MediaError, match="screen: cannot be read") as told:
        opened(SCREEN)
    assert "\n" not in str(told.value)
