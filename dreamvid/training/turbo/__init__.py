"""Making turbo networks: small networks that dream in one pass what a preset's ascent dreams."""

from dreamvid.training.turbo.exporting import export
from dreamvid.training.turbo.making import Place, check, make, run
from dreamvid.training.turbo.recipe import Recipe, recipe_of
from dreamvid.training.turbo.strength import Strength, strength
from dreamvid.training.turbo.training import TurboTraining

__all__ = [
    "Place",
    "Recipe",
    "Strength",
    "TurboTraining",
    "check",
    "export",
    "make",
    "recipe_of",
    "run",
    "strength",
]
