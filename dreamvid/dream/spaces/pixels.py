"""The space of pixels: a picture's own values."""

from torch import Tensor

from dreamvid.dream.spaces.registered import Space, spaces
from dreamvid.frames import Key


@spaces.register
def pixels(pictures: Tensor, key: Key | None) -> Space:
    """The picture's own values: strokes and sharp detail."""
    return Space(pictures, lambda values: values)
