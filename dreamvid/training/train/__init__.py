"""Training a network to tell apart the pictures of several folders, so that it dreams of them.

::

    pets/cats/*.jpg  pets/dogs/*.png  ...      a folder of class folders
    pets.safetensors                           the best epoch's network, for ``--weights``
    pets.safetensors.training/                 what resuming needs; see `files`

Every draw is keyed by (seed, epoch, picture), so that no generator outlives an epoch: a training
that was killed and resumed ends with the same file as one that was not.
"""

from dreamvid.training.train.making import train
from dreamvid.training.train.pictures import Dataset, Example, Views, dataset
from dreamvid.training.train.recipe import Recipe
from dreamvid.training.train.schools import school
from dreamvid.training.train.training import Row, Training

__all__ = [
    "Dataset",
    "Example",
    "Recipe",
    "Row",
    "Training",
    "Views",
    "dataset",
    "school",
    "train",
]
