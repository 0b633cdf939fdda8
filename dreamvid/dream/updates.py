"""From gradients to the direction of a step: plainly, with momentum, or by Adam.

Sources: Polyak's momentum, 1964; Kingma and Ba, "Adam", 2015, with their decays.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from dreamvid.settings import AscentSettings

ADAM_DECAYS = (0.9, 0.999)
ADAM_TINY = 1e-8


def update_for(settings: AscentSettings) -> Callable[[Tensor], Tensor]:
    """A function from each step's gradient to the direction of the step.

    It remembers the gradients that it was given, so each climb needs a new one.
    """
    first = second = torch.zeros(())
    steps = 0

    def with_momentum(gradient: Tensor) -> Tensor:
        nonlocal first
        first = settings.momentum * first + gradient
        return first

    def with_adam(gradient: Tensor) -> Tensor:
        nonlocal first, second, steps
        steps += 1
        slow, slower = ADAM_DECAYS
        first = slow * first + (1 - slow) * gradient
        second = slower * second + (1 - slower) * gradient.square()
        spread = (second / (1 - slower**steps)).sqrt()
        return first / (1 - slow**steps) / (spread + ADAM_TINY)

    if settings.update == "momentum":
        return with_momentum
    return with_adam if settings.update == "adam" else lambda gradient: gradient
