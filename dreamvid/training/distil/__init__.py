"""Making pocket networks: students that dream like a large teacher."""

from dreamvid.training.distil.fidelity import Fidelity, fidelity
from dreamvid.training.distil.gradients import cosine, smoothed
from dreamvid.training.distil.making import check, make
from dreamvid.training.distil.recipe import Recipe, in_bfloat16, recipe_assigned, recipe_of
from dreamvid.training.distil.running import run
from dreamvid.training.distil.training import Distillation

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
