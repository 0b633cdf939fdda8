"""What every network is: named activations in order of depth, and its own preprocessing."""

import copy
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType

import torch
from torch import Tensor, nn

from dreamvid.errors import NetworkError
from dreamvid.frames import constant
from dreamvid.networks import passes, ways
from dreamvid.networks.layers import Choice, chosen
from dreamvid.registry import did_you_mean


@dataclass(frozen=True)
class Preprocessing:
    """The affine map from a picture, RGB in [0, 1], to the units a network was trained in.

    Convention: ``input = (picture · scale − mean) / std`` for each channel, ``mean`` and ``std``
    given in the network's own channel order.
    """

    order: str = "RGB"
    scale: float = 1.0
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)

    @property
    def level(self) -> float:
        """One 8-bit level of a picture in the network's units, averaged over the channels."""
        return sum(self.scale / 255 / std for std in self.std) / 3

    def to_input(self, pictures: Tensor) -> Tensor:
        """Pictures (N, 3, H, W), RGB in [0, 1], in the network's units and channel order."""
        if self.order == "BGR":
            pictures = pictures.flip(1)
        scaled = pictures * self.scale
        return scaled.sub_(self._row(self.mean, pictures)).div_(self._row(self.std, pictures))

    def to_pictures(self, inputs: Tensor) -> Tensor:
        """The inverse of `to_input`."""
        scaled = inputs * self._row(self.std, inputs)
        pictures = scaled.add_(self._row(self.mean, inputs)).div_(self.scale)
        return pictures.flip(1) if self.order == "BGR" else pictures

    def text(self) -> str:
        """What a weights file says of its network's preprocessing; `parsed` reads it back."""
        return json.dumps([self.order, self.scale, self.mean, self.std])

    @classmethod
    def parsed(cls, text: str) -> "Preprocessing":
        """The inverse of `text`.

        Raises:
            ValueError: The text says something else.
        """
        try:
            order, scale, (a, b, c), (d, e, f) = json.loads(text)
            numbers = tuple(float(number) for number in (scale, a, b, c, d, e, f))
        except (TypeError, RecursionError) as error:
            raise ValueError("no preprocessing") from error
        if (
            order not in ("RGB", "BGR")
            or not all(abs(number) < 1e6 for number in numbers)
            or min(numbers[0], *numbers[4:]) < 1e-6
        ):
            raise ValueError("no preprocessing")
        scale, a, b, c, d, e, f = numbers
        return cls(order, scale, (a, b, c), (d, e, f))

    @staticmethod
    def _row(values: tuple[float, float, float], like: Tensor) -> Tensor:
        return constant(values, like.device, like.dtype).view(1, 3, 1, 1)


class Network(nn.Module):
    """A convolutional network as the dream sees it.

    Subclasses set `name`, `layers` (every layer that can be dreamed, shallowest first) and
    `preprocessing`, and write `activations`, a generator of (layer, activation) in that order.
    Because nobody asks the generator for more than the deepest layer wanted, nothing past that
    layer is computed.
    """

    name: str
    layers: tuple[str, ...]
    preprocessing: Preprocessing
    favourite: str
    """The layer that is dreamed of when none is asked for."""
    tour: tuple[int, ...] = ()
    """Channels of that layer in an order worth watching, where somebody has looked for one."""
    aliases: Mapping[str, str] = MappingProxyType({})
    """Other names that layers go by, in other programs or in short."""
    numbered: tuple[str, ...] | None = None
    """The layers that numbers count, where those are not all of them."""
    first_number = 1
    """The number of the first of them."""
    head: str | None = None
    """The layer of class scores (N, classes) before any softmax, where the weights have one."""
    class_count = 0
    """How many classes the head tells apart."""
    classes: tuple[str, ...] = ()
    """The names of the head's classes in order, where they are known."""
    smallest_side = 32
    """The shortest side in pixels of a picture this network can take."""
    landmark: str | None = None
    """A parameter, as weights files name it, by which this network's weights are recognised."""
    exact: str | None = None
    """The part that sees the picture and stays float32 where the rest is bfloat16, whose eight
    bits would round the picture's own levels: that loses a gradient more than all else."""
    repeats = False
    """Whether its activations depend on inputs and weights alone, so that a pass can be noted."""
    weights_path: Path | None = None
    weights_sha256: str | None = None
    """The whole SHA-256 of the weights file, set when weights are installed."""
    earlier_sha256: str | None = None
    """That of an earlier file to which this one only adds: what was dreamed with it goes on."""

    def dreams_like(self, sha256: str) -> bool:
        """Whether what was begun with the weights of that hash can go on with these."""
        return sha256 in (self.weights_sha256 or "", self.earlier_sha256)

    @property
    def device(self) -> torch.device:
        """Where its parameters are."""
        return next(self.parameters()).device

    @property
    def input_dtype(self) -> torch.dtype:
        """What inputs are computed in: the type of what sees them."""
        part = self.get_submodule(self.exact) if self.exact else self
        return next(part.parameters()).dtype

    @property
    def dtype(self) -> torch.dtype:
        """What activations are computed in: the type of the last parameters."""
        return list(self.parameters())[-1].dtype

    def rounded(self, dtype: torch.dtype) -> "Network":
        """Itself with parameters of `dtype`; those of an `exact` part are never below float32."""
        nets = [net for net in self.modules() if isinstance(net, Network) and net.exact]
        parts = [net.get_submodule(net.exact or "") for net in nets]
        exact = [(each, each.data) for part in parts for each in part.parameters()]
        self.to(dtype)
        for parameter, before in exact:
            parameter.data = before.to(torch.promote_types(dtype, torch.float32))
        return self

    def activations(self, inputs: Tensor) -> Iterator[tuple[str, Tensor]]:
        """Yield each layer's name and activation (N, C, h, w), shallowest first."""
        raise NotImplementedError

    def activations_of(
        self, inputs: Tensor, wanted: Collection[str] | None
    ) -> Iterator[tuple[str, Tensor]]:
        """`activations`, of which nobody looks at others than `wanted`; None: at all.

        What lies between those may be made in one go, and is not yielded then.
        """
        return self.activations(inputs)

    def numbers(self) -> dict[str, int]:
        """The layers that have a number, and it."""
        counted = self.layers if self.numbered is None else self.numbered
        return {layer: number for number, layer in enumerate(counted, self.first_number)}

    def choices(self, selectors: Iterable[str] = ()) -> tuple[Choice, ...]:
        """The layers that `selectors` name (see `layers`), or the favourite where there are none.

        Raises:
            NetworkError: A selector cannot be read, or names no layer of the network.
        """
        selectors = tuple(selectors) or (self.favourite,)
        numbers = self.numbers()
        return chosen(
            self.layers, selectors, self.name, self.aliases, numbers, favourite=self.favourite
        )

    def class_number(self, text: str) -> int:
        """The place in the head of a class, given by name or by number from 0.

        Of two classes of one name (ImageNet has two cranes) it is the first.

        Raises:
            NetworkError: The network has no head, or no such class.
        """
        if self.head is None:
            raise NetworkError(f"{self.name}: these weights have no class head")
        lowered = [name.lower() for name in self.classes]
        if text.strip().lower() in lowered:
            return lowered.index(text.strip().lower())
        if re.fullmatch("[0-9]{1,9}", text.strip()) and int(text) < self.class_count:
            return int(text)
        raise NetworkError(
            f"{self.name}: no class {text!r}{did_you_mean(text, self.classes)} "
            f"(numbers are 0 to {self.class_count - 1})"
        )

    def forward(self, inputs: Tensor, layers: Collection[str]) -> dict[str, Tensor]:
        """The activations of `layers` for inputs (N, 3, H, W) in the network's own units.

        Inputs of any floating type are taken; activations come in the parameters' type.
        """
        wanted = frozenset(layers)
        if unknown := wanted.difference((*self.layers, self.head)):
            raise NetworkError(f"{self.name}: no layer {sorted(unknown)[0]!r}")
        if not wanted:
            return {}
        inputs = inputs.to(self.input_dtype)
        run = partial(self.found, wanted=wanted)
        return passes.found(self, inputs, wanted, run) if self.repeats else run(inputs)

    def found(self, inputs: Tensor, wanted: frozenset[str]) -> dict[str, Tensor]:
        """The activations of some layers, as `forward` gives them."""
        found = {}
        for name, activation in self.activations_of(inputs, wanted):
            if name in wanted:
                found[name] = activation
                if len(found) == len(wanted):
                    break
        return found


def layers_of(network: Network) -> list[str]:
    """The names `network.activations` yields, in order, found with weights that are anything."""
    # On torch's device "meta" this would take two seconds, to load what that needs.
    twin = copy.deepcopy(network)
    twin._apply(lambda each: torch.empty(each.shape, dtype=each.dtype, device="cpu"))
    with torch.no_grad(), ways.plain():
        return [name for name, _ in twin.activations(torch.zeros(1, 3, 64, 64, device="cpu"))]
