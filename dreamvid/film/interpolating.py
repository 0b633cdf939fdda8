"""Frames between finished frames, by the motion that the film is known to have.

Both neighbours are moved to the time between and blended. A motion by formula is known at every
time; a camera's scene and the flow of a film are followed in a straight line from frame to frame.
"""

from collections.abc import Callable
from fractions import Fraction

import torch
from torch import Tensor

from dreamvid.film.cadence import ahead, moved_to
from dreamvid.film.entering import ROOM, beyond
from dreamvid.frames import Clock, Frame, Size, constant, size_of
from dreamvid.motion.motions import Motion
from dreamvid.motion.optical_flow import Correspondence
from dreamvid.motion.scenes import Scene
from dreamvid.motion.warp import grid

Filling = Callable[[int, float, Frame, Frame], Frame]
"""From a frame's index, a share of the way to the next one, and both of them to what is there."""


def along_motion(
    motion: Motion, fps: Fraction, period: int | None = None, scene: Scene | None = None
) -> Filling:
    """Between the frames of a film that moves by itself; `period` is that of a loop."""

    def fill(index: int, share: float, earlier: Frame, later: Frame) -> Frame:
        size, now = size_of(earlier), index % period if period else index
        if scene:
            return _in_scene(scene, now, share, earlier, later)
        points = grid(size, earlier.device)
        came = motion(points, _clock(now + share, share, fps), size)

        def back(places: Tensor, coarse: Size) -> Tensor:
            return motion(places, _clock(now + 1, 1 - share, fps), coarse)

        goes, found = ahead(back, size, earlier)
        # What enters is only in the later one.
        new = (beyond(came, size).amax(0) > ROOM).float()
        part = found * torch.maximum(new, constant((share,), new.device))
        return _blended(earlier, came, later, goes, part)

    return fill


def along_flow(link: Callable[[int], tuple[Correspondence, Correspondence]]) -> Filling:
    """Between the frames of a film dreamed over.

    `link` gives how the frame after an index follows from that one, and the way back.
    """

    def fill(index: int, share: float, earlier: Frame, later: Frame) -> Frame:
        backward, forward = link(index)
        if backward.cut:
            return earlier if share < 0.5 else later
        points = grid(size_of(earlier), earlier.device)
        came, goes = points + share * backward.flow, points + (1 - share) * forward.flow
        there, here = (1 - share) * backward.trust, share * forward.trust
        part = (here + 1e-4 * share) / (there + here + 1e-4)
        return _blended(earlier, came, later, goes, part)

    return fill


def _in_scene(scene: Scene, now: int, share: float, earlier: Frame, later: Frame) -> Frame:
    size = size_of(earlier)
    points = grid(size, earlier.device)
    back, forth = (
        torch.from_numpy(scene.at_once(a, b, size)[0]).to(points) - points
        for a, b in ((now + 1, now), (now, now + 1))
    )
    hidden, lost = (
        torch.from_numpy(scene.hidden(a, b, size)).to(points.device)
        for a, b in ((now + 1, now), (now, now + 1))
    )
    part = torch.full(tuple(size), share, device=points.device)
    part = torch.where(lost, 0.0, torch.where(hidden, 1.0, part))
    return _blended(earlier, points + share * back, later, points + (1 - share) * forth, part)


def _clock(frame: float, count: float, fps: Fraction) -> Clock:
    return Clock(frame / float(fps), count / float(fps))


def _blended(earlier: Frame, came: Tensor, later: Frame, goes: Tensor, share: Tensor) -> Frame:
    return torch.lerp(moved_to(earlier, came), moved_to(later, goes), share).clamp(0, 1)
