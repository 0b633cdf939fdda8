"""The numbers and choices of a training: the options of `train`."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from dreamvid.errors import SettingsError
from dreamvid.registry import Positive, Within, checked_options


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What is trained, and how; the fields are the options of `train`."""

    network: str = "pocket"
    weights: Path | None = None
    """A file to start from; None starts from scratch, unless `pretrained`."""
    pretrained: bool = False
    """Start from the network's own embedded or published weights."""
    side: Annotated[int, Within(16, 1024)] | None = None
    """The side of the square pictures it learns from; None is 64 for pocket and 224 for others."""
    epochs: Annotated[int, Within(1, 100_000)] = 30
    batch: Annotated[int, Within(2, 4096)] = 16
    optimiser: Literal["sgd", "adam", "adamw"] = "adamw"
    learning_rate: Positive | None = None
    """The highest rate; None chooses one for the optimiser and the network."""
    held_out: Annotated[float, Within(0.01, 0.9)] = 0.2
    """The share of each class that is held out to measure the accuracy."""
    patience: Annotated[int, Within(0, 100_000)] = 0
    """Stop after this many epochs without a better accuracy; 0 is never."""
    seed: Annotated[int, Within(0, 2**62)] = 0

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Self:
        """A recipe of checked options; `SettingsError` names the first bad one."""
        recipe = cls(**checked_options(cls, options, "train"))
        if recipe.weights and recipe.pretrained:
            raise SettingsError("train: got both weights and pretrained, expected one of them")
        return recipe

    @property
    def from_scratch(self) -> bool:
        """Whether the network begins with random weights."""
        return self.weights is None and not self.pretrained

    def tree(self) -> dict[str, Any]:
        """The recipe as plain JSON values, which `of` takes back."""
        return json.loads(json.dumps(asdict(self), default=lambda path: str(path.absolute())))
