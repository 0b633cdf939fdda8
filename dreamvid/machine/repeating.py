"""Work on a processor that is noted once and done again, on the same memory.

For a small picture, to decide what is called takes as long as what is called: torch's dispatch, a
graph of gradients, Python. Noted work is a list of calls, with all tensors that they read and fill.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from dreamvid.machine import native

EMPTY = ("aten::empty", "aten::new_empty")
"""How the names of what makes a tensor and fills it with nothing begin."""
ELSEWHERE = (torch.Tag.data_dependent_output, torch.Tag.nondeterministic_seeded)
"""What gives other results, or takes other ways, when it is done again."""


class Unrepeatable(Exception):
    """Why work cannot be noted: what it does depends on more than tensors' shapes."""


class Noted(TorchDispatchMode):
    """Notes the work of this thread while it is the context; `again` does it again.

    Whoever notes gives tensors, keeps what comes out, and later fills and reads these same ones.
    """

    def __init__(self) -> None:
        super().__init__()
        self._calls: list[Callable[[], object]] = []
        self._kept: list[Any] = []
        self.held = 0
        """Bytes of what was made meanwhile."""
        self.own = 0
        """How many of the calls are of what we compiled."""
        self._watching = native.watched(self._compiled)

    def __enter__(self) -> "Noted":
        self._watching.__enter__()
        return super().__enter__()

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        self._watching.__exit__(*error)

    def __len__(self) -> int:
        return len(self._calls)

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Torch's own question. To skip its compiler it would load it: 0.8 s and 50 MB."""
        return False

    @torch.no_grad()
    def again(self) -> None:
        """Do all of it once more."""
        for call in self._calls:
            call()

    def __torch_dispatch__(
        self, operation: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """One of torch's operations, done and noted."""
        call = partial(operation, *args, **kwargs or {})
        if any(tag in operation.tags for tag in ELSEWHERE):
            raise Unrepeatable(str(operation))
        result = call()
        aliases = [each.alias_info for each in operation._schema.returns]
        self._kept.append(result)
        if any(alias and alias.is_write for alias in aliases):
            self._calls.append(call)
        elif not any(aliases):
            self._made(operation, call, result)
        return result

    def _made(self, operation: Any, call: Callable[[], Any], result: Any) -> None:
        """Note what made tensors of its own."""
        made = [each for each in _each(result) if each is not None]
        if not all(isinstance(each, Tensor) for each in made):
            raise Unrepeatable(str(operation))
        self.held += sum(each.nbytes for each in made)
        if operation._schema.name.startswith(EMPTY):
            return

        def fill() -> None:
            again = (each for each in _each(call()) if each is not None)
            for kept, new in zip(made, again, strict=True):
                kept.copy_(new)

        self._calls.append(fill)

    def _compiled(self, call: Callable[[], None], tensors: Any) -> None:
        """Note a call of what we compiled."""
        self.own += 1
        self._calls.append(call)
        self._kept.append(tensors)


def _each(result: Any) -> Sequence[Any]:
    """What an operation gives, one thing or several."""
    return result if isinstance(result, tuple | list) else (result,)
