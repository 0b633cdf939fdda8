"""An objective of one's own: what a dream raises.

::

    dreamvid image seed.jpg --plugin examples/own_objective.py --set objective.name=peaks

The name of a positional parameter says what the objective is given: `activation` is a chosen
layer's (N, C, h, w). It returns one number for each picture.
"""

from typing import Annotated

from torch import Tensor

from dreamvid.plugins import Within, objective

Power = Annotated[float, Within(1, 8)]


@objective
def peaks(activation: Tensor, *, power: Power = 4.0) -> Tensor:
    """What is seen most clearly: the higher the `power`, the less the rest counts."""
    return activation.clamp_min(0).pow(power).mean((1, 2, 3)).pow(1 / power)
