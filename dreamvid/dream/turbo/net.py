"""The turbo network: from an octave's picture to what its steps of ascent would add.

Its trunk is pocket as it is, which sees what is there; a small decoder learns what to add. A dream
raises what a layer sees, and the way back from a layer to a picture is what the decoder replaces::

    trunk    conv2, 1/4 ──────────▶ 3b, 1/8 ──────────▶ 4c, 1/16
                 │                      │                   │
    decoder   picture ◀── 1/2 ◀─── 1/4 meet ◀─── 1/8 meet ◀─┘

Where two meet, what comes from deeper is added to what the trunk sees there, and is multiplied with
it too: the way back through a network is made of such products, of what is wanted and of what is
there. Without them the phase of what is added is hard to learn.

It is enlarged by resizing and convolving, never by transposed convolutions. Nothing in it looks at
statistics of the whole picture, so tiles agree. Strength and layers come in as scales and offsets
of channels (Dumoulin et al. 2017, Perez et al. 2018), linear in the layers' weights, so that layers
can be mixed. Of the deepest layer, single channels can be dreamed, as what is wanted begins there:
what the trunk sees in each channel is multiplied by its share, which is the gradient of an energy.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dreamvid.dream.turbo import layout, native
from dreamvid.networks.convolutions import (
    alone,
    convolved,
    convolved_beside,
    made_once,
    side_by_side,
)
from dreamvid.networks.layers import Choice
from dreamvid.networks.pocket import pocket

SHALLOW, MIDDLE, DEEP = (1, 192), (3, 480), (6, 512)
"""The trunk's stages that the decoder sees, and their channels."""
ENDS = ("to_half", "raised", "enlarge", "pixels", "filters", "leave")
"""The decoder's parts from a quarter of the picture's size on."""
STRIDE = 16
"""A picture's sides are brought to multiples of it."""
# Where a row of a 3x3 kernel lands, for even and odd rows of a picture enlarged twice.
FOLD = (
    ((1.0, 0.0, 0.0), (0.0, 1.0, 1.0), (0.0, 0.0, 0.0)),
    ((0.0, 0.0, 0.0), (1.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
)


class Widths(NamedTuple):
    """Channels at each size."""

    half: int = 16
    quarter: int = 32
    eighth: int = 64
    sixteenth: int = 160
    filters: int = 48
    """Of the picture, at half its size, each of which is raised or lowered place by place."""


class Convolution(nn.Module):
    """A 3x3 convolution with reflected edges."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, 3)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, h, w) to (N, outputs, h, w)."""
        return convolved(self.convolution, reflected(x))


class Enlarging(nn.Module):
    """A picture enlarged twice, each pixel to four alike, and then a 3x3 convolution.

    Both are done at once, at the small size: each of the four pixels sees sums of the kernel's
    rows and columns.
    """

    fold: Tensor

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, 3)
        self.register_buffer("fold", torch.tensor(FOLD), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, h, w) to (N, outputs, 2h, 2w)."""
        padded = repeated(x)
        if self.convolution.weight.requires_grad:
            wide = F.conv2d(padded, *self._folded())
        else:
            wide = convolved(self.made(), padded)
        return layout.shuffled(wide) if layout.serves(wide) else F.pixel_shuffle(wide, 2)

    def made(self) -> nn.Conv2d:
        """Both at once: the four pixels of each output, one after another."""
        return made_once([self.convolution], lambda: alone(*self._folded()))

    def _folded(self) -> tuple[Tensor, Tensor]:
        """The weights and biases of the four pixels, one after another for each output."""
        weight, bias = self.convolution.weight, self.convolution.bias
        assert bias is not None
        kernel = weight.to(self.fold.dtype)
        folded = torch.einsum("aik,bjl,ockl->oabcij", self.fold, self.fold, kernel)
        folded = folded.flatten(0, 2).to(weight.dtype)
        if layout.serves(folded):
            folded = folded.contiguous(memory_format=torch.channels_last)
        return folded, bias.repeat_interleave(4)


class Conditioned(nn.Module):
    """A convolution whose outputs are scaled and offset as the condition says, then a ReLU."""

    def __init__(self, inputs: int, outputs: int, conditions: int) -> None:
        super().__init__()
        self.convolution = Convolution(inputs, outputs)
        self.condition = nn.Linear(conditions, 2 * outputs)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """(N, inputs, h, w) and (N, conditions) to (N, outputs, h, w)."""
        told = self.condition(condition).to(x.dtype)
        if layout.serves(x):
            return layout.conditioned(reflected(x), told, self.convolution.convolution)
        scale, offset = told[:, :, None, None].chunk(2, 1)
        return torch.addcmul(offset, self.convolution(x), 1 + scale).relu_()


class Meeting(nn.Module):
    """What comes from deeper, enlarged, meets what the trunk sees: their sum and their product."""

    def __init__(self, deeper: int, seen: int, outputs: int) -> None:
        super().__init__()
        self.deeper, self.seen = nn.Conv2d(deeper, outputs, 1), nn.Conv2d(seen, outputs, 1)
        self.raised, self.raising = nn.Conv2d(deeper, outputs, 1), nn.Conv2d(seen, outputs, 1)

    def forward(self, deeper: Tensor, seen: Tensor) -> Tensor:
        """(N, deeper, h, w) and (N, seen, 2h, 2w) to (N, outputs, 2h, 2w)."""
        deep, raised = convolved_beside([self.deeper, self.raised], deeper)
        near, raising = convolved_beside([self.seen, self.raising], seen)
        if native.serves(deep, near):
            return native.met(deep, near, raised, raising)
        if layout.serves(deep):
            return layout.met(deep, near, raised, raising)
        return F.relu(twice(deep) + near + twice(raised) * raising)


def reflected(x: Tensor) -> Tensor:
    """`x` (N, C, h, w) with one more pixel at each edge, reflected, or repeated of a single row."""
    if layout.serves(x):
        return layout.framed(x, min(x.shape[-2:]) > 1)
    return F.pad(x, (1, 1, 1, 1), mode="reflect" if min(x.shape[-2:]) > 1 else "replicate")


def repeated(x: Tensor) -> Tensor:
    """`x` (N, C, h, w) with one more pixel at each edge, which is repeated."""
    if layout.serves(x):
        return layout.framed(x, False)
    return F.pad(x, (1, 1, 1, 1), mode="replicate")


def twice(x: Tensor) -> Tensor:
    """`x` (N, C, h, w) enlarged twice, each value to four alike."""
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


class Decoder(nn.Module):
    """What is learned: from what the trunk sees to what to add."""

    def __init__(self, layers: int, widths: Widths) -> None:
        """`layers` is how many it can dream."""
        super().__init__()
        half, quarter, eighth, sixteenth, filters = widths
        conditions = layers + 1
        self.deep = nn.Conv2d(DEEP[1], sixteenth, 1)
        self.block = Conditioned(sixteenth, sixteenth, conditions)
        self.meet_eighth = Meeting(sixteenth, MIDDLE[1], eighth)
        self.eighth = Conditioned(eighth, eighth, conditions)
        self.meet_quarter = Meeting(eighth, SHALLOW[1], quarter)
        self.quarter = Conditioned(quarter, quarter, conditions)
        self.to_half = nn.Conv2d(quarter, half, 1)
        self.enlarge = Enlarging(half, half)
        self.pixels = Convolution(12, half)
        self.raised = nn.Conv2d(quarter, filters, 1)
        self.filters = Convolution(12, filters)
        self.leave = Enlarging(half + filters, 3)

    def initialised(self) -> "Decoder":
        """Itself with random weights to learn from, drawn from torch's own generator."""
        for name, parameter in self.named_parameters():
            if ".condition." in name:
                nn.init.normal_(parameter, std=0.02)
            elif parameter.ndim == 4:
                nn.init.kaiming_normal_(parameter, nonlinearity="relu")
            else:
                nn.init.zeros_(parameter)
        return self

    def learned(self, other: "Decoder", columns: Sequence[int]) -> None:
        """Take over what a decoder of fewer conditions has learned.

        `columns` are its conditions' places among those of this one; the rest stay as they are.
        """
        known = other.state_dict()
        with torch.no_grad():
            for name, value in self.state_dict().items():
                if name.endswith("condition.weight"):
                    value[:, columns] = known[name]
                else:
                    value.copy_(known[name])

    def forward(self, pixels: Tensor, features: tuple[Tensor, Tensor, Tensor], condition: Tensor):
        """(N, 3, H, W) from the picture less grey, and features at 1/4, 1/8 and 1/16 of it."""
        shallow, middle, deep = features
        deep = convolved(self.deep, deep, relu=True)
        deep = deep + self.block(deep, condition)
        up = self.eighth(self.meet_eighth(deep, middle), condition)
        up = self.quarter(self.meet_quarter(up, shallow), condition).to(self.to_half.weight.dtype)
        if layout.serves(up):
            blocks = reflected(layout.blocks(pixels, up.dtype))
        else:
            blocks = reflected(F.pixel_unshuffle(pixels, 2).to(up.dtype))
        small, raised = convolved_beside([self.to_half, self.raised], up)
        seen = [self.pixels.convolution, self.filters.convolution]
        if native.serves_ends(small.shape[1], raised.shape[1], blocks, small, raised):
            ends = native.Ends(side_by_side(seen), self.enlarge.made(), self.leave.made())
            return native.left(blocks, repeated(small), raised, ends)
        colours, filters = convolved_beside(seen, blocks)
        if layout.serves(raised):
            return self.leave(layout.beside(self.enlarge(small), colours, raised, filters))
        half = F.relu(self.enlarge(small) + colours)
        return self.leave(torch.cat([half, twice(raised) * filters], 1))


class TurboNet(nn.Module):
    """The trunk, which is pocket as it is, and the decoder. `layers` are those it can dream."""

    def __init__(self, layers: Sequence[str], widths: Widths = Widths()) -> None:  # noqa: B008
        super().__init__()
        self.layers, self.widths = tuple(layers), widths
        self.trunk = pocket().without_head().requires_grad_(False)
        self.deepest = self.trunk.layers[DEEP[0]]
        self.decoder = Decoder(len(self.layers), widths)

    def told(self, choices: Sequence[Choice]) -> tuple[Tensor, Tensor]:
        """What the network has to know of what is dreamed.

        Returns:
            The layers' weights, which add up to 1, and the share of each channel of the deepest
            one, whose root mean square is 1: (layers,) and (channels,).
        """
        weights, shares = torch.zeros(len(self.layers)), torch.zeros(DEEP[1])
        for choice in choices:
            weights[self.layers.index(choice.layer)] += choice.weight
            if choice.layer == self.deepest:
                chosen = range(DEEP[1]) if choice.channels is None else choice.channels
                shares[list(chosen)] += choice.weight / len(chosen)
        size = shares.square().mean().sqrt()
        return weights / weights.sum(), shares / size if size else torch.ones(DEEP[1])

    def seen(self, pictures: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What the trunk sees in pictures whose sides are multiples of 16, see `Decoder`."""
        trunk = self.trunk
        x = trunk.preprocessing.to_input(pictures)
        found = []
        for index in range(DEEP[0] + 1):
            x = trunk.stage(index, x)
            if index in (SHALLOW[0], MIDDLE[0], DEEP[0]):
                found.append(x)
        shallow, middle, deep = found
        return shallow, middle, deep

    def forward(self, pictures: Tensor, condition: Tensor, shares: Tensor) -> Tensor:
        """What to add, without its size: (N, 3, H, W).

        Args:
            pictures: (N, 3, H, W), RGB in [0, 1]; each side at least 32.
            condition: (N, layers + 1), the layers' weights, which add up to 1, and the binary
                logarithm of how far the dream goes in 8-bit levels, root mean square.
            shares: (N, channels) of the deepest layer, see `told`.
        """
        height, width = pictures.shape[-2:]
        down, right = -height % STRIDE, -width % STRIDE
        if down or right:
            pictures = F.pad(pictures, (0, right, 0, down), mode="reflect")
        with torch.no_grad():
            shallow, middle, deep = self.seen(pictures)
            deep = deep * shares[:, :, None, None].to(deep.dtype)
            features = (shallow, middle, deep)
        made = self.decoder(pictures - 0.5, features, condition)
        if layout.serves(made):
            made = made.to(pictures.dtype, memory_format=torch.contiguous_format)
        return made[..., :height, :width].to(pictures.dtype)

    def rounded(self, dtype: torch.dtype) -> "TurboNet":
        """Itself with convolutions of `dtype`, of which the trunk's first stays float32.

        On a processor the decoder's ends stay float32 too, as decoder.c takes them.
        """
        self.trunk.rounded(dtype)
        exact = ENDS if self.decoder.deep.weight.device.type == "cpu" else ()
        for name, part in self.decoder.named_modules():
            if isinstance(part, nn.Conv2d) and name.partition(".")[0] not in exact:
                part.to(dtype)
        return self
