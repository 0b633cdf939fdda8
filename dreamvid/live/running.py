"""The live loop: the newest picture, its dream, the outputs; and what is asked in between."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np

from dreamvid.errors import DreamvidError, SettingsError
from dreamvid.frames import Size
from dreamvid.jobs.progress import Progress, Silence
from dreamvid.jobs.stopping import on_stop
from dreamvid.live.ahead import Ahead
from dreamvid.live.capture import Ended, Newest, opened
from dreamvid.live.control import PRESSED, STEP, STRONGEST, SWING, Post, Tempo
from dreamvid.live.dreaming import LiveDream, Ready
from dreamvid.live.outputs import Output
from dreamvid.live.recording import Recording
from dreamvid.machine.devices import leaving_pixels
from dreamvid.settings import Settings, laid_over, settled

CONTROLLED = ("ascent", "network", "octaves", "carry", "flow", "turbo", "objective")
"""Sections whose settings may change while it runs."""
FADE = 1.0
"""Seconds in which another preset comes up."""


@dataclass(frozen=True)
class Asked:
    """What a live dream is asked for."""

    source: str
    settings: Settings
    size: Size
    fps: float
    """The rate to hold; 0: as it comes."""
    presets: Mapping[str, Callable[[], Settings]] = field(default_factory=dict)
    """Those to go through, by name."""
    frames: int = 0
    """After so many it ends; 0: never."""
    every: bool = False
    """Dream every picture of a film, however long it takes."""


@dataclass
class Told:
    """What a live dream was, at its end."""

    frames: int = 0
    captured: int = 0
    seconds: float = 0.0
    why: str = ""
    levels: set[int] = field(default_factory=set)

    @property
    def rate(self) -> float:
        """Frames a second."""
        return self.frames / self.seconds if self.seconds else 0.0

    def __str__(self) -> str:
        return (
            f"{self.frames} frames dreamed of {self.captured} captured, {self.rate:.1f} a second; "
            f"{self.why}"
        )


class Show:
    """A live dream and what is asked of it while it runs."""

    def __init__(self, asked: Asked, post: Post, say: Callable[[str], None]) -> None:
        fade = round(FADE * (asked.fps or 15))
        self.dream = LiveDream(asked.settings, asked.size, asked.fps, fade)
        self.asked, self.post, self.say = asked, post, say
        self.tempo = Tempo()
        self.swing = 1.0
        """A factor on the strength, by what is heard."""
        self.frozen = self.clean = self.ended = False
        self.shown: Callable[[], np.ndarray] | None = None
        self.place = 0

    def state(self) -> dict[str, Any]:
        """How it dreams now, for those who watch."""
        steps, octaves, size = self.dream.budget.level
        return {
            "strength": self.dream.strength,
            "frozen": self.frozen,
            "clean": self.clean,
            "preset": next(islice(self.asked.presets, self.place, None), ""),
            "beat": round(self.tempo.seconds, 3),
            "steps": steps,
            "octaves": octaves,
            "part": size,
        }

    def begin(self, ready: Ready) -> Callable[[], np.ndarray]:
        """Begin to dream a picture. What this gives waits for what to show, (H, W, 3), uint8."""
        self._listen()
        if self.frozen and self.shown is not None:
            return self.shown
        frame = ready.frame()
        if self.clean:
            self.dream.forget()
        else:
            strength = self.tempo.strength() * self.swing
            frame = self.dream(frame, strength, ready.look)
        self.shown = leaving_pixels(frame)
        return self.shown

    def _listen(self) -> None:
        for word, value in self.post.take().items():
            try:
                self._obey(word, value)
            # A live dream goes on whatever a knob asks for.
            except DreamvidError as error:
                self.say(f"{word}: {error}")

    def _obey(self, word: str, value: Any) -> None:
        dream = self.dream
        if word in PRESSED and value in (False, 0):
            return  # a button that is let go
        if word == "quit":
            self.ended = True
        elif word == "freeze":
            self.frozen = not self.frozen
        elif word == "panic":
            self.clean = not self.clean
        elif word == "reset":
            dream.forget()
            self.frozen = self.clean = False
            self.tempo.forget()
            self.swing = 1.0
        elif word == "tap":
            self.tempo.tap()
        elif word in ("stronger", "weaker"):
            factor = STEP if word == "stronger" else 1 / STEP
            dream.strength = min(STRONGEST, max(dream.strength, 0.05) * factor)
        elif word == "plain":
            dream.strength = 1.0
        elif word in ("strength", "ascent/strength"):
            dream.strength = _number(word, value, 0, STRONGEST)
        elif word == "heard":
            self.swing = 1 + SWING * (2 * _number(word, value, 0, 1) - 1)
        elif word in ("next", "preset"):
            self._go_to(None if word == "next" else str(value))
        else:
            self._set(word, value)

    def _go_to(self, name: str | None) -> None:
        known = list(self.asked.presets)
        if not known:
            raise SettingsError("there are no presets to go to; name some with --presets A,B")
        if name is None:
            self.place = (self.place + 1) % len(known)
            name = known[self.place]
        if name not in self.asked.presets:
            raise SettingsError(f"got {name!r}, expected one of {', '.join(known)}")
        self.place = known.index(name)
        self.dream.change(self.asked.presets[name]())
        self.say(f"preset {name}")

    def _set(self, word: str, value: Any) -> None:
        section, _, key = word.partition("/")
        if section not in CONTROLLED or not key:
            raise SettingsError(
                f"not known; expected {', '.join(PRESSED)}, strength, heard, preset, or "
                f"SECTION/KEY of {', '.join(CONTROLLED)}"
            )
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if key == "layers" and isinstance(value, str):
            value = [value]
        tree = laid_over(self.dream.settings.tree(), {section: {key: value}})
        self.dream.change(settled(tree), fading=False)


def _number(word: str, value: Any, low: float, high: float) -> float:
    if not isinstance(value, int | float) or not low <= value <= high:
        raise SettingsError(f"got {value!r}, expected {low} to {high}")
    return float(value)


def dreamed(show: Show, ahead: Ahead[Ready], stopped: Callable[[], bool]) -> Iterator[np.ndarray]:
    """What to show, (H, W, 3), RGB, uint8, one picture after the other, until that is stopped.

    A GPU dreams the next picture, where one is ready, before what it has dreamed is waited for.

    Raises:
        Ended: the source has no more.
    """
    beside = show.dream.network.device.type != "cpu"
    coming, begun = None, 0
    while not (show.ended or stopped() or 0 < show.asked.frames <= begun):
        if coming and not ahead.there:
            before, coming = coming, None
            yield before()
            continue
        before, coming = coming, show.begin(ahead.take())
        begun += 1
        if before:
            yield before()
        if not beside:
            before, coming = coming, None
            yield before()
    if coming and not stopped():
        yield coming()


def live(
    asked: Asked,
    outputs: Sequence[Output],
    controls: Sequence[contextlib.AbstractContextManager],
    post: Post,
    recording: Recording | None = None,
    progress: Progress | None = None,
    watch: Callable[[Show, int], object] = lambda show, captured: None,
) -> Told:
    """Dream what is captured until the source ends, someone quits, or a signal comes.

    Args:
        asked: what, of what, how fast.
        outputs: where each frame goes.
        controls: open while it runs; they say words to `post`.
        post: what was said.
        recording: keeps every frame.
        progress: is told when anything changes.
        watch: is called after each frame with how many pictures were captured.
    """
    progress = progress or Silence()
    source = opened(asked.source)
    told, stopped = Told(why="stopped"), threading.Event()
    with contextlib.ExitStack() as stack:
        stack.enter_context(on_stop(lambda number: stopped.set()))
        show = Show(asked, post, progress.say)
        if recording:
            recording.begin(show.dream.network)
        for each in (*outputs, *controls):
            stack.enter_context(each)
        show.dream.rehearse()
        ahead = stack.enter_context(Ahead(Newest(source, asked.every), show.dream.ready))
        began = last = time.monotonic()
        waited = 0.0
        try:
            for shown in dreamed(show, ahead, stopped.is_set):
                for output in outputs:
                    output.show(shown)
                if recording:
                    recording.write(shown)
                now, budget = time.monotonic(), show.dream.budget
                busy = now - last - (ahead.waited - waited)
                last, waited = now, ahead.waited
                told.levels.add(budget.place)
                if budget.took(busy):
                    steps, octaves, size = budget.level
                    progress.say(f"steps {steps}, octaves {octaves}, size {size:.0%}")
                told.frames += 1
                watch(show, ahead.captured)
            if 0 < asked.frames == told.frames:
                told.why = f"{asked.frames} frames were asked for"
        except Ended as ended:
            told.why = str(ended)
        told.seconds, told.captured = time.monotonic() - began, ahead.captured
    if told.frames == 0 and not stopped.is_set():
        raise SettingsError(f"live: nothing was captured: {told.why}")
    return told
