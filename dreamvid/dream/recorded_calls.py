"""A function of tensors that is recorded once for their shapes, and then replayed."""

from collections.abc import Callable

from torch import Tensor


class RecordedCall:
    """A function of tensors, recorded with the first of them; nothing else may change in it."""

    def __init__(
        self,
        function: Callable[..., tuple[Tensor, ...]],
        record: Callable[[Callable[[], None]], Callable[[], None]],
        *tensors: Tensor,
    ) -> None:
        """`record` gives a call that does the same again, see `cuda_graphs.Recorder`."""
        self._function = function
        self._given = tuple(tensor.clone() for tensor in tensors)
        self._results: tuple[Tensor, ...] = ()
        self._replay = record(self._call)

    @property
    def held(self) -> int:
        """Bytes of what goes in and comes out."""
        return sum(each.nbytes for each in (*self._given, *self._results))

    def __call__(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """What the function gives, in tensors that later calls leave alone."""
        for kept, new in zip(self._given, tensors, strict=True):
            kept.copy_(new)
        self._replay()
        return tuple(result.clone() for result in self._results)

    def _call(self) -> None:
        self._results = self._function(*self._given)
