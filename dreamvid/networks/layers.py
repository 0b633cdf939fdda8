"""Choosing layers by text: ``NAME``, ``NAME=WEIGHT``, ``NAME:CHANNELS``, ``NAME:CHANNELS=WEIGHT``.

NAME is a layer, another name of one, a shell glob over both, or a layer's number in the network's
order, from 1 unless the network counts otherwise (``dreamvid list layers`` shows it).
CHANNELS are whole numbers from 0 or ranges of them, parted by commas: ``3,7`` or ``0..20``. A
negative WEIGHT dreams the layer away, and one of 0 leaves it out.

In a film both can change: WEIGHT may be a schedule, ``4c=0: (1), 4s: (0)``, and CHANNELS may be a
walk, ``4c:walk(0..20, 1.5s)``, which goes from each channel to the next in that time, over and
over. `Selector` turns such a text into plain ones for any moment.
"""

import difflib
import fnmatch
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from dreamvid.errors import NetworkError
from dreamvid.registry import Within, did_you_mean

WEIGHTS = Within(-1e9, 1e9, scheduled=True)
MOST_CHANNELS = 100_000
_WALK = re.compile(r"walk\((.*),\s*(\d{1,6}(?:\.\d{0,6})?|\.\d{1,6})\s*s\s*\)")


@dataclass(frozen=True)
class Choice:
    """A layer to dream, the channels of it (`None` for all) and its weight in the sum."""

    layer: str
    channels: tuple[int, ...] | None = None
    weight: float = 1.0

    @property
    def place(self) -> str:
        """The selector of the layer and its channels, without the weight."""
        chosen = f":{','.join(map(str, self.channels))}" if self.channels else ""
        return self.layer + chosen


@dataclass(frozen=True)
class Selector:
    """The parts of a selector's text."""

    name: str
    channels: tuple[int, ...] | None
    weight: float | str
    """A number, or the text of a schedule."""
    stay: float | None
    """Seconds from one channel to the next, where the channels are walked through in turn."""

    @classmethod
    def read(cls, text: str) -> Self:
        """The parts of `text`, or a `NetworkError`; the schedule is not looked into."""
        name, equals, weight = text.partition("=")
        name, colon, channels = name.partition(":")
        walk = _WALK.fullmatch(channels.strip())
        stay = float(walk[2]) if walk else None
        if stay == 0:
            raise NetworkError(f"layer {text!r}: a walk of 0 s a channel; expected more than 0")
        found = _channels(walk[1] if walk else channels, text) if colon else None
        if found and not walk:
            found = tuple(dict.fromkeys(found))
        return cls(name.strip(), found, _weight(weight, text) if equals else 1.0, stay)

    @property
    def place(self) -> str:
        """What stands before the weight, a walk as all of its channels."""
        channels = "" if self.channels is None else f":{','.join(map(str, self.channels))}"
        return self.name + channels

    def plain(self, weight: float, time: float) -> Iterator[str]:
        """What it says `time` seconds into the film, where its own weight is `weight`."""
        if self.stay is None or self.channels is None:
            yield f"{self.place}={weight!r}"
            return
        number, passed = divmod(time / self.stay, 1.0)
        # Slow near each channel, so that it is dreamed for itself and not only on the way.
        passed = passed * passed * (3 - 2 * passed)
        here, there = (self.channels[(int(number) + n) % len(self.channels)] for n in (0, 1))
        if passed == 0 or here == there:
            yield f"{self.name}:{here}={weight!r}"
            return
        yield f"{self.name}:{here}={weight * (1 - passed)!r}"
        yield f"{self.name}:{there}={weight * passed!r}"


def ever(text: str) -> str:
    """The plain selector of all that `text` selects at any time."""
    selector = Selector.read(text)
    return f"{selector.place}={1.0 if isinstance(selector.weight, str) else selector.weight!r}"


def chosen(
    network_layers: Sequence[str],
    selectors: Iterable[str],
    network_name: str,
    aliases: Mapping[str, str] | None = None,
    numbers: Mapping[str, int] | None = None,
    favourite: str = "",
) -> tuple[Choice, ...]:
    """The layers that plain `selectors` name, in their order.

    A later selector of the same layer and channels replaces an earlier one, so that a glob can be
    followed by its exceptions.

    Args:
        network_layers: The network's layers, shallowest first.
        selectors: Texts as the module describes them.
        network_name: For the errors.
        aliases: Other names of layers.
        numbers: The numbers of layers; counted from 1 where not given.
        favourite: A layer of the network to name where a selector names none.

    Raises:
        NetworkError: A selector cannot be read, or names no layer of the network.
    """
    aliases = aliases or {}
    if numbers is None:
        numbers = {layer: number for number, layer in enumerate(network_layers, 1)}
    found: dict[tuple[str, tuple[int, ...] | None], Choice] = {}
    for text in selectors:
        selector = Selector.read(text)
        if selector.stay is not None or isinstance(selector.weight, str):
            raise NetworkError(
                f"layer {text!r}: weight is {selector.weight!r}, expected a number; "
                "schedules and walks are for films"
            )
        for layer in _matching(
            selector.name, network_layers, network_name, aliases, numbers, favourite
        ):
            found[layer, selector.channels] = Choice(layer, selector.channels, selector.weight)
    return tuple(found.values())


def _matching(
    pattern: str,
    layers: Sequence[str],
    network_name: str,
    aliases: Mapping[str, str],
    numbers: Mapping[str, int],
    favourite: str,
) -> list[str]:
    instead = f"; give one of its own, such as --layer {favourite}" if favourite else ""
    if pattern in layers:
        return [pattern]
    if pattern in aliases:
        return [aliases[pattern]]
    if re.fullmatch("[0-9]{1,9}", pattern):
        by_number = {number: layer for layer, number in numbers.items()}
        if int(pattern) in by_number:
            return [by_number[int(pattern)]]
        if by_number:
            raise NetworkError(
                f"{network_name}: no layer {pattern}; "
                f"layers are {min(by_number)} to {max(by_number)}{instead}"
            )
    names = {**{layer: layer for layer in layers}, **aliases}
    matching = (layer for name, layer in names.items() if fnmatch.fnmatchcase(name, pattern))
    if found := list(dict.fromkeys(matching)):
        return found
    near = _nearest(pattern, [*names])
    raise NetworkError(
        f"{network_name}: no layer {pattern!r}{near}{'' if repr(favourite) in near else instead} "
        f"(dreamvid list layers {network_name})"
    )


def _nearest(pattern: str, layers: Sequence[str]) -> str:
    """A hint from whole names first, then from the last parts of names."""
    if hint := did_you_mean(pattern, layers):
        return hint
    last_parts = {re.split("[/.]", layer)[-1]: layer for layer in reversed(layers)}
    near = difflib.get_close_matches(pattern, last_parts, n=1)
    return f"; did you mean {last_parts[near[0]]!r}?" if near else ""


def _channels(text: str, selector: str) -> tuple[int, ...]:
    channels: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*([0-9]{1,9})(?:\s*\.\.\s*([0-9]{1,9}))?\s*", part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, MOST_CHANNELS)
        if abs(last - first) + len(channels) >= MOST_CHANNELS:
            raise NetworkError(
                f"layer {selector!r}: channels are {text!r}, expected numbers from 0, as in "
                "NAME:3,7 or NAME:0..20, or a walk, as in NAME:walk(0..20, 1.5s)"
            )
        channels += range(first, last + 1) if first <= last else range(first, last - 1, -1)
    return tuple(channels)


def _weight(text: str, selector: str) -> float | str:
    try:
        weight = float(text.strip() or "nan")
    except ValueError:
        return text.strip()
    if not math.isfinite(weight):
        raise NetworkError(
            f"layer {selector!r}: weight is {text!r}, expected a number, as in NAME=0.5, or a "
            "schedule, as in NAME=0: (1), 4s: (0)"
        )
    return weight
