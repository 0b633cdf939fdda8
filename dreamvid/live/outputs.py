"""Where a live dream goes: a window, a virtual camera, the network by NDI, nowhere."""

import ctypes
import os
import sys
from collections.abc import Callable
from fractions import Fraction
from typing import Any, Protocol, Self

import cv2
import numpy as np

from dreamvid.errors import SettingsError
from dreamvid.live.control import KEYS, Post

TITLE = "dreamvid live"


class Output(Protocol):
    """Something that shows pictures; a context manager."""

    def __enter__(self) -> Self:
        """Open it."""
        ...

    def __exit__(self, *_: object) -> None:
        """Close it."""
        ...

    def show(self, pixels: np.ndarray) -> None:
        """A picture (H, W, 3), RGB, uint8."""
        ...


class Window:
    """A window on the screen, whose keys control the dream."""

    def __init__(self, post: Post) -> None:
        """Raise `SettingsError` where there is no screen."""
        self.post, self._fitted = post, False
        if sys.platform.startswith("linux") and not _display_opens():
            named = os.environ.get("DISPLAY")
            why = f"DISPLAY is {named}, which does not answer" if named else "DISPLAY is not set"
            raise SettingsError(
                f"--to window: there is no screen ({why}); show the dream on a page with --to page"
            )

    def __enter__(self) -> Self:
        # The dream alone, without the buttons that Qt would draw above it.
        how = cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL
        try:
            cv2.namedWindow(TITLE, how)
        except cv2.error as error:
            raise SettingsError(
                f"--to window: this OpenCV opens no windows ({str(error).split(chr(10))[0][:60]}); "
                "use --to page"
            ) from None
        return self

    def __exit__(self, *_: object) -> None:
        cv2.destroyAllWindows()

    def show(self, pixels: np.ndarray) -> None:
        """A picture; the keys that were pressed are said."""
        if not self._fitted:
            cv2.resizeWindow(TITLE, pixels.shape[1], pixels.shape[0])
            self._fitted = True
        cv2.imshow(TITLE, pixels[:, :, ::-1])
        key = cv2.waitKey(1) & 0xFF
        if key < 128 and chr(key) in KEYS:
            self.post(KEYS[chr(key)])
        if cv2.getWindowProperty(TITLE, cv2.WND_PROP_VISIBLE) < 1:
            self.post("quit")


def _display_opens() -> bool:
    """Whether a window can be opened on Linux, as far as is known without opening one.

    Qt would end the whole program where it finds no X display.
    """
    if not cv2.currentUIFramework().startswith("QT"):
        return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    try:
        library = ctypes.CDLL("libX11.so.6")
    except OSError:
        return False
    library.XOpenDisplay.restype = ctypes.c_void_p
    display = library.XOpenDisplay(None)
    if display:
        library.XCloseDisplay(ctypes.c_void_p(display))
    return bool(display)


class Device:
    """An output that its first picture opens, which has its size for ever."""

    def __init__(self) -> None:
        self._opened: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._opened is not None:
            self._opened.close()

    def show(self, pixels: np.ndarray) -> None:
        """A picture (H, W, 3), RGB, uint8."""
        if self._opened is None:
            self._opened = self._open(*pixels.shape[:2])
        self._send(pixels)

    def _open(self, height: int, width: int) -> Any:
        raise NotImplementedError

    def _send(self, pixels: np.ndarray) -> None:
        raise NotImplementedError


class VirtualCamera(Device):
    """A camera that other programs see."""

    def __init__(self, fps: float) -> None:
        """Raise `SettingsError` where pyvirtualcam is not installed."""
        super().__init__()
        try:
            import pyvirtualcam  # pyright: ignore[reportMissingImports]
        except ImportError:
            raise SettingsError(
                "--to camera: needs pyvirtualcam; install it with pip install 'dreamvid[live]'"
            ) from None
        self.fps, self._library = fps, pyvirtualcam

    def _open(self, height: int, width: int) -> Any:
        try:
            return self._library.Camera(width, height, self.fps)
        except RuntimeError as error:
            raise SettingsError(
                f"--to camera: no virtual camera ({str(error).split(chr(10))[0][:80]}); on "
                "Linux load v4l2loopback with exclusive_caps=1, elsewhere install OBS"
            ) from None

    def _send(self, pixels: np.ndarray) -> None:
        self._opened.send(pixels)


class Ndi(Device):
    """A source on the network that mixers and projection programs see, by NDI."""

    def __init__(self, fps: float) -> None:
        """Raise `SettingsError` where cyndilib is not installed."""
        super().__init__()
        try:
            from cyndilib.sender import Sender  # pyright: ignore[reportMissingImports]
            from cyndilib.video_frame import VideoSendFrame  # pyright: ignore
            from cyndilib.wrapper.ndi_structs import FourCC  # pyright: ignore
        except ImportError:
            raise SettingsError(
                "--to ndi: needs cyndilib; install it with pip install 'dreamvid[ndi]'"
            ) from None
        # Its own clock would hold the dream up.
        self._sender, self._frame = Sender(TITLE, clock_video=False), VideoSendFrame()
        self._rate, self._order = Fraction(fps).limit_denominator(1001), FourCC.RGBX

    def _open(self, height: int, width: int) -> Any:
        self._frame.set_resolution(width, height)
        self._frame.set_frame_rate(self._rate)
        self._frame.set_fourcc(self._order)
        self._sender.set_video_frame(self._frame)
        self._sender.open()
        return self._sender

    def _send(self, pixels: np.ndarray) -> None:
        self._sender.write_video(opaque(pixels).reshape(-1))


def opaque(pixels: np.ndarray) -> np.ndarray:
    """RGB pixels (H, W, 3) with a fourth channel, all of it opaque."""
    return cv2.cvtColor(pixels, cv2.COLOR_RGB2RGBA)


class Nowhere:
    """No output: for recordings and measurements. `seen` is called with each picture."""

    def __init__(self, seen: Callable[[np.ndarray], object] = lambda pixels: None) -> None:
        self.seen = seen

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is to be closed."""

    def show(self, pixels: np.ndarray) -> None:
        """A picture, which goes nowhere."""
        self.seen(pixels)
