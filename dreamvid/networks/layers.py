"""Choosing layers by text: ``NAME``, ``NAME=WEIGHT``, ``NAME:CHANNELS``, ``NAME:CHANNELS=WEIGHT``.

NAME is a layer, a shell glob over layers, or a layer's number in the network's order, from 1.
CHANNELS are whole numbers from 0, parted by commas. A negative WEIGHT dreams the layer away.
"""

import difflib
import fnmatch
import math
import re
from collections.abc import Iterable, Sequence
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
    network_layers: Sequence[str], selectors: Iterable[str], network_name: str
) -> tuple[Choice, ...]:
    """The layers that `selectors` name, in their order.

    A later selector of the same layer and channels replaces an earlier one, so that a glob can be
    followed by its exceptions.

    Raises:
        NetworkError: A selector cannot be read, or names no layer of the network.
    """
    found: dict[tuple[str, tuple[int, ...] | None], Choice] = {}
    for selector in selectors:
        pattern, equals, weight_text = selector.partition("=")
        pattern, colon, channel_text = pattern.partition(":")
        channels = _channels(channel_text, selector) if colon else None
        weight = _weight(weight_text, selector) if equals else 1.0
        for layer in _matching(pattern.strip(), network_layers, network_name):
            found[layer, channels] = Choice(layer, channels, weight)
    return tuple(found.values())


def _matching(pattern: str, layers: Sequence[str], network_name: str) -> list[str]:
    if pattern in layers:
        return [pattern]
    if re.fullmatch("[0-9]{1,9}", pattern):
        if not 1 <= int(pattern) <= len(layers):
            raise NetworkError(f"{network_name}: no layer {pattern}; layers are 1 to {len(layers)}")
        return [layers[int(pattern) - 1]]
    if matching := [layer for layer in layers if fnmatch.fnmatchcase(layer, pattern)]:
        return matching
    raise NetworkError(
        f"{network_name}: no layer {pattern!r}{_nearest(pattern, layers)} "
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
