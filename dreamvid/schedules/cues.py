"""Cues: keyframes whose values are texts, such as words; from each to the next they cross-fade."""

import re
from bisect import bisect_right
from fractions import Fraction
from typing import NamedTuple

from dreamvid.errors import SettingsError
from dreamvid.schedules.schedule import EASED, EASINGS, PLACE

LONGEST = 10_000
"""The most characters that cues may have."""
USUAL = "smooth"
"""The easing where none is named: each cue stays a while before the next one takes over."""


class Cue(NamedTuple):
    """The texts from one place in a film on."""

    place: float
    seconds: bool
    """Whether `place` is in seconds, not in frames."""
    texts: tuple[str, ...]
    easing: str = USUAL

    def frame(self, fps: Fraction) -> float:
        """Its place in frames."""
        return self.place * float(fps) if self.seconds else self.place


def read_cues(text: str, where: str) -> list[Cue]:
    """The cues of ``"volcano, castle"``, or of ``"0s: forest, 4s: city, port, 8s: reef hold"``.

    Raises:
        SettingsError: there is no text at a key, a key cannot be read, or the text is too long.
    """
    if len(text) > LONGEST:
        raise SettingsError(f"{where}: {len(text)} characters, {LONGEST} at most")
    if ":" not in text:
        return [Cue(0, False, _texts([text], where, text))]
    found: list[tuple[re.Match[str], list[str]]] = []
    for piece in text.split(","):
        key, colon, value = piece.partition(":")
        if not colon and found:
            found[-1][1].append(piece)
        elif match := PLACE.fullmatch(key.strip()) if colon else None:
            found.append((match, [value]))
        elif piece.strip():
            raise SettingsError(
                f"{where}: got {piece.strip()[:40]!r}, wanted KEY: WORDS, where a key is a frame "
                "such as 120 or a time such as 2.5s"
            )
    cues = []
    for match, texts in found:
        eased = EASED.search(texts[-1])
        if eased:
            texts[-1] = texts[-1][: eased.start()]
        shown = _texts(texts, where, f"{match[0]}:")
        cues.append(Cue(float(match[1]), bool(match[2]), shown, eased[1] if eased else USUAL))
    return cues


def _texts(parts: list[str], where: str, place: str) -> tuple[str, ...]:
    """What stands between the commas."""
    texts = [each.strip() for part in parts for each in part.split(",") if each.strip()]
    if not texts:
        raise SettingsError(f"{where}: got {place[:40]!r} and no word; name one or more")
    return tuple(texts)


def check_order(cues: list[Cue], fps: Fraction, where: str) -> None:
    """Raise `SettingsError` unless each cue is later than the one before."""
    places = [cue.frame(fps) for cue in cues]
    for before, place, cue in zip(places, places[1:], cues[1:], strict=False):
        if place <= before:
            raise SettingsError(
                f"{where}: keys must be in order, and frame {place:g} ({cue.texts[0]}) comes "
                f"after frame {before:g}"
            )


def shares(cues: list[Cue], fps: Fraction, frame: int) -> dict[int, float]:
    """The number and the share of each cue that counts at a frame; the shares add up to 1."""
    places = [cue.frame(fps) for cue in cues]
    here = max(0, bisect_right(places, frame) - 1)
    if here + 1 == len(cues) or frame <= places[here]:
        return {here: 1.0}
    passed = (frame - places[here]) / (places[here + 1] - places[here])
    part = float(EASINGS[cues[here].easing](passed))
    return {here: 1 - part, here + 1: part} if part else {here: 1.0}
