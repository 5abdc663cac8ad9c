"""Decides how long a draft of interaction batches waits for more records (ADR-0025, ADR-0028)."""

from streamapp.agents.delivery.own_messages import OwnMessages
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
        own_messages: Those that the worker has still to apply.
    """

    def __init__(self, partitions: int, own_messages: OwnMessages) -> None:
        self._bytes = min(max(_BATCH_BYTES * partitions, _LEAST_BYTES), _LARGEST_BYTES)
        self._due_time = DueTime(NEVER)
        self._own_messages = own_messages
        self._is_last = True

    def is_full(self, size: int) -> bool:
        """Say whether a draft of so many bytes of records waits for no more."""
        return size >= self._bytes

    def end_read(self, records: int, backlog: int) -> None:
        """Take in that a read has ended.

        Fewer and larger interaction batches cost all stages less. A draft waits for a part of the
        time that the worker is behind.

        Args:
            records: How many records are in the draft.
            backlog: How many more there are to read.
        """
        self._due_time.restart(_WAIT_S)
        self._is_last = backlog <= max(_FAR, records // 4)

    @property
    def left_s(self) -> float:
        """The most seconds until a draft that gets no more records is to be sent.

        A worker that still applies what it sent takes in more meanwhile. So the busier it is, the
        fewer and larger are the steps of all its tasks.
        """
        return self._own_messages.wait_s if self._is_last else self._due_time.due_in_s
