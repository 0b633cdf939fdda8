"""Cues: keyframes whose values are texts, such as words; from each to the next they cross-fade."""

import re
from bisect import bisect_right
from typing import NamedTuple

from dreamvid.errors import SettingsError
from dreamvid.schedules.music import REMEDY
from dreamvid.schedules.schedule import EASED, EASINGS, PLACE, placed
from dreamvid.schedules.span import Span

LONGEST = 10_000
"""The most characters that cues may have."""
USUAL = "smooth"
"""The easing where none is named: each cue stays a while before the next one takes over."""


class Cue(NamedTuple):
    """The texts from one place in a film on."""

    place: float
    unit: str
    """Of `place`: s for seconds, b for beats of the music, empty for frames."""
    texts: tuple[str, ...]
    easing: str = USUAL


def read_cues(text: str, where: str) -> list[Cue]:
    """The cues of ``"volcano, castle"``, or of ``"0s: forest, 4s: city, port, 8s: reef hold"``.

    Raises:
        SettingsError: there is no text at a key, a key cannot be read, or the text is too long.
    """
    if len(text) > LONGEST:
        raise SettingsError(f"{where}: {len(text)} characters, {LONGEST} at most")
    if ":" not in text:
        return [Cue(0, "", _texts([text], where, text))]
    found: list[tuple[re.Match[str], list[str]]] = []
    for piece in text.split(","):
        key, colon, value = piece.partition(":")
        if not colon and found:
            found[-1][1].append(piece)
        elif match := PLACE.fullmatch(key.strip()) if colon else None:
            found.append((match, [value]))
        elif piece.strip():
            raise SettingsError(
                f"{where}: got {piece.strip()[:40]!r}, expected KEY: WORDS, where a key is a frame "
                "such as 120, a time such as 2.5s, or a beat such as 16b"
            )
    cues = []
    for match, texts in found:
        eased = EASED.search(texts[-1])
        if eased:
            texts[-1] = texts[-1][: eased.start()]
        shown = _texts(texts, where, f"{match[0]}:")
        cues.append(Cue(float(match[1]), match[2], shown, eased[1] if eased else USUAL))
    return cues


def _texts(parts: list[str], where: str, place: str) -> tuple[str, ...]:
    """What stands between the commas."""
    texts = [each.strip() for part in parts for each in part.split(",") if each.strip()]
    if not texts:
        raise SettingsError(f"{where}: got {place[:40]!r} and no word; name one or more")
    return tuple(texts)


def places_of(cues: list[Cue], film: Span, where: str) -> list[float]:
    """The frames of the cues.

    Raises:
        SettingsError: a cue is no later than the one before, or at a beat where there is none.
    """
    places = []
    for cue in cues:
        if cue.unit == "b" and film.music is None:
            raise SettingsError(
                f"{where}: the key {cue.place:g}b ({cue.texts[0]}) is a beat, and there is no "
                f"music; {REMEDY}"
            )
        try:
            place = placed(cue.place, cue.unit, film)
        except ValueError as error:
            raise SettingsError(f"{where}: {error}") from None
        if places and place <= places[-1]:
            raise SettingsError(
                f"{where}: keys must be in order, and frame {place:g} ({cue.texts[0]}) comes "
                f"after frame {places[-1]:g}"
            )
        places.append(place)
    return places


def shares(cues: list[Cue], places: list[float], frame: int) -> dict[int, float]:
    """The number and the share of each cue that counts at a frame; the shares add up to 1."""
    here = max(0, bisect_right(places, frame) - 1)
    if here + 1 == len(cues) or frame <= places[here]:
        return {here: 1.0}
    passed = (frame - places[here]) / (places[here + 1] - places[here])
    part = float(EASINGS[cues[here].easing](passed))
    return {here: 1 - part, here + 1: part} if part else {here: 1.0}
