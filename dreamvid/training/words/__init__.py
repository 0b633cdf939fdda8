"""Teaching pocket words: a head of ImageNet's thousand classes on a trunk that stays as it is.

::

    python -m dreamvid.training.words TEACHER.safetensors PHOTOGRAPHS pocket.safetensors

The head in the package was made by this command; `networks/pocket.md` has its figures.
"""

from dreamvid.training.words.course import Course, Recipe
from dreamvid.training.words.lessons import Tail, errors, raised, spliced

__all__ = ["Course", "Recipe", "Tail", "errors", "raised", "spliced"]
