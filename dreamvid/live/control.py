"""Control of a live dream: keys, OSC and MIDI all post the same words, and the newest counts."""

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

MOST = 256
"""Words that wait at most; a flood of others is dropped, a newer value of one takes its place."""
KEYS = {
    "q": "quit",
    "\x1b": "quit",
    " ": "freeze",
    "r": "reset",
    "p": "panic",
    "n": "next",
    "t": "tap",
    "+": "stronger",
    "=": "stronger",
    "-": "weaker",
    "0": "plain",
}
"""What each key of the window says."""
PRESSED = ("quit", "freeze", "reset", "panic", "next", "tap", "stronger", "weaker", "plain")
"""Words that are said, not set: each time counts once a frame."""
STEP = 1.25
"""What stronger and weaker multiply the strength by."""
STRONGEST = 8.0
TAPS, FORGET = 5, 3.0
"""Taps that the tempo is the mean of, and the seconds after which they begin anew."""
PULSE = 1.0
"""How much stronger the dream is at a beat."""
SWING = 0.6
"""How much stronger the dream is where what is heard is loud, and weaker where it is still."""


class Post:
    """Words on their way to the dream, from any thread."""

    def __init__(self) -> None:
        self._waiting: dict[str, Any] = {}
        self._lock = threading.Lock()

    def __call__(self, word: str, value: Any = True) -> None:
        """Say something; a later value of the same word takes the place of an earlier one."""
        with self._lock:
            if word in self._waiting or len(self._waiting) < MOST:
                self._waiting[word] = value

    def take(self) -> Mapping[str, Any]:
        """All that was said since the last time."""
        with self._lock:
            taken, self._waiting = self._waiting, {}
        return taken


class Tempo:
    """A beat that is tapped."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._taps: deque[float] = deque(maxlen=TAPS)

    def tap(self) -> None:
        """One tap; two of them make a tempo."""
        now = self.clock()
        if self._taps and now - self._taps[-1] > FORGET:
            self._taps.clear()
        self._taps.append(now)

    def forget(self) -> None:
        """No tempo."""
        self._taps.clear()

    @property
    def seconds(self) -> float:
        """From beat to beat; 0 where there is no tempo."""
        if len(self._taps) < 2:
            return 0.0
        return (self._taps[-1] - self._taps[0]) / (len(self._taps) - 1)

    def strength(self) -> float:
        """A factor on the strength now: more at each beat, less after it; 1 without a tempo."""
        if not self.seconds:
            return 1.0
        phase = (self.clock() - self._taps[-1]) / self.seconds % 1.0
        return 1 + PULSE * math.exp(-5 * phase) - PULSE / 5
