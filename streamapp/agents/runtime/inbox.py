"""The record batches that wait for a partition task."""

from collections import deque

from streamapp.transport.records import RecordBatch

_CAPACITY_BATCHES = 16
"""Batches that may wait, for each partition of a task."""

_CAPACITY_BYTES = 16_000_000
"""Bytes of values from which on no more batches may wait; one batch has a few megabytes at most."""


class Inbox:
    """A bounded queue of record batches, in the order in which they were read.

    Args:
        partitions: How many partitions the task has.
    """

    def __init__(self, partitions: int) -> None:
        self._capacity = _CAPACITY_BATCHES * partitions
        self._batches: deque[RecordBatch] = deque()
        self._size = 0

    def __len__(self) -> int:
        return len(self._batches)

    @property
    def has_capacity(self) -> bool:
        """Whether more batches should be read."""
        return len(self._batches) < self._capacity and self._size < _CAPACITY_BYTES

    def put(self, batch: RecordBatch) -> None:
        """Add a batch, also above the capacity: it was read before the inbox was full."""
        self._batches.append(batch)
        self._size += batch.size

    def take(self) -> RecordBatch:
        """Return the oldest batch, and remove it.

        Raises:
            IndexError: there is none.
        """
        batch = self._batches.popleft()
        self._size -= batch.size
        return batch

    def take_all(self) -> list[RecordBatch]:
        """Return all batches, and remove them."""
        batches = list(self._batches)
        self._batches.clear()
        self._size = 0
        return batches
