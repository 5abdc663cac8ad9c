"""Blobs: what their bytes mean, and how many bytes a row takes."""

import numpy as np
import pytest

from streamapp.core.counts.rows import CELL
from streamapp.inspection.row_sizes import cells_in, packed_cells, row_bytes
from streamapp.store.slot.blob import Blob, has_content


def test_a_blob_is_its_position_and_its_content() -> None:
    """Eight bytes, the most significant one first."""
    assert Blob(258, b"abc").encode() == b"\0\0\0\0\0\0\1\2abc"
    assert Blob.decode(b"\0\0\0\0\0\0\1\2abc") == (258, b"abc")
    assert Blob.decode(b"\0\0\0\0\0\0\1\2") == (258, b"")


@pytest.mark.parametrize(("size", "has"), [(0, False), (7, False), (8, False), (9, True)])
def test_a_blob_of_more_than_its_position_has_content(size: int, has: bool) -> None:
    """A tombstone has none; neither has a missing blob."""
    assert has_content(size) is has


@pytest.mark.parametrize("count", [0, 1, 5])
def test_the_cells_of_a_row_are_behind_its_position_and_its_time(count: int) -> None:
    """The bytes of rows say how many cells are in them."""
    cells = np.arange(count * CELL.itemsize, dtype=np.uint8).tobytes()
    content = b"as_of..." + cells
    stored = Blob(7, content).encode()
    assert packed_cells(content) == cells
    assert row_bytes(count) == len(stored)
    assert cells_in(1, len(stored)) == count
    assert cells_in(3, 2 * len(stored) + len(Blob(7, b"as_of...").encode())) == 2 * count


def test_no_rows_have_no_cells() -> None:
    """An estimate may have parts of cells."""
    assert cells_in(0, 0) == 0
    assert row_bytes(0) == 16
    assert row_bytes(1.5) == 16 + 1.5 * CELL.itemsize


@pytest.mark.parametrize("size", [0, 7, 9, 7 + CELL.itemsize, 9 + CELL.itemsize])
def test_bytes_that_are_no_row_are_refused(size: int) -> None:
    """The message names the size of the whole blob."""
    with pytest.raises(ValueError, match=f"a row does not have {size + 8} bytes"):
        packed_cells(b"x" * size)
