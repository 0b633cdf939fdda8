"""Some of the last frames of a film's source, for what goes out of sight and comes back."""

from dataclasses import dataclass
from fractions import Fraction

import cv2
import numpy as np

from dreamvid.frames import Frame

SMALL = 160
"""The longer side of a small picture, in pixels."""
EACH = Fraction(1, 5)
"""Seconds from one frame that is remembered to the next."""
LONG = 9
"""Frames after which what is not seen has been out of sight, rather than lost by the flow alone. By
then its dream has been written, too, however many threads write."""
ROOM = 2**28
"""Bytes that the frames which are remembered take at most."""


@dataclass(frozen=True)
class Past:
    """A frame of a source that is remembered."""

    index: int
    frame: Frame
    small: np.ndarray
    """See `small`."""


class Memory:
    """Some of the last frames of a shot: the same ones, whichever frame a film goes on from."""

    def __init__(self, frames: int, rate: Fraction) -> None:
        """`frames` is how far back it goes, and 0 is nowhere; `rate` is in frames a second."""
        self._frames, self._step = frames, max(1, round(EACH * rate))
        self._kept: tuple[Past, ...] = ()

    def __call__(self, index: int, frame: Frame, cut: bool) -> tuple[Past, ...]:
        """What is remembered at a frame, which is remembered too; all ends with a `cut`."""
        if not self._frames:
            return ()
        kept = () if cut else self._kept
        kept = tuple(past for past in kept if index - past.index <= self._frames)
        most = max(1, ROOM // frame.nbytes)
        step = self._step * -(-self._frames // (self._step * most))
        self._kept = (*kept, Past(index, frame, small(frame))) if index % step == 0 else kept
        return tuple(past for past in kept if past.index <= index - LONG)


def small(frame: Frame) -> np.ndarray:
    """A frame as a picture (h, w, 3), made smaller where it is larger than `SMALL`."""
    picture = np.ascontiguousarray(frame.cpu().numpy().transpose(1, 2, 0))
    height, width = picture.shape[:2]
    scale = SMALL / max(height, width)
    if scale >= 1:
        return picture
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
