"""The heads of a new state hold what the old ones held, whatever the number of partitions."""

import pytest

from streamapp.cli.from_histories.new_heads import check_cuts, new_heads
from streamapp.config.settings import Settings
from streamapp.core.evaluation.online import OnlineMetrics
from streamapp.errors import StateError
from streamapp.pipelines import main_pipeline
from streamapp.store.slot.head import HistoriesHead

MAIN = main_pipeline(Settings(_env_file=None))


def heads(count: int) -> list[HistoriesHead]:
    """Return heads at position 10 with counters 1, 10, 100 and so on."""
    return [
        HistoriesHead(
            position=10,
            begun=3,
            applied=10**number,
            skipped={"view": 10**number},
            applied_offsets={"clicks/0": 40 + number},
            last_record=b"9:7",
            newest_ts=float(number),
            online_metrics=OnlineMetrics(judged=10**number),
            user_lists_version="old",
        )
        for number in range(count)
    ]


def made(old: list[HistoriesHead], positions: list[int]) -> list[HistoriesHead]:
    """Return the new heads, decoded over the stored fields."""
    fields = new_heads(MAIN, old, positions, {"clicks/0": 50}, "new")
    found = [HistoriesHead.decode(fields[number]) for number in range(len(positions))]
    return [head for head in found if head]


def test_the_same_partitions_keep_all_but_the_id_and_the_sweep() -> None:
    """So the next interactions follow the last ones."""
    for number, head in enumerate(made(heads(2), [10, 10])):
        assert (head.state_id, head.position, head.begun) == ("new", 10, 3)
        assert head.applied_offsets == {"clicks/0": 40 + number}
        assert (head.last_record, head.user_lists_version) == (b"9:7", "")
        assert head.results == MAIN.results


def test_more_partitions_begin_with_the_positions_of_intake() -> None:
    """Counters stay where they were; a new topic has no last record."""
    first, *rest = made(heads(1), [0, 0, 0])
    assert (first.applied, first.position, first.begun, first.last_record) == (1, 0, 0, b"")
    assert [(head.applied, head.newest_ts) for head in rest] == [(0, float("-inf"))] * 2
    assert {head.applied_offsets["clicks/0"] for head in (first, *rest)} == {50}


def test_fewer_partitions_take_the_counters_of_the_others() -> None:
    """Each old counter is in one sum."""
    first, second = made(heads(5), [0, 0])
    assert (first.applied, second.applied) == (10_101, 1_010)
    assert (first.skipped, second.skipped) == ({"view": 10_101}, {"view": 1_010})
    assert first.online_metrics.judged == 10_101
    assert (first.newest_ts, second.newest_ts) == (4.0, 3.0)


def test_a_cut_that_was_sent_in_part_keeps_the_partitions() -> None:
    """The line says what to do."""
    check_cuts(heads(2), {"clicks/0": 41}, "interactions")
    with pytest.raises(StateError, match=r"below offset 41 of clicks/0 .* the old PARTITIONS"):
        check_cuts(heads(2), {"clicks/0": 40}, "interactions")
