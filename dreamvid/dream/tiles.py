"""The gradient of a picture too large for memory, computed tile by tile.

Each tile has a margin around it, as wide as the part of the picture that an activation of the layer
sees. Every activation that depends on a pixel of the tile is then whole, and tiles change nothing
but rounding. They lie on the network's own grid. All of them are cut out at the same size, so that
a mean over a layer weighs every tile alike. An objective that judges a layer as a whole, such as a
class score, is computed from the whole picture.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from typing import NamedTuple

import torch
from torch import Tensor

from dreamvid.errors import DreamvidError
from dreamvid.frames import Size, size_of
from dreamvid.machine import devices
from dreamvid.networks import ways
from dreamvid.networks.base import Network

Gradient = Callable[[Tensor], tuple[Tensor, Tensor]]
"""From pictures (N, 3, H, W) to the gain of each (N,) and its gradient (…, N, 3, H, W)."""
InParts = Callable[[Tensor, Gradient], tuple[Tensor, Tensor]]
"""Computes a `Gradient` for whole pictures, in one piece or in several."""

SHARE_OF_FREE = 0.5
MOST_ON_A_PROCESSOR = 5 * 2**29
"""Bytes for one tile, so that a step at 3840x2160 takes less than 4 GB in all."""
TRANSIENT = 2
"""Beside what a step keeps for its gradient, it holds this many tensors like the largest of it."""
LEAST_OWN = 0.5
"""The least share of a tile's side that is no margin: with a side of one's own choice, the tiles
take at most four times the work of the picture in one piece."""
PROBE = 160
"""The side in pixels of the part of a picture on which a gradient's memory is measured."""


class Sight(NamedTuple):
    """What an activation of some layers sees: its field, and the layers' stride, both in pixels."""

    field: int
    stride: int


@dataclass
class Tiler:
    """Computes gradients in tiles that fit into memory, or in one piece where that fits."""

    network: Network
    layers: Sequence[str]
    side: int = 0
    """The side of a tile with its margin, in pixels; 0 is as large as memory allows. Where it would
    be mostly margin, `least_side` is taken."""
    make_room: Callable[[], bool] = lambda: False
    """Gives back memory that can be spared, when it runs out; whether there was any."""

    def __post_init__(self) -> None:
        self._sight: Sight | None = None
        self._cost = 0.0
        self._most: float = math.inf
        """The largest number of pixels at once for which memory has not run out yet."""
        self._cuts: dict[tuple[int, ...], Size] = {}

    def __call__(self, picture: Tensor, gradient: Gradient) -> tuple[Tensor, Tensor]:
        """`gradient` of the whole picture, in one piece where memory allows.

        Raises:
            DreamvidError: not even the smallest tile fits.
        """
        size = size_of(picture)
        while True:
            shape = tuple(picture.shape)
            cut = self._cuts.get(shape) or self._cut(picture, gradient)
            self._cuts[shape] = cut
            try:
                if cut == size:
                    return gradient(picture)
                return self._in_tiles(picture, gradient, cut)
            except (RuntimeError, MemoryError) as error:
                if not devices.is_memory(error):
                    raise
            # Outside the handler, which would keep the failed step's tensors alive.
            spared = self.make_room()
            if picture.device.type == "cuda":
                torch.cuda.empty_cache()
            if spared:
                continue
            self._most = min(self._most, math.prod(cut)) / 2
            self._cuts.clear()
            if self._cut(picture, gradient) == cut:
                raise DreamvidError(
                    f"out of memory at {size}, even in pieces of {cut}; "
                    "use a smaller size, a shallower layer or a smaller network"
                )

    def _in_tiles(self, picture: Tensor, gradient: Gradient, cut: Size) -> tuple[Tensor, Tensor]:
        whole, sight = size_of(picture), self.sight()
        share = math.prod(cut) / math.prod(whole)
        gains, total = None, None
        for rows, columns in product(
            *(tiles(*sides, sight) for sides in zip(whole, cut, strict=True))
        ):
            part = picture[:, :, rows.cut, columns.cut]
            gain, found = gradient(part.contiguous())
            inner = found[..., rows.inside, columns.inside]
            weighed = gain * (math.prod(size_of(inner)) / math.prod(whole))
            if total is None or gains is None:
                total, gains = found.new_empty(*found.shape[:-2], *whole), weighed
            else:
                gains = gains + weighed
            total[..., rows.own, columns.own] = inner * share
        assert gains is not None
        assert total is not None
        return gains, total

    def takes_whole(self, picture: Tensor, gradient: Gradient) -> bool:
        """Whether pictures like this one are taken in one piece; it is decided here at the latest.

        `gradient` is only measured, on a small part of the picture.
        """
        shape = tuple(picture.shape)
        if shape not in self._cuts:
            self._cuts[shape] = self._cut(picture, gradient)
        return self._cuts[shape] == size_of(picture)

    def sight(self) -> Sight:
        """What the layers see; it is probed once."""
        if self._sight is None:
            self._sight = sight_of(self.network, self.layers)
        return self._sight

    def least_side(self) -> int:
        """The side of the smallest tiles that are not mostly margin."""
        field, stride = self.sight()
        return math.ceil((2 * field + stride) / (1 - LEAST_OWN))

    def _cut(self, picture: Tensor, gradient: Gradient) -> Size:
        """The size of a tile with its margin, or of the whole picture where that fits."""
        whole = size_of(picture)
        if self.side:
            side = self.side if max(whole) <= self.side else max(self.side, self.least_side())
            most = self._most if max(whole) <= side else min(self._most, side**2)
        else:
            most = min(self._most, self._affordable(picture, gradient))
        if math.prod(whole) <= most:
            return whole
        field, stride = self.sight()
        side = math.isqrt(int(most))
        # Of a long picture, the short side may fit as a whole.
        short = min(whole) if min(whole) <= side else side
        sides = (
            (short, int(most / short))
            if whole.height <= whole.width
            else (int(most / short), short)
        )
        return Size(*(least_cut(s, w, field, stride) for s, w in zip(sides, whole, strict=True)))

    def _affordable(self, picture: Tensor, gradient: Gradient) -> float:
        """How many pixels memory allows for at once."""
        if math.prod(size_of(picture)) <= PROBE**2:
            return math.inf
        if not self._cost:
            self._cost = cost(picture[:1, :, :PROBE, :PROBE], gradient)
        free = SHARE_OF_FREE * devices.dream_memory(picture.device)
        if picture.device.type == "cpu":
            free = min(free, MOST_ON_A_PROCESSOR)
        return free / (self._cost * len(picture))


def undivided(picture: Tensor, gradient: Gradient) -> tuple[Tensor, Tensor]:
    """`gradient` of a picture as it is: what may go wrong is for the caller to mend."""
    return gradient(picture)


def in_one_piece(picture: Tensor, gradient: Gradient) -> tuple[Tensor, Tensor]:
    """`gradient` of a picture whose parts cannot be computed by themselves.

    Raises:
        DreamvidError: there is too little memory.
    """
    try:
        return gradient(picture)
    except (RuntimeError, MemoryError) as error:
        if not devices.is_memory(error):
            raise
    raise DreamvidError(
        f"out of memory at {size_of(picture)}, and its objective needs the picture in one piece; "
        "use a smaller size, a shallower layer or the objective energy"
    )


class Tile(NamedTuple):
    """One tile along one axis."""

    own: slice
    """Its pixels in the picture."""
    cut: slice
    """Its pixels and their margin in the picture."""
    inside: slice
    """Its pixels in the cut."""


def fitted(side: int, whole: int, field: int, stride: int) -> int:
    """The side of a cut nearest to `side` that has room for a tile and ends on the grid."""
    least = 2 * field + 3 * stride
    side = max(side, least)
    if side >= whole:
        return whole
    return side - (side - whole) % stride


def least_cut(side: int, whole: int, field: int, stride: int) -> int:
    """The smallest cut that needs no more tiles than a cut of `side` does; see `fitted`."""
    cut = fitted(side, whole, field, stride)
    if cut == whole:
        return whole
    count = _count(whole, cut, field, stride)
    shared = 2 * field + stride
    return min(cut, fitted(-(-(whole - shared) // count) + shared + stride, whole, field, stride))


def _count(whole: int, cut: int, field: int, stride: int) -> int:
    """How many tiles a side takes; a tile that begins on the grid may begin a stride later."""
    return -(-(whole - cut) // (cut - 2 * field - stride)) + 1


def tiles(whole: int, cut: int, sight: Sight) -> list[Tile]:
    """The tiles of one axis: cuts begin on the grid, and the last ends where the picture does."""
    field, stride = sight
    last = whole - cut
    if last <= 0:
        return [Tile(slice(0, whole), slice(0, whole), slice(0, whole))]
    count = _count(whole, cut, field, stride)
    starts = [round(last / stride * n / (count - 1)) * stride for n in range(count)]
    # Neighbours meet in the middle of what both cover, at least a margin from either's edge.
    seams = [0, *((left + cut + right) // 2 for left, right in pairwise(starts)), whole]
    return [
        Tile(slice(a, b), slice(start, start + cut), slice(a - start, b - start))
        for start, (a, b) in zip(starts, pairwise(seams), strict=True)
    ]


def sight_of(network: Network, layers: Sequence[str]) -> Sight:
    """What the activations of `layers` see; one NaN in a picture makes all that see it NaN.

    A layer that sees everything has a field larger than any picture.
    """
    parameter = next(network.parameters())
    side = 512
    while True:
        picture = torch.zeros(1, 3, side, side, device=parameter.device)
        smaller = torch.zeros(1, 3, side // 2, side // 2, device=parameter.device)
        picture[..., side // 2, side // 2] = torch.nan
        with torch.no_grad(), ways.plain():
            found, half = network(picture, layers), network(smaller, layers)
        field = stride = 1
        for layer, activation in found.items():
            if activation.ndim != 4 or activation.shape[-1] == half[layer].shape[-1]:
                return Sight(10**9, 1)
            each = round(side / 2 / (activation.shape[-1] - half[layer].shape[-1]))
            seen = activation.isnan().any(1)[0]
            reach = max(int(seen.any(axis).sum()) for axis in (0, 1))
            edge = bool(seen[0].any() | seen[-1].any() | seen[:, 0].any() | seen[:, -1].any())
            if edge and side >= 4096:
                return Sight(10**9, 1)
            if edge:
                field = side
                break
            field, stride = max(field, (reach + 1) * each), math.lcm(stride, each)
        else:
            return Sight(-(-field // stride) * stride, stride)
        side *= 2


def cost(part: Tensor, gradient: Gradient) -> float:
    """How many bytes a gradient takes for each pixel, counted on a small part of a picture."""
    kept: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        gradient(part)
    total = sum(kept.values()) + TRANSIENT * max(kept.values(), default=0)
    return total / math.prod(part.shape[-2:])
