"""Kernels: stored values reach them as arrays of one type, so each is compiled once."""

from typing import Any

import numba
import numpy as np
import pytest

from streamapp.core.arrays.columns import column
from streamapp.core.counts import row_kernels as cells
from streamapp.core.counts.rows import CELL, Rows
from streamapp.core.histories import history, profiles
from streamapp.core.histories.decay import Decay
from streamapp.core.histories.history import DECAYED_ENTRY, ENTRY, Interactions, revise
from streamapp.core.histories.profiles import Profiles
from streamapp.core.ids.registry import Registry


def written(kernel: Any) -> bool:
    """Return whether a kernel is compiled only for writable arrays."""
    arrays = [
        argument
        for signature in kernel.dispatcher.signatures
        for argument in signature
        if isinstance(argument, numba.types.Array)
    ]
    return bool(arrays) and all(array.mutable for array in arrays)


@pytest.mark.parametrize("entries", [0, 1, 2])
def test_a_column_of_stored_records_is_an_array_of_its_own(entries: int) -> None:
    """A view of bytes with one entry is contiguous, and cannot be written to."""
    stored = np.frombuffer(np.ones(entries, ENTRY).tobytes(), ENTRY)
    rating = column(stored, "rating")
    assert rating.tolist() == [1.0] * entries
    assert rating.flags.writeable
    assert rating.flags.c_contiguous


@pytest.mark.parametrize("decay", [None, Decay(60.0)])
def test_one_entry_takes_the_kernels_of_many(decay: Decay | None) -> None:
    """Compiling another one would stop the worker for a second or two."""
    registry = Registry(["a", "b"])
    new = Interactions(np.array([0, 1]), np.array([1], np.int32), np.ones(1), np.ones(1))
    packed = np.ones(1, DECAYED_ENTRY if decay else ENTRY)
    packed["item"] = 0
    for stored in ([b""], [packed.tobytes()]):
        revise(stored, new, registry, 5, decay=decay)
        Profiles.unpack(stored, registry, decay)
    rows = Rows()
    rows.reserve(2)
    rows.load(
        np.zeros(1, np.int32), np.zeros(1, np.int64), np.zeros(1), [np.ones(1, CELL).tobytes()]
    )
    kernels = history._revise, profiles._newest_first, cells.move
    assert [written(kernel) for kernel in kernels] == [True] * 3
