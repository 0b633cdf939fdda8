"""A scene: the surface that a depth makes of a seed, seen from a camera that travels.

The surface stays where it is, so no depth is ever guessed from what was dreamed; of a film, each
frame has a surface of its own. From each place of the camera it is drawn anew, the nearest in
front. Where nothing of it is seen, the depth of what lies behind is taken.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from threading import RLock
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor

from dreamvid.frames import Size
from dreamvid.motion.camera import focal_length, twist
from dreamvid.motion.drawing import (
    CLIP,
    TORN,
    filled,
    nearest,
    nearest_of,
    places_of,
    sampled,
    seen_from,
    splatted,
    torn,
    unprojected,
)

Options = Callable[[int], Mapping[str, Any]]
"""From a frame's index to the camera's options there."""
Surface = Callable[[Size, int], np.ndarray]
"""From a size and a frame's index to how far away what is pictured there is, (H, W)."""
KEPT = 48
"""Drawn views that are kept."""
REFINED = 4
"""Iterations by which a drawn distance becomes exact."""
AGREES = 0.04
"""How well it must agree with the surface, as a share."""
HIDDEN = 0.06
"""What was so much nearer than a place, as a share, hid it."""
BEHIND = 1.25
"""By how much what is put into a hole may be nearer than the hole."""
RIM = 2
"""Pixels beside what is uncovered that are dreamed with it: they are mixed with what hid them."""


FARTHEST = 1.0
"""How far the surface goes on beyond the edges of its picture, in sides."""


class Surroundings(NamedTuple):
    """A surface that goes on, mirrored, beyond the edges of its picture."""

    depth: np.ndarray
    torn: np.ndarray
    points: np.ndarray
    corner: np.ndarray
    """(2, 1, 1), where in it the picture's first pixel is, x and y."""


class View(NamedTuple):
    """The scene from one place of the camera."""

    depth: np.ndarray
    """(H, W), how far ahead each pixel is, everywhere above 0."""
    seen: np.ndarray
    """(H, W), whether it is of the surface and what goes on around it, or else made up behind."""


class Scene:
    """A surface and a camera's way through it. It holds what it has drawn, and nothing else."""

    def __init__(
        self,
        surface: Surface,
        options: Options,
        fps: float,
        speed: float = 1.0,
        moves: bool = False,
    ) -> None:
        """Set out the way.

        Args:
            surface: the depth of the seed; or that of each frame of a film, which stands apart
                from every other.
            options: the camera's, at each frame.
            fps: frames a second.
            speed: a factor of all that it does.
            moves: whether the surface is another one at each frame.
        """
        self.surface, self.options, self.moves = surface, options, moves
        self.step = speed / fps
        self.places: list[np.ndarray] = [np.eye(4)]
        """From the camera's axes at each frame to those at the first, (4, 4)."""
        self._drawn: OrderedDict[tuple[int, Size], View] = OrderedDict()
        self._surfaces: dict[tuple[Size, int], tuple[np.ndarray, np.ndarray]] = {}
        self._alone = RLock()  # a film is read by another thread than the one that dreams

    def motion(self, points: Tensor, index: int, size: Size) -> Tensor:
        """Where `points` (2, h, w) of the frame `index` were in the frame before."""
        now, before = self.options(index), self.options(index - 1)
        back = _pose(now, before, self.step)
        lengths = [focal_length(each["fov"], size) for each in (now, before)]
        if np.array_equal(back, np.eye(4)) and lengths[0] == lengths[1]:
            return points
        places = points.cpu().numpy().astype(np.float64)
        depth = self._depth_at(places, index, size)
        found = seen_from(unprojected(places, depth, lengths[0], size), back, lengths[1], size)[0]
        return torch.from_numpy(found.astype(np.float32)).to(points.device)

    def at_once(self, index: int, then: int, size: Size) -> tuple[np.ndarray, np.ndarray]:
        """Where what the frame `index` shows is in the frame `then`, (2, H, W), and how far ahead.

        Step by step, what is hidden on the way would be lost.
        """
        depth = self.view(index, size).depth
        points = unprojected(places_of(size), depth, self._focus(index, size), size)
        back = np.linalg.inv(self.place(then)) @ self.place(index)
        return seen_from(points, back, self._focus(then, size), size)

    def own(self, index: int, size: Size) -> tuple[np.ndarray, np.ndarray]:
        """Where what the frame `index` shows is in the picture that its surface belongs to.

        Returns places (2, H, W), and what is nowhere in it: bool (H, W).
        """
        view = self.view(index, size)
        points = unprojected(places_of(size), view.depth, self._focus(index, size), size)
        there = seen_from(points, self.place(index), self._focus(0, size), size)[0]
        return there, ~view.seen

    def rests(self, index: int) -> bool:
        """Whether the camera is, at a frame, as it began."""
        same = self.options(index)["fov"] == self.options(0)["fov"]
        return same and np.array_equal(self.place(index), np.eye(4))

    def hidden(self, index: int, then: int, size: Size) -> np.ndarray:
        """What of the frame `index` was, or will be, hidden in the frame `then`: bool (H, W).

        What is outside that frame is not counted.
        """
        if then < 0:
            return np.zeros(size, bool)
        places, ahead = self.at_once(index, then, size)
        inside = (places >= 0).all(0)
        inside &= (places[0] <= size.width - 1) & (places[1] <= size.height - 1)
        was = nearest(self.view(then, size).depth, places)
        return inside & (ahead > CLIP) & (was < ahead * (1 - HIDDEN))

    def uncovered(self, index: int, stride: int, size: Size) -> np.ndarray:
        """What of the frame `index` was hidden `stride` frames before, and its rim: bool (H, W)."""
        hidden = self.hidden(index, index - stride, size)
        if not hidden.any():
            return hidden
        kernel = np.ones((2 * RIM + 1,) * 2, np.uint8)
        depth = self.view(index, size).depth
        around = cv2.dilate(hidden.astype(np.uint8), kernel) > 0
        return hidden | (around & (depth > cv2.dilate(depth, kernel) / TORN))

    def beside(self, index: int, holes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """For each place of `holes` (H, W): the row and column, (n,), of what is put there.

        What lies behind is mirrored at the edge of the hole, so that it goes on, and nothing is
        drawn out.
        """
        size = Size(*holes.shape)
        depth = self.view(index, size).depth
        # Not from the thing in front: from what is as far away as the nearest place of the hole.
        rows, columns = nearest_of(holes)
        behind = ~holes & (depth * BEHIND >= depth[rows, columns])
        if not behind.any():
            behind = ~holes
        if not behind.any():
            return holes.nonzero()  # pyright: ignore[reportReturnType]
        rows, columns = nearest_of(behind)
        at = np.stack([rows[holes], columns[holes]], 1)
        here = np.argwhere(holes)
        mirrored = (2 * at - here).clip(0, np.array(size) - 1)
        good = behind[mirrored[:, 0], mirrored[:, 1]]
        mirrored = np.where(good[:, None], mirrored, at)
        return mirrored[:, 0], mirrored[:, 1]

    def nearness(self, index: int, size: Size) -> Tensor:
        """How near everything in a frame is, (H, W): 1 is the nearest, 0 the farthest."""
        inverse = 1 / self.view(index, size).depth
        low, high = inverse.min(), inverse.max()
        return torch.from_numpy(((inverse - low) / max(high - low, 1e-9)).astype(np.float32))

    def view(self, index: int, size: Size) -> View:
        """The scene at a frame."""
        key = (index, size)
        with self._alone:
            if key not in self._drawn:
                self._drawn[key] = self._draw(index, size)
                while len(self._drawn) > KEPT:
                    self._drawn.popitem(last=False)
            self._drawn.move_to_end(key)
            return self._drawn[key]

    def place(self, index: int) -> np.ndarray:
        """From the camera's axes at a frame to those at the first, (4, 4)."""
        with self._alone:
            while len(self.places) <= index:
                now = len(self.places)
                step = _pose(self.options(now), self.options(now - 1), self.step)
                self.places.append(self.places[-1] @ step)
        return self.places[max(index, 0)]

    def _focus(self, index: int, size: Size) -> float:
        return focal_length(self.options(index)["fov"], size)

    def _surface(self, size: Size, index: int) -> tuple[np.ndarray, np.ndarray]:
        """The depth, and where it is torn."""
        key = (size, index if self.moves else 0)
        if key not in self._surfaces:
            if self.moves:
                self._surfaces.clear()
            depth = self.surface(size, index).astype(np.float32)
            self._surfaces[key] = depth, torn(depth)
        return self._surfaces[key]

    def _depth_at(self, places: np.ndarray, index: int, size: Size) -> np.ndarray:
        """How far ahead what is at `places` (2, h, w) of a frame is."""
        depth = self.view(index, size).depth
        return sampled(depth, torn(depth), places)

    def _around(self, index: int, size: Size) -> Surroundings:
        """The surface as far as the camera may see it from where it is at a frame.

        What enters a picture is mirrored at its edge, and so is how deep it is.
        """
        depth, edges = self._surface(size, index)
        focus, first = self._focus(index, size), self._focus(0, size)
        rim = np.zeros(size, bool)
        rim[[0, -1]] = rim[:, [0, -1]] = True
        border = places_of(size)[:, None, rim]
        reached = np.zeros((2, 0))
        for distance in (depth.min(), depth.max()):
            points = unprojected(border, np.full((1, border.shape[2]), distance), focus, size)
            there, ahead = seen_from(points, self.place(index), first, size)
            reached = np.concatenate([reached, there[:, ahead > CLIP]], 1)
        sides = np.array([size.width, size.height])
        before = after = np.zeros(2, int)
        if reached.size:
            most = (FARTHEST * (sides - 1)).astype(int)
            before = np.ceil(-reached.min(1) + 2).clip(0, most).astype(int)
            after = np.ceil(reached.max(1) - sides + 3).clip(0, most).astype(int)
        rows, columns = ((int(before[axis]), int(after[axis])) for axis in (1, 0))
        wide = (rows, columns)
        depth, edges = (np.pad(each, wide, mode="reflect") for each in (depth, edges))
        corner = before[:, None, None]
        y, x = np.mgrid[: depth.shape[0], : depth.shape[1]].astype(np.float64)
        points = unprojected(np.stack([x, y]) - corner, depth, first, size)
        return Surroundings(depth, edges, points, corner)

    def _draw(self, index: int, size: Size) -> View:
        if self.rests(index):
            return View(self._surface(size, index)[0], np.ones(size, bool))
        around = self._around(index, size)
        place = self.place(index)
        focus, first = self._focus(index, size), self._focus(0, size)
        there, ahead = seen_from(around.points, np.linalg.inv(place), focus, size)
        grown = focus / first * around.depth / ahead.clip(CLIP)
        drawn = splatted(there, ahead, grown, around.torn, size)
        seen = np.isfinite(drawn)
        depth = filled(drawn, seen)
        exact, agrees = self._refined(depth, index, size, around)
        # What only a square of something in front covered may be what lies behind it.
        again = seen & ~agrees
        if again.any():
            behind = filled(np.where(again, np.inf, drawn), seen & ~again)
            other, good = self._refined(behind, index, size, around)
            take = again & good
            exact[take], agrees[take] = other[take], True
            depth[again] = behind[again]
        known = seen & agrees
        depth = np.where(known, exact, depth)
        return View(filled(np.where(known, depth, np.inf), known).astype(np.float32), known)

    def _refined(
        self, depth: np.ndarray, index: int, size: Size, around: Surroundings
    ) -> tuple[np.ndarray, np.ndarray]:
        """Drawn distances made exact, and where they agree with the surface."""
        place, pixels = self.place(index), places_of(size)
        focus, first = self._focus(index, size), self._focus(0, size)
        there, ahead, miss = pixels, depth, np.zeros(size)
        for _ in range(REFINED):
            points = unprojected(pixels, depth, focus, size)
            there, ahead = seen_from(points, place, first, size)
            there = there + around.corner
            miss = sampled(around.depth, around.torn, there) - ahead
            depth = (depth + miss * (np.abs(miss) < 0.2 * depth)).clip(CLIP)
        height, width = around.depth.shape
        inside = (there >= -1).all(0) & (there[0] <= width) & (there[1] <= height)
        return depth, (np.abs(miss) < AGREES * np.abs(ahead)) & inside


def _pose(now: Mapping[str, Any], before: Mapping[str, Any], step: float) -> np.ndarray:
    """From the camera's axes at a frame to those at the frame before, (4, 4).

    What it does between two frames is the mean of what its options say at both.
    """
    names = ("dolly", "truck", "pedestal", "pan", "tilt", "roll")
    along, around = twist({name: (now[name] + before[name]) / 2 for name in names})
    x, y, z = around
    rate = np.zeros((4, 4))
    rate[:3, :3] = [[0, -z, y], [z, 0, -x], [-y, x, 0]]
    rate[:3, 3] = along
    return torch.linalg.matrix_exp(torch.from_numpy(rate * step)).numpy()
