"""What an objective may look at, and what its options may be: checked when it is registered.

An objective is a function whose positional parameters say what it looks at, by name:

- ``activation``: of one layer (N, C, h, w), float32, its chosen channels only;
- ``whole``: the same, never of a part of the picture, where the gain is no mean over positions;
- ``placed``: the same, its positions those of the picture however that was rolled;
- ``image``: the dream itself (N, 3, H, W), in the network's own units;
- ``scores``: the class head's (N, classes), before any softmax;
- ``begun``: the same, as it was when the dream began, (N, C, h, w), seen in the same way;
- ``reference``: the same layer's activation (1, C, h', w') for the option that is a `Picture`, at
  the size that its option of the type `PictureSide` says, or else the picture's own;
- ``aligned``: the same at the dream's size, (1, C, h, w).

It returns one gain for each picture, (N,). One that looks at a layer is asked once for each layer
that is dreamed, and the gains are added up.

Its keyword-only parameters are its options, whatever their names: the type of an option says what
it is. A `ClassLabel` reaches the function as the class's number, `Words` as what they mean.
"""

from collections.abc import Callable, Collection, Sequence
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, get_args

from dreamvid.registry import Registry, Within, did_you_mean, parameters


class Role(Enum):
    """What an option of an objective is for."""

    PICTURE = "picture"
    SIDE = "side"
    LABEL = "label"
    STAY = "stay"
    WORDS = "words"


Picture = Annotated[Path, Role.PICTURE]
"""A picture that the network looks at: ``reference`` or ``aligned``. Its file hash is recorded.
It may be a film, which keeps time with the dream, or a folder of pictures that come in turn."""
PictureSide = Annotated[int, Within(0, 4096), Role.SIDE]
"""The longer side in pixels at which ``reference`` is looked at; 0 is the picture's own."""
PictureStay = Annotated[float, Within(0.001, 1e6), Role.STAY]
"""Seconds that each picture of a folder stays, where the option that is a `Picture` is one."""
ClassLabel = Annotated[int | str, Role.LABEL]
"""A class of the network's head, by name or by number from 0; it arrives as the number."""
Words = Annotated[str, Role.WORDS]
"""Words, or words at keys, that mean classes of the head; they arrive as the `Meant` of a frame."""

OF_LAYERS = frozenset({"activation", "whole", "placed", "begun", "reference", "aligned"})
"""What is seen of a layer."""
OF_PICTURES = frozenset({"reference", "aligned"})
"""What is seen in a picture that is not the dream."""
LOOKED_AT = (
    "activation", "whole", "placed", "begun", "image", "scores", "reference", "aligned",
)  # fmt: skip
EVERY_TERM = ("name", "weight", "layers", "mask", "also")
"""Settings of every objective, which no option of one may be called."""


def options_of_role(function: Callable[..., Any], role: Role) -> list[str]:
    """The names of the options of an objective that have that role."""
    return [
        name for name, option in parameters(function).items() if role in get_args(option.annotation)
    ]


class Objectives(Registry):
    """Objectives by name."""

    def __init__(self) -> None:
        super().__init__("objective", reserved=EVERY_TERM)

    def _unfit_positional(self, names: Sequence[str]) -> str | None:
        if not names:
            return f"looks at nothing; its positional parameters are any of {', '.join(LOOKED_AT)}"
        for name in names:
            if name not in LOOKED_AT:
                return (
                    f"there is no {name!r} to look at{did_you_mean(name, LOOKED_AT)} "
                    f"(positional parameters are any of {', '.join(LOOKED_AT)}; options come "
                    "after a *)"
                )
        return None

    def _unfit_options(self, function: Callable[..., Any]) -> str | None:
        return super()._unfit_options(function) or self._unfit_roles(function)

    @staticmethod
    def _unfit_roles(function: Callable[..., Any]) -> str | None:
        """Why the options do not go with what the objective looks at."""
        code = function.__code__
        needs = set(code.co_varnames[: code.co_argcount])
        for role in Role:
            if len(found := options_of_role(function, role)) > 1:
                return f"its options {' and '.join(found)} are both its {role.value}; expected one"
        if looked := sorted(needs & OF_PICTURES):
            if not options_of_role(function, Role.PICTURE):
                return f"looks at {looked[0]!r} but has no option that is a Picture; add one"
        elif options_of_role(function, Role.PICTURE):
            return "has a Picture but looks neither at 'reference' nor at 'aligned'"
        if "reference" not in needs and options_of_role(function, Role.SIDE):
            return "has a PictureSide but does not look at 'reference'"
        return None


def is_local(needs: Collection[str]) -> bool:
    """Whether a part of a picture can be asked by itself, wherever in the picture it lies."""
    return set(needs) <= {"activation", "image", "reference"}


def is_rollable(needs: Collection[str]) -> bool:
    """Whether it can be asked without knowing the roll as numbers."""
    return set(needs) <= {"activation", "image", "reference", "whole"}


objectives = Objectives()
