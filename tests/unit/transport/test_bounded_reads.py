"""One read of a partition is bounded in bytes, however well its records were compressed."""

from collections.abc import Iterator
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer import fetcher

from streamapp.transport.consuming.consumer_thread import READ_BYTES, bound_reads
from tests.support.batches import builder

TP = TopicPartition("clicks", 0)
MEGABYTE = 1 << 20
ZSTD = 4


class State:
    """In place of the state of an assigned partition: its position."""

    paused = False
    position = 0

    def consumed_to(self, position: int) -> None:
        """Move the position."""
        self.position = position


class Assignment:
    """In place of the assignment of a consumer."""

    active = True

    def __init__(self) -> None:
        self.state = State()

    def state_value(self, _: object) -> State:
        """Return the state of the partition."""
        return self.state


@pytest.fixture(autouse=True)
def _bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetcher, "FetchResult", fetcher.FetchResult)
    bound_reads()


def result(sizes: list[int], batches: int = 1) -> tuple[Any, State, int]:
    """Return the answer with batches of records of blanks, and how large it is."""
    content, offset = b"", 0
    for _ in range(batches):
        made = builder(ZSTD)
        made._batch_size = 1 << 30
        for place, size in enumerate(sizes):
            made.append(place, 1_000, b"k", b" " * size, [])
        raw = bytearray(made.build())
        raw[:8] = offset.to_bytes(8, "big")
        content, offset = content + bytes(raw), offset + len(sizes)
    assigned = Assignment()
    records = fetcher.PartitionRecords(
        TP,
        fetcher.MemoryRecords(content),
        None,
        0,
        None,
        None,
        check_crcs=True,
        isolation_level=fetcher.READ_COMMITTED,
    )
    found = fetcher.FetchResult(TP, assignment=assigned, partition_records=records, backoff=0)
    return found, assigned.state, len(content)


def reads(found: Any, most: int | None) -> Iterator[list[Any]]:
    """Read until nothing is left."""
    while found.has_more():
        yield found.getall(most)


def test_a_few_kilobytes_that_hold_a_hundred_megabytes_are_many_reads() -> None:
    """All records come, in order, and the position follows them."""
    found, state, size = result([MEGABYTE] * 20, batches=5)
    assert size < 10_000
    offsets: list[int] = []
    for some in reads(found, 4_000):
        assert sum(len(record.value) for record in some) <= READ_BYTES + MEGABYTE
        offsets += [record.offset for record in some]
        assert state.position == (offsets[-1] + 1 if some else 100)
    assert offsets == list(range(100))


def test_small_records_are_limited_by_their_number() -> None:
    """As the setting says."""
    found, state, _ = result([10] * 9)
    assert [len(some) for some in reads(found, 4)] == [4, 4, 1]
    assert state.position == 9
    found, _, _ = result([10] * 9)
    assert [len(some) for some in reads(found, None)] == [9]
    assert found.getall(4) == []


def test_records_behind_a_seek_are_not_returned() -> None:
    """The answer belongs to another position."""
    found, state, _ = result([10] * 9)
    assert len(found.getall(2)) == 2
    state.position = 7
    assert found.getall(2) == []
    assert not found.has_more()
