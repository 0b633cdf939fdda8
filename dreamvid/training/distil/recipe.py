"""The numbers of a distillation, and how they are read from options and texts."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple

import torch

from dreamvid import networks
from dreamvid.errors import SettingsError
from dreamvid.registry import Fraction01, Positive, Within, checked_value
from dreamvid.settings import assigned
from dreamvid.training.recipes import filled


class Recipe(NamedTuple):
    """The numbers of a distillation. The network in the package was made with the defaults."""

    steps: Annotated[int, Within(1, 10_000_000)] = 12500
    batch: Annotated[int, Within(1, 1024)] = 16
    side: Annotated[int, Within(32, 1024)] = 112
    learning_rate: Positive = 2e-3
    alone: Fraction01 = 0.24
    """The share of the steps in which every stage learns alone, from the teacher's activations."""
    handover: Fraction01 = 0.08
    """The share of the steps, after those, in which the student's own activations take over."""
    direction: Annotated[float, Within(0, 1000)] = 1.0
    """The weight of one minus the cosine between the two dream gradients, from then on."""
    pool: Annotated[int, Within(1, 1_000_000)] = 2000
    """Pictures that the student learns from at one time."""
    fresh: Annotated[int, Within(0, 1024)] = 2
    """Pictures of each batch that are replaced by new crops."""
    seed: Annotated[int, Within(0, 2**63 - 1)] = 0


def recipe_of(options: Mapping[str, Any]) -> Recipe:
    """The default recipe with `options` in it; `SettingsError` names the first bad one."""
    recipe = filled(Recipe, options)
    if not recipe.fresh <= recipe.batch <= recipe.pool:
        raise SettingsError(
            f"recipe: got fresh {recipe.fresh}, batch {recipe.batch} and pool {recipe.pool}, "
            "expected fresh at most batch and batch at most pool"
        )
    return recipe


def recipe_assigned(texts: Sequence[str]) -> dict[str, Any]:
    """The options of a recipe that ``--set name=value`` texts make; values are TOML."""
    for text in texts:
        if "=" not in text:
            raise SettingsError(f"--set: got {text!r}, expected name=value, as in pool=500")
    return assigned([f"recipe.{text}" for text in texts]).get("recipe", {})


def in_bfloat16(precision: str, device: torch.device) -> bool:
    """Whether a student is computed in bfloat16; with ``auto``, where `device` is fast at it."""
    if checked_value(precision, Literal["auto", "bf16", "fp32"], "precision") != "auto":
        return precision == "bf16"
    return networks.has_bfloat16(device)
