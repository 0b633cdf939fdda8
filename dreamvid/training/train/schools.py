"""Which networks can be trained, how each is set up, and what its file holds.

A pocket network is trained inside a classifier; torchvision's classifiers are trained as they are.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from torch import Tensor, nn

from dreamvid.errors import SettingsError
from dreamvid.networks import networks
from dreamvid.networks import pocket as pockets
from dreamvid.networks.base import Preprocessing
from dreamvid.networks.torchvision import classifier as classifiers
from dreamvid.training.train.classifier import PocketClassifier
from dreamvid.training.train.recipe import Recipe


def settled(options: Mapping[str, Any]) -> Recipe:
    """The recipe in `options`; a `SettingsError` if its network cannot be trained with it."""
    recipe = Recipe.of(options)
    networks[recipe.network]  # says what is near to an unknown name
    pocket = recipe.network == "pocket"
    if not pocket and recipe.network not in classifiers.names():
        raise SettingsError(
            f"train.network: {recipe.network!r} has no training here, expected pocket or one of "
            "torchvision's (dreamvid list networks)"
        )
    side = recipe.side or (64 if pocket else 224)
    smallest = 32 if pocket else classifiers.sketch(recipe.network).smallest_side
    if side < smallest:
        raise SettingsError(
            f"train.side: got {side}, and {recipe.network} needs {smallest} or more"
        )
    return Recipe(**{**asdict(recipe), "side": side})


def school(recipe: Recipe, classes: int, fresh: bool) -> tuple[nn.Module, Preprocessing]:
    """The network to train, with a head for `classes` classes, and its preprocessing.

    Unless `fresh`, no weights to start from are read: they come from a checkpoint later.
    """
    if recipe.network == "pocket":
        return _pocket_school(recipe, classes)
    module = classifiers.new_model(recipe.network, classes)
    if fresh and not recipe.from_scratch:
        started = networks[recipe.network](weights=recipe.weights)
        learned = {
            name.removeprefix("model."): tensor for name, tensor in started.state_dict().items()
        }
        # The head is the module whose parameter comes last; it knows other classes.
        head = list(learned)[-1].rpartition(".")[0] + "."
        learned = {name: value for name, value in learned.items() if not name.startswith(head)}
        module.load_state_dict(learned, strict=False)
    return module, classifiers.preprocessing_of(recipe.network)


def _pocket_school(recipe: Recipe, classes: int) -> tuple[PocketClassifier, Preprocessing]:
    # Read even when a checkpoint follows: the file also says which stages the network has.
    started = pockets.Pocket() if recipe.from_scratch else pockets.pocket(weights=recipe.weights)
    pocket = started.without_head()
    module = PocketClassifier(pocket, classes)
    if recipe.from_scratch:
        module.start_anew()
    return module, pocket.preprocessing


def scores_of(module: nn.Module, inputs: Tensor) -> list[Tensor]:
    """The scores of the helping heads, if there are any, and last those of the network's head."""
    return module.scores(inputs) if isinstance(module, PocketClassifier) else [module(inputs)]


def prepare(module: nn.Module, sample: Tensor | None) -> None:
    """Change a trained network into exactly what its file will hold.

    Args:
        module: Changed in place.
        sample: Inputs to balance the layers with, if it was trained from scratch.
    """
    if isinstance(module, PocketClassifier):
        if sample is not None:
            module.fold()
            module.balance(sample)
        module.half().float()


def exported(module: nn.Module) -> dict[str, Tensor]:
    """The tensors of the file, on the CPU; a pocket network's have 16 bits."""
    small = isinstance(module, PocketClassifier)
    return {
        name.removeprefix("pocket."): (tensor.half() if small else tensor).cpu().contiguous()
        for name, tensor in module.state_dict().items()
        if not (small and name.startswith("helpers."))
    }


def shape_of(module: nn.Module) -> dict[str, str]:
    """The metadata that describes the network's shape, as JSON values."""
    if isinstance(module, PocketClassifier):
        return {"stages": json.dumps(module.pocket.stages)}
    return {}
