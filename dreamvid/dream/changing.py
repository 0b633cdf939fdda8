"""Layers that change in the course of a film: their numbers, where recorded steps read them.

A recorded step reads the same memory every time. So channels and weights that change from frame to
frame are kept in memory of their own, and each frame's are brought there before its steps.
"""

import math
from collections.abc import Hashable, Sequence
from dataclasses import replace

import torch

from dreamvid.machine.devices import sent
from dreamvid.networks.layers import Choice
from dreamvid.objectives.seeing import Held


def evened(choices: Sequence[Choice]) -> tuple[Choice, ...]:
    """`choices`, and as many of the weight 0 as keep their number the same from frame to frame.

    A walk has two channels, but one at the moment when it has just arrived.
    """
    groups: dict[tuple[str, int], list[Choice]] = {}
    for choice in choices:
        groups.setdefault((choice.layer, len(choice.channels or ())), []).append(choice)
    made: list[Choice] = []
    for (_, count), group in groups.items():
        wanted = max(2, 2 ** math.ceil(math.log2(len(group)))) if count else len(group)
        made += group + [replace(group[0], weight=0.0)] * (wanted - len(group))
    return tuple(made)


class Changing:
    """The choices of the frame that is dreamed now, on its device."""

    def __init__(self, device: torch.device, dtype: torch.dtype) -> None:
        """`dtype` is that of the weights."""
        self.device, self.dtype = device, dtype
        self._held: dict[Hashable, tuple[Held, ...]] = {}
        self._now: dict[Hashable, tuple[Choice, ...]] = {}

    def __call__(self, choices: Sequence[Choice]) -> tuple[Held, ...]:
        """`choices` with their numbers on the device.

        Those of the same layers, and of as many channels each, are the same objects every time.
        """
        choices = evened(choices)
        key = tuple((each.layer, each.channels and len(each.channels)) for each in choices)
        if key not in self._held:
            # What is made while a preview looks on must serve a gradient later.
            with torch.inference_mode(False):
                self._held[key] = tuple(map(self._made, choices))
        elif self._now[key] != choices:
            for held, choice in zip(self._held[key], choices, strict=True):
                now = self._made(choice)
                held.weight.copy_(now.weight)
                if held.channels is not None and now.channels is not None:
                    held.channels.copy_(now.channels)
        self._now[key] = choices
        return self._held[key]

    def _made(self, choice: Choice) -> Held:
        """A choice with numbers of its own; nothing waits for them on the device."""
        weight = torch.tensor(choice.weight, dtype=self.dtype)
        channels = None if choice.channels is None else torch.tensor(choice.channels)
        return Held(
            choice.layer,
            None if channels is None else sent(channels, self.device),
            sent(weight, self.device),
        )
