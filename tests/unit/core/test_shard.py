"""A shard knows which lists may have changed, and which rows it may let go."""

import numpy as np
import pytest

from streamapp.core.counts.norms_and_rows import NormsAndRows
from streamapp.core.counts.row_kernels import neighbouring
from streamapp.core.counts.rows import CELL
from streamapp.core.ids.registry import Registry
from streamapp.core.lists.ranking import ListRule
from streamapp.core.messages.applied_offsets import AppliedOffsets
from streamapp.core.shard.shard import Shard
from streamapp.core.shard.visibility import VISIBILITY, Visibility
from tests.support.oracle import Act
from tests.support.pipeline import Pipeline


def settled(acts: list[Act], cap: int) -> Pipeline:
    """Return a pipeline of one shard whose lists of one entry are published and remembered."""
    pipeline = Pipeline(1, cap, ListRule(top_n=1))
    pipeline.take(acts)
    pipeline.drain(0)
    shard = pipeline.rows[0]
    rows = shard.alive()
    pipeline.load(0, rows[~shard.rows.present[rows]])
    shard.lists.acknowledge(rows, shard.rank(rows))
    for flags in (shard.lists.dirty, shard.norms.changed, shard.norms.decreased):
        flags[:] = False
    return pipeline


def outdated(pipeline: Pipeline, acts: list[Act]) -> set[str]:
    """Apply more acts; return the items whose list may differ though their row did not change."""
    pipeline.take(acts)
    pipeline.drain(0)
    shard = pipeline.rows[0]
    rows = shard.outdated(shard.norms.changed, shard.norms.decreased)
    return {shard.registry.ids[row] for row in rows if not shard.lists.dirty[row]}


def test_an_item_whose_norm_falls_may_enter_a_list_that_did_not_hold_it() -> None:
    """`i` has j and k in its row and k in its list; when others forget j, j comes first."""
    acts = [Act("u1", "i", 1, 1), Act("u1", "j", 1, 1), Act("u2", "i", 1, 1), Act("u2", "k", 1, 1),
            Act("u3", "j", 1, 1), Act("u4", "j", 1, 1)]  # fmt: skip
    pipeline = settled(acts, cap=2)
    assert pipeline.lists()["i"][0][0] == "k"
    later = [Act(user, item, 1, 9) for user in ("u3", "u4") for item in ("x", "y")]
    assert "i" in outdated(pipeline, later)
    assert pipeline.lists()["i"][0][0] == "j"


def test_a_user_with_a_single_item_moves_the_list_of_that_item() -> None:
    """The row does not change, but its own norm does."""
    pipeline = settled([Act("u1", "a", 1, 1), Act("u1", "b", 1, 1)], cap=2)
    assert outdated(pipeline, [Act("u2", "a", 1, 1)]) == {"a", "b"}


def test_a_row_that_was_stored_ahead_may_name_items_that_are_still_to_come() -> None:
    """None of them changed, whatever is in memory behind the known ones."""
    memory = np.ones(8, np.bool_)
    known = memory[:4]
    known[:] = False
    row, start, size = np.zeros(1, np.int32), np.zeros(1, np.int64), np.ones(1, np.int32)
    for item, moved in ((6, False), (3, False), (2, True)):
        known[2] = moved
        touched = neighbouring(row, start, size, np.full(1, item, np.int32), known)
        assert touched.tolist() == [moved]


def test_no_list_is_right_until_the_log_was_read_as_far_as_what_is_hidden_was_stored() -> None:
    """Lists of one position would differ, because one owner stored it and another did not."""
    stored = Visibility(np.array([(7, True)], VISIBILITY).tobytes())
    shard = Shard(0, 1, ListRule(1), "g", 6, Registry("a"), NormsAndRows.unpack(), AppliedOffsets(),
                  visibility=stored)  # fmt: skip
    assert shard.is_replaying
    shard.position = 7
    assert not shard.is_replaying


def test_the_rows_that_were_idle_longest_leave_memory_first_and_unsaved_ones_stay() -> None:
    """A shard over its limit drops clean rows only."""
    pipeline = settled([Act("u1", "a", 1, 1), Act("u1", "b", 1, 1)], cap=9)
    pipeline.store(0, forget=False)
    pipeline.take([Act("u2", "c", 1, 1), Act("u2", "d", 1, 1)])
    pipeline.drain(0)
    shard = pipeline.rows[0]
    shard.lists.dirty[:] = False
    shard.shrink(limit_bytes=0)
    assert {shard.registry.ids[row] for row in np.flatnonzero(shard.rows.present)} == {"c", "d"}
    pipeline.store(0, forget=False)
    shard.shrink(limit_bytes=0)
    assert not shard.rows.present.any()


@pytest.mark.parametrize(
    ("cells", "less_bytes", "kept"),
    [(6, 0, "abcdef"), (6, 1, "bcdef"), (5, 0, "bcdef"), (4, 0, "cdef"), (4, 1, "def"),
     (1, 0, "f"), (1, 1, ""), (99, 0, "abcdef")],
)  # fmt: skip
def test_no_more_rows_leave_memory_than_must(cells: int, less_bytes: int, kept: str) -> None:
    """Six rows of one cell each, two of each time; of equal ones the lower number leaves."""
    pipeline = settled([Act("u1", "a", 1, 1), Act("u1", "b", 1, 1)], cap=9)
    for user, items in (("u2", "cd"), ("u3", "ef")):
        pipeline.take([Act(user, item, 1, 1) for item in items])
        pipeline.drain(0)
    pipeline.store(0, forget=False)
    shard = pipeline.rows[0]
    shard.lists.dirty[:] = False
    shard.shrink(cells * CELL.itemsize - less_bytes)
    assert "".join(shard.registry.ids[row] for row in np.flatnonzero(shard.rows.present)) == kept


def test_lists_that_are_invalid_are_not_known_and_some_of_them_are_dirty() -> None:
    """Every list differs from what was published, which nobody knows any more."""
    shard = settled([Act("u1", "a", 1, 1), Act("u1", "b", 1, 1)], cap=9).rows[0]
    rows = shard.alive()
    ranking = shard.rank(rows)
    assert not shard.lists.differs(rows, ranking).any()
    shard.lists.invalidate(rows[:1])
    assert shard.lists.dirty_numbers().tolist() == rows[:1].tolist()
    assert shard.lists.differs(rows, ranking).all()
    assert shard.lists.holding(rows, np.zeros(len(shard.owned), np.bool_)).all()
