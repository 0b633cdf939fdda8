"""Choosing layers by text: ``NAME``, ``NAME=WEIGHT``, ``NAME:CHANNELS``, ``NAME:CHANNELS=WEIGHT``.

NAME is a layer, another name of one, a shell glob over both, or a layer's number in the network's
order, from 1 unless the network counts otherwise (``dreamvid list layers`` shows it).
CHANNELS are whole numbers from 0, parted by commas. A negative WEIGHT dreams the layer away.
"""

import difflib
import fnmatch
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from dreamvid.errors import NetworkError
from dreamvid.registry import did_you_mean


@dataclass(frozen=True)
class Choice:
    """A layer to dream, the channels of it (`None` for all) and its weight in the sum."""

    layer: str
    channels: tuple[int, ...] | None = None
    weight: float = 1.0


def chosen(
    network_layers: Sequence[str],
    selectors: Iterable[str],
    network_name: str,
    aliases: Mapping[str, str] | None = None,
    numbers: Mapping[str, int] | None = None,
) -> tuple[Choice, ...]:
    """The layers that `selectors` name, in their order.

    A later selector of the same layer and channels replaces an earlier one, so that a glob can be
    followed by its exceptions.

    Args:
        network_layers: The network's layers, shallowest first.
        selectors: Texts as the module describes them.
        network_name: For the errors.
        aliases: Other names of layers.
        numbers: The numbers of layers; counted from 1 where not given.

    Raises:
        NetworkError: A selector cannot be read, or names no layer of the network.
    """
    aliases = aliases or {}
    if numbers is None:
        numbers = {layer: number for number, layer in enumerate(network_layers, 1)}
    found: dict[tuple[str, tuple[int, ...] | None], Choice] = {}
    for selector in selectors:
        pattern, equals, weight_text = selector.partition("=")
        pattern, colon, channel_text = pattern.partition(":")
        channels = _channels(channel_text, selector) if colon else None
        weight = _weight(weight_text, selector) if equals else 1.0
        for layer in _matching(pattern.strip(), network_layers, network_name, aliases, numbers):
            found[layer, channels] = Choice(layer, channels, weight)
    return tuple(found.values())


def _matching(
    pattern: str,
    layers: Sequence[str],
    network_name: str,
    aliases: Mapping[str, str],
    numbers: Mapping[str, int],
) -> list[str]:
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
                f"layers are {min(by_number)} to {max(by_number)}"
            )
    names = {**{layer: layer for layer in layers}, **aliases}
    matching = (layer for name, layer in names.items() if fnmatch.fnmatchcase(name, pattern))
    if found := list(dict.fromkeys(matching)):
        return found
    raise NetworkError(
        f"{network_name}: no layer {pattern!r}{_nearest(pattern, [*names])} "
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
    parts = [part.strip() for part in text.split(",")]
    if not all(re.fullmatch("[0-9]{1,9}", part) for part in parts):
        raise NetworkError(
            f"layer {selector!r}: channels are {text!r}, wanted numbers from 0, as in NAME:3,7"
        )
    return tuple(dict.fromkeys(int(part) for part in parts))


def _weight(text: str, selector: str) -> float:
    try:
        weight = float(text)
    except ValueError:
        weight = math.nan
    if not math.isfinite(weight) or weight == 0:
        raise NetworkError(
            f"layer {selector!r}: weight is {text!r}, wanted a number other than 0, as in NAME=0.5"
        )
    return weight
