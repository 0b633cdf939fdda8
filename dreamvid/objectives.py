"""Objectives: from an activation to a gain, which the ascent makes larger.

Each takes one layer's activation (N, C, h, w), float32, and returns one gain for each picture
(N,); `gain_of` adds up layers by their weights. All are means over the layer, so that layers of
different sizes can be mixed; with normalised steps a single layer's mean and sum are the same.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from dreamvid.networks.layers import Choice
from dreamvid.registry import Registry, checked_options

objectives = Registry("objective")


@objectives.register
def energy(activation: Tensor) -> Tensor:
    """Half the mean square: whatever the layer sees, more of it (Mordvintsev et al. 2015)."""
    return activation.pow(2).mean((1, 2, 3)) / 2


@objectives.register
def mean(activation: Tensor) -> Tensor:
    """The mean activation, which raises weak responses as readily as strong ones."""
    return activation.mean((1, 2, 3))


def gain_of(
    choices: Sequence[Choice], options: Mapping[str, Any]
) -> Callable[[Mapping[str, Tensor]], Tensor]:
    """A function from a network's activations to the gain of each picture (N,).

    Args:
        choices: the layers, their channels and weights.
        options: the objective's ``name`` and its own options.
    """
    options = dict(options)
    objective = objectives[options.pop("name")]
    checked = checked_options(objective, options, "objective")

    def gain(activations: Mapping[str, Tensor]) -> Tensor:
        parts = []
        for choice in choices:
            activation = activations[choice.layer]
            if activation.dtype in (torch.bfloat16, torch.float16):
                activation = activation.float()
            if activation.ndim == 2:
                activation = activation[:, :, None, None]
            if choice.channels is not None:
                activation = activation[:, list(choice.channels)]
            parts.append(choice.weight * objective(activation, **checked))
        return torch.stack(parts).sum(0)

    return gain
