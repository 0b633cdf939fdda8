"""The largest parts of a turbo network's decoder in C (decoder.c), where this machine compiles it.

At half of a picture's size the decoder has 64 channels, which are many times what a processor's
cache holds. In C they are made and used up row by row.
"""

from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dreamvid.machine.native import call, compiled, lacking
from dreamvid.networks import ways
from dreamvid.networks.compiled import FLAGS, TYPES, laid
from dreamvid.networks.convolutions import known, remembered

SOURCE = Path(__file__).with_name("decoder.c")
GROUP = 16
"""Channels that are summed together, as in decoder.c."""
NARROWEST = 24
"""The narrowest picture, at half its size, that it is for: twelve places at a quarter of it."""
STRIPS = 2
"""Parts of a picture for each thread; a part's first two rows are made twice."""


class Ends(NamedTuple):
    """The convolutions of a decoder's last part, in order."""

    seen: nn.Conv2d
    """From blocks of the picture to colours and filters."""
    enlarge: nn.Conv2d
    """Folded: the four pixels of each output, one after another."""
    leave: nn.Conv2d
    """Folded likewise."""


def serves(*parts: Tensor) -> bool:
    """Whether what is seen of pictures (N, C, h, w) can be given to the functions here."""
    types = {part.dtype for part in parts}
    return (
        ways.usable()
        and all(part.device.type == "cpu" for part in parts)
        and types in ({torch.float32}, {torch.bfloat16})
        and not (torch.is_grad_enabled() and any(part.requires_grad for part in parts))
        and absence(parts[0].dtype) is None
    )


def serves_ends(half: int, filters: int, *parts: Tensor) -> bool:
    """Whether a decoder of such widths can be, for `parts` of which the first is blocks."""
    fit = half % GROUP == filters % GROUP == 0 and parts[0].shape[-1] - 2 >= NARROWEST
    exact = all(part.dtype == torch.float32 for part in parts)
    return fit and half > 0 and exact and serves(*parts)


@cache
def absence(dtype: torch.dtype = torch.float32) -> str | None:
    """Why there is nothing compiled for numbers of a type; None where there is."""
    return lacking(SOURCE, *FLAGS, *TYPES[dtype, dtype])


def met(deep: Tensor, near: Tensor, raised: Tensor, raising: Tensor) -> Tensor:
    """ReLU of `deep` (N, C, h, w) enlarged, `near` (N, C, 2h, 2w), and a product of such a pair."""
    count, channels, height, width = deep.shape
    size = (count, channels, 2 * height, 2 * width)
    out = torch.empty(size, dtype=deep.dtype, memory_format=torch.channels_last)
    parts, aparts = zip(*map(laid, (deep, raised, near, raising)), strict=True)
    numbers = (count, height, width, channels, *aparts)
    library = compiled(SOURCE, *FLAGS, *TYPES[deep.dtype, deep.dtype])
    call(library, "meet", (*parts, out), *numbers)
    return out


def left(blocks: Tensor, small: Tensor, raised: Tensor, ends: Ends) -> Tensor:
    """What leaves a decoder, (N, 3, 4h, 4w), contiguous.

    Args:
        blocks: (N, 12, 2h + 2, 2w + 2), the picture in blocks, and one more place around.
        small: (N, half, h + 2, w + 2), what is enlarged, and one more place around.
        raised: (N, filters, h, w).
        ends: their widths are multiples of `GROUP`.
    """
    count, filters, height, width = raised.shape
    half, threads = small.shape[1], torch.get_num_threads()
    raised, apart = laid(raised)
    out = torch.empty(count, 3, 4 * height, 4 * width)
    strips = min(threads * STRIPS, height) if threads > 1 else 1
    kept = torch.empty(strips, 3 * (2 * width + 2) * (half + filters) + 2 * width * half)
    read = [each.contiguous(memory_format=torch.channels_last) for each in (blocks, small)]
    tensors = (*_ordered(ends), *read, raised, out, kept)
    numbers = (count, 2 * height, 2 * width, half, filters, apart, strips)
    call(compiled(SOURCE, *FLAGS), "tail", tensors, *numbers)
    return out


_ORDERED: WeakKeyDictionary[nn.Conv2d, tuple[Any, tuple[Tensor, ...]]] = WeakKeyDictionary()


def _ordered(ends: Ends) -> tuple[Tensor, ...]:
    """Weights and biases as decoder.c reads them, made once, and again where they have changed."""

    def make() -> tuple[Tensor, ...]:
        # All channels of one pixel, and then those of the next.
        four = torch.arange(ends.enlarge.out_channels).view(-1, 4).T.flatten()
        return *_panels(ends.seen), *_panels(ends.enlarge, four), *_panels(ends.leave)

    told = [(known(each.weight), known(each.bias)) for each in ends]
    return remembered(_ORDERED, ends.leave, told, make)


def _panels(convolution: nn.Conv2d, order: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Weights (panels, 3 rows, 3 · inputs, GROUP) and biases, filled up with 0."""
    weight, bias = convolution.weight, convolution.bias
    assert bias is not None
    if order is not None:
        weight, bias = weight[order], bias[order]
    missing = -len(bias) % GROUP
    rows = F.pad(weight.permute(2, 3, 1, 0).reshape(-1, len(bias)), (0, missing))
    panels = rows.view(len(rows), -1, GROUP).transpose(0, 1).contiguous()
    return panels, F.pad(bias, (0, missing)).contiguous()
