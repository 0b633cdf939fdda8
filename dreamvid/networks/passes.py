"""A network's way forward and back for small pictures, noted once and done again on a processor.

What is noted is what the plain way does, so the numbers are the same, bit for bit.
"""

from collections import Counter
from collections.abc import Callable
from threading import Lock
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from dreamvid.machine.native import is_watched
from dreamvid.machine.repeating import Noted, Unrepeatable
from dreamvid.networks import ways
from dreamvid.networks.convolutions import known

MOST_VALUES = 3 * 2**16
"""Of the inputs: to note larger ones saves little, and holds much."""
MOST_HELD = 2**28
"""Bytes that the passes of one network hold before all are dropped."""
PLAIN_FIRST = 20
"""Passes of one size before one is noted: to note it costs what some twenty repeated ones save."""
LEAST_OWN = 0.3
"""The share of our own calls in a pass, from which on to repeat it saves time."""
Found = dict[str, Tensor]
Run = Callable[[Tensor], Found]
"""From inputs (N, 3, H, W) to activations by their names."""


def found(network: nn.Module, inputs: Tensor, wanted: frozenset[str], run: Run) -> Found:
    """What `run` finds in inputs: the same for the same inputs, while the network is what it was.

    A pass for inputs of a size that comes often is noted, and later ones repeat it.
    """
    if not _serves(inputs):
        return run(inputs)
    passes = _PASSES.get(network)
    if passes is None or not passes.fresh():
        passes = _PASSES[network] = Passes(network)
    one = passes.get(inputs, wanted, run)
    if one is None:
        return run(inputs)
    values = _Repeated.apply(inputs, one, run)
    return dict(zip(one.names, values, strict=True))  # pyright: ignore[reportArgumentType]


def _serves(inputs: Tensor) -> bool:
    return (
        inputs.device.type == "cpu"
        and inputs.requires_grad
        and torch.is_grad_enabled()
        and inputs.numel() <= MOST_VALUES
        and ways.usable()
        and not is_watched()
    )


class Passes:
    """What is noted of one network, by the inputs' sizes."""

    def __init__(self, network: nn.Module) -> None:
        # Never the modules themselves: nothing here may keep the network alive.
        modules = list(network.modules())
        self._hooks = [
            hooks for each in modules for hooks in (each._forward_hooks, each._forward_pre_hooks)
        ]
        self._places: list[tuple[Any, str]] = [
            (tensors, name)
            for each in modules
            for tensors in (each._parameters, each._buffers)
            for name, tensor in tensors.items()
            if tensor is not None
        ]
        self._told = self._now()
        tensors: list[Tensor] = [held[name] for held, name in self._places]
        self._never = self._told[0] or any(each.requires_grad for each in tensors)
        self._noted: dict[Any, Pass | None] = {}
        self._plain: Counter[Any] = Counter()
        self._lock = Lock()

    def fresh(self) -> bool:
        """Whether the network is what it was."""
        return self._told == self._now()

    def get(self, inputs: Tensor, wanted: frozenset[str], run: Run) -> "Pass | None":
        """The pass for inputs of that size; None at first, or where there can be none."""
        key = (inputs.shape, inputs.dtype, wanted, torch.get_num_threads())
        with self._lock:
            one = self._noted.get(key)
            if one is not None and one.overtaken:
                self._noted[key] = None
            if key in self._noted:
                return self._noted[key]
            self._plain[key] += 1
            if self._never or self._plain[key] <= PLAIN_FIRST:
                return None
            if sum(each.held for each in self._noted.values() if each) > MOST_HELD:
                self._noted.clear()
            try:
                made = Pass(inputs, run)
            except Unrepeatable:
                made = None
            self._noted[key] = made if made and made.worthwhile else None
            return self._noted[key]

    def _now(self) -> tuple[bool, Any]:
        """Whether somebody hears of calls of its parts, and all tensors that it depends on."""
        return any(self._hooks), [known(tensors[name]) for tensors, name in self._places]


class Pass:
    """One way forward and back, for inputs of one size."""

    def __init__(self, inputs: Tensor, run: Run) -> None:
        """Raise `Unrepeatable` where it cannot be noted."""
        with torch.enable_grad():
            self._inputs = inputs.detach().clone().requires_grad_()
            with Noted() as self._forward:
                found = run(self._inputs)
            values = list(found.values())
            self._grads = [torch.zeros_like(each) for each in values]
            with Noted() as self._backward:
                # Told of gradients, `autograd.grad` would load sympy: half a second, and 36 MB.
                end = _End.apply(self._grads, *values)
                (self._gradient,) = torch.autograd.grad(end, self._inputs)
        self.names, self._values = list(found), [each.detach() for each in values]
        self._inputs.requires_grad_(False)
        self._turn, self._lock = 0, Lock()
        self.overtaken = False
        """Whether a gradient came too late: who looks at several pictures first needs the graph."""

    @property
    def held(self) -> int:
        """Bytes of all that is kept between its calls."""
        return self._forward.held + self._backward.held

    @property
    def worthwhile(self) -> bool:
        """Whether enough of it is our own; torch's operations decide anew what they call."""
        both = (self._forward, self._backward)
        return sum(each.own for each in both) >= LEAST_OWN * sum(map(len, both))

    def forward(self, inputs: Tensor) -> tuple[list[Tensor], int]:
        """The activations, and the number of this turn."""
        with self._lock:
            self._turn += 1
            self._inputs.copy_(inputs)
            self._forward.again()
            return [each.clone() for each in self._values], self._turn

    def backward(self, grads: tuple[Tensor, ...], turn: int) -> Tensor | None:
        """The gradient at the inputs of a turn; None if there was another turn since."""
        with self._lock:
            if turn != self._turn:
                self.overtaken = True
                return None
            for kept, new in zip(self._grads, grads, strict=True):
                kept.copy_(new)
            self._backward.again()
            return self._gradient.clone()


_PASSES: WeakKeyDictionary[nn.Module, Passes] = WeakKeyDictionary()


class _End(torch.autograd.Function):
    """One number, whose gradient at what it is made of is given."""

    @staticmethod
    def forward(ctx, grads: list[Tensor], *values: Tensor) -> Tensor:
        ctx.grads = grads
        return values[0].new_zeros(())

    @staticmethod
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx, grad: Tensor
    ) -> tuple[Tensor | None, ...]:
        return None, *ctx.grads


class _Repeated(torch.autograd.Function):
    @staticmethod
    def forward(ctx, inputs: Tensor, one: Pass, run: Run) -> tuple[Tensor, ...]:
        values, ctx.turn = one.forward(inputs)
        ctx.save_for_backward(inputs)
        ctx.one, ctx.run = one, run
        return tuple(values)

    @staticmethod
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx, *grads: Tensor
    ) -> tuple[Tensor | None, None, None]:
        (inputs,) = ctx.saved_tensors
        again = torch.is_grad_enabled()  # a second derivative is wanted
        gradient = None if again else ctx.one.backward(grads, ctx.turn)
        if gradient is None:
            with torch.enable_grad():
                seen = inputs if again else inputs.detach().requires_grad_()
                values = list(ctx.run(seen).values())
                (gradient,) = torch.autograd.grad(values, seen, grads, create_graph=again)
        return gradient, None, None
