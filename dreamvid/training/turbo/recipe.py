"""The numbers of a turbo network's training."""

from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

from dreamvid.dream.turbo.net import STRIDE
from dreamvid.errors import SettingsError
from dreamvid.registry import Fraction01, Positive, Within
from dreamvid.training.recipes import filled


class Recipe(NamedTuple):
    """The numbers of a turbo training."""

    steps: Annotated[int, Within(1, 10_000_000)] = 12000
    opening: Fraction01 = 0.1
    """The share of the steps, at the beginning, in which it learns to be close and nothing else."""
    batch: Annotated[int, Within(2, 1024)] = 8
    """Half of it are the teacher's dreams, and most of the others the network's own pictures."""
    side: Annotated[int, Within(48, 1024)] = 112
    """Of the pictures, in pixels; a multiple of 16."""
    learning_rate: Positive = 3e-3
    pool: Annotated[int, Within(1, 100_000)] = 160
    """The network's own pictures that are kept, to be moved and fed again."""
    closeness: Annotated[float, Within(0, 1000)] = 1.0
    """The weight of how far what is added turns away from what the teacher adds."""
    lessons: Annotated[int, Within(8, 100_000)] = 1200
    """The teacher's dreams that are kept, to be close to."""
    steadiness: Annotated[float, Within(0, 1000)] = 0.1
    """The weight of the distance between what two views of one picture get."""
    tone: Annotated[float, Within(0, 1000)] = 0.3
    """The weight of what changes brightness or leaves the range of a picture."""
    other_layers: Fraction01 = 0.3
    """The share of pictures that dream another layer than the preset's, or a mixture."""
    channels: Fraction01 = 0.7
    """The share of pictures that dream one or two channels of the preset's layer, where the network
    and its teacher see the same ones."""
    fall: Fraction01 = 0.5
    """The share of the steps, at the end, in which the learning rate falls."""
    seed: Annotated[int, Within(0, 2**63 - 1)] = 0


def recipe_of(options: Mapping[str, Any]) -> Recipe:
    """The default recipe with `options` in it; `SettingsError` names the first bad one."""
    recipe = filled(Recipe, options)
    if recipe.side % STRIDE:
        raise SettingsError(f"recipe.side: got {recipe.side}, expected a multiple of {STRIDE}")
    if recipe.batch > recipe.pool:
        raise SettingsError(
            f"recipe: got batch {recipe.batch} and pool {recipe.pool}, expected a batch of at most "
            "the pool"
        )
    return recipe
