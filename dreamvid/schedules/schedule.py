"""A schedule: read from text or a list, it gives a number for every frame."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from dreamvid.errors import SettingsError
from dreamvid.schedules.expressions import Expression, Fault
from dreamvid.schedules.music import REMEDY
from dreamvid.schedules.span import Span, known_at, whole

LONGEST = 1_000_000
"""The most characters a schedule may have."""
EASINGS: dict[str, Callable[[Any], Any]] = {
    "linear": lambda part: part,
    "smooth": lambda part: part * part * (3 - 2 * part),
    "ease-in": lambda part: part * part,
    "ease-out": lambda part: part * (2 - part),
    "hold": lambda part: part * 0,
}
EASED = re.compile(rf"(?<![\w.])({'|'.join(EASINGS)})\s*$")
PLACE = re.compile(r"(\d{1,9}(?:\.\d{0,9})?|\.\d{1,9})\s*([sb]?)")


@dataclass(frozen=True)
class Keyframe:
    """The value of a schedule from one place in the film on."""

    place: float
    unit: str
    """Of `place`: s for seconds, b for beats of the music, empty for frames."""
    expression: Expression
    easing: str = "linear"

    def frame(self, film: Span) -> float:
        """Its place in frames; `ValueError` where there are no beats."""
        return placed(self.place, self.unit, film)


def placed(place: float, unit: str, film: Span) -> float:
    """A place in frames, from its number and its unit; `ValueError` where there are no beats."""
    if unit == "b":
        assert film.music is not None
        return film.music.beat_time(place) * float(film.fps)
    return place * float(film.fps) if unit else place


class Schedule:
    """The schedule in a setting that is called `where`."""

    def __init__(self, value: Any, where: str) -> None:
        """Read text or a list of keys; raise `SettingsError`, with the column, where it is bad."""
        self.value = value
        self.where = where
        try:
            self.keys = list(_read_text(value) if isinstance(value, str) else _read_list(value))
        except Fault as fault:
            raise self.error(fault) from None

    def error(self, fault: Fault, when: str = "") -> SettingsError:
        """`fault` as an error that names the setting and shows the place in the setting's text."""
        text = self.value if isinstance(self.value, str) else ", ".join(map(str, self.value))
        shown = " ".join(text[fault.column : fault.column + 40].split())
        place = f" at column {fault.column + 1}, {shown!r}" if isinstance(self.value, str) else ""
        whole = " ".join(text.split())
        expected = "" if when else ", expected a number or a schedule"
        return SettingsError(
            f"{self.where}: got {whole if len(whole) <= 80 else whole[:77] + '…'!r}{expected}: "
            f"{fault.reason}{when}{place}"
        )

    def names(self) -> set[str]:
        """The names in its expressions."""
        return set().union(*(key.expression.names() for key in self.keys))

    def over(self, film: Span) -> np.ndarray:
        """Its value at every frame, float64 (frames,); `SettingsError` where one is not finite."""
        self._check_heard(film)
        places = self._places(film)
        frames = np.arange(whole(film.frames), dtype=np.float64)
        starts = [0, *np.searchsorted(frames, places[1:]).tolist(), len(frames)]
        result = np.empty_like(frames)
        for index, key in enumerate(self.keys):
            part = slice(starts[index], starts[index + 1])
            if part.start == part.stop:
                continue
            names = known_at(frames[part], film)
            value = key.expression(names)
            if index + 1 < len(self.keys) and key.easing != "hold":
                begin, end = places[index : index + 2]
                passed = EASINGS[key.easing](np.clip((frames[part] - begin) / (end - begin), 0, 1))
                with np.errstate(all="ignore"):
                    way = (self.keys[index + 1].expression(names) - value) * passed
                # At the weight 0, the next key may have any value.
                value = value + np.where(passed > 0, way, 0)
            result[part] = value
        result = result[: film.frames]
        bad = np.flatnonzero(~np.isfinite(result))
        if bad.size:
            raise self.unfit("is no finite number", int(bad[0]), film)
        return result

    def unfit(self, reason: str, frame: int, film: Span) -> SettingsError:
        """The error for a value that cannot be used at `frame`; `reason` says why."""
        index = max(0, int(np.searchsorted(self._places(film), frame, side="right")) - 1)
        names = known_at(np.float64(frame), film)
        fault = Fault(reason, self.keys[index].expression.column)
        for key in self.keys[index : index + 2]:
            if not np.isfinite(key.expression(names)):
                fault = key.expression.fault(names)
                break
        return self.error(fault, f" at frame {frame} ({float(frame / film.fps):.3g} s)")

    @property
    def hears(self) -> bool:
        """Whether it follows music."""
        beats = any(key.unit == "b" for key in self.keys)
        return beats or any(True for key in self.keys for _ in key.expression.asks())

    def _check_heard(self, film: Span) -> None:
        """Raise `SettingsError` for what the film's music cannot tell."""
        for key in self.keys:
            for ask, column in key.expression.asks():
                if film.music is None:
                    reason = f"{ask} is a curve of music, and there is no music; {REMEDY}"
                    raise self.error(Fault(reason, column), ",")
                if reason := film.music.refusal(ask):
                    raise self.error(Fault(reason, column), ",")
            if key.unit == "b" and film.music is None:
                reason = f"the key {key.place:g}b is a beat, and there is no music; {REMEDY}"
                raise self.error(Fault(reason, key.expression.column), ",")

    def _places(self, film: Span) -> list[float]:
        """The frames of the keys; each must be later than the one before."""
        try:
            places = [key.frame(film) for key in self.keys]
        except ValueError as error:
            raise self.error(Fault(str(error), self.keys[0].expression.column), ",") from None
        for before, place, key in zip(places, places[1:], self.keys[1:], strict=False):
            if place <= before:
                raise self.error(
                    Fault(
                        f"keys must be in order, and frame {place:g} comes after frame {before:g}",
                        key.expression.column,
                    )
                )
        return places


def _read_text(text: str) -> Iterator[Keyframe]:
    if len(text) > LONGEST:
        raise Fault(f"{len(text)} characters, {LONGEST} at most", 0)
    text = re.sub(r"\s", " ", text)
    if ":" not in text:
        yield Keyframe(0.0, "", Expression(text))
        return
    for column, piece in _pieces(text):
        place, colon, value = piece.partition(":")
        start = column + len(piece) - len(piece.lstrip())
        if not colon:
            raise Fault("expected KEY: VALUE", start)
        match = PLACE.fullmatch(place.strip())
        if not match:
            raise Fault(
                "a key is a frame such as 120 or a time such as 2.5s, or a beat such as 16b", start
            )
        eased = EASED.search(value)
        expression = Expression(
            value[: eased.start()] if eased else value, column + len(place) + len(colon)
        )
        yield Keyframe(float(match[1]), match[2], expression, eased[1] if eased else "linear")


def _pieces(text: str) -> Iterator[tuple[int, str]]:
    """The parts of `text` between the commas outside brackets, each with its column."""
    depth = begin = 0
    for match in re.finditer(r"[(),]", text):
        depth += {"(": 1, ")": -1, ",": 0}[match[0]]
        if depth < 0:
            raise Fault("a bracket is closed that was not opened", match.start())
        if match[0] == "," and depth == 0:
            yield begin, text[begin : match.start()]
            begin = match.end()
    if depth:
        raise Fault("a bracket is not closed", text.rindex("("))
    yield begin, text[begin:]


def _read_list(items: Any) -> Iterator[Keyframe]:
    if not items:
        raise Fault("the list holds no key", 0)
    for number, item in enumerate(items, 1):
        if isinstance(item, Mapping):
            if not {"at", "value"} <= set(item) <= {"at", "value", "easing"}:
                raise Fault(f"key {number} needs at, value and perhaps easing", 0)
            item = [item["at"], item["value"], item.get("easing", "linear")]
        if not isinstance(item, list | tuple) or len(item) not in (2, 3):
            raise Fault(f"key {number} is no [at, value] or [at, value, easing]", 0)
        place, value, easing = (*item, "linear")[:3]
        match = PLACE.fullmatch(str(place).strip())
        if not match or isinstance(place, bool):
            raise Fault(
                f"key {number} is at {place!r}; expected a frame, seconds '2.5s' or beats '16b'",
                0,
            )
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise Fault(f"key {number} has the value {value!r}; expected a number or expression", 0)
        if str(easing) not in EASINGS:
            raise Fault(f"key {number} has the easing {easing!r}; expected {', '.join(EASINGS)}", 0)
        try:
            expression = Expression(str(value))
        except Fault as fault:
            raise Fault(f"key {number}, {value!r}: {fault.reason}", 0) from None
        yield Keyframe(float(match[1]), match[2], expression, easing)
