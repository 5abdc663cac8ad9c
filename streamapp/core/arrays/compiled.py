"""Compiles the loops of the kernels with numba, when they are first called.

numba keeps compiled code on disk under the qualified name of a kernel. It compiles a kernel again
when the kernel's file changes, but not when a kernel that it calls changes in another file, nor a
constant that it takes from there. So the name of a kernel ends with a fingerprint of all these
(ADR-0004).
"""

import hashlib
from collections.abc import Callable, Iterator
from functools import cached_property, update_wrapper
from types import CodeType
from typing import Any, TypeVar, cast

import numpy as np

F = TypeVar("F", bound=Callable[..., Any])

_FINGERPRINT_BYTES = 6


class Kernel:
    """A loop that is compiled when it is first called, by Python or by another kernel.

    numba is imported at that time: its import takes a second, which a command that runs no kernel
    does not spend.
    """

    def __init__(self, function: Callable[..., Any], **options: Any) -> None:
        update_wrapper(self, function)
        self._function = function
        self._options = options

    @cached_property
    def fingerprint(self) -> str:
        """A digest of the code of the kernel, of the kernels that it calls, and of its constants.

        It has no part that depends on the process, the machine, the position in a file, or a
        docstring.
        """
        function, digest = self._function, hashlib.blake2b(digest_size=_FINGERPRINT_BYTES)
        digest.update(repr((sorted(self._options.items()), function.__defaults__)).encode())
        for part in _parts(function.__code__, function.__globals__, function.__doc__):
            digest.update(repr(part).encode())
        return digest.hexdigest()

    @cached_property
    def dispatcher(self) -> Any:
        """The compiled function, as numba calls it."""
        import numba  # noqa: PLC0415 - see the class

        self._function.__qualname__ += f"_{self.fingerprint}"
        options = {"cache": True, "error_model": "numpy", **self._options}
        return numba.njit(**options)(self._function)

    @property
    def _numba_type_(self) -> Any:
        """By this name numba asks for the type of a kernel that another one calls."""
        return self.dispatcher._numba_type_

    def __call__(self, *args: Any) -> Any:
        """Run the compiled loop."""
        return self.dispatcher(*args)


def _parts(code: CodeType, names: dict[str, Any], docstring: str | None) -> Iterator[object]:
    """Yield the code of a function, its constants, and those of `names` that it refers to."""
    yield code.co_code
    yield code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _parts(constant, names, None)
        elif docstring is None or constant != docstring:
            yield constant
    for name in code.co_names:
        value = names.get(name)
        if isinstance(value, Kernel):
            yield value.fingerprint
        elif isinstance(value, np.ndarray):
            yield value.dtype.str, value.shape, value.tobytes()
        elif isinstance(value, int | float | tuple):
            yield value


def compiled(function: F) -> F:
    """Compile a loop to machine code on its first call, and keep the result on disk.

    Other threads run beside it: the one that answers Kafka must not wait for a long batch.

    Floating point stays strict (no `fastmath`): a compiled kernel gives the same bits as numpy.
    Source: ADR-0004.
    """
    return cast("F", Kernel(function, nogil=True))
