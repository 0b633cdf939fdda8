"""Where frames come from, and what is known of each."""

import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import count, islice, repeat
from typing import Protocol, TypeVar

import cv2
import numpy as np
import torch
from torch import Tensor

from dreamvid.frames import Frame, from_pixels
from dreamvid.motion.optical_flow import Correspondence, Method, correspondence, dis
from dreamvid.motion.warp import moved

AHEAD = 3
"""Moments made ready while a frame dreams."""
SMALL = 160
"""The longer side of a small picture, in pixels."""
REMEMBERED_EACH = Fraction(1, 5)
"""Seconds from one frame that is remembered to the next."""
ROOM = 2**28
"""Bytes that the frames which are remembered take at most."""


@dataclass(frozen=True)
class Past:
    """A frame of a source that is remembered."""

    index: int
    pixels: np.ndarray
    """(H, W, 3), as it was read."""
    small: np.ndarray
    """See `small`."""


def small(picture: np.ndarray) -> np.ndarray:
    """A picture (H, W, 3) of values from 0 to 1, made smaller where it is larger."""
    height, width = picture.shape[:2]
    scale = SMALL / max(height, width)
    if scale >= 1:
        return np.ascontiguousarray(picture)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(np.ascontiguousarray(picture), size, interpolation=cv2.INTER_AREA)


@dataclass(frozen=True)
class Moment:
    """A frame of a source and what is known of it."""

    frame: Frame
    earlier: Frame | None = None
    """The frame before it; None for the first."""
    correspondence: Correspondence | None = None
    """How it follows from the frame before it, where a source tells."""
    mask: Tensor | None = None
    """(H, W), 1 where it is to dream and 0 where it stays; None is everywhere."""
    past: tuple[Past, ...] = ()
    """Earlier frames of its shot, as far as any are remembered, the oldest first."""


class FrameSource(Protocol):
    """A film, or something that can stand for one."""

    def moments(self, start: int) -> Iterator[Moment]:
        """What there is from index `start` on, the same whatever the start."""
        ...


class StillSource:
    """The same picture for ever."""

    def __init__(self, picture: Frame) -> None:
        self.picture = picture

    def moments(self, start: int) -> Iterator[Moment]:
        """The picture, endlessly."""
        for index in count(start):
            yield Moment(self.picture, self.picture if index else None)


Opened = Callable[[int], Iterator[np.ndarray]]
"""From an index to the pixels (H, W, 3) of the frames from there on."""


class FilmSource:
    """A film's frames, read and compared while earlier ones dream.

    Args:
        opened: the film.
        device: where its frames go.
        method: the optical flow to follow it with; None: nothing is followed.
        check: that of the way back, see `correspondence`.
        masks: pictures of where to dream, white, and where not, black, frame by frame; the last
            one holds on.
        follows: whether the first mask is moved along with what it lies on instead.
        memory: for how many frames some are remembered; 0: none.
        rate: frames a second, for what is remembered.
    """

    def __init__(
        self,
        opened: Opened,
        device: torch.device,
        *,
        method: Method | None = None,
        check: Method | None = None,
        masks: Opened | None = None,
        follows: bool = False,
        memory: int = 0,
        rate: Fraction = Fraction(30),
    ) -> None:
        self.opened = opened
        self.device = device
        self.method = method
        self.check = check
        self.masks = masks
        self.follows = follows
        self.memory = memory
        self.rate = rate

    def moments(self, start: int) -> Iterator[Moment]:
        """The film from index `start` on, to its end."""
        return ahead(self._moments(start), AHEAD)

    def _moments(self, start: int) -> Iterator[Moment]:
        # A mask that follows the film is known only from the film's beginning on.
        first = 0 if self.masks and self.follows else max(0, start - 1 - self.memory)
        masks = islice(held(self.masks, self.device) if self.masks else repeat(None), first, None)
        earlier: Frame | None = None
        mask: Tensor | None = None
        memory = Memory(self.memory, self.rate)
        for index, pixels in enumerate(self.opened(first), first):
            frame = from_pixels(pixels, self.device)
            link = None
            past = memory(index, pixels) if self.memory else ()
            needed = index >= start or (self.masks and self.follows)
            if earlier is not None and self.method and needed:
                link = correspondence(frame, earlier, self.method, self.check)
            drawn = next(masks)
            if self.follows and mask is not None and link is not None and not link.cut:
                mask = moved(mask[None], link.flow)[0].clamp(0, 1)
            else:
                mask = drawn
            if index >= start:
                yield Moment(frame, earlier, link, mask, past)
            earlier = frame


class Memory:
    """Some of the last frames of a shot: the same ones, whichever frame a film goes on from."""

    def __init__(self, frames: int, rate: Fraction) -> None:
        """`frames` is how far back it goes, `rate` is in frames a second."""
        self._frames, self._step = frames, max(1, round(REMEMBERED_EACH * rate))
        self._kept: tuple[Past, ...] = ()
        self._before: np.ndarray | None = None

    def __call__(self, index: int, pixels: np.ndarray) -> tuple[Past, ...]:
        """What is remembered at the frame `index`, whose `pixels` (H, W, 3) are remembered too."""
        picture = small(pixels.astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max))
        if self._before is not None and _new_shot(picture, self._before):
            self._kept = ()
        self._before = picture
        self._kept = tuple(past for past in self._kept if index - past.index <= self._frames)
        found = self._kept
        most = max(1, ROOM // pixels.nbytes)
        step = self._step * -(-self._frames // (self._step * most))
        if index % step == 0:
            self._kept = (*found, Past(index, pixels, picture))
        # The one before is what the flow itself looks at.
        return tuple(past for past in found if past.index < index - 1)


def _new_shot(now: np.ndarray, then: np.ndarray) -> bool:
    frames = [
        torch.from_numpy(np.ascontiguousarray(each.transpose(2, 0, 1))) for each in (now, then)
    ]
    return correspondence(frames[0], frames[1], partial(dis, preset="fast")).cut


def held(masks: Opened, device: torch.device) -> Iterator[Tensor | None]:
    """Masks (H, W), 0 to 1, of pictures from the first on; the last one is repeated for ever."""
    mask = None
    for pixels in masks(0):
        mask = from_pixels(pixels, device).mean(0)
        yield mask
    yield from repeat(mask)


Item = TypeVar("Item")


def ahead(items: Iterator[Item], depth: int) -> Iterator[Item]:
    """`items`, of which a thread keeps `depth` ready; an error comes out where it happened."""
    ready: queue.Queue[tuple[bool, Item | BaseException | None]] = queue.Queue(depth)
    stopped = threading.Event()

    def fill() -> None:
        try:
            for item in items:
                if not _put(ready, (True, item), stopped):
                    return
            _put(ready, (False, None), stopped)
        except BaseException as error:
            _put(ready, (False, error), stopped)
        finally:
            # A generator must be closed by the thread that runs it.
            close = getattr(items, "close", None)
            if close:
                close()

    thread = threading.Thread(target=fill, daemon=True, name="ahead")
    thread.start()
    try:
        while True:
            going, item = ready.get()
            if not going:
                if item is not None:
                    raise item  # pyright: ignore[reportGeneralTypeIssues]
                return
            yield item  # pyright: ignore[reportReturnType]
    finally:
        stopped.set()
        thread.join(timeout=10)


def _put(ready: queue.Queue, entry: object, stopped: threading.Event) -> bool:
    """Whether there was room for `entry` before everything stopped."""
    while not stopped.is_set():
        try:
            ready.put(entry, timeout=0.1)
        except queue.Full:
            continue
        return True
    return False
