"""Decides how long a draft of interaction batches waits for more records (ADR-0025)."""

from streamapp.agents.scheduling.due_time import NEVER, DueTime

_WAIT_S = 2.0
"""Seconds after the last read in which a draft waits for more."""

_FAR = 2_000
"""Records from which on a backlog is large."""

_BATCH_BYTES = 500_000
"""Bytes of event records for each partition of interactions after which batches are sent.

A batch of a partition becomes a message to each shard. So with more partitions, larger batches keep
the messages as large as they are.
"""

_LEAST_BYTES, _LARGEST_BYTES = 2_000_000, 64_000_000
"""Bounds of the bytes of event records after which batches are sent."""


class DraftWait:
    """How large drafts become.

    Args:
        partitions: Of interactions; each of them gets a batch.
    """

    def __init__(self, partitions: int) -> None:
        self._bytes = min(max(_BATCH_BYTES * partitions, _LEAST_BYTES), _LARGEST_BYTES)
        self._due_time = DueTime(NEVER)

    def is_full(self, size: int) -> bool:
        """Say whether a draft of so many bytes of records waits for no more."""
        return size >= self._bytes

    def ends_at(self, records: int, backlog: int) -> bool:
        """Say whether a draft is to be sent now that a read has ended.

        Fewer and larger interaction batches cost all stages less. A draft waits for a part of the
        time that the worker is behind.

        Args:
            records: How many records are in the draft.
            backlog: How many more there are to read.
        """
        self._due_time.restart(_WAIT_S)
        return backlog <= max(_FAR, records // 4)

    @property
    def left_s(self) -> float:
        """The seconds until a draft that gets no more records is to be sent."""
        return self._due_time.due_in_s
