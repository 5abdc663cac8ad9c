"""Kernels of rows: which cells a block changes, and which rows follow it."""

from typing import TypeAlias

import numpy as np
import pytest

from streamapp.core.counts.row_kernels import advance, expand, neighbouring

Entry: TypeAlias = tuple[int, float, float]
"""An item, and its rating before and after."""

BLOCKS: list[list[Entry]] = [
    [(0, 0.0, 2.0), (1, 3.0, 0.0), (2, 1.5, 1.5)],
    [(3, 1.0, 4.0)],
    [(4, 0.0, 1.0), (0, 2.0, 3.0), (5, 2.5, 2.5), (1, 0.5, 0.5)],
]


def defined(blocks: list[list[Entry]], included: set[int]) -> list[tuple[int, int, int, float]]:
    """Return every change of a cell, (row, item, support, dot), by its definition, sorted."""
    return sorted(
        (
            row,
            item,
            bool(new * other_new) - bool(old * other_old),
            new * other_new - old * other_old,
        )
        for block in blocks
        for row, old, new in block
        for item, other_old, other_new in block
        if item != row and row not in included and (old, other_old) != (new, other_new)
    )


@pytest.mark.parametrize("blocks", [BLOCKS[:count] for count in range(4)] + [BLOCKS[1:]])
@pytest.mark.parametrize("included", [set(), {1}, {0, 5}, {0, 1, 2, 3, 4, 5}])
def test_blocks_change_the_cells_of_each_pair_that_they_change(
    blocks: list[list[Entry]], included: set[int]
) -> None:
    """Rows of other shards, and rows that include the blocks, get none."""
    changed = [[one for one in block if one[1] != one[2]] for block in blocks]
    kept = [[one for one in block if one[1] == one[2]] for block in blocks]
    every, others = (
        [one for some in changed for one in some],
        [one for some in kept for one in some],
    )
    count, position = np.zeros(7, np.int64), np.full(7, 7)
    owned = np.array([number not in included for number in range(7)])
    for number in included & {0, 2, 4}:
        owned[number], position[number] = True, 8
    rows, starts, item, support, dot = expand(
        np.cumsum([len(some) for some in changed], dtype=np.int64),
        np.array([one[0] for one in every], np.int32),
        np.array([one[1] for one in every], np.float64),
        np.array([one[2] for one in every], np.float64),
        np.cumsum([len(some) for some in kept], dtype=np.int64),
        np.array([one[0] for one in others], np.int32),
        np.array([one[2] for one in others], np.float64),
        owned, position, 7, count,
    )  # fmt: skip
    assert not count.any()
    assert (len(starts), starts[-1]) == (len(rows) + 1, len(item))
    row = np.repeat(rows, np.diff(starts))
    found = zip(row.tolist(), item.tolist(), support.tolist(), dot.tolist(), strict=True)
    assert sorted(found) == defined(blocks, included)


def advanced(position: list[int], offset: int) -> tuple[list[int], list[float]]:
    """Apply two blocks to rows 0 to 5; return the positions and times after it.

    The first block changes 0 and keeps 1, as of 30; the second changes 3 and 2 and keeps 4, as of
    20. All rows are as of 10, and row 3 belongs to another shard.
    """
    at, as_of = np.array(position, np.int64), np.full(6, 10.0)
    owned = np.array([True, True, True, False, True, True])
    advance(
        np.array([1, 3]), np.array([0, 3, 2], np.int32), np.array([1, 2]),
        np.array([1, 4], np.int32), np.array([30.0, 20.0]), owned, at, as_of, offset,
    )  # fmt: skip
    return at.tolist(), as_of.tolist()


def test_each_row_of_a_block_follows_it_and_no_other_does() -> None:
    """Changed or kept; a row of another shard stays as it is."""
    found = advanced([0] * 6, 7)
    assert found == ([8, 8, 8, 0, 8, 0], [30.0, 30.0, 20.0, 10.0, 20.0, 10.0])


@pytest.mark.parametrize(("position", "as_of"), [(7, 30.0), (8, 10.0), (9, 10.0)])
def test_a_row_that_includes_the_block_stays_as_it_is(position: int, as_of: float) -> None:
    """Its position does not fall."""
    positions, times = advanced([position] + [0] * 5, 7)
    assert (positions[0], times[0]) == (max(position, 8), as_of)


def test_no_time_falls() -> None:
    """A block may be older than the row."""
    at, as_of = np.zeros(1, np.int64), np.array([10.0])
    item = np.zeros(1, np.int32)
    none = np.zeros(0, np.int32)
    ends, owned = np.array([1]), np.ones(1, np.bool_)
    advance(ends, item, np.array([0]), none, np.array([5.0]), owned, at, as_of, 3)
    assert (at.tolist(), as_of.tolist()) == ([4], [10.0])


def test_a_row_is_found_by_any_of_its_cells_and_by_no_other_ones() -> None:
    """An item that is not known yet is not chosen."""
    starts, sizes = np.array([0, 2, 4, 6]), np.array([2, 1, 0, 2], np.int32)
    items = np.array([0, 1, 2, 0, 0, 0, 9, 1], np.int32)
    rows = np.array([3, 2, 1, 0], np.int32)

    def found(*chosen: int) -> list[bool]:
        known = np.zeros(3, np.bool_)
        known[list(chosen)] = True
        return [bool(one) for one in neighbouring(rows, starts, sizes, items, known)]

    assert found() == [False] * 4
    assert found(0) == [False, False, False, True]
    assert found(1) == [True, False, False, True]
    assert found(2) == [False, False, True, False]
