"""Pictures shared with programs on the same machine: by Spout on Windows, by Syphon on macOS."""

import sys
from types import SimpleNamespace
from typing import Any

import numpy as np

from dreamvid.errors import SettingsError
from dreamvid.live.outputs import TITLE, Device, opaque

RGBA = 0x1908
"""OpenGL's name of four channels."""


def _refuse_elsewhere(output: str, platform: str, system: str) -> None:
    if sys.platform != platform:
        raise SettingsError(f"--to {output}: it is {system}'s own; use --to ndi or --to page here")


def _lacking(output: str, package: str) -> SettingsError:
    return SettingsError(
        f"--to {output}: needs {package}; install it with pip install 'dreamvid[live]'"
    )


class Spout(Device):
    """A sender that Resolume, TouchDesigner and others see on Windows."""

    def __init__(self, _fps: float) -> None:
        """Raise `SettingsError` where there is no Spout."""
        super().__init__()
        _refuse_elsewhere("spout", "win32", "Windows")
        try:
            import SpoutGL  # pyright: ignore[reportMissingImports]
        except ImportError:
            raise _lacking("spout", "SpoutGL") from None
        self._library = SpoutGL

    def _open(self, height: int, width: int) -> Any:
        self._sender = self._library.SpoutSender()
        self._sender.setSenderName(TITLE)
        self._size, self._sent = (width, height), False
        return SimpleNamespace(close=self._sender.releaseSender)

    def _send(self, pixels: np.ndarray) -> None:
        sent = self._sender.sendImage(opaque(pixels), *self._size, RGBA, False, 0)
        if not sent and not self._sent:
            raise SettingsError(
                "--to spout: the graphics card shares no pictures; try SpoutSettings, or --to ndi"
            )
        self._sent = True
        self._sender.setFrameSync(TITLE)


class Syphon(Device):
    """A server that VDMX, MadMapper and others see on macOS."""

    def __init__(self, _fps: float) -> None:
        """Raise `SettingsError` where there is no Syphon."""
        super().__init__()
        _refuse_elsewhere("syphon", "darwin", "macOS")
        try:
            import syphon  # pyright: ignore[reportMissingImports]
            from syphon.utils.numpy import copy_image_to_mtl_texture  # pyright: ignore
            from syphon.utils.raw import create_mtl_texture  # pyright: ignore
        except ImportError:
            raise _lacking("syphon", "syphon-python") from None
        self._library, self._texture_for = syphon, create_mtl_texture
        self._copied = copy_image_to_mtl_texture

    def _open(self, height: int, width: int) -> Any:
        self._server = self._library.SyphonMetalServer(TITLE)
        self._texture = self._texture_for(self._server.device, width, height)
        return SimpleNamespace(close=self._server.stop)

    def _send(self, pixels: np.ndarray) -> None:
        self._copied(opaque(pixels), self._texture)
        self._server.publish_frame_texture(self._texture)
