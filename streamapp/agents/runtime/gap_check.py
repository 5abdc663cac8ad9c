"""Checks that record batches follow the applied records, without a gap.

Event topics may lack offsets where a tracker used transactions, or where the topic was compacted.
A broker may also show a record before its predecessor when several producers write at once; the
embedded broker does. So a gap is read again a few times before it is accepted.
"""

from collections.abc import Awaitable, Callable, Sequence

from streamapp.agents.runtime.stage import Stage
from streamapp.errors import GapError, StateError
from streamapp.transport.records import TP, RecordBatch

_MAX_REREADS = 4
"""A gap that was read this often is real."""


class GapCheck:
    """Checks the record batches of one partition task for gaps, across all of its stages.

    Args:
        beginning: Asks Kafka for the first offset of a partition.
    """

    def __init__(self, beginning: Callable[[TP], Awaitable[int]]) -> None:
        self._beginning = beginning
        self._reread: dict[TP, tuple[int, int]] = {}
        self._has_gaps: set[TP] = set()

    async def check(self, stage: Stage, batches: Sequence[RecordBatch]) -> None:
        """Check that batches go on where a stage is.

        Once a partition has a real gap, further gaps are accepted without reading again. Real gaps
        come from transactions or compaction, and the broker that shows records out of order has
        neither.

        Raises:
            GapError: a record is missing; the caller should read it again.
            StateError: applied records came again, or records are lost.
        """
        expected: dict[TP, int] = {}
        for batch in batches:
            at = expected.get(batch.tp, stage.position(batch.tp))
            first = batch.records[0].offset
            if first < at:
                raise StateError(
                    f"{_name(batch.tp)} went back from offset {at} to {first}: was the topic "
                    "created again? Use another GROUP_ID and STATE_PREFIX to start from scratch"
                )
            if first > at and (await self._beginning(batch.tp)) > at:
                raise StateError(
                    f"{_name(batch.tp)} no longer holds the records from offset {at} to {first}: "
                    "they were dropped before they were read, so counts cannot be exact; "
                    f"{_remedy(stage)}"
                )
            if batch.end - at > len(batch.records) and batch.tp not in self._has_gaps:
                self._retry(batch, at, contiguous=stage.contiguous)
            expected[batch.tp] = batch.end

    def _retry(self, batch: RecordBatch, at: int, *, contiguous: bool) -> None:
        """Accept a gap that was read often enough; else ask for another read of it."""
        tp = batch.tp
        for record in batch.records:
            if record.offset != at:
                break
            at += 1
        missing, reads = self._reread.get(tp, (at, 0))
        reads = reads + 1 if missing == at else 1
        self._reread[tp] = at, reads
        if reads < _MAX_REREADS:
            raise GapError(f"{_name(tp)} was read from offset {record.offset} on instead of {at}")
        if contiguous:
            raise StateError(
                f"{_name(tp)} was read {_MAX_REREADS} times from offset {record.offset} on instead "
                f"of {at}, and only this app writes there: counts cannot be exact without what is "
                "missing; count the histories again with `streamapp rebuild --from-histories`"
            )
        self._has_gaps.add(tp)


def _remedy(stage: Stage) -> str:
    """Return what an operator can do about records that Kafka no longer holds."""
    if stage.contiguous:
        return "count the histories again with `streamapp rebuild --from-histories`"
    return "`streamapp resume` says how to go on"


def _name(tp: TP) -> str:
    return f"{tp.topic}[{tp.partition}]"
