"""A function of tensors that is recorded once for their shapes, and then replayed."""

from collections.abc import Callable

from torch import Tensor


class RecordedCall:
    """A function of tensors, recorded with the first of them; nothing else may change in it."""

    def __init__(
        self,
        function: Callable[..., Tensor],
        record: Callable[[Callable[[], None]], Callable[[], None]],
        *tensors: Tensor,
    ) -> None:
        """`record` gives a call that does the same again, see `cuda_graphs.Recorder`."""
        self._function = function
        self._given = tuple(tensor.clone() for tensor in tensors)
        self._result: Tensor | None = None
        self._replay = record(self._call)

    @property
    def held(self) -> int:
        """Bytes of what goes in and comes out."""
        result = 0 if self._result is None else self._result.nbytes
        return sum(each.nbytes for each in self._given) + result

    def __call__(self, *tensors: Tensor) -> Tensor:
        """What the function gives, in a tensor that later calls leave alone."""
        for kept, new in zip(self._given, tensors, strict=True):
            kept.copy_(new)
        self._replay()
        assert self._result is not None
        return self._result.clone()

    def _call(self) -> None:
        self._result = self._function(*self._given)
