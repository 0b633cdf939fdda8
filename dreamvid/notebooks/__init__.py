"""Where people write: results that show themselves, arrays in and out, frames one by one.

Nothing here needs IPython; where a notebook is there, it is used.
"""

from dreamvid.notebooks.arrays import Seed, dreamed_array, is_array, kept_seed
from dreamvid.notebooks.iterating import frames_of
from dreamvid.notebooks.results import Result
from dreamvid.notebooks.watching import watching

__all__ = ["Result", "Seed", "dreamed_array", "frames_of", "is_array", "kept_seed", "watching"]
