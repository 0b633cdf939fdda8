"""Several networks that dream one picture together."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from hashlib import sha256

from torch import Tensor, nn

from dreamvid.errors import NetworkError, SettingsError
from dreamvid.networks.base import Network, Preprocessing
from dreamvid.networks.layers import Choice


class Ensemble(Network):
    """Networks side by side, each with its own preprocessing; layers are ``NETWORK/LAYER``.

    The ensemble's own units are 8-bit levels. Its gradient is the sum of the members' gradients,
    each weighted as its layers are.
    """

    preprocessing = Preprocessing("RGB", 255.0, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))

    def __init__(self, members: Sequence[Network]) -> None:
        super().__init__()
        names = [member.name for member in members]
        if len(set(names)) < len(names):
            raise SettingsError(f"network.name: got {','.join(names)}, expected each network once")
        self.name = ",".join(names)
        self.members = nn.ModuleList(members)
        self.layers = tuple(f"{net.name}/{layer}" for net in members for layer in net.layers)
        self.aliases = {
            f"{net.name}/{other}": f"{net.name}/{layer}"
            for net in members
            for other, layer in [
                *net.aliases.items(),
                *((str(number), layer) for layer, number in net.numbers().items()),
            ]
        }
        self.numbered = ()
        self.favourite = f"{names[0]}/{members[0].favourite}"
        self.smallest_side = max(net.smallest_side for net in members)
        now = [net.weights_sha256 or "" for net in members]
        self.weights_sha256 = sha256("".join(now).encode()).hexdigest()
        before = [net.earlier_sha256 or net.weights_sha256 or "" for net in members]
        self.earlier_sha256 = sha256("".join(before).encode()).hexdigest()

    def choices(self, selectors: Iterable[str] = ()) -> tuple[Choice, ...]:
        """The layers that `selectors` name; with none, the favourite of every member.

        Raises:
            NetworkError: A selector cannot be read, names no layer, or a network has none.
        """
        nets = self._nets()
        selectors = tuple(selectors) or tuple(f"{net.name}/{net.favourite}" for net in nets)
        found = super().choices(selectors)
        for net in nets:
            if not any(choice.layer.startswith(f"{net.name}/") for choice in found):
                raise NetworkError(
                    f"{self.name}: no layer of {net.name} is chosen; "
                    f"choose one, such as --layer {net.name}/{net.favourite}"
                )
        return found

    def _nets(self) -> list[Network]:
        return [net for net in self.members if isinstance(net, Network)]

    def activations(self, inputs: Tensor) -> Iterator[tuple[str, Tensor]]:
        """Yield every layer of one network after the other."""
        yield from self.forward(inputs, self.layers).items()

    def forward(self, inputs: Tensor, layers: Collection[str]) -> dict[str, Tensor]:
        """The activations of `layers`; each network computes no more than it needs for its own."""
        if unknown := set(layers).difference(self.layers):
            raise NetworkError(f"{self.name}: no layer {sorted(unknown)[0]!r}")
        pictures = self.preprocessing.to_pictures(inputs)
        found: dict[str, Tensor] = {}
        for net in self._nets():
            prefix = f"{net.name}/"
            wanted = [layer.removeprefix(prefix) for layer in layers if layer.startswith(prefix)]
            if wanted:
                mine = net(net.preprocessing.to_input(pictures), wanted)
                found |= {prefix + layer: activation for layer, activation in mine.items()}
        return found
