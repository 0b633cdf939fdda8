"""How well a film's last frame flows into its first: the seam beside all its other changes."""

import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from dreamvid.errors import MediaError
from dreamvid.frames import Flow, Frame
from dreamvid.motion.optical_flow import dis
from dreamvid.motion.warp import warp

CLOSED = 1.1
"""A loop counts as closed if its seam is at most this many times the median change."""

Follow = Callable[[int, Frame, Frame], Flow]
"""From a frame's index, the frame before it and the frame itself to the flow between them."""


@dataclass(frozen=True)
class Seam:
    """How frames differ from the frame before, moved along: mean differences of values 0 to 1."""

    seam: float
    """The first frame's, from the last."""
    median: float
    """The median of all other frames'."""
    largest: float
    """The largest of all other frames'."""

    @property
    def ratio(self) -> float:
        """The seam divided by the median."""
        return self.seam / max(self.median, 1e-9)

    def __str__(self) -> str:
        return (
            f"seam {self.seam:.4f}, median step {self.median:.4f}, largest {self.largest:.4f}: "
            f"ratio {self.ratio:.2f}"
        )


def loop_seam(frames: Iterable[Frame], follow: Follow | None = None) -> Seam:
    """The seam of a film that is played again and again.

    Args:
        frames: all of the film, in order; three or more.
        follow: the flow between two frames, if it is known; otherwise it is estimated.

    Raises:
        MediaError: there are fewer than three frames.
    """
    follow = follow or (lambda _, before, after: dis(after, before))
    errors: list[float] = []
    first = previous = None
    for index, frame in enumerate(frames):
        if previous is None:
            first = frame
        else:
            errors.append(_difference(previous, frame, follow(index, previous, frame)))
        previous = frame
    if first is None or previous is None or len(errors) < 2:
        raise MediaError(f"a loop of {len(errors) + 1} frames has no seam; expected 3 or more")
    seam = _difference(previous, first, follow(0, previous, first))
    return Seam(seam, statistics.median(errors), max(errors))


def _difference(before: Frame, after: Frame, flow: Flow) -> float:
    return (warp(before, flow) - after).abs().mean().item()
