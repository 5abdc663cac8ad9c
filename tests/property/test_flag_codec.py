"""Packed flags, few or many, unpack to the same flags, and are small."""

import hypothesis.strategies as st
import numpy as np
from hypothesis import given

from streamapp.core.arrays.flag_codec import pack_flags, unpack_flags


@given(st.lists(st.booleans(), max_size=300))
def test_what_was_set_is_set_again(flags: list[bool]) -> None:
    """Also if few are set, if all are, and if there are none."""
    packed = pack_flags(np.array(flags, np.bool_))
    assert unpack_flags(packed).tolist() == [number for number, flag in enumerate(flags) if flag]
    assert bool(packed) == any(flags)


@given(st.sets(st.integers(0, 9_999), max_size=10_000))
def test_no_more_than_a_bit_a_flag_is_stored(numbers: set[int]) -> None:
    """The shorter form is used."""
    flags = np.zeros(10_000, np.bool_)
    flags[list(numbers)] = True
    assert len(pack_flags(flags)) <= min(4 * len(numbers), 1_253)


def test_numbers_that_were_stored_without_bits_are_read() -> None:
    """A head with many numbers was written by a version without bitmaps."""
    numbers = np.arange(100, dtype="<i4")
    assert unpack_flags(numbers.tobytes()).tolist() == numbers.tolist()
