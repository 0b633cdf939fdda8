"""Where frames come from, and what is known of each."""

import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import chain, count, islice, pairwise, repeat
from typing import Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor

from dreamvid.film.memory import Memory, Past
from dreamvid.frames import Frame, from_pixels
from dreamvid.machine.devices import arriving
from dreamvid.machine.threads import cores, keep_to_one, yielding
from dreamvid.motion.optical_flow import Correspondence, Method, Search, correspondence
from dreamvid.motion.warp import moved

AHEAD = 3
"""Moments, or frames of a film, made ready while another one dreams."""
MOST_FOLLOWED = 8
"""Pairs of frames that are followed at once, where there are as many cores."""


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
    """A film's frames, read ahead, and followed.

    Args:
        opened: the film.
        device: where its frames go.
        method: the optical flow to follow it with; None: nothing is followed.
        check: that of the way back, see `correspondence`.
        search: looks for what the flow has lost; None: it stays lost.
        masks: pictures of where to dream, white, and where not, black, frame by frame; the last
            one holds on.
        follows: whether the first mask is moved along with what it lies on instead.
        here: whether the flow is found on the processor, whatever the device.
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
        search: Search | None = None,
        masks: Opened | None = None,
        follows: bool = False,
        here: bool = True,
        memory: int = 0,
        rate: Fraction = Fraction(30),
    ) -> None:
        self.memory, self.rate = memory, rate
        self.here = here
        self.opened = opened
        self.device = device
        self.method = method
        self.check = check
        self.search = search
        self.masks = masks
        self.follows = follows

    def moments(self, start: int) -> Iterator[Moment]:
        """The film from index `start` on, to its end."""
        moments = self._moments(start)
        for there in ahead(moments, AHEAD) if self._beside else moments:
            yield there()

    @property
    def _beside(self) -> bool:
        """Whether frames are followed while others dream.

        A processor's dream waits for that: its threads wait for each other, so that one other
        thread beside them holds up all.
        """
        return self.device.type != "cpu"

    def _moments(self, start: int) -> Iterator[Callable[[], Moment]]:
        """What gives each moment, once it is on the device."""
        # A mask that follows the film is known only from the film's beginning on.
        first = 0 if self.masks and self.follows else max(0, start - 1 - self.memory)
        masks = islice(held(self.masks) if self.masks else repeat(None), first, None)
        earlier: Frame | None = None
        mask: Tensor | None = None
        memory = Memory(self.memory, self.rate)
        for index, (frame, link) in enumerate(self._followed(first), first):
            drawn, past = next(masks), memory(index, frame, link is not None and link.cut)
            if self.follows and mask is not None and link is not None and not link.cut:
                mask = moved(mask[None], link.flow.cpu())[0].clamp(0, 1)
            else:
                mask = drawn
            if index >= start:
                yield _arriving(self.device, frame, earlier, link, mask, past)
            earlier = frame

    def _followed(self, first: int) -> Iterator[tuple[Frame, Correspondence | None]]:
        """Frames from `first` on, and how each follows from the one before, several at once.

        All that is on the processor, unless the method is for another device.
        """
        method, threads = self.method, min(cores(), MOST_FOLLOWED) if self.here else 1
        place = torch.device("cpu") if self.here else self.device
        read = self.opened(first)
        # To read costs little, and a film's damage is told once its end is read.
        pictures = read if self._beside else ahead(read, AHEAD)
        frames = (from_pixels(pixels, place) for pixels in pictures)
        if method is None:
            yield from ((frame, None) for frame in frames)
            return

        def found(then: Frame, now: Frame) -> tuple[Frame, Correspondence]:
            return now, correspondence(now, then, method, self.check, self.search)

        earliest = next(frames, None)
        if earliest is None:
            return
        yield earliest, None
        pairs = pairwise(chain([earliest], frames))
        manner = yielding if self._beside else keep_to_one
        with ThreadPoolExecutor(threads, "flow", initializer=manner) as pool:
            while some := list(islice(pairs, threads)):
                yield from list(pool.map(found, *zip(*some, strict=True)))


def _arriving(
    device: torch.device,
    frame: Frame,
    earlier: Frame | None,
    link: Correspondence | None,
    mask: Tensor | None,
    past: tuple[Past, ...],
) -> Callable[[], Moment]:
    """Begin to bring a moment to `device`; what this gives is the moment there."""
    flow, trust = (link.flow, link.trust) if link else (None, None)
    tensors = (frame, earlier, flow, trust, mask)
    there = arriving([each for each in tensors if each is not None], device)

    def moment() -> Moment:
        came = iter(there())
        frame, earlier, flow, trust, mask = (
            None if each is None else next(came) for each in tensors
        )
        found = link and replace(link, flow=flow, trust=trust)
        assert frame is not None
        return Moment(frame, earlier, found, mask, past)

    return moment


def held(masks: Opened, device: torch.device | str = "cpu") -> Iterator[Tensor | None]:
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
        yielding()
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
