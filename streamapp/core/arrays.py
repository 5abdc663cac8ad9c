"""Core. The array types and the compiler that the kernels share."""

from collections.abc import Callable
from functools import cached_property, update_wrapper
from typing import Any, TypeAlias, TypeVar, cast

import numpy as np
import numpy.typing as npt

Ints: TypeAlias = npt.NDArray[np.int32]
Longs: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]
Bytes: TypeAlias = npt.NDArray[np.uint8]
Bools: TypeAlias = npt.NDArray[np.bool_]

F = TypeVar("F", bound=Callable[..., Any])


class _Kernel:
    """A loop that is compiled when it is first called, by itself or by another kernel.

    numba is imported then: who runs no kernel, as most commands, does without its second.
    """

    def __init__(self, function: Callable[..., Any], **options: Any) -> None:
        update_wrapper(self, function)
        self._function = function
        self._options = options

    @cached_property
    def dispatcher(self) -> Any:
        """What numba makes of the loop."""
        import numba  # noqa: PLC0415 - see above

        return numba.njit(cache=True, error_model="numpy", **self._options)(self._function)

    @property
    def _numba_type_(self) -> Any:
        """By this name numba asks what a kernel is that another one calls."""
        return self.dispatcher._numba_type_

    def __call__(self, *args: Any) -> Any:
        return self.dispatcher(*args)


def compiled(function: F) -> F:
    """Compile a loop to machine code on its first call, and keep the result on disk.

    Floating point stays strict (no `fastmath`): a compiled kernel gives the same bits as numpy.
    Source: ADR-0004.
    """
    return cast("F", _Kernel(function))


def compiled_aside(function: F) -> F:
    """Compile a loop likewise, for a thread of its own: other threads run while it does."""
    return cast("F", _Kernel(function, nogil=True))


def resized(array: npt.NDArray[Any], size: int) -> npt.NDArray[Any]:
    """Return `array` with exactly `size` entries along its first axis; new ones are zero."""
    if size == len(array):
        return array
    larger = np.zeros((size, *array.shape[1:]), dtype=array.dtype)
    larger[: len(array)] = array
    return larger


def column(packed: npt.NDArray[Any], name: str) -> npt.NDArray[Any]:
    """Return one field of structured records as an array of its own.

    A kernel is compiled anew for one that cannot be written to, as a view of bytes is.
    """
    return np.array(packed[name])


def records(numbers: Longs, packed: npt.NDArray[Any]) -> list[tuple[int, bytes]]:
    """Return (number, bytes) of each of `packed`, structured records in the order of `numbers`."""
    whole, width = packed.tobytes(), packed.itemsize
    return [
        (number, whole[place * width : (place + 1) * width])
        for place, number in enumerate(numbers.tolist())
    ]


def grown(array: npt.NDArray[Any], size: int) -> npt.NDArray[Any]:
    """Return `array` with room for at least `size` entries, at least doubled when it must grow.

    Cost: amortised O(1) per entry appended.
    """
    return array if size <= len(array) else resized(array, max(size, 2 * len(array), 16))
