"""Compiles the loops of the kernels with numba, when they are first called."""

from collections.abc import Callable
from functools import cached_property, update_wrapper
from typing import Any, TypeVar, cast

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
