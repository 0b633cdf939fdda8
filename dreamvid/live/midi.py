"""MIDI: knobs and pads, learned by moving them, kept in a small file.

``midi.toml`` holds a line for each: ``"control 0 21" = "strength 0 4"`` brings the knob's 0 to 127
to 0 to 4; ``"note 9 36" = "tap"`` says a word at each stroke.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self

from dreamvid.errors import SettingsError
from dreamvid.live.control import PRESSED, Post
from dreamvid.media import atomic_write

HIGHEST = 127


class Learned(NamedTuple):
    """What a knob or a pad does."""

    word: str
    low: float = 0.0
    high: float = 1.0


def read_learned(path: Path) -> dict[str, Learned]:
    """What a file says of knobs and pads.

    Raises:
        SettingsError: it cannot be read.
    """
    try:
        table = tomllib.loads(path.read_text("utf-8"))
        return {name: _learned(text) for name, text in table.items()}
    except (OSError, ValueError, AttributeError) as error:
        raise SettingsError(
            f'--midi: {path}: cannot be read ({error}); expected lines such as "control 0 21" = '
            '"strength 0 4"'
        ) from None


def _learned(text: str) -> Learned:
    word, *ends = text.split()
    if len(ends) not in (0, 2):
        raise ValueError(f"{text!r} has one end")
    return Learned(word, *map(float, ends))


def write_learned(path: Path, learned: Mapping[str, Learned]) -> None:
    """Keep what was learned."""
    lines = [
        f'"{name}" = "{each.word}"\n'
        if each.word in PRESSED
        else f'"{name}" = "{each.word} {each.low:g} {each.high:g}"\n'
        for name, each in learned.items()
    ]
    with atomic_write(path) as part:
        part.write_text("".join(lines), "utf-8")


class Midi:
    """Messages of a MIDI input turned into words; the next thing moved is learned where asked."""

    def __init__(self, path: Path, post: Post) -> None:
        """`path` holds what was learned, and need not be there."""
        self.path, self.post = path, post
        self.learned = read_learned(path) if path.exists() else {}
        self._learning: Learned | None = None
        self._port: Any = None

    def learn(self, word: str, low: float = 0.0, high: float = 1.0) -> None:
        """The next knob or pad that is moved does this from now on."""
        self._learning = Learned(word, low, high)

    def heard(self, message: Any) -> None:
        """One of mido's messages."""
        if message.type == "control_change":
            name, value = f"control {message.channel} {message.control}", message.value
        elif message.type == "note_on" and message.velocity:
            name, value = f"note {message.channel} {message.note}", message.velocity
        else:
            return
        if self._learning is not None:
            self.learned[name], self._learning = self._learning, None
            write_learned(self.path, self.learned)
        if name in self.learned:
            word, low, high = self.learned[name]
            far = low + (high - low) * value / HIGHEST
            self.post(word, True if word in PRESSED else far)

    def __enter__(self) -> Self:
        try:
            import mido  # pyright: ignore[reportMissingImports]

            self._port = mido.open_input(callback=self.heard)  # pyright: ignore
        except ImportError:
            raise SettingsError(
                "--midi: needs mido and python-rtmidi; install them with pip install "
                "'dreamvid[live]'"
            ) from None
        # Each of mido's backends raises its own kind where there is no input.
        except Exception as error:
            raise SettingsError(f"--midi: no MIDI input can be opened ({error})") from None
        return self

    def __exit__(self, *_: object) -> None:
        self._port.close()
