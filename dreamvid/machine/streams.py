"""Standard output and error, whose readers may go while a film of hours is being made."""

import os
from typing import Any, TextIO


class Lasting:
    """A stream that takes everything, also once nobody reads it any more."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write `text`, or drop it and all that follows."""
        try:
            written = self._stream.write(text)
            self._stream.flush()
        except OSError:
            abandoned(self._stream)
            return len(text)
        return written

    def flush(self) -> None:
        """Write what waits, or drop it."""
        try:
            self._stream.flush()
        except OSError:
            abandoned(self._stream)


def abandoned(stream: TextIO) -> None:
    """Let a stream that nobody reads any more lead nowhere."""
    # Python would complain once more, and change the exit status, when it closes the stream.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def lasting(stream: TextIO | None) -> Any:
    """`stream` as one that never fails; None, a stream that was closed at the start, stays."""
    return None if stream is None else Lasting(stream)
