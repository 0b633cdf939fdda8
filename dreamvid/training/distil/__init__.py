"""Making pocket networks: students that dream like a large teacher."""

from dreamvid.training.distil.fidelity import Fidelity, fidelity
from dreamvid.training.distil.making import check, make
from dreamvid.training.distil.training import (
    Distillation,
    Recipe,
    cosine,
    in_bfloat16,
    recipe_assigned,
    recipe_of,
    run,
    smoothed,
)

__all__ = [
    "Distillation",
    "Fidelity",
    "Recipe",
    "check",
    "cosine",
    "fidelity",
    "in_bfloat16",
    "make",
    "recipe_assigned",
    "recipe_of",
    "run",
    "smoothed",
]
