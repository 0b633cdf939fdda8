"""OSC: messages that arrive by UDP, as ``/dreamvid/strength 0.5``.

Source: the Open Sound Control 1.0 specification. Bundles are opened, whatever time they name; what
is no message, or is none for dreamvid, is passed over.
"""

import socket
import struct
import threading
from collections.abc import Iterator
from typing import Any, Self

from dreamvid.errors import SettingsError
from dreamvid.live.control import Post

ROOT = "/dreamvid/"
LARGEST = 65536
DEEPEST = 8
"""Bundles within bundles."""


def messages(packet: bytes, depth: int = 0) -> Iterator[tuple[str, list[Any]]]:
    """The addresses and arguments in a packet; a `ValueError` where it is none."""
    if packet.startswith(b"#bundle\0"):
        place = 16
        while place < len(packet) and depth < DEEPEST:
            (length,) = _unpacked(">i", packet, place)
            if length < 0:
                raise ValueError("a length below 0")
            yield from messages(packet[place + 4 : place + 4 + length], depth + 1)
            place += 4 + length
        return
    address, place = _text(packet, 0)
    tags, place = _text(packet, place) if place < len(packet) else (",", place)
    if not address.startswith("/") or not tags.startswith(","):
        raise ValueError("no message")
    values: list[Any] = []
    for tag in tags[1:]:
        if tag in "sS":
            value, place = _text(packet, place)
        elif tag in "ifdh":
            (value,) = _unpacked(f">{'q' if tag == 'h' else tag}", packet, place)
            place += 8 if tag in "dh" else 4
        elif tag in "TFNI":
            value = {"T": True, "F": False, "N": None, "I": True}[tag]
        else:
            raise ValueError(f"an argument of the kind {tag}")
        values.append(value)
    yield address, values


def message(address: str, *values: float | str | bool) -> bytes:
    """A packet of one message: whole numbers, numbers, texts, true and false."""
    tags, data = ",", b""
    for value in values:
        if isinstance(value, bool):
            tags += "T" if value else "F"
        elif isinstance(value, str):
            tags, data = tags + "s", data + _padded(value)
        elif isinstance(value, int):
            tags, data = tags + "i", data + struct.pack(">i", value)
        else:
            tags, data = tags + "f", data + struct.pack(">f", value)
    return _padded(address) + _padded(tags) + data


def _padded(text: str) -> bytes:
    data = text.encode() + b"\0"
    return data + b"\0" * (-len(data) % 4)


def _text(packet: bytes, place: int) -> tuple[str, int]:
    end = packet.index(b"\0", place)
    return packet[place:end].decode(), end + 4 - end % 4


def _unpacked(form: str, packet: bytes, place: int) -> tuple[Any, ...]:
    try:
        return struct.unpack_from(form, packet, place)
    except struct.error as error:
        raise ValueError("cut off") from error


class OscServer:
    """A thread that listens on a port of this computer, and posts what it hears."""

    def __init__(self, port: int, post: Post, host: str = "127.0.0.1") -> None:
        """Raise `SettingsError` where another program has the port."""
        self.post = post
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._socket.bind((host, port))
        except OSError as error:
            self._socket.close()
            raise SettingsError(
                f"--osc: port {port} cannot be listened to ({error.strerror}); choose another"
            ) from None
        self.port = self._socket.getsockname()[1]
        self._socket.settimeout(0.2)
        self._stopped = False
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped = True
        self._thread.join()
        self._socket.close()

    def _run(self) -> None:
        while not self._stopped:
            try:
                packet = self._socket.recv(LARGEST)
                for address, values in messages(packet):
                    if address.startswith(ROOT):
                        value = values[0] if len(values) == 1 else (values or True)
                        self.post(address.removeprefix(ROOT), value)
            except (TimeoutError, ValueError):
                continue
